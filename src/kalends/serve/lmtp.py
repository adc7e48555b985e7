"""Mail that a mail server on this machine hands in over LMTP: the sockets around `imip.lmtp`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import cast

from kalends.core.guard import guard
from kalends.imip import intake, lmtp
from kalends.imip.lmtp import Action, Close, Deliver, Send, Session
from kalends.imip.outcomes import Outcome, outcome_of
from kalends.serve.config import Config
from kalends.store.base import Store

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 20
"""Connections at once; a mail server uses a few."""
SILENCE = 300.0
"""Seconds without a word before a connection ends (RFC 5321 §4.5.3.2.7)."""

Place = tuple[Config, Store]
"""A host's settings and its store."""


class LmtpListener:
    """Listens for mail.

    Args:
        config: the process's settings.
        places: the hosts, the main one first; the domain of a recipient tells which one a mail is for.
    """

    def __init__(self, config: Config, places: Sequence[Place]) -> None:
        self.config = config
        self._by_realm = {place[0].realm: place for place in reversed(places)}
        self._main = places[0]
        self._doors: set[_Door] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises OSError."""
        host, port = self.config.lmtp_address
        self._server = await asyncio.get_running_loop().create_server(lambda: _Door(self), host, port)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        assert self._server is not None, "it does not listen"
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def stop(self, seconds: float) -> None:
        """Listen no more, and let what was handed in be delivered."""
        if self._server is not None:
            self._server.close()
        busy = [door.task for door in self._doors if door.task is not None]
        if busy:
            await asyncio.wait(busy, timeout=seconds)
        for door in list(self._doors):
            door.end("the server is stopping")

    def enter(self, door: _Door) -> bool:
        """Count a connection; False when there are too many."""
        self._doors.add(door)
        return len(self._doors) <= MAX_CONNECTIONS

    def leave(self, door: _Door) -> None:
        """Forget a connection."""
        self._doors.discard(door)

    def deliver(self, mail: Deliver) -> list[str]:
        """Deliver a mail to each of its recipients. Runs in a thread."""
        return [self._deliver(mail.data, one) for one in mail.recipients]

    def _deliver(self, data: bytes, recipient: str) -> str:
        config, store = self._by_realm.get(recipient.rpartition("@")[2].lower(), self._main)
        try:
            messages = intake.read(data, config.mail_require_authentication_results)
            now = int(time.time())
            with guard():
                reached = store.write(
                    lambda tx: intake.deliver(tx, config.policy, now, messages, (recipient,))
                )
        except Exception as error:
            outcome = outcome_of(error)
            if outcome is None:
                log.exception("a mail is to be tried again: an error in Kalends")
                return lmtp.reply(Outcome.LATER, "an error in Kalends")
            answer = lmtp.reply(outcome, str(error))
            log.info("a mail is not taken: %s", answer)
            return answer
        log.info("a mail with %d messages is taken, new for %d people", len(messages), len(reached))
        return lmtp.TAKEN


class _Door(asyncio.Protocol):
    """One connection."""

    def __init__(self, listener: LmtpListener) -> None:
        self._listener = listener
        self._session = Session(listener.config.csid, listener.config.mail_size)
        self._transport: asyncio.Transport | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        if self._listener.enter(self):
            self._do([self._session.greeting()])
            self._wind()
        else:
            self._do(self._session.refused("too many connections"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.leave(self)
        self._transport = None
        if self._alarm is not None:
            self._alarm.cancel()

    def data_received(self, data: bytes) -> None:
        self._wind()
        self._do(self._session.receive(data))

    def end(self, words: str) -> None:
        """End the connection, saying why."""
        self._do(self._session.refused(words))

    def _wind(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_later(SILENCE, self.end, "nothing was said for too long")

    def _do(self, actions: Sequence[Action]) -> None:
        for action in actions:
            if self._transport is None or self._transport.is_closing():
                return
            match action:
                case Send(data):
                    self._transport.write(data)
                case Close():
                    self._transport.close()
                case Deliver():
                    self._transport.pause_reading()
                    self.task = asyncio.get_running_loop().create_task(self._deliver(action))

    async def _deliver(self, mail: Deliver) -> None:
        replies = await asyncio.to_thread(self._listener.deliver, mail)
        self.task = None
        if self._transport is not None:
            self._wind()
            self._transport.resume_reading()
            self._do(self._session.delivered(replies))
