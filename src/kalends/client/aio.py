"""The asyncio client: any number of tasks may use one session at once."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from types import TracebackType
from typing import Self, TypeVar, Unpack, cast

from kalends.client import commands, verbs
from kalends.client.address import Address
from kalends.client.answers import read_replies
from kalends.client.commands import Calendars, Command, Queries
from kalends.client.errors import ConnectError, LostError, TimedOutError
from kalends.client.exchange import Exchange
from kalends.client.options import Options, Settings, read_settings
from kalends.client.results import Capability, Change, Found, Outcome, Reply
from kalends.client.session import Stage
from kalends.client.sync import GOODBYE, WATCH_SECONDS, reason_of
from kalends.client.wire import Wire

T = TypeVar("T")
HIGH_WATER = 8 * 1024 * 1024
"""Octets of answers nobody took yet, from which on the socket is not read while nobody waits."""


class Connecting:
    """What `connect_async` returns: await it, or use it with `async with`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def __await__(self) -> Generator[object, None, AsyncClient]:
        return self._open().__await__()

    async def __aenter__(self) -> AsyncClient:
        return await self._open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def _open(self) -> AsyncClient:
        try:
            await self._client.open()
        except BaseException:
            self._client.abandon()
            raise
        return self._client


def connect_async(url: str | Address, **settings: Unpack[Settings]) -> Connecting:
    """Open a session: TLS, authentication, CAP channel, capabilities.

    Args:
        url: `cap://[user@]host[:port]`; the port is 1026 when not named.
        **settings: see `Options`; those of `Trust` (ca_file, fingerprint, first_use, certificate, key) may
            be named here too.

    Returns:
        What gives an AsyncClient when awaited, and may be used with `async with` at once.

    Raises:
        ConnectError: nobody answers, or no CAP server. TrustError: its certificate is not believed.
        AuthError: it does not accept who we are.

    Source: RFC 4324 §12.
    """
    return Connecting(AsyncClient(*read_settings(url, settings)))


class _Pipe(asyncio.Protocol):
    """Moves octets between the transport and the wire, and wakes those who wait."""

    def __init__(self, wire: Wire, loop: asyncio.AbstractEventLoop) -> None:
        self.wire = wire
        self.loop = loop
        self.transport: asyncio.Transport | None = None
        self.waiters: set[asyncio.Future[None]] = set()
        self.gone = False
        self.octets = 0
        self._full = False
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is one by its methods only
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.flush()

    def data_received(self, data: bytes) -> None:
        self.octets += len(data)
        self.wire.receive(data, self.loop.time())
        self.flush()
        self.wake()

    def eof_received(self) -> bool:
        self.wire.receive(b"", self.loop.time())
        self.wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        if self._timer is not None:
            self._timer.cancel()
        if self.wire.session.stage is not Stage.OVER:
            self.wire.receive(b"", self.loop.time())
        if self.wire.session.stage is not Stage.OVER:
            self.wire.session.fail(LostError("the connection broke"))
        self.wake()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self.flush()

    def flush(self) -> None:
        """Write what the wire has, and set the timer it wants."""
        if self.transport is None or self.gone:
            return
        while not self._full and (data := self.wire.to_send(self.loop.time())):
            self.transport.write(data)
        session = self.wire.session
        if session.stage is Stage.OVER:
            self.transport.close()
        self._throttle()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = session.next_timer()
        if at is not None and session.stage is not Stage.OVER:
            self._timer = self.loop.call_at(at, self._tick)

    def wake(self) -> None:
        """Let everybody who waits look again."""
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        """Until something happened."""
        waiter = self.loop.create_future()
        self.waiters.add(waiter)
        self._throttle()
        try:
            await waiter
        finally:
            self.waiters.discard(waiter)

    def _tick(self) -> None:
        self._timer = None
        self.wire.handle_timer(self.loop.time())
        self.flush()
        self.wake()

    def _throttle(self) -> None:
        """Read only what is wanted: somebody waits, or little lies about."""
        if self.transport is None or self.gone or self.transport.is_closing():
            return
        hold = not self.waiters and self.wire.session.backlog > HIGH_WATER
        if hold and not self._paused:
            self.transport.pause_reading()
        elif self._paused and not hold:
            self.transport.resume_reading()
        self._paused = hold


class AsyncClient:
    """A session with a CAP server, for asyncio. Made by `connect_async`; see `Client` for the methods."""

    def __init__(self, address: Address, options: Options) -> None:
        self._address = address
        self._options = options
        self._pipe: _Pipe | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self.close()
        else:
            self.abandon()

    # -- what it knows ----------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capability:
        """What the server said it can do when the session began."""
        capability = self._wire.session.capability
        assert capability is not None
        return capability

    @property
    def upn(self) -> str | None:
        """Whom the session acts as; "@" for anonymous.

        None where nobody tells us: the server alone knows whose certificate it is (without `act_as`).
        """
        return self._wire.session.upn

    # -- commands ---------------------------------------------------------------------------------------

    async def capability(self) -> Capability:
        """As Client.capability."""
        return await self._perform(verbs.capability())

    async def generate_uids(self, count: int = 1) -> list[str]:
        """As Client.generate_uids."""
        return await self._perform(verbs.generate_uids(count))

    async def identify(self, upn: str | None = None) -> None:
        """As Client.identify."""
        await self._perform(verbs.identify(upn))
        self._wire.session.identified(upn)

    async def create(self, what: Calendars, *targets: str, check: bool = True) -> list[Outcome]:
        """As Client.create."""
        return await self._perform(
            verbs.create(what, targets, check=check, largest=self.capabilities.max_size)
        )

    def search(self, query: Queries, *targets: str, expand: bool = False) -> AsyncIterator[Found]:
        """As Client.search, for `async for`."""
        return self._search(commands.search(query, targets, expand=expand))

    async def modify(
        self, query: Queries, old: Calendars, new: Calendars, *targets: str, check: bool = True
    ) -> list[Outcome]:
        """As Client.modify."""
        return await self._perform(verbs.modify(query, old, new, targets, check=check))

    async def move(
        self, query: Queries, to: str, *, source: str | None = None, check: bool = True
    ) -> list[Outcome]:
        """As Client.move."""
        return await self._perform(verbs.do(commands.move(query, to, source=source), check=check))

    async def delete(
        self, query: Queries, *targets: str, mark: bool = False, check: bool = True
    ) -> list[Outcome]:
        """As Client.delete."""
        return await self._perform(verbs.do(commands.delete(query, targets, mark=mark), check=check))

    async def find_uid(self, uid: str, *targets: str) -> list[Found]:
        """As Client.find_uid."""
        return await self._perform(verbs.find_uid(uid, targets, self.capabilities.components))

    async def book(self, what: Calendars, target: str, *, mark: bool = False) -> list[Outcome]:
        """As Client.book."""
        return await self._perform(verbs.book(what, target, mark=mark))

    async def tick(self, target: str) -> int:
        """As Client.tick."""
        return await self._perform(verbs.tick(target))

    async def watch(
        self, target: str, *, since: int | None = None, latency: int = WATCH_SECONDS
    ) -> AsyncIterator[Change]:
        """As Client.watch, for `async for`."""
        watching = verbs.Watching(target, since, latency)
        while True:
            exchange = self._send(watching.command())
            try:
                replies = [
                    reply async for payload in self._payloads(exchange) for reply in read_replies(payload)
                ]
            finally:
                if not exchange.done and self._pipe is not None:  # cancelled
                    self._pipe.wire.session.forget(exchange)
                    self._pipe.flush()
            for change in watching.take(replies):
                yield change

    async def raw(self, command: Calendars) -> list[Reply]:
        """As Client.raw."""
        return await self._perform(verbs.raw(command))

    async def close(self) -> None:
        """End the session in good order. May be called twice."""
        if self._pipe is None:
            return
        pipe = self._pipe
        pipe.wire.session.release()
        pipe.flush()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE):
                while not pipe.gone:
                    await pipe.wait()
        self.abandon()

    def abandon(self) -> None:
        """Close the connection without a word."""
        if self._pipe is not None and self._pipe.transport is not None:
            self._pipe.wire.session.fail(LostError(f"the session with {self._address} was given up"))
            self._pipe.transport.abort()
            self._pipe.wake()

    # -- octets -----------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect and go as far as the capabilities; `connect_async` does this."""
        loop = asyncio.get_running_loop()
        wire = Wire(self._address, self._options, loop.time())
        pipe = _Pipe(wire, loop)
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                await loop.create_connection(lambda: pipe, self._address.host, self._address.port)
                self._pipe = pipe
                while not wire.session.ready and wire.session.stage is not Stage.OVER:
                    await pipe.wait()
        except TimeoutError:
            what = "cannot connect: no answer" if self._pipe is None else "did not finish the introduction"
            raise ConnectError(f"{self._address}: {what} in time") from None
        except OSError as error:
            raise ConnectError(f"cannot connect to {self._address}: {reason_of(error)}") from None
        if wire.session.failure is not None:
            raise wire.session.failure
        if not wire.session.ready:
            raise ConnectError(f"{self._address} ended the session at once")

    @property
    def _wire(self) -> Wire:
        if self._pipe is None:
            raise LostError(f"there is no session with {self._address}")
        return self._pipe.wire

    def _send(self, command: Command) -> Exchange:
        exchange = self._wire.session.send(command)
        assert self._pipe is not None
        self._pipe.flush()
        return exchange

    async def _perform(self, procedure: verbs.Procedure[T]) -> T:
        try:
            command = next(procedure)
            while True:
                exchange = self._send(command)
                replies: list[Reply] = []
                async with contextlib.aclosing(self._payloads(exchange)) as payloads:
                    async for payload in payloads:
                        replies += read_replies(payload)
                command = procedure.send(replies)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _search(self, command: Command) -> AsyncIterator[Found]:
        finder = verbs.Finder()
        async with contextlib.aclosing(self._payloads(self._send(command))) as payloads:
            async for payload in payloads:
                for reply in read_replies(payload):
                    for found in finder.take(reply):
                        yield found
        finder.finish()

    async def _payloads(self, exchange: Exchange) -> AsyncGenerator[bytes, None]:
        try:
            while True:
                while exchange.answers:
                    yield exchange.answers.popleft()
                if exchange.done:
                    break
                await self._await(exchange)
        finally:
            exchange.discarded = True
            exchange.answers.clear()
        if exchange.error is not None:
            raise exchange.error

    async def _await(self, exchange: Exchange) -> None:
        pipe = self._pipe
        assert pipe is not None
        try:
            async with asyncio.timeout(seconds := pipe.wire.session.patience(exchange)) as limit:
                seen = pipe.octets
                while not exchange.news:
                    await pipe.wait()
                    if pipe.octets != seen:
                        seen = pipe.octets
                        limit.reschedule(pipe.loop.time() + seconds)
        except TimeoutError:
            pipe.wire.session.fail(LostError("an earlier command got no answer"))
            pipe.flush()
            raise TimedOutError(f"{self._address} sent nothing for {seconds:g} seconds") from None
