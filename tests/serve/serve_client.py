"""A small CUA on asyncio for tests of the server, and servers to talk to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from kalends.beep import events
from kalends.beep.mechanisms import ClientMechanism, ScramSha256
from kalends.beep.mime import split_entity
from kalends.beep.scram import make_verifier
from kalends.beep.session import Role
from kalends.beep.session import Session as Wire
from kalends.cap.opening import URI
from kalends.core import containers
from kalends.core.people import identity
from kalends.serve.config import Config, load_config
from kalends.serve.server import Server
from kalends.store.base import Store

T = TypeVar("T")
PASSWORD = "correct horse"
VERIFIER = make_verifier(PASSWORD, iterations=4096)
WAIT = 10.0
"""Seconds after which a test that waits for something has failed."""


def config_for(folder: Path, **options: object) -> Config:
    """Settings of a server in a folder, on a free port."""
    given = {
        "store": str(folder / "store.db"),
        "cap_port": 0,
        "http_port": "off",
        "csid": "cal.example.com",
        "realm": "example.com",
    }
    return load_config({**given, **options}, {"HOME": str(folder)})


def add_people(store: Store, config: Config, *names: str) -> None:
    """Users with the password of all tests, and their calendars."""

    def work(tx: Any) -> None:
        containers.ensure_store(tx, config.policy, 0)
        for name in names:
            identity.add_user(tx, config.policy, name, now=0, verifier=VERIFIER)

    store.write(work)


@contextlib.asynccontextmanager
async def serving(config: Config, store: Store) -> AsyncIterator[Server]:
    """A server in this loop."""
    async with Server(config, store) as server:
        yield server


_cuas: list[Cua] = []


def act(scene: Callable[[], Awaitable[None]]) -> None:
    """Run a scene in a loop of its own and end its clients after it."""

    async def whole() -> None:
        try:
            await scene()
        finally:
            for cua in _cuas:
                cua.transport.abort()
                await cua.closed()
            _cuas.clear()

    asyncio.run(whole(), debug=True)


class Cua(asyncio.Protocol):
    """A client: the BEEP engine as initiator, with a queue of events."""

    def __init__(self) -> None:
        self.wire = Wire(Role.INITIATOR, profiles=(URI,), now=asyncio.get_running_loop().time())
        self.events: asyncio.Queue[events.Event] = asyncio.Queue()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport
        self.seen: list[events.Event] = []
        self.raw = bytearray()
        self.channel = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        _cuas.append(self)
        self.flush()

    def data_received(self, data: bytes) -> None:
        self.raw += data
        self._note(self.wire.receive_data(data, asyncio.get_running_loop().time()))
        self.flush()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.wire.terminated:
            self._note(self.wire.receive_data(b"", asyncio.get_running_loop().time()))
        if not self.lost.done():
            self.lost.set_result(None)

    def _note(self, happened: list[events.Event]) -> None:
        for one in [*happened, *self.wire.take_events()]:
            self.events.put_nowait(one)

    def flush(self) -> None:
        while data := self.wire.data_to_send():
            self.transport.write(data)
        self._note([])

    async def until(self, kind: type[T], where: Callable[[T], bool] = lambda _: True) -> T:
        """Wait for an event of a kind, passing over others."""
        for index, one in enumerate(self.seen):
            if isinstance(one, kind) and where(one):
                del self.seen[index]
                return one
        async with asyncio.timeout(WAIT):
            while True:
                one = await self.events.get()
                if isinstance(one, kind) and where(one):
                    return one
                self.seen.append(one)

    async def closed(self) -> None:
        """Wait for the end of the connection."""
        async with asyncio.timeout(WAIT):
            await self.lost

    async def secure(self, context: ssl.SSLContext | None = None) -> None:
        """Start TLS."""
        loop = asyncio.get_running_loop()
        await self.until(events.GreetingReceived)
        self.wire.start_tls()
        self.flush()
        await self.until(events.TlsUpgrade)
        transport = await loop.start_tls(self.transport, self, context or trusting())
        assert transport is not None
        self.transport = transport
        self.wire.tls_established(loop.time())
        self.flush()
        await self.until(events.GreetingReceived)

    async def log_in(self, mechanism: ClientMechanism) -> events.Authenticated | events.AuthenticationFailed:
        """Authenticate."""
        self.wire.authenticate(mechanism)
        self.flush()
        return await self.until(events.Authenticated | events.AuthenticationFailed)  # type: ignore[arg-type]

    async def open(self) -> int:
        """Open a CAP channel."""
        channel = self.wire.start_channel([events.ProfileOffer(URI)])
        self.flush()
        await self.until(events.ChannelStarted, lambda e: e.channel == channel)
        return channel

    def send(self, text: str | bytes, channel: int | None = None) -> int:
        """Send a MSG."""
        data = text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode()
        msgno = self.wire.send_message(channel or self.channel, data)
        self.flush()
        return msgno

    async def reply(self, msgno: int, channel: int | None = None) -> str:
        """Wait for the RPY or ERR to a MSG."""
        where = channel or self.channel
        found = await self.until(
            events.ReplyReceived | events.ErrorReceived,  # type: ignore[arg-type]
            lambda e: (e.channel, e.msgno) == (where, msgno),
        )
        return split_entity(found.payload).body.decode()

    async def ask(self, text: str | bytes, channel: int | None = None) -> str:
        """Send a MSG and wait for the answer."""
        return await self.reply(self.send(text, channel), channel)


def trusting() -> ssl.SSLContext:
    """A client's TLS context that checks nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def connect(address: tuple[str, int]) -> Cua:
    """Connect; nothing more."""
    _, cua = await asyncio.get_running_loop().create_connection(Cua, *address)
    return cua


async def client(address: tuple[str, int], name: str = "bob", *, tls: bool = True) -> Cua:
    """Connect, secure, authenticate, open a CAP channel."""
    cua = await connect(address)
    if tls:
        await cua.secure()
    else:
        await cua.until(events.GreetingReceived)
    told = await cua.log_in(ScramSha256(name, PASSWORD))
    assert isinstance(told, events.Authenticated)
    cua.channel = await cua.open()
    return cua


def command(cmd: str, *lines: str, target: str = "bob/calendar") -> str:
    """A whole command."""
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Test//EN", cmd, f"TARGET:{target}"]
    return "Content-Type: text/calendar\n\n" + "\n".join([*head, *lines, "END:VCALENDAR", ""])


def create(uid: str, *lines: str, cmd: str = "CMD:CREATE", start: str = "20260105T100000Z") -> str:
    """CREATE of a small event."""
    base = ("BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"DTSTART:{start}", "DURATION:PT1H")
    return command(cmd, *base, *lines, "END:VEVENT")


def search(query: str, *, cmd: str = "CMD:SEARCH") -> str:
    """SEARCH with one query."""
    return command(cmd, "BEGIN:VQUERY", f"QUERY:{query}", "END:VQUERY")


PROGRAM = (
    "import sys\n"
    "from kalends.serve.config import load_config\n"
    "from kalends.serve.server import run\n"
    "sys.exit(run(load_config()))\n"
)


class Process:
    """A server in a process of its own, until the `with` block ends."""

    def __init__(self, config: Config, *, dev: bool = True, **popen: Any) -> None:
        folder = config.data_folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "KALENDS_STORE": config.store,
            "KALENDS_CAP_PORT": "0",
            "KALENDS_HTTP_PORT": "off",
            "KALENDS_CSID": config.csid,
            "KALENDS_REALM": config.realm,
            "KALENDS_PLAINTEXT": str(config.plaintext),
            "KALENDS_DATA_DIR": str(folder),
            **popen.pop("env", {}),
        }
        self.log = folder / "server.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *(("-X", "dev") if dev else ()), "-c", PROGRAM],
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
                **popen,
            )
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline().decode().strip()
        assert self.ready.startswith("ready "), self.log.read_text()

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.word("cap").rpartition(":")
        return host, int(port)

    def word(self, name: str) -> str:
        """What the ready line says of something."""
        return dict(word.split("=", 1) for word in self.ready.split()[1:])[name]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT)
        assert self.process.stdout is not None
        self.process.stdout.close()
