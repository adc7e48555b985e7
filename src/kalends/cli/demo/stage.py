"""Setting the demo's scene: a store furnished through the one door for writes, and a server over it."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from kalends.cli.demo.narrator import Narrator
from kalends.cli.demo.village import PEOPLE, REALM, SHARED, Village
from kalends.cli.failures import RefusalError
from kalends.core.model import Caller, Identity, Policy
from kalends.store.base import Store

READY_SECONDS = 30.0
"""How long the server may take until it says that it is ready."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What the demo was given.

    Attributes:
        store: path of the store. passwords: user name -> password, made for this run.
        today: the day the events lie around. objects: how many were imported.
    """

    store: Path
    passwords: dict[str, str] = field(repr=False)
    today: date
    objects: int


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where CAP listens, where HTTP does (host:port), and its process."""

    host: str
    port: int
    http: str
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """`cap://host:port`."""
        return f"cap://{self.host}:{self.port}"


def furnish(path: Path, tell: Narrator) -> Scene:
    """Make a store with people, calendars and a few thousand events.

    Args:
        path: where the SQLite store is made; must not be there yet.
        tell: gets told what was done.

    Raises:
        RefusalError: the path is taken, or something of the demo was refused.
    """
    if path.exists():
        raise RefusalError(f"{path} is there already; name an empty folder with --keep")
    from kalends.core.containers import ensure_store
    from kalends.store.calendars import every
    from kalends.store.open import open_store

    tell.step("A store full of people")
    now = int(time.time())
    today = datetime.fromtimestamp(now, UTC).date()
    policy = Policy(csid="localhost", realm=REALM)
    store = open_store(str(path), create=True)
    try:
        store.write(lambda tx: ensure_store(tx, policy, now))
        passwords = _people(store, policy, now)
        began = time.perf_counter()
        objects = _events(store, Caller(Identity("@", None, admin=True), "cli", now, policy), today)
        took = time.perf_counter() - began
        calendars = store.read(lambda tx: len(every(tx)))
    finally:
        store.close()
    size = path.stat().st_size / 1e6
    tell.say(
        f"{len(PEOPLE)} people, {calendars} calendars, {objects:,} objects (recurring, "
        f"all-day, in {len({p.zone for p in PEOPLE})} time zones, with invitations), imported durably in "
        f"{took:.1f} s: {path} ({size:.0f} MB)."
    )
    return Scene(path, passwords, today, objects)


def _people(store: Store, policy: Policy, now: int) -> dict[str, str]:
    from kalends.beep.scram import make_verifier
    from kalends.core.people import identity
    from kalends.store.base import Tx

    passwords = {person.user: secrets.token_urlsafe(9) for person in PEOPLE}
    verifiers = {user: make_verifier(password) for user, password in passwords.items()}

    def add(tx: Tx) -> None:
        for person in PEOPLE:
            identity.add_user(
                tx,
                policy,
                person.upn,
                now=now,
                name=person.name,
                admin=person.user == "amira",
                verifier=verifiers[person.user],
            )

    store.write(add)
    return passwords


def _events(store: Store, caller: Caller, today: date) -> int:
    from kalends.core import containers, ledger
    from kalends.core.model import Receipt
    from kalends.ical.tree import Component
    from kalends.store.base import Tx

    objects = 0
    shared = {calid for calid, _, _ in SHARED}
    for calid, owner, name, vcalendar in Village(today).calendars():

        def put(
            tx: Tx, calid: str = calid, owner: str = owner, name: str = name, vcalendar: Component = vcalendar
        ) -> list[Receipt]:
            if calid in shared:
                target = containers.create_calendar(
                    tx, caller, calid, owner, name=name, allow_conflict="room" not in calid
                )
            else:
                target = containers.resolve(tx, caller, calid)
            return ledger.import_objects(tx, caller, target, vcalendar)

        receipts = store.write(put)
        for receipt in receipts:
            if receipt.error is not None:
                raise RefusalError(f"{calid}: {receipt.kind} {receipt.id_value}: {receipt.error.reason}")
        objects += len(receipts)
    return objects


def share(scene: Scene, calid: str, upn: str, how: str, tell: Narrator) -> None:
    """Share a calendar, the way an administrator does beside a running server.

    Raises:
        RefusalError: it was refused.
    """
    words = ["share", calid, upn, "--as", how, "--store", str(scene.store)]
    tell.command("$ kalends " + " ".join(words))
    done = subprocess.run(  # noqa: S603  our own program with our own words
        [sys.executable, "-m", "kalends.cli.entry", *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RefusalError(done.stderr.strip())
    tell.say(done.stdout.strip())


@contextmanager
def serving(scene: Scene, cap_port: int, tell: Narrator) -> Iterator[Server]:
    """Run `kalends serve` over the store in a process of its own, and end it in good order."""
    tell.step("A server on a free port" if not cap_port else f"A server on port {cap_port}")
    words = [
        "serve",
        "--store",
        str(scene.store),
        "--host",
        "127.0.0.1",
        "--cap-port",
        str(cap_port),
        "--http-port",
        "0",
        "--realm",
        REALM,
        "--log-level",
        "warning",
    ]
    tell.command("$ kalends " + " ".join(words))
    process = subprocess.Popen(  # noqa: S603  our own program with our own words
        [sys.executable, "-m", "kalends.cli.entry", *words],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line.startswith("ready "):
            raise RefusalError("the server did not start; what it said stands above")
        tell.say(line)
        where = dict(word.split("=", 1) for word in line.split()[1:])
        host, _, port = where["cap"].rpartition(":")
        yield Server(host.strip("[]"), int(port), where["http"], process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(READY_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def wait_for_end(scene: Scene, server: Server, tell: Narrator) -> None:
    """Say how to try more, then wait until the user or the server ends it."""
    tell.step("Now you")
    tell.say("The server stays up until you press Ctrl-C. In another terminal:")
    tell.command(f"export KALENDS_SERVER={server.url} KALENDS_USER=amira@{REALM}")
    tell.command(f"export KALENDS_PASSWORD={scene.passwords['amira']}")
    tell.command("kalends shell --target amira/calendar")
    tell.command(
        "kalends query \"SELECT UID,SUMMARY FROM VEVENT WHERE SUMMARY LIKE '%dentist%'\" "
        "--target amira/calendar"
    )
    tell.command("kalends capability")
    tell.command(f"kalends port {server.port}")
    tell.say(f"In a calendar app (CalDAV): http://{server.http}/ with the same name and password.")
    tell.say(f"In a browser: http://{server.http}/port/1026")
    try:
        server.process.wait()
    except KeyboardInterrupt:
        tell.say("Stopped.")
