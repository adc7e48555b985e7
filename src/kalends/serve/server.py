"""Running a server: listening, counting connections, an orderly end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self
from urllib.parse import quote

from kalends.core import containers
from kalends.core.past import purging
from kalends.dav import app as dav
from kalends.serve import logs, systemd
from kalends.serve.certificate import server_context, server_identity, server_secret
from kalends.serve.config import Config, ConfigError
from kalends.serve.connection import Connection, Shared
from kalends.serve.credentials import Credentials
from kalends.serve.dav import Engine, Face
from kalends.serve.descriptors import is_scarce, make_room
from kalends.serve.executor import Executor
from kalends.serve.feed import Feed
from kalends.serve.hosts import Hosts, VirtualHost
from kalends.serve.http.limits import HttpLimits
from kalends.serve.http.listener import HttpListener
from kalends.serve.lmtp import LmtpListener
from kalends.serve.mailer import MailDuty, Mailer
from kalends.serve.proxies import Proxies
from kalends.serve.rates import Rates, neighbourhood
from kalends.serve.running import Turns
from kalends.serve.signpost import open_signposts
from kalends.serve.site import Site
from kalends.serve.throttle import Throttle
from kalends.store.base import Store
from kalends.store.errors import StoreError, StoreReadOnlyError
from kalends.store.open import open_store

log = logging.getLogger(__name__)

SWITCH_SECONDS = 0.002
"""How long a thread that computes keeps the others from running. With Python's own 0.005 two long queries let
others wait a tenth of a second with every write: each step of theirs has to wait for its turn. With 0.001
sixteen clients that write got a tenth less done."""

PURGE_SECONDS = 86_400
"""Between two looks for what is older than the retention: that counts in days."""
NOTE_SECONDS = 900
"""Between two times that the use of app passwords is written down; the store keeps it by the hour."""
COMPLAINTS_PER_SECOND = 0.1
"""Lines in the log about connections there is no room for."""
BACKLOG = 1024
"""Connections the kernel may hold while the loop is busy."""


class Server:
    """A listening server inside a running loop.

    Args:
        config: all settings.
        store: an open store; the caller closes it.
        engine: what answers CalDAV; the tests put others in its place.

    Use it as an asynchronous context manager; leaving it ends all connections in an orderly way.
    """

    def __init__(self, config: Config, store: Store, engine: Engine = dav) -> None:
        self.config = config
        self.store = store
        self.engine = engine
        self.http_limits = HttpLimits(
            connections=config.max_connections, per_address=config.max_connections_per_address
        )
        self._connections: set[Connection] = set()
        self._complaints = Rates(COMPLAINTS_PER_SECOND, 1, 1)
        self._by_address: Counter[str] = Counter()
        self._listeners: list[asyncio.Server] = []
        self._shared: Shared
        self._empty = asyncio.Event()
        self._address = ("", 0)
        self._chores: list[asyncio.Task[None]] = []
        self._ending = False
        self._http: HttpListener | None = None
        self._mail: MailDuty | None = None
        self._lmtp: LmtpListener | None = None
        self._signposts: list[asyncio.DatagramTransport] = []

    async def start(self) -> None:
        """Make the store's first objects and the certificate if need be, and listen.

        Raises:
            ConfigError, StoreError, OSError: it cannot start; the words say why.
        """
        faces = 1 if self.config.http_port is None else 2
        make_room(self.config.max_connections * faces)
        loop = asyncio.get_running_loop()
        hosts: list[VirtualHost] = []
        try:
            for config in (self.config, *self.config.virtual_hosts):
                hosts += [await self._prepare(config, loop)]
        except BaseException:
            self._leave(hosts)
            raise
        self._shared = Shared(
            config=self.config,
            hosts=Hosts(hosts),
            secret=server_secret(self.config),
            throttle=Throttle(),
            admit=self._admit,
            forget=self._forget,
        )
        try:
            await self._listen(loop)
        except BaseException:  # what was opened already would keep the loop from closing
            await self.stop()
            raise

    async def _prepare(self, config: Config, loop: asyncio.AbstractEventLoop) -> VirtualHost:
        """Make a host's store ready, and its certificate."""
        main = config is self.config
        store = self.store if main else await asyncio.to_thread(open_store, config.store)
        try:
            await asyncio.to_thread(
                store.write, lambda tx: containers.ensure_store(tx, config.policy, int(time.time()))
            )
        except StoreReadOnlyError:
            log.warning("%s: the store is read-only: queries are answered, changes refused", config.csid)
        except BaseException:
            if not main:
                store.close()
            raise
        identity = server_identity(config)
        if identity.made:
            log.info("made a certificate for %s: %s", config.csid, identity.cert)
        log.info("certificate of %s: SHA-256 %s", config.csid, identity.fingerprint)
        tls = server_context(identity, config.client_ca)
        executor = Executor(store, loop, config.read_threads)
        return VirtualHost(config, store, executor, Feed(store, executor, loop), tls, config.names)

    def _leave(self, hosts: Iterable[VirtualHost]) -> None:
        """End the threads of hosts, and close the stores that were opened here."""
        for host in hosts:
            host.feed.close()
            host.executor.close()
            if host.store is not self.store:
                host.store.close()

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        config = self.config
        inherited = systemd.inherited_sockets()
        for given in inherited:
            self._listeners.append(await loop.create_server(self._accept, sock=given, backlog=BACKLOG))
        if not inherited:
            with _naming(
                "cap_port", config.host, config.cap_port, "name another port, or 0 for any free one"
            ):
                self._listeners.append(
                    await loop.create_server(self._accept, config.host, config.cap_port, backlog=BACKLOG)
                )
        self._address = self._listeners[0].sockets[0].getsockname()[:2]
        listening = [sock for listener in self._listeners for sock in listener.sockets]
        self._signposts = await open_signposts(config, listening)
        if config.http_port is not None:
            await self._start_http(config.http_port)
        self._chores = [loop.create_task(self._save_uses())]
        if config.mail_host:
            self._mail = MailDuty([Mailer(host.config, host.store) for host in self._shared.hosts])
            self._mail.start()
        if config.mail_lmtp:
            await self._start_lmtp()
        if config.retention:
            self._chores.append(loop.create_task(self._purge_daily()))

    async def _start_lmtp(self) -> None:
        places = [(host.config, host.store) for host in self._shared.hosts]
        lmtp = LmtpListener(self.config, places)
        with _naming("mail_lmtp", *self.config.lmtp_address, "name another port"):
            await lmtp.start()
        self._lmtp = lmtp
        log.info("mail is taken by LMTP on %s", _shown(*lmtp.address))

    @property
    def lmtp_address(self) -> tuple[str, int] | None:
        """Where mail is taken by LMTP, if it is."""
        return None if self._lmtp is None else self._lmtp.address

    async def _purge_daily(self) -> None:
        """Forget what is older than the retention, now and every day; a store in trouble waits a day."""
        days = self.config.retention
        while True:
            for host in self._shared.hosts:
                try:
                    past, gone = await asyncio.to_thread(
                        purging.purge,
                        host.store,
                        host.policy,
                        int(time.time()),
                        days,
                        enough=lambda: self._ending,
                    )
                    log.info("older than %d days: %d former states, %d objects", days, past, gone)
                except StoreError as error:
                    log.warning("what is older than the retention stays for now: %s", error)
            await asyncio.sleep(PURGE_SECONDS)

    async def _save_uses(self) -> None:
        """Write down now and then which app passwords were used."""
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            for host in self._shared.hosts:
                await asyncio.to_thread(_save_uses, host)

    async def _start_http(self, port: int) -> None:
        shared, config = self._shared, self.config
        faces = {host.config.csid: self._face(host) for host in shared.hosts}

        def face(name: str) -> Face | None:
            host = shared.hosts.find(name)
            return None if host is None else faces[host.config.csid]

        proxies = Proxies(config.trusted_proxies, config.http_prefix, config.csid)
        site = Site(face, proxies, self._address[1])
        tls = None if config.is_loopback else shared.hosts.default.tls
        with _naming("http_port", config.host, port, "name another port, 0 for any free one, or off"):
            self._http = HttpListener(site, config.host, port, tls, self.http_limits, proxies.trusts)
        await self._http.start()

    def _face(self, host: VirtualHost) -> Face:
        """How a host is shown over HTTP."""
        shared = self._shared
        credentials = Credentials(
            host.store, host.policy, shared.throttle, shared.secret, host.executor.computed, host.uses.note
        )
        return Face(
            engine=self.engine,
            store=host.store,
            executor=host.executor,
            credentials=credentials,
            policy=host.policy,
            seconds=self.config.command_timeout,
            inline=host.inline,
            turns=Turns(host.config.read_threads // 2),
        )

    @property
    def address(self) -> tuple[str, int]:
        """The first address listened on."""
        return self._address

    @property
    def http_address(self) -> tuple[str, int] | None:
        """Where HTTP is listened to, if it is."""
        return None if self._http is None else self._http.address

    @property
    def feed(self) -> Feed:
        """Who waits for changes."""
        return self._shared.hosts.default.feed

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def _accept(self) -> Connection:
        return Connection(self._shared)

    def _admit(self, connection: Connection) -> str | None:
        """Count a connection; a text says why it gets no session."""
        full = len(self._connections) >= self.config.max_connections
        scarce = not full and is_scarce(connection.descriptor)
        if scarce and self._complaints.allows("files", time.monotonic()):
            log.warning(
                "connections are refused: the limit of open files is reached with %d connections;"
                " raise it (ulimit -n, LimitNOFILE) or lower max_connections",
                len(self._connections),
            )
        peer = neighbourhood(connection.address)
        many = self._by_address[peer] >= self.config.max_connections_per_address
        self._connections.add(connection)
        self._by_address[peer] += 1
        if full or scarce:
            return "the server is full; try again later"
        return "too many connections from your address" if many else None

    def _forget(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        peer = neighbourhood(connection.address)
        self._by_address[peer] -= 1
        if not self._by_address[peer]:
            del self._by_address[peer]
        if not self._connections:
            self._empty.set()

    async def stop(self) -> None:
        """Accept nothing new, let commands finish, then end; who takes too long is cut off."""
        self._ending = True
        for chore in self._chores:
            chore.cancel()
        for signpost in self._signposts:
            signpost.close()
        for listener in self._listeners:
            listener.close()
        http = self._http.stop(self.config.drain_timeout) if self._http is not None else None
        mailing: asyncio.Future[None] | None = None
        if self._mail is not None:
            mailing = asyncio.ensure_future(self._mail.stop(self.config.drain_timeout))
        for connection in list(self._connections):
            connection.drain()
        if self._connections:
            self._empty.clear()
            try:
                await asyncio.wait_for(self._empty.wait(), self.config.drain_timeout)
            except TimeoutError:
                log.warning("%d connections did not end in time and are cut off", len(self._connections))
                self.cut_off()
        if http is not None:
            await http
        if mailing is not None:
            await mailing
        if self._lmtp is not None:
            await self._lmtp.stop(self.config.drain_timeout)
        for host in self._shared.hosts:
            await asyncio.to_thread(_save_uses, host)
        self._leave(self._shared.hosts)

    def cut_off(self) -> None:
        """End all connections at once."""
        for connection in list(self._connections):
            connection.abort()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def run(config: Config, announce: Callable[[str], None] | None = None) -> int:
    """Serve until SIGTERM or SIGINT.

    Args:
        config: all settings.
        announce: gets the one ready line `ready cap=HOST:PORT http=HOST:PORT csid=… store=…`; default prints
            it on stdout.

    Returns:
        The exit code: 0 after an orderly end, 1 when it could not start (the reason is logged).
    """
    logs.set_up(config.log_level, config.log_format)
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        store = open_store(config.store)
    except StoreError as error:
        log.critical("the store %s cannot be used: %s", config.shown_store, error)
        return 1
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_serve(config, store, announce or _print))
    except (ConfigError, StoreError) as error:
        log.critical("cannot start: %s", error)
    except OSError as error:
        log.critical("cannot start: %s", error.strerror or error)
    finally:
        store.close()
    return 1


def _save_uses(host: VirtualHost) -> None:
    try:
        host.save_uses(int(time.time()))
    except StoreError as error:
        log.warning("when app passwords were used is not written down: %s", error)


@contextmanager
def _naming(setting: str, host: str, port: int, advice: str) -> Iterator[None]:
    """Say which port could not be had, and what to do about it."""
    try:
        yield
    except OSError as error:
        option = "--" + setting.replace("_", "-")
        reason = os.strerror(error.errno) if error.errno else str(error)
        text = f"cannot listen on {host} port {port}: {reason.lower()}; {advice}"
        raise ConfigError(setting, option, text) from None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        return None
    return uvloop.new_event_loop


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _word(text: str) -> str:
    """Text as one word: blanks and control characters percent-encoded."""
    return "".join(quote(c) if c.isspace() or not c.isprintable() else c for c in text)


async def _serve(config: Config, store: Store, announce: Callable[[str], None]) -> int:
    server = Server(config, store)
    stop = asyncio.Event()
    await server.start()

    def stopping() -> None:
        if stop.is_set():
            log.warning("stopped at once by a second signal")
            server.cut_off()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping)
    http = f" http={_shown(*server.http_address)}" if server.http_address else ""
    cap, url = _shown(*server.address), _word(config.shown_store)
    announce(f"ready cap={cap}{http} csid=cap://{config.csid} store={url}")
    systemd.notify("READY=1")
    await stop.wait()
    log.info("stopping: %d connections", server.connections)
    systemd.notify("STOPPING=1")
    await server.stop()
    return 0
