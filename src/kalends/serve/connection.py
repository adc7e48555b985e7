"""One TCP connection: octets to the BEEP engine and back, TLS in the stream, work, back-pressure."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from kalends.beep import events
from kalends.beep.limits import Limits
from kalends.beep.security import Security
from kalends.beep.session import Role
from kalends.beep.session import Session as Wire
from kalends.cap.actions import Action, Audit, Await, Cancel, Execute, Forget, Outcome, Prepare
from kalends.cap.opening import URI
from kalends.cap.session import LANGUAGES
from kalends.cap.session import Session as CapSession
from kalends.cap.status import status_of
from kalends.core.errors import InterruptedCommandError
from kalends.core.languages import diagnostic
from kalends.serve.certificate import user_of
from kalends.serve.config import Config
from kalends.serve.feed import Waiter
from kalends.serve.hosts import Hosts, VirtualHost
from kalends.serve.logins import Logins
from kalends.serve.throttle import Throttle
from kalends.serve.waiting import Waiting
from kalends.store.base import Deadline

log = logging.getLogger(__name__)

WRITE_OCTETS = 256 * 1024
"""Octets taken from the engine for one write, and the transport's high-water mark: one write per flush."""
MAX_UNREAD = 4 * 1024 * 1024
"""Octets of answers a client may leave unread before its next command is begun. Reading goes on: what it
may send meanwhile is bounded by its windows, and the SEQ frames that end the wait come the same way."""
MAX_QUICK = 4
"""Point reads of one connection done in the loop before other connections have their turn."""
LINGER_SECONDS = 5.0
"""How long a closed connection may take to fetch what was written to it."""
_ACTS = {True: "acts", False: "was refused to act"}
ENVELOPE_OCTETS = 64 * 1024
"""What a message may have beyond the object in it: MIME headers, CMD, TARGETs."""


@dataclass(slots=True)
class Shared:
    """What all connections of a server use together."""

    config: Config
    hosts: Hosts
    secret: bytes
    throttle: Throttle
    admit: Callable[[Connection], str | None]
    forget: Callable[[Connection], None]


class Connection(asyncio.Protocol):
    """A client's connection.

    Args:
        shared: the server's things.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._wire: Wire
        self._cap: CapSession
        self._logins: Logins
        self._timer: asyncio.TimerHandle | None = None
        self._writable = True
        self._upgrading = False
        self._early: list[bytes] = []
        self._host = shared.hosts.default
        self._settled = len(shared.hosts) == 1
        self._waiting: Waiting
        self._running: dict[int, tuple[str, Deadline]] = {}
        self._watching: dict[int, Waiter] = {}
        self._draining = False
        self._yielded = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.address = "?"
        self.descriptor = -1

    # -- asyncio.Protocol -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, or say why no session is given (RFC 3080 §2.4)."""
        transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods only
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_OCTETS)
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if isinstance(peer, tuple) else "local"
        sock = transport.get_extra_info("socket")
        self.descriptor = -1 if sock is None else sock.fileno()
        now = self._loop.time()
        limits = _limits(self._shared.config)
        refusal = self._shared.admit(self)
        if refusal is not None:
            log.info("%s: refused: %s", self.address, refusal)
            self._wire = Wire.refusing(refusal, limits=limits, now=now)
        else:
            self._wire = Wire(
                Role.LISTENER,
                profiles=(URI,),
                localize=LANGUAGES,
                translate=diagnostic,
                limits=limits,
                security=_security(self._shared),
                now=now,
            )
        self._logins = Logins(
            self._wire,
            self.address,
            self._shared.throttle,
            lambda: not self._wire.terminated and self._transport is not None,
            lambda: self._advance(self._wire.take_events()),
        )
        if not self._settled:
            self._wire.answer_to(lambda name: self._shared.hosts.find(name) is not None)
        self._serve_host()
        self._advance(self._wire.take_events())

    def _serve_host(self) -> None:
        """Begin a CAP session of the host that is chosen."""
        config, host = self._shared.config, self._host
        self._waiting = Waiting(quick=host.inline)
        self._cap = CapSession(
            self._wire,
            host.policy,
            strict=config.strict,
            command_seconds=config.command_timeout,
            writes_together=host.together,
        )

    def _settle(self, host: VirtualHost) -> None:
        """The session is this virtual host's, and stays so (RFC 3080 §2.3.1.2)."""
        if self._settled:
            return
        self._settled, self._host = True, host
        self._wire.answer_to(lambda name: self._shared.hosts.find(name) is host)
        log.info("%s: asks for %s", self.address, host.config.csid)
        self._serve_host()

    def _settle_by_name(self, name: str | None) -> None:
        """Without TLS, whoever authenticates says which host is meant; no name means the default."""
        self._settle(self._shared.hosts.find(name) or self._shared.hosts.default)

    def data_received(self, data: bytes) -> None:
        """Take octets."""
        if self._upgrading:
            self._early.append(data)
            return
        self._advance(self._wire.receive_data(data, self._loop.time()))

    def eof_received(self) -> None:
        """The client sends no more; the transport closes by itself."""
        if not self._wire.terminated:
            self._advance(self._wire.receive_data(b"", self._loop.time()))

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop reading for it; writes that were accepted are finished by the store."""
        self._transport = None
        if not self._wire.terminated:
            self._wire.receive_data(b"", self._loop.time())
        if self._timer is not None:
            self._timer.cancel()
        for kind, deadline in self._running.values():
            if kind == "read":
                deadline.cancel()
        for task in self._tasks:
            task.cancel()
        self._waiting.clear()
        for waiter in self._watching.values():
            self._host.feed.forget(waiter)
        self._shared.forget(self)

    def pause_writing(self) -> None:
        """The client reads slowly."""
        self._writable = False

    def resume_writing(self) -> None:
        """It caught up."""
        self._writable = True
        self._advance([])

    # -- the engine -------------------------------------------------------------------------------------

    def _advance(self, happened: list[events.Event]) -> None:
        """Handle events and what they bring about, write, and set the timer."""
        active = True
        while active:
            for event in happened:
                self._handle(event)
            happened = self._wire.take_events()
            if not happened:
                self._flush()
                active = self._begin()
                happened = self._wire.take_events()
            active = active or bool(happened)
        self._set_timer()
        if self._draining:
            self._close_if_done()

    def _flush(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        while self._writable and not self._upgrading:
            data = self._wire.data_to_send(WRITE_OCTETS)
            if not data:
                break
            transport.write(data)

    def _set_timer(self) -> None:
        """One timer, re-armed lazily: most receives only move it further away."""
        due = [when for when in (self._wire.next_timer(), self._cap.next_timer()) if when is not None]
        if not due or self._transport is None:
            return
        when = min(due)
        if self._timer is not None:
            if self._timer.when() <= when and not self._timer.cancelled():
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._timer_due)

    def _timer_due(self) -> None:
        self._timer = None
        now = self._loop.time()
        if not self._wire.terminated:
            self._perform(self._cap.handle_timer(now))
            self._advance(self._wire.handle_timer(now))

    def _handle(self, event: events.Event) -> None:
        match event:
            case events.TlsUpgrade():
                self._spawn(self._upgrade(event.server_name))
            case events.CredentialsWanted():
                self._settle_by_name(event.server_name)
                self._logins.wanted(event, self._host)
            case events.VerifyPlain():
                self._logins.verify(event, self._host)
            case events.Authenticated():
                self._settle_by_name(self._wire.server_name)
                self._logins.succeeded(event, self._host)
                self._cap.handle(event, int(time.time()), self._loop.time())
            case events.AuthenticationFailed():
                self._logins.failed(event)
            case events.SessionReleased():
                self._close()
            case events.SessionTerminated():
                if event.error is not None:
                    log.info("%s: session ended: %s", self.address, json.dumps(event.error.reason))
                self._close()
            case _:
                self._perform(self._cap.handle(event, int(time.time()), self._loop.time()))

    # -- work -------------------------------------------------------------------------------------------

    def _perform(self, actions: list[Action]) -> None:
        if self._transport is None:  # gone: what was not begun is not begun any more
            return
        for action in actions:
            match action:
                case Cancel(number):
                    self._cancel(number)
                case Await(number, ticks):
                    self._watching[number] = self._host.feed.wait(ticks, partial(self._wake, number))
                case Forget(number):
                    self._host.feed.forget(self._watching.pop(number))
                case Audit():
                    self._audit(action)
                case _:
                    self._waiting.put(action)

    def _wake(self, number: int) -> None:
        """A calendar has changed that a SEARCH of ours waits for."""
        del self._watching[number]
        if self._transport is not None:
            self._perform(self._cap.wake(number, self._loop.time()))
            self._advance(self._wire.take_events())

    def _audit(self, told: Audit) -> None:
        """Log who acts as whom; end the session once the answers are written, if it comes to that."""
        whom = "themselves" if told.wanted is None else json.dumps(told.wanted[:256])
        level = logging.INFO if told.granted else logging.WARNING
        log.log(level, "%s: %s %s as %s", self.address, told.login, _ACTS[told.granted], whom)
        if told.end:
            log.warning("%s: session of %s ended: too many refused identities", self.address, told.login)
            self._loop.call_soon(self._end)

    def _end(self) -> None:
        self._flush()
        if not self._wire.terminated:
            self._wire.abort("too many refused identities")
        self._close()

    def _cancel(self, number: int) -> None:
        if number in self._running:
            self._running[number][1].cancel()
        elif self._waiting.drop(number):
            self._conclude(number, InterruptedCommandError("stopped before it began"))

    def _begin(self) -> bool:
        """Begin waiting work, unless the client leaves its answers unread or reads too much at once.

        Returns:
            Whether something was done already, so that there may be more to write or to begin.
        """
        quick = 0
        while self._wire.bytes_queued <= MAX_UNREAD and (action := self._waiting.peek()) is not None:
            if isinstance(action, Execute) and action.kind == "read" and not self._waiting.is_query(action):
                if quick == MAX_QUICK:
                    self._flush()
                    self._yield()
                    return False
                quick += 1
                self._waiting.take()
                self._conclude(action.number, self._host.executor.at_once(action.work, action.seconds))
                continue
            self._waiting.take()
            self._start(action)
        return quick > 0

    def _yield(self) -> None:
        """Go on after the loop has looked at the other connections."""
        if not self._yielded:
            self._yielded = True
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._yielded = False
        if self._transport is not None:
            self._advance(self._wire.take_events())

    def _start(self, action: Execute | Prepare) -> None:
        number = action.number

        def done(outcome: Any) -> None:
            kind, _ = self._running.pop(number)
            if kind == "read":
                self._waiting.ended(channel)
            self._conclude(number, outcome)
            if self._transport is not None:
                self._advance(self._wire.take_events())

        if isinstance(action, Prepare):
            assert action.job.prepare is not None
            self._running[number] = "prepare", Deadline()
            self._host.executor.compute(action.job.prepare, done)
            return
        channel = action.channel
        deadline = self._host.executor.transact(action.kind, action.work, action.seconds, done, action.shares)
        self._running[number] = action.kind, deadline

    def _conclude(self, number: int, outcome: Outcome) -> None:
        """Hand an outcome to the session, which may have more to do."""
        if isinstance(outcome, Exception) and status_of(outcome) is None:
            log.error("%s: a command failed by a defect", self.address, exc_info=outcome)
        self._perform(self._cap.finish(number, outcome, int(time.time()), self._loop.time()))

    # -- TLS --------------------------------------------------------------------------------------------

    def _spawn(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _upgrade(self, name: str | None) -> None:
        """Turn the stream into TLS, after everything before it is written (RFC 3080 §3.1)."""
        wanted = self._shared.hosts.find(name) or self._shared.hosts.default
        transport, context = self._transport, wanted.tls
        if transport is None or context is None:
            return
        transport.pause_reading()
        self._flush()
        self._upgrading = True
        timeout = _limits(self._shared.config).handshake_timeout
        try:
            secured = await self._loop.start_tls(
                transport, self, context, server_side=True, ssl_handshake_timeout=timeout
            )
        except (OSError, ssl.SSLError, TimeoutError) as error:
            self._upgrading = False
            log.info("%s: TLS failed: %s", self.address, type(error).__name__)
            if self._transport is not None:
                self._wire.tls_failed(self._loop.time(), "the TLS handshake failed")
                self._advance(self._wire.take_events())
                transport.abort()
            return
        if secured is None or self._transport is None:
            return
        self._transport = secured
        secured.set_write_buffer_limits(high=WRITE_OCTETS)
        shown = self._shared.hosts.of_handshake(secured.get_extra_info("ssl_object").context) or wanted
        if name and shown is not wanted:
            self._upgrading = False
            self._wire.tls_failed(self._loop.time(), "serverName and the name in the handshake differ")
            self._advance(self._wire.take_events())
            return
        self._settle(shown)
        external = await self._external(secured)
        self._upgrading = False
        self._wire.tls_established(self._loop.time(), external_identity=external)
        self._advance(self._wire.take_events())
        early, self._early = self._early, []
        for data in early:
            self.data_received(data)

    async def _external(self, transport: asyncio.Transport) -> str | None:
        """The user a client certificate stands for, if there is such a user (RFC 4324 §4.1.1)."""
        peer = transport.get_extra_info("peercert")
        if not peer:
            return None
        der = transport.get_extra_info("ssl_object").getpeercert(True)
        config, policy = self._host.config, self._host.policy
        found: asyncio.Future[Any] = self._loop.create_future()

        def tell(who: Any) -> None:
            if not found.done():
                found.set_result(who)

        self._host.executor.look_up(lambda tx: user_of(tx, peer, der, config.identity_from, policy), tell)
        who = await found
        if isinstance(who, Exception):
            log.warning("%s: cannot tell whose certificate it is: %s", self.address, who)
            return None
        return cast("str | None", who)

    # -- the end ----------------------------------------------------------------------------------------

    def _close(self) -> None:
        """Write what is left, then close; who does not fetch it is cut off."""
        transport = self._transport
        if transport is None:
            return
        self._writable = True
        self._flush()
        transport.close()
        self._loop.call_later(LINGER_SECONDS, transport.abort)

    def drain(self) -> None:
        """Finish what runs, begin nothing new, then close."""
        self._draining = True
        self._perform(self._cap.drain())
        self._advance(self._wire.take_events())

    def _close_if_done(self) -> None:
        if self._cap.busy or self._wire.bytes_queued or self._upgrading or self._transport is None:
            return
        self._draining = False
        if not self._wire.terminated:
            self._wire.abort("the server is stopping")
        self._close()

    def abort(self) -> None:
        """Cut the connection off."""
        if self._transport is not None:
            self._transport.abort()


def _limits(config: Config) -> Limits:
    return Limits(
        max_channels=config.max_channels,
        max_pending=config.max_outstanding,
        max_message=config.max_object + ENVELOPE_OCTETS,
        max_buffered=config.max_buffered,
        login_timeout=config.login_timeout,
        idle_timeout=config.idle_timeout,
    )


def _security(shared: Shared) -> Security:
    config = shared.config
    return Security(
        tls=shared.hosts.default.tls is not None,
        mechanisms=config.mechanisms,
        require_privacy=not config.plaintext,
        require_authentication=True,
        secret=shared.secret,
    )
