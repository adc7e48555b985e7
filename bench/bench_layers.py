"""What each layer takes of one CREATE: CPU microseconds in one process, without sockets and threads."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import apsw

from bench.bench_create import START, command
from bench.data import event, vcalendar
from bench.measure import Line, Report, micros, quick
from bench.place import CALENDAR, folder, furnished, user
from kalends.beep import ProfileOffer, Role, Session, events
from kalends.cap.messages import read_message
from kalends.core import containers, ledger
from kalends.ical import tree, validate
from kalends.serve.certificate import server_context, server_identity
from kalends.serve.config import load_config
from kalends.store.base import Store, Tx
from kalends.store.index import derive

HORIZON = 2 * 366 * 86_400
URI = "urn:example:echo"


def run(report: Report) -> None:
    """Measure."""
    raw = b"Content-Type: text/calendar\r\n\r\n" + command("layer@bench", START)
    whole = tree.parse(vcalendar([event("layer@bench", START)]))
    text = whole.to_bytes()
    report.heading(f"Layers of a CREATE of {len(raw)} octets with one event of {len(text)} (CPU)")
    now = int(time.time())

    def say(what: str, work: Callable[[], object]) -> None:
        report.add(Line(what, micros(work), None, "µs"))

    say("beep: a frame in, its message out, the reply's frame", _beep(raw))
    say("cap: MIME, content lines to a tree, command read", lambda: read_message(raw, strict=False))
    say("  of it ical: content lines to a tree", lambda: tree.parse(text))
    say("ical: definitions checked", lambda: validate.problems(whole, strict=False))
    say(
        "index: cells, instances, span derived",
        lambda: derive(whole, "VEVENT", horizon=now + HORIZON, recur_limit=10_000),
    )
    with folder() as home:
        with furnished(str(home / "store.db")) as store:
            _stored(report, store, home)
        say("TLS: a record in, one out", _tls(home, raw))


def _stored(report: Report, store: Store, home: Path) -> None:
    """Core and store: within one transaction, and with a durable commit for each."""
    many = 200 if quick() else 1_000
    numbers = count()

    def create(tx: Tx) -> None:
        caller = user(tx)
        number = next(numbers)
        vcalendar_ = tree.parse(command(f"layer-{number}@bench", START + number * 3600))
        target = containers.resolve(tx, caller, CALENDAR)
        (receipt,) = ledger.create(tx, caller, target, vcalendar_)
        assert receipt.error is None

    def together(tx: Tx) -> None:
        for _ in range(many):
            create(tx)

    store.write(together)
    began = time.process_time()
    store.write(together)
    inside = (time.process_time() - began) / many * 1e6
    report.add(Line("core and store: looked up, checked, indexed, inserted", inside, None, "µs"))
    began = time.process_time()
    for _ in range(many):
        store.write(create)
    alone = (time.process_time() - began) / many * 1e6
    report.add(Line("  and committed by itself, durably, in the writer's thread", alone, None, "µs"))
    report.add(
        Line("raw SQLite: one row committed by itself, durably", _raw(home / "raw.db", many), None, "µs")
    )


def _raw(path: Path, many: int) -> float:
    connection = apsw.Connection(str(path))
    for pragma in ("journal_mode = wal", "synchronous = full"):
        connection.execute(f"pragma {pragma}").fetchall()
    connection.execute("create table one (id integer primary key, ics blob not null)")
    text = vcalendar([event("raw@bench", START)])
    began = time.process_time()
    for number in range(many):
        connection.execute("insert into one values (?, ?)", (number, text))
    used = time.process_time() - began
    connection.close()
    return used / many * 1e6


def _beep(payload: bytes) -> Callable[[], object]:
    """One exchange as a listener sees it; what the initiator writes is made beforehand."""
    numbers = _exchanges(payload)

    def once() -> None:
        next(numbers)

    return once


def _exchanges(payload: bytes) -> Iterator[None]:
    listener = Session(Role.LISTENER, profiles=(URI,), now=0.0)
    starter = Session(Role.INITIATOR, now=0.0)
    starter.receive_data(listener.data_to_send(), 0.0)
    channel = starter.start_channel([ProfileOffer(URI)])
    listener.receive_data(starter.data_to_send(), 0.0)
    listener.accept_start(channel, URI)
    reply = b"x" * 300
    sent = acknowledged = 0
    listener.data_to_send()
    for msgno in count():
        frame = b"MSG %d %d . %d %d\r\n%sEND\r\n" % (channel, msgno, sent & 0xFFFFFFFF, len(payload), payload)
        sent += len(payload)
        if msgno % 8 == 0:
            frame = b"SEQ %d %d 65536\r\n" % (channel, acknowledged & 0xFFFFFFFF) + frame
        (got,) = listener.receive_data(frame, 0.0)
        assert isinstance(got, events.MessageReceived)
        listener.send_reply(got.channel, got.msgno, reply)
        acknowledged += len(reply)
        listener.data_to_send()
        yield


def _tls(home: Path, payload: bytes) -> Callable[[], object]:
    """A record written by one side and read by the other: as much as a server does for a command."""
    config = load_config({"store": str(home / "store.db"), "data_dir": str(home)})
    server = server_context(server_identity(config), None)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server)
    for _ in range(3):
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue

    def once() -> None:
        ours.write(payload)
        theirs.read(65_536)

    return once
