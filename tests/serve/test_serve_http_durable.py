"""What was answered survives: a server of its own, killed in the midst of PUTs, through the dav room."""

from __future__ import annotations

import signal
import socket
import threading
from pathlib import Path

import pytest
from http_world import Peer, World
from serve_client import Process, add_people, config_for

from kalends.dav import app
from kalends.store.open import open_store

EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Test//EN
BEGIN:VEVENT
UID:{uid}
DTSTAMP:20260101T000000Z
DTSTART:20260105T100000Z
DURATION:PT1H
SUMMARY:{uid}
END:VEVENT
END:VCALENDAR
"""


def event(uid: str) -> bytes:
    return EVENT.format(uid=uid).replace("\n", "\r\n").encode()


def connect(process: Process) -> Peer:
    words = dict(word.split("=", 1) for word in process.ready.split()[1:])
    host, _, port = words["http"].rpartition(":")
    return Peer(socket.create_connection((host, int(port)), timeout=15))


def test_an_answered_put_survives_kill_9(tmp_path: Path) -> None:
    config = config_for(tmp_path)
    store = open_store(config.store)
    add_people(store, config, "amira")
    store.close()
    answered: list[str] = []
    with Process(config, env={"KALENDS_HTTP_PORT": "0"}) as process:

        def put(writer: int) -> None:
            with connect(process) as peer:
                for number in range(10_000):
                    path = f"/dav/calendars/amira/calendar/{writer}-{number}.ics"
                    try:
                        peer.request("PUT", path, event(f"{writer}-{number}"))
                        if peer.read().status == 201:
                            answered.append(path)
                    except (OSError, EOFError):
                        return

        writers = [threading.Thread(target=put, args=(n,)) for n in range(4)]
        for writer in writers:
            writer.start()
        while len(answered) < 60 and any(writer.is_alive() for writer in writers):
            pass
        process.process.send_signal(signal.SIGKILL)
        for writer in writers:
            writer.join(20)
    assert len(answered) >= 60
    with Process(config, env={"KALENDS_HTTP_PORT": "0"}) as process, connect(process) as peer:
        for path in answered:
            peer.request("GET", path)
            got = peer.read()
            assert (got.status, got.body) == (200, event(path.rpartition("/")[2][:-4]))


def test_sigterm_ends_in_good_order_beside_open_connections(tmp_path: Path) -> None:
    config = config_for(tmp_path)
    with Process(config, env={"KALENDS_HTTP_PORT": "0"}) as process, connect(process) as peer:
        peer.request("OPTIONS", "/dav/", user="")
        assert peer.read().status == 200
        process.process.send_signal(signal.SIGTERM)
        assert peer.is_closed()
        assert process.process.wait(15) == 0
    assert "Traceback" not in process.log.read_text()


@pytest.mark.parametrize("prefix", ["", "/cal"])
def test_a_client_finds_its_calendars_from_the_bare_origin_rfc_6764_6(tmp_path: Path, prefix: str) -> None:
    with World(tmp_path, room=app, http_prefix=prefix) as world, world.connect() as peer:
        peer.request("PROPFIND", f"{prefix}/.well-known/caldav", user="")
        got = peer.read()
        assert (got.status, got.headers["location"].endswith(f"{prefix}/dav/")) == (301, True)
        peer.request("PROPFIND", f"{prefix}/dav/", Depth="0")
        assert peer.read().status == 207
        path = f"{prefix}/dav/calendars/amira/calendar/a.ics"
        peer.request("PUT", path, event("a"), Content_Type="text/calendar")
        assert peer.read().status == 201
        peer.request("PROPFIND", f"{prefix}/dav/calendars/amira/calendar/", Depth="1")
        got = peer.read()
        assert (got.status, f"<D:href>{path}</D:href>".encode() in got.body) == (207, True)
        peer.request("GET", path)
        assert peer.read().body == event("a")
