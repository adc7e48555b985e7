"""Bad input over CalDAV, over real sockets: the RFC's element and a sentence, nothing changed, the server up (issue 4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from http_world import Got, World
from lxml import etree

from kalends.core.conflicts import conflict
from kalends.dav import app
from kalends.store.maintenance import check

HOME = "/dav/calendars/amira/"
AT = f"{HOME}calendar/kept.ics"
NEW = f"{HOME}calendar/new.ics"
EVENT = (
    "BEGIN:VEVENT\nUID:{}\nDTSTAMP:20260101T000000Z\nDTSTART:20260310T090000Z\nDURATION:PT1H\n{}END:VEVENT\n"
)


def ics(uid: str = "new", more: str = "", *, head: str = "", parts: str = "") -> bytes:
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//T//EN\n{head}{EVENT.format(uid, more)}{parts}END:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("bad")
    limits = {"tick": 0.05, "linger_seconds": 0.5, "head_seconds": 0.5, "body_grace": 0.5}
    with World(folder, room=app, limits=limits) as running:
        put = running.ask("PUT", AT, ics("kept"), Content_Type="text/calendar")
        assert put.status == 201
        yield running


def state(world: World) -> list[tuple[object, ...]]:
    def look(tx: object) -> list[tuple[object, ...]]:
        ticks = list(tx.rows("select id, tick from calendar order by id"))  # type: ignore[attr-defined]
        return [*ticks, *tx.rows("select id, name, etag, state from object order by id")]  # type: ignore[attr-defined]

    return world.store.read(look)


def told(got: Got) -> tuple[str, str]:
    """The precondition ('' without one) and the sentence of a refusal."""
    if not got.headers["content-type"].startswith("application/xml"):
        return "", got.body.decode()
    root = etree.fromstring(got.body)
    assert root.tag == "{DAV:}error"
    names = [etree.QName(one).localname for one in root if one.tag != "{DAV:}responsedescription"]
    return (names or [""])[0], root.findtext("{DAV:}responsedescription") or ""


def refused(world: World, got: Got, status: int, element: str, before: list[tuple[object, ...]]) -> None:
    """It is the refusal that was expected, nothing was changed, the server goes on."""
    assert got.status == status, got.body
    condition, sentence = told(got)
    assert condition == element
    assert len(sentence) > 10, "a sentence a person can act on"
    assert state(world) == before
    assert world.ask("GET", AT).status == 200


OVERRIDE = EVENT.format("other", "")
TEXTS: dict[str, tuple[bytes, str, str]] = {
    # what: the body, the precondition, a word of the sentence
    "nothing": (b"", "valid-calendar-data", ""),
    "no iCalendar": (b"hello", "valid-calendar-data", "line 1"),
    "octets": (bytes(range(256)), "valid-calendar-data", ""),
    "not UTF-8": (ics("new", "SUMMARY:x\n").replace(b"x", b"\xff"), "valid-calendar-data", "UTF-8"),
    "NUL": (ics("new", "SUMMARY:\x00\n"), "valid-calendar-data", "line"),
    "no END": (ics()[:-16], "valid-calendar-data", ""),
    "a line without a colon": (ics("new", "SUMMARY\n"), "valid-calendar-data", "line 9"),
    "no date": (ics().replace(b"20260310T090000Z", b"yesterday"), "valid-calendar-data", "line"),
    "no such day": (ics().replace(b"20260310T090000Z", b"20260230T090000Z"), "valid-calendar-data", ""),
    "ends before it starts": (ics("new", "DTEND:20250101T000000Z\n"), "valid-calendar-data", ""),
    "an RRULE that is none": (ics("new", "RRULE:FREQ=NEVER\n"), "valid-calendar-data", ""),
    "deep": (b"BEGIN:A\r\n" * 10_000, "valid-calendar-data", ""),
    "a METHOD": (ics(head="METHOD:REQUEST\n"), "valid-calendar-object-resource", "METHOD"),
    "two UIDs": (ics(parts=OVERRIDE), "valid-calendar-object-resource", "UID"),
    "no UID": (ics("new").replace(b"UID:new\r\n", b""), "valid-calendar-object-resource", "UID"),
    "two kinds": (ics(parts=OVERRIDE.replace("VEVENT", "VTODO")), "valid-calendar-object-resource", "kind"),
    "a time zone only": (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n",
        "valid-calendar-object-resource",
        "",
    ),
    "free/busy": (ics().replace(b"VEVENT", b"VFREEBUSY"), "supported-calendar-component", "VFREEBUSY"),
    "a task in a calendar of events": (
        ics().replace(b"VEVENT", b"VTODO").replace(b"DURATION:PT1H\r\n", b""),
        "supported-calendar-component",
        "VEVENT",
    ),
    "a UID that is taken": (ics("kept"), "no-uid-conflict", ""),
    "too many attendees": (
        ics("new", "".join(f"ATTENDEE:mailto:a{n}@example.com\n" for n in range(1001))),
        "max-attendees-per-instance",
        "1000",
    ),
    "more dates than can be read": (
        ics("new", f"RRULE:FREQ=DAILY\nEXDATE:{','.join(['20260310T090000Z'] * 100_001)}\n"),
        "valid-calendar-data",
        "100000",
    ),
    "another JULIAN calendar": (ics(head="CALSCALE:JULIAN\n"), "valid-calendar-data", ""),
}


@pytest.mark.parametrize("what", TEXTS)
def test_a_bad_text_is_refused_with_its_precondition_rfc_4791_5_3_2_1(world: World, what: str) -> None:
    body, element, word = TEXTS[what]
    before = state(world)
    got = world.ask("PUT", NEW, body, Content_Type="text/calendar", Content_Length=str(len(body)))
    refused(world, got, 403, element, before)
    assert word in told(got)[1]


def test_a_changed_uid_is_refused_with_the_path_of_the_other_rfc_4791_5_3_2_1(world: World) -> None:
    before = state(world)
    got = world.ask("PUT", AT, ics("changed"), Content_Type="text/calendar")
    refused(world, got, 403, "no-uid-conflict", before)
    assert AT.encode() in got.body


@pytest.mark.parametrize(
    "media",
    ["text/plain", "application/json", "application/calendar+json", "text/calendar; charset=iso-8859-1", "x"],
)
def test_another_media_type_is_415(world: World, media: str) -> None:
    before = state(world)
    refused(world, world.ask("PUT", NEW, ics(), Content_Type=media), 415, "supported-calendar-data", before)


FIND = b'<D:propfind xmlns:D="DAV:"><D:prop><D:displayname/></D:prop></D:propfind>'
XML: dict[str, tuple[bytes, int, str]] = {
    "no XML": (b"hello", 400, ""),
    "half of it": (FIND[:-5], 400, ""),
    "billion laughs": (b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><x>&b;</x>', 400, "DOCTYPE"),
    "a file of the server": (b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', 400, ""),
    "an entity nobody defined": (FIND.replace(b"<D:displayname/>", b"&a;"), 400, ""),
    "deep": (b"<a>" * 5000, 413, "deep"),
    "wide": (FIND.replace(b"<D:displayname/>", b"<D:a/>" * 150_000), 413, "elements"),
    "attributes": (b"<a " + b" ".join(b'a%d="x"' % n for n in range(5000)) + b"/>", 413, "attributes"),
    "two of one attribute": (b'<a b="1" b="2"/>', 400, ""),
    "another root": (b"<a/>", 422, "root"),
    "a namespace that is none": (b'<D:propfind xmlns:D="DAV:"><D:prop><a xmlns="x y"/></D:prop></D:propfind>', 400, ""),
    "unknown encoding": (b'<?xml version="1.0" encoding="klingon"?><a/>', 400, ""),
    "two questions": (b'<D:propfind xmlns:D="DAV:"><D:allprop/><D:propname/></D:propfind>', 400, ""),
}  # fmt: skip


@pytest.mark.parametrize("what", XML)
def test_bad_xml_is_refused_rfc_4918_17(world: World, what: str) -> None:
    body, status, word = XML[what]
    before = state(world)
    got = world.ask("PROPFIND", HOME, body, Depth="0", Content_Type="application/xml")
    refused(world, got, status, "", before)
    assert word in told(got)[1]
    assert b"root:" not in got.body


def test_ten_megabytes_of_text_are_413_before_they_are_read(world: World) -> None:
    before = state(world)
    got = world.ask("PROPFIND", HOME, Depth="0", Content_Length="10000000")
    refused(world, got, 413, "", before)


def test_a_hundred_megabytes_are_413_before_they_are_read_rfc_4791_5_2_5(world: World) -> None:
    before = state(world)
    for fields in ({}, {"Expect": "100-continue"}):
        got = world.ask("PUT", NEW, Content_Type="text/calendar", Content_Length="100000000", **fields)
        refused(world, got, 413, "max-resource-size", before)


PATHS: dict[str, tuple[str, int]] = {
    "dots": (f"{HOME}calendar/../tasks/x.ics", 400),
    "encoded dots": (f"{HOME}calendar/%2e%2e/x.ics", 400),
    "an encoded slash": (f"{HOME}calendar/a%2Fb.ics", 400),
    "NUL": (f"{HOME}calendar/a%00.ics", 400),
    "not UTF-8": (f"{HOME}calendar/%C3%28.ics", 400),
    "a surrogate": (f"{HOME}calendar/%ED%A0%80.ics", 400),
    "broken encoding": (f"{HOME}calendar/%zz.ics", 400),
    "an empty part": (f"{HOME}calendar//x.ics", 400),
    "too long a name": (f"{HOME}calendar/{'x' * 1001}", 400),
    "too long a path": (f"{HOME}calendar/{'x' * 9000}", 414),
    "a collection that is missing": (f"{HOME}nowhere/x.ics", 409),
    "deeper than there is anything": (f"{HOME}calendar/a/b.ics", 409),
    "outside": ("/elsewhere/x.ics", 409),
}


@pytest.mark.parametrize("what", PATHS)
def test_a_bad_path_is_refused(world: World, what: str) -> None:
    path, status = PATHS[what]
    before = state(world)
    got = world.ask("PUT", path, ics(), Content_Type="text/calendar")
    element = told(got)[0] if status == 409 else ""
    refused(world, got, status, element, before)


def test_two_forms_of_a_letter_are_two_names_and_come_back_as_they_were_sent(world: World) -> None:
    names = ["caf%C3%A9.ics", "cafe%CC%81.ics"]
    for number, name in enumerate(names):
        put = world.ask("PUT", f"{HOME}calendar/{name}", ics(f"form-{number}"), Content_Type="text/calendar")
        assert put.status == 201
    listed = world.ask("PROPFIND", f"{HOME}calendar/", FIND, Depth="1").body.decode()
    for name in names:
        assert f"<D:href>{HOME}calendar/{name}</D:href>" in listed
        assert world.ask("DELETE", f"{HOME}calendar/{name}").status == 204


HEADERS: dict[str, tuple[str, dict[str, str], int, str]] = {
    "a stale If-Match": ("PUT", {"If_Match": '"stale"'}, 412, ""),
    "If-None-Match on what is there": ("PUT", {"If_None_Match": "*"}, 412, ""),
    "a stale If-Schedule-Tag-Match": ("PUT", {"If_Schedule_Tag_Match": '"x"'}, 412, ""),
    "an If that is none": ("PUT", {"If": "(<"}, 400, ""),
    "an If that does not hold": ("DELETE", {"If": '(["stale"])'}, 412, ""),
    "a part of an object": ("PUT", {"Content_Range": "bytes 0-1/2"}, 400, ""),
    "a stale DELETE": ("DELETE", {"If_Match": '"stale"'}, 412, ""),
    "no Destination": ("MOVE", {}, 400, ""),
    "a Destination elsewhere": ("MOVE", {"Destination": "http://elsewhere.example/x"}, 502, ""),
    "a Destination with dots": ("COPY", {"Destination": f"{HOME}../bruno/calendar/x.ics"}, 400, ""),
    "a Destination that is no URI": ("COPY", {"Destination": "http://["}, 400, ""),
    "onto itself": ("MOVE", {"Destination": AT}, 403, ""),
    "Overwrite that is neither": ("MOVE", {"Destination": NEW, "Overwrite": "x"}, 400, ""),
    "into somebody else's": ("MOVE", {"Destination": "/dav/calendars/bruno/calendar/x.ics"}, 409, ""),
    "a huge Depth": ("PROPFIND", {"Depth": "9" * 1000}, 400, ""),
    "Depth infinity": ("PROPFIND", {"Depth": "infinity"}, 403, "propfind-finite-depth"),
    "LOCK": ("LOCK", {}, 405, ""),
    "no such method": ("BREW", {}, 501, ""),
}


@pytest.mark.parametrize("what", HEADERS)
def test_a_bad_header_is_refused(world: World, what: str) -> None:
    method, fields, status, element = HEADERS[what]
    before = state(world)
    body = ics("kept") if method == "PUT" else b""
    kind = {"Content_Type": "text/calendar"} if body else {}
    refused(world, world.ask(method, AT, body, **kind, **fields), status, element, before)


SYNC = '<D:sync-collection xmlns:D="DAV:"><D:sync-token>{}</D:sync-token><D:sync-level>1</D:sync-level></D:sync-collection>'


@pytest.mark.parametrize("kind", ["of the future", "of another calendar", "of nobody"])
def test_a_token_that_is_not_of_this_calendar_is_refused_rfc_6578_3_2(world: World, kind: str) -> None:
    asked = b'<D:propfind xmlns:D="DAV:"><D:prop><D:sync-token/></D:prop></D:propfind>'

    def token(path: str) -> str:
        return etree.fromstring(world.ask("PROPFIND", path, asked, Depth="0").body).findtext(
            ".//{DAV:}sync-token"
        )

    given = {
        "of the future": f"{token(f'{HOME}calendar/')}99",
        "of another calendar": token(f"{HOME}tasks/"),
        "of nobody": "http://example.com/sync/1",
    }[kind]
    before = state(world)
    got = world.ask("REPORT", f"{HOME}calendar/", SYNC.format(given).encode())
    refused(world, got, 403, "valid-sync-token", before)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({f"X_{n}": "x" for n in range(200)}, 431),
        ({"X_Long": "x" * 40_000}, 431),
        ({"Cookie": "a=b; " * 8000}, 431),
    ],
)
def test_a_flood_of_headers_is_431(world: World, fields: dict[str, str], status: int) -> None:
    before = state(world)
    refused(world, world.ask("PROPFIND", HOME, Depth="0", **fields), status, "", before)


def test_who_sends_octet_by_octet_is_sent_away_and_others_are_served(world: World) -> None:
    before = state(world)
    with world.connect() as slow, world.connect() as body:
        slow.send(f"PUT {NEW} HTTP/1.1\r\nHost: x\r\n")
        body.request("PUT", NEW, Content_Type="text/calendar", Content_Length="1000")
        body.send(b"BEGIN:")
        assert world.ask("GET", AT).status == 200
        refused(world, slow.read(), 408, "", before)
        refused(world, body.read(), 408, "", before)


def test_afterwards_nothing_contradicts_itself(world: World) -> None:
    assert check(world.store) + conflict.findings(world.store, world.config.policy) == []
