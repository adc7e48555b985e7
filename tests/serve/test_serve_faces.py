"""One server process, both faces: what is said over BEEP is read over HTTP with the next request, and the reverse (issue 4)."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from http_world import Got, Peer
from serve_client import Process, act, add_people, client, command, config_for, create, search

from kalends.core.conflicts import conflict
from kalends.store.maintenance import check
from kalends.store.open import open_store

AT = "/dav/calendars/amira/calendar/"
ETAGS = b'<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:d\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:20260106T100000Z\r\nDURATION:PT1H\r\nSUMMARY:by DAV\r\n{}END:VEVENT\r\nEND:VCALENDAR\r\n"
)
GUESTS = "ORGANIZER:mailto:amira@example.com\r\nATTENDEE:mailto:amira@example.com\r\nATTENDEE:mailto:bruno@example.com\r\n"


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_each_face_reads_what_the_other_wrote(
    tmp_path: Path, request: pytest.FixtureRequest, database: str
) -> None:
    config = config_for(
        tmp_path, store=request.getfixturevalue(f"{database}_url"), plaintext=True, data_dir=str(tmp_path)
    )
    store = open_store(config.store)
    add_people(store, config, "amira", "bruno")
    with Process(config, dev=False, env={"KALENDS_HTTP_PORT": "0"}) as process:
        words = dict(word.split("=", 1) for word in process.ready.split()[1:])
        host, _, port = words["http"].rpartition(":")

        def ask(method: str, path: str, body: bytes = b"", user: str = "amira", **headers: str) -> Got:
            with Peer(socket.create_connection((host, int(port)), timeout=15)) as peer:
                peer.request(method, path, body, user, **headers)
                return peer.read(method)

        async def scene() -> None:
            cua = await client(process.address, "amira", tls=False)
            target = "amira/calendar"
            made = await cua.ask(create("c", "SUMMARY:by CAP").replace("bob/calendar", target))
            assert "REQUEST-STATUS:2.0" in made
            listed = ask("PROPFIND", AT, ETAGS, Depth="1").body.decode()
            path = next(part.partition("<")[0] for part in listed.split("<D:href>") if ".ics" in part)
            got = ask("GET", path)
            assert b"SUMMARY:by CAP" in got.body
            changed = got.body.replace(b"by CAP", b"changed by DAV")
            put = ask("PUT", path, changed, Content_Type="text/calendar", If_Match=got.headers["etag"])
            assert put.status == 204
            query = search("SELECT * FROM VEVENT WHERE UID = 'c'").replace("bob/calendar", target)
            assert "SUMMARY:changed by DAV" in await cua.ask(query)
            put = ask("PUT", f"{AT}d.ics", EVENT.format(GUESTS).encode(), Content_Type="text/calendar")
            assert put.status == 201
            guest = await client(process.address, "bruno", tls=False)
            invited = search("SELECT * FROM VEVENT WHERE UID = 'd' AND STATE() = 'BOOKED'")
            assert "SUMMARY:by DAV" in await guest.ask(invited.replace("bob/calendar", "bruno/calendar"))
            gone = command(
                "CMD:DELETE",
                "BEGIN:VQUERY",
                "QUERY:SELECT * FROM VEVENT WHERE UID = 'd'",
                "END:VQUERY",
                target=target,
            )
            assert "REQUEST-STATUS:2.0" in await cua.ask(gone)
            assert ask("GET", f"{AT}d.ics").status == 404
            listed = ask(
                "PROPFIND", "/dav/calendars/bruno/calendar/", ETAGS, "bruno", Depth="1"
            ).body.decode()
            copy = next(part.partition("<")[0] for part in listed.split("<D:href>") if ".ics" in part)
            assert b"STATUS:CANCELLED" in ask("GET", copy, user="bruno").body

        act(scene)
    assert check(store) + conflict.findings(store, config.policy) == []
    store.close()
