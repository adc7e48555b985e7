"""Sending what waits for the mail: one round after another, by a server or by `kalends mail send-now`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence

from kalends.core.scheduling import MAIL, NOT_DELIVERED
from kalends.imip import letter, queue, verdicts, writing
from kalends.imip.errors import LetterError
from kalends.imip.queue import Limits, Tally
from kalends.imip.verdicts import Verdict
from kalends.serve.config import Config
from kalends.serve.relay import Relay, RelayError
from kalends.store import jobs
from kalends.store.base import Store
from kalends.store.errors import StoreError
from kalends.store.jobs import JobRow

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0
"""Between two looks for mail that is due: one point read each."""
REST_SECONDS = 60.0
"""How long nothing is tried after the mail server, or the store, could not be used."""


class Mailer:
    """Sends the mail of one store.

    Args:
        config: its host's settings.
        store: an open store.
        clock: seconds since 1970 UTC; the tests have their own.

    Attributes:
        ending: set it to have nothing more begun.
        troubled: whether the mail server could not be used in the last round.
    """

    def __init__(self, config: Config, store: Store, clock: Callable[[], float] = time.time) -> None:
        self.config, self.store = config, store
        self.limits = Limits(config.mail_attempts, config.mail_per_hour, config.mail_size)
        self.relay = Relay(config)
        self._hold = max(queue.HOLD, int(2 * self.relay.longest))
        self._clock = clock
        self.ending = False
        self.troubled = False

    @property
    def now(self) -> int:
        """Seconds since 1970 UTC."""
        return int(self._clock())

    def is_due(self) -> bool:
        """Whether anything is to be sent now."""
        due = self.store.read(lambda tx: jobs.next_due(tx, MAIL))
        return due is not None and due <= self.now

    def round(self) -> Tally:
        """Send what is due, at most BATCH mails, over one connection, and write down what became of them.

        Returns:
            What it came to; all zero when nothing is due.

        Raises:
            StoreError: the store cannot be used. What was taken is free again when its hold is over.
        """
        began = self.now
        taken = self.store.write(lambda tx: queue.claim(tx, began, self.limits, self._hold))
        if not taken:
            return Tally()
        results = self._send(taken, began)
        for job, verdict in results:
            if verdict.kind != "unasked":
                log.log(*_line(job, verdict))
        policy, now = self.config.policy, self.now
        return self.store.write(lambda tx: queue.settle(tx, policy, now, self.limits, results))

    def _send(self, taken: Sequence[JobRow], began: int) -> list[tuple[JobRow, Verdict]]:
        """Try each; when the mail server itself is in trouble, all that is left fails for that one reason."""
        results: list[tuple[JobRow, Verdict]] = []
        ready: list[tuple[JobRow, writing.Mail]] = []
        for job in taken:
            try:
                ready.append((job, self._mail(job)))
            except LetterError as error:
                results.append((job, Verdict("never", error.status, str(error))))
        self.troubled, done = False, 0
        if not ready:
            return results
        try:
            with self.relay.connected() as relay:
                for job, mail in ready:
                    if self.ending or self.now + relay.longest > began + self._hold:
                        results += [(late, verdicts.UNASKED) for late, _ in ready[done:]]
                        break
                    results.append((job, relay.send(mail)))
                    done += 1
        except RelayError as error:
            self.troubled = True
            log.warning("mail: %s", error)
            results += [(job, verdicts.later(str(error))) for job, _ in ready[done:]]
        return results

    def _mail(self, job: JobRow) -> writing.Mail:
        """The mail of a job. Raises LetterError."""
        if job.attempts > self.limits.attempts:  # a server died with it each time
            raise LetterError(job.last_error or "it was tried too often", NOT_DELIVERED)
        return writing.write(letter.read(job), self.config.mailbox, self.limits.octets)


def _line(job: JobRow, verdict: Verdict) -> tuple[int, str, str, str, int, str, str]:
    """What the log says of one mail: whom it was for and what the server said; nothing that stands in it."""
    try:
        one = letter.read(job)
        mark, to = one.mark, one.to
    except LetterError:
        mark, to = "?", "nobody"
    level = logging.INFO if verdict.kind == "sent" else logging.WARNING
    text = "mail %s to %s, attempt %d: %s: %s"
    return level, text, mark, verdicts.shown(to), job.attempts, verdict.kind, verdict.words


class MailDuty:
    """Lets mailers work while a server runs, in a thread beside the loop.

    Args:
        mailers: one for each store that has a mail.
    """

    def __init__(self, mailers: Sequence[Mailer]) -> None:
        self._mailers = mailers
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; to be called in the loop."""
        if self._mailers:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self, seconds: float) -> None:
        """Let the mail that is being sent be finished, or cut it off when it takes longer than that."""
        self._ending.set()
        for mailer in self._mailers:
            mailer.ending = True
        if self._task is None:
            return
        _, late = await asyncio.wait([self._task], timeout=seconds)
        if late:
            for mailer in self._mailers:
                mailer.relay.cut_off()
        await self._task

    async def _run(self) -> None:
        while not self._ending.is_set():
            pause = POLL_SECONDS
            for mailer in self._mailers:
                try:
                    pause = max(pause, await asyncio.to_thread(work, mailer))
                except StoreError as error:
                    log.warning("mail waits: %s", error)
                    pause = REST_SECONDS
                except Exception:
                    log.exception("mail waits: an error in Kalends")
                    pause = REST_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), pause)


def work(mailer: Mailer) -> float:
    """Send all that is due; returns the seconds until it makes sense to look again."""
    while not mailer.ending and mailer.is_due():
        if mailer.round() == Tally():
            break  # others have it, or it has to wait for the next hour
        if mailer.troubled:
            return REST_SECONDS
    return POLL_SECONDS
