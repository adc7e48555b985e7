"""The queue: which messages are to be mailed now, and what is written down when that was tried.

Functions of transactions. Several servers may share one store: who takes a job holds it for some minutes and
counts the attempt, and only who made that attempt may settle it. A server that dies after sending and before
settling leaves the job to be sent once more, as the very same mail.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from kalends.core.model import Caller, Identity, Policy
from kalends.core.names import ANONYMOUS
from kalends.core.scheduling import MAIL, Delivery, note
from kalends.imip import letter, verdicts
from kalends.imip.errors import LetterError
from kalends.imip.verdicts import Verdict
from kalends.store import jobs, mail_use
from kalends.store.base import Tx
from kalends.store.jobs import JobRow

HOLD = 600
"""Seconds for which a server has what it took, at least: it begins to send nothing that may take longer."""
BATCH = 20
"""Mails taken at once: they go over one connection, and what became of them is written in one transaction."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds mail that goes out.

    Attributes:
        attempts: how often a mail is tried. per_hour: mails of one user in one hour. octets: of one mail.
    """

    attempts: int = 12
    per_hour: int = 200
    octets: int = 5_000_000


@dataclass(frozen=True, slots=True)
class Tally:
    """What a round came to: mails by what became of them."""

    sent: int = 0
    waiting: int = 0
    failed: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(self.sent + other.sent, self.waiting + other.waiting, self.failed + other.failed)


def claim(tx: Tx, now: int, limits: Limits, hold: int = HOLD) -> list[JobRow]:
    """Take what is due, and hold it.

    Whose mails are too many in this hour waits for the next one.

    Args:
        tx: a write transaction.
        now: seconds UTC.
        limits: what bounds it.
        hold: seconds for which nobody else gets it.
    """
    taken = jobs.due(tx, now, kind=MAIL, hold=hold, limit=BATCH)
    found: list[JobRow] = []
    for who, job in sorted(((_whose(job), job) for job in taken), key=lambda one: (one[0], one[1].id)):
        if job.attempts == 1 and mail_use.count(tx, who, now) > limits.per_hour:
            mail_use.uncount(tx, who, now)
            next_hour = (now // mail_use.HOUR + 1) * mail_use.HOUR
            jobs.give_back(
                tx, job, next_hour, f"more than {limits.per_hour} mails of {who[:80]} in this hour"
            )
        else:
            found.append(job)
    mail_use.forget(tx, now)
    return sorted(found, key=lambda job: (job.due_at, job.id))


def _whose(job: JobRow) -> str:
    try:
        payload = json.loads(job.payload)
    except ValueError:
        return ""
    return str(payload.get("by") or payload.get("from") or "") if isinstance(payload, dict) else ""


def settle(
    tx: Tx, policy: Policy, now: int, limits: Limits, results: Sequence[tuple[JobRow, Verdict]]
) -> Tally:
    """Write down what became of attempts: in the queue, and in the objects that the messages are about.

    Args:
        tx: a write transaction.
        policy: the store's.
        now: seconds UTC.
        limits: what bounds it.
        results: jobs as `claim` gave them, and what became of each.
    """
    tally = Tally()
    deliveries: list[Delivery] = []
    for job, verdict in sorted(results, key=lambda one: one[0].id):
        if verdict.kind == "unasked":
            _give_back(tx, job, now)
            tally += Tally(waiting=1)
        elif verdict.kind == "later" and job.attempts < limits.attempts:
            jobs.failed(tx, job.id, verdict.words, now + verdicts.wait(job.attempts), job.attempts)
            tally += Tally(waiting=1)
        else:
            if jobs.done(tx, job.id, job.attempts):
                deliveries += _told(job, verdict)
            tally += Tally(sent=1) if verdict.kind == "sent" else Tally(failed=1)
    caller = Caller(Identity(ANONYMOUS), "job", now, policy)
    note(tx, caller, deliveries)
    return tally


def _give_back(tx: Tx, job: JobRow, now: int) -> None:
    if job.attempts == 1:  # it is counted again when it is taken again
        mail_use.uncount(tx, _whose(job), now)
    jobs.give_back(tx, job, now)


def _told(job: JobRow, verdict: Verdict) -> list[Delivery]:
    try:
        return [letter.read(job).became(verdict.status)]
    except LetterError:  # a damaged job names nobody who could be told
        return []
