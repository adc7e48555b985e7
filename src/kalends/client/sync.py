"""The blocking client: a socket, no threads."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self, TypeVar, Unpack

from kalends.client import commands, verbs
from kalends.client.address import Address
from kalends.client.answers import read_replies
from kalends.client.commands import Calendars, Command, Queries
from kalends.client.errors import ConnectError, LostError, TimedOutError
from kalends.client.exchange import Exchange
from kalends.client.options import Options, Settings, read_settings
from kalends.client.results import Capability, Change, Found, Outcome, Reply
from kalends.client.session import Stage
from kalends.client.wire import Wire

T = TypeVar("T")
CHUNK = 256 * 1024
"""Octets read from the socket at once."""
WATCH_SECONDS = 60
"""Seconds one command of `watch` waits at most: routers forget connections that are silent for longer."""
GOODBYE = 2.0
"""Seconds the server has for agreeing to the end of the session; then the connection is just closed."""


def connect(url: str | Address, **settings: Unpack[Settings]) -> Client:
    """Open a session: TLS, authentication, CAP channel, capabilities.

    Args:
        url: `cap://[user@]host[:port]`; the port is 1026 when not named.
        **settings: see `Options`; those of `Trust` (ca_file, fingerprint, first_use, certificate, key) may
            be named here too.

    Returns:
        A client, to be used as a context manager or closed.

    Raises:
        ConnectError: nobody answers, or no CAP server. TrustError: its certificate is not believed.
        AuthError: it does not accept who we are.

    Source: RFC 4324 §12.
    """
    client = Client(*read_settings(url, settings))
    try:
        client.open()
    except BaseException:
        client.abandon()
        raise
    return client


class Client:
    """A session with a CAP server; every method waits for its answer. Made by `connect`."""

    def __init__(self, address: Address, options: Options) -> None:
        self._address = address
        self._options = options
        self._wire = Wire(address, options, time.monotonic())
        self._session = self._wire.session
        self._socket: socket.socket | None = None
        self._unsent = memoryview(b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    # -- what it knows ----------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capability:
        """What the server said it can do when the session began."""
        assert self._session.capability is not None
        return self._session.capability

    @property
    def upn(self) -> str | None:
        """Whom the session acts as; "@" for anonymous.

        None where nobody tells us: the server alone knows whose certificate it is (without `act_as`).
        """
        return self._session.upn

    # -- commands ---------------------------------------------------------------------------------------

    def capability(self) -> Capability:
        """Ask for the capabilities again; they may depend on the identity (RFC 4324 §10.7)."""
        return self._perform(verbs.capability())

    def generate_uids(self, count: int = 1) -> list[str]:
        """Let the server make globally unique identifiers (RFC 4324 §10.6)."""
        return self._perform(verbs.generate_uids(count))

    def identify(self, upn: str | None = None) -> None:
        """Act as somebody else, or with None as oneself again (RFC 4324 §10.8)."""
        self._perform(verbs.identify(upn))
        self._session.identified(upn)

    def create(self, what: Calendars, *targets: str, check: bool = True) -> list[Outcome]:
        """Create objects in every target (RFC 4324 §10.4).

        Args:
            what: iCalendar text with any number of objects, or a component.
            *targets: calendars, relative or as cap:// URLs.
            check: raise when anything was refused.

        Returns:
            One outcome for each object and target.

        Raises:
            RefusedError: something was refused; its `outcomes` tell what was done nevertheless.
        """
        return self._perform(verbs.create(what, targets, check=check, largest=self.capabilities.max_size))

    def search(self, query: Queries, *targets: str, expand: bool = False) -> Iterator[Found]:
        """Find components (RFC 4324 §10.12).

        Args:
            query: a CAL-QUERY, several, or a VQUERY component.
            *targets: calendars, relative or as cap:// URLs.
            expand: instances instead of recurring components.

        Returns:
            An iterator that parses component after component; leave it when enough is found.

        Raises:
            RefusedError: a target or query was refused; said after everything found was given.
        """
        return self._search(self._session.send(commands.search(query, targets, expand=expand)))

    def modify(
        self, query: Queries, old: Calendars, new: Calendars, *targets: str, check: bool = True
    ) -> list[Outcome]:
        """Replace the values in `old` by those in `new`, all or nothing (RFC 4324 §10.9).

        Raises:
            StaleError: nothing selected holds the old values any more.
        """
        return self._perform(verbs.modify(query, old, new, targets, check=check))

    def move(
        self, query: Queries, to: str, *, source: str | None = None, check: bool = True
    ) -> list[Outcome]:
        """Move what the query selects, in `source`, to another calendar (RFC 4324 §10.10)."""
        return self._perform(verbs.do(commands.move(query, to, source=source), check=check))

    def delete(self, query: Queries, *targets: str, mark: bool = False, check: bool = True) -> list[Outcome]:
        """Delete what the query selects, or with `mark` put it in state DELETED (RFC 4324 §10.5)."""
        return self._perform(verbs.do(commands.delete(query, targets, mark=mark), check=check))

    def find_uid(self, uid: str, *targets: str) -> list[Found]:
        """Find everything with a UID, whatever its type (RFC 4324 §6.1.1.14)."""
        return self._perform(verbs.find_uid(uid, targets, self.capabilities.components))

    def book(self, what: Calendars, target: str, *, mark: bool = False) -> list[Outcome]:
        """Book an object and clear away the scheduling messages of its UID (RFC 4324 §2.2)."""
        return self._perform(verbs.book(what, target, mark=mark))

    def tick(self, target: str) -> int:
        """The counter of a calendar's changes now: what `watch` can begin from."""
        return self._perform(verbs.tick(target))

    def watch(
        self, target: str, *, since: int | None = None, latency: int = WATCH_SECONDS
    ) -> Iterator[Change]:
        """Tell what changes in a calendar, as it happens; it has no end but that of the session.

        While it waits the session answers nothing else; leave the iterator, or use another session.

        Args:
            target: the calendar.
            since: the `tick` of the last change known; None for from now on.
            latency: seconds after which a command that waits is renewed.

        Raises:
            RefusedError: it may not be watched. LostError, TimedOutError: go on from the last tick told.
        """
        watching = verbs.Watching(target, since, latency)
        while True:
            exchange = self._session.send(watching.command())
            try:
                replies = [reply for payload in self._payloads(exchange) for reply in read_replies(payload)]
            finally:
                if not exchange.done:  # given up, with Ctrl-C perhaps
                    self._session.forget(exchange)
            yield from watching.take(replies)

    def raw(self, command: Calendars) -> list[Reply]:
        """Send a command octet for octet as written; the replies are not judged."""
        return self._perform(verbs.raw(command))

    def close(self) -> None:
        """End the session in good order. May be called twice."""
        if self._socket is None:
            return
        self._session.release()
        until = time.monotonic() + GOODBYE
        try:
            while self._session.stage is Stage.LEAVING and (left := until - time.monotonic()) > 0:
                self._step(left)
            self._flush()
        except OSError:
            pass  # the connection is gone: that is what we want
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the connection without a word."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # -- octets -----------------------------------------------------------------------------------------

    def open(self) -> None:
        """Connect and go as far as the capabilities; `connect` does this."""
        until = time.monotonic() + self._options.connect_timeout
        try:
            self._socket = socket.create_connection(
                (self._address.host, self._address.port), self._options.connect_timeout
            )
        except OSError as error:
            raise ConnectError(f"cannot connect to {self._address}: {reason_of(error)}") from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        while not self._session.ready:
            left = until - time.monotonic()
            if left <= 0:
                raise ConnectError(f"{self._address} did not finish the introduction in time")
            self._safe_step(left)
            if self._session.failure is not None:
                with contextlib.suppress(OSError):
                    self._flush()
                raise self._session.failure
            if self._session.stage is Stage.OVER:
                raise ConnectError(f"{self._address} ended the session at once")

    def _perform(self, procedure: verbs.Procedure[T]) -> T:
        try:
            command = next(procedure)
            while True:
                command = procedure.send(self._replies(command))
        except StopIteration as end:
            result: T = end.value
            return result

    def _replies(self, command: Command) -> list[Reply]:
        exchange = self._session.send(command)
        return [reply for payload in self._payloads(exchange) for reply in read_replies(payload)]

    def _search(self, exchange: Exchange) -> Iterator[Found]:
        finder = verbs.Finder()
        for payload in self._payloads(exchange):
            for reply in read_replies(payload):
                yield from finder.take(reply)
        finder.finish()

    def _payloads(self, exchange: Exchange) -> Iterator[bytes]:
        try:
            while True:
                while exchange.answers:
                    yield exchange.answers.popleft()
                if exchange.done:
                    break
                self._await(exchange)
        finally:
            exchange.discarded = True
            exchange.answers.clear()
        if exchange.error is not None:
            raise exchange.error

    def _await(self, exchange: Exchange) -> None:
        seconds = self._session.patience(exchange)
        until = time.monotonic() + seconds
        while not exchange.news:
            left = until - time.monotonic()
            if left <= 0:
                self._session.fail(LostError("an earlier command got no answer"))
                self.abandon()
                raise TimedOutError(f"{self._address} sent nothing for {seconds:g} seconds")
            if self._safe_step(left):
                until = time.monotonic() + seconds

    def _safe_step(self, longest: float) -> bool:
        try:
            return self._step(longest)
        except OSError as error:
            reason = f"the connection to {self._address} broke: {reason_of(error)}"
            ready = self._session.stage is Stage.READY
            self._session.fail(LostError(reason) if ready else ConnectError(reason))
            return False

    def _step(self, longest: float) -> bool:
        """Write what can be written, wait for octets or a timer; tell whether octets came."""
        if self._socket is None:
            raise LostError(f"the session with {self._address} is over") from self._session.failure
        self._flush()
        if self._session.stage is Stage.OVER:
            return False
        timer = self._session.next_timer()
        if timer is not None:
            longest = min(longest, max(0.0, timer - time.monotonic()))
        writing = [self._socket] if self._unsent else []
        readable, _, _ = select.select([self._socket], writing, [], longest)
        if readable:
            data = self._socket.recv(CHUNK)
            self._wire.receive(data, time.monotonic())
        elif timer is not None and timer <= time.monotonic():
            self._wire.handle_timer(time.monotonic())
        self._flush()
        return bool(readable)

    def _flush(self) -> None:
        if self._socket is None:
            return
        while True:
            if not self._unsent:
                self._unsent = memoryview(self._wire.to_send(time.monotonic()))
                if not self._unsent:
                    return
            try:
                sent = self._socket.send(self._unsent)
            except BlockingIOError:
                return
            self._unsent = self._unsent[sent:]


def reason_of(error: OSError) -> str:
    """An OSError in words without its number."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror or str(error) or type(error).__name__).lower()
