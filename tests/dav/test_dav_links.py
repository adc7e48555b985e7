"""Calendars behind secret links, and free-busy addresses."""

from __future__ import annotations

import pytest
from core_world import calendar, event
from dav_harness import Client, DavWorld, ics
from icalendar import Calendar as Oracle

from kalends.core import creating
from kalends.core.access import links, sharing
from kalends.core.errors import DeniedError, InvalidError, NotFoundError
from kalends.core.model import Caller, Identity
from kalends.core.people import identity
from kalends.ical.tree import parse
from kalends.store.base import Store

HOME = "/dav/calendars/bill/calendar/"
RANGE = "start=2026-03-10T00:00:00Z&end=20260311T000000Z"


@pytest.fixture
def stranger(world: DavWorld) -> Client:
    """Somebody without a name here."""
    from core_world import NOW, POLICY

    return Client(world.store, Caller(Identity("@"), "dav", NOW, POLICY))


def fill(bill: Client) -> None:
    bill.put(f"{HOME}a.ics", ics(event("a", "SUMMARY:lunch", "LOCATION:harbour")))
    bill.put(
        f"{HOME}p.ics", ics(event("p", "SUMMARY:secret", "CLASS:PRIVATE", start="DTSTART:20260311T090000Z"))
    )


def link(world: DavWorld, how: str, label: str = "") -> str:
    return world.store.write(lambda tx: links.add(tx, world.bill, world.calendar, how, label))


@pytest.mark.parametrize(
    ("how", "shown", "hidden"),
    [
        ("read", ("SUMMARY:lunch", "LOCATION:harbour"), ("secret",)),
        ("titles", ("SUMMARY:lunch",), ("secret", "harbour")),
        (
            "busy",
            ("SUMMARY:Busy", "DTSTART:20260310T090000Z", "DTSTART:20260311T090000Z"),
            ("lunch", "secret", "UID:a"),
        ),
    ],
)
def test_a_link_shows_what_its_preset_grants_without_a_login(
    world: DavWorld, bill: Client, stranger: Client, how: str, shown: tuple[str, ...], hidden: tuple[str, ...]
) -> None:
    fill(bill)
    got = stranger("GET", f"/ics/{link(world, how)}.ics")
    assert (got.status, got.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    Oracle.from_ical(got.body)
    for text in shown:
        assert text in got.text
    for text in hidden:
        assert text not in got.text


def test_nobody_keeps_or_finds_what_is_behind_a_link(world: DavWorld, bill: Client, stranger: Client) -> None:
    fill(bill)
    secret = link(world, "read")
    got = stranger("GET", f"/ics/{secret}.ics")
    assert got.headers["cache-control"] == "private, no-store"
    assert "noindex" in got.headers["x-robots-tag"]
    assert got.headers["referrer-policy"] == "no-referrer"
    again = stranger("GET", f"/ics/{secret}.ics", if_none_match=got.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    bill("DELETE", f"{HOME}a.ics")
    assert stranger("GET", f"/ics/{secret}.ics", if_none_match=got.headers["etag"]).status == 200
    assert stranger("HEAD", f"/ics/{secret}.ics").body == b""


def test_a_revoked_link_opens_nothing(world: DavWorld, stranger: Client) -> None:
    secret = link(world, "read", "web site")
    other = link(world, "busy")
    listed = world.store.read(lambda tx: links.of_calendar(tx, world.bill, world.calendar))
    assert [(one.preset, one.label) for one in listed] == [("read", "web site"), ("busy", "")]
    assert secret not in repr(listed)
    world.store.write(lambda tx: links.revoke(tx, world.bill, world.calendar, listed[0].name))
    assert stranger("GET", f"/ics/{secret}.ics").status == 404
    assert stranger("GET", f"/ics/{other}.ics").status == 200
    with pytest.raises(NotFoundError):
        world.store.write(lambda tx: links.revoke(tx, world.bill, world.calendar, listed[0].name))


def test_a_link_ends_with_the_rights_of_who_made_it(world: DavWorld, stranger: Client) -> None:
    made = world.store.write(lambda tx: links.add(tx, world.bill, world.calendar, "read"))
    by_root = world.store.write(lambda tx: links.add(tx, world.root, world.calendar, "busy"))
    assert [stranger("GET", f"/ics/{one}.ics").status for one in (made, by_root)] == [200, 200]
    world.store.write(lambda tx: identity.describe(tx, world.root.identity.upn, admin=False))
    assert [stranger("GET", f"/ics/{one}.ics").status for one in (made, by_root)] == [200, 404]


def test_a_secret_is_not_stored(world: DavWorld) -> None:
    secret = link(world, "read")
    rows = world.store.read(lambda tx: list(tx.rows("select * from link")))
    assert secret not in repr(rows)
    assert len(secret) == 26  # five bits each: more than 128


@pytest.mark.parametrize(
    "name", ["x", "a" * 26, "A" * 26, "..", "%00", "'; drop table link", "a" * 2000, "x/y"]
)
def test_what_is_no_link_opens_nothing(stranger: Client, name: str) -> None:
    assert stranger("GET", f"/ics/{name}").status in (400, 404)
    assert stranger("GET", f"/freebusy/{name}", query=RANGE).status in (400, 401, 404)


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PROPFIND", "MKCOL"])
def test_a_link_is_read_only(world: DavWorld, stranger: Client, method: str) -> None:
    assert stranger(method, f"/ics/{link(world, 'read')}.ics").status == 405


def test_only_owners_make_and_see_links(world: DavWorld) -> None:
    for work in (
        lambda tx: links.add(tx, world.mary, world.calendar, "read"),
        lambda tx: links.of_calendar(tx, world.mary, world.calendar),
        lambda tx: links.revoke(tx, world.mary, world.calendar, "x"),
    ):
        with pytest.raises((DeniedError, NotFoundError)):
            world.store.write(work)
    world.store.write(
        lambda tx: sharing.share(tx, world.bill, world.calendar, "mary@example.com", "secretary")
    )
    with pytest.raises(DeniedError):
        world.store.write(lambda tx: links.add(tx, world.mary, world.calendar, "read"))
    for how, label in (("owner", ""), ("read", "x" * 101), ("read", "a\nb")):
        with pytest.raises(InvalidError):
            world.store.write(
                lambda tx, how=how, label=label: links.add(tx, world.bill, world.calendar, how, label)
            )  # type: ignore[misc]


def test_an_owner_who_may_make_no_rights_makes_no_link(
    world: DavWorld, bill: Client, stranger: Client
) -> None:
    """RFC 4324 §9.3 (ACL-25): what VCARs keep from an owner, no link of theirs shows them."""
    fill(bill)
    old = link(world, "read")
    vrights = (
        "BEGIN:VRIGHT\nDENY:*\nPERMISSION:*\nSCOPE:SELECT * FROM VCAR\nEND:VRIGHT\n"
        "BEGIN:VRIGHT\nDENY:bill@example.com\nPERMISSION:SEARCH\nSCOPE:SELECT * FROM VEVENT\nEND:VRIGHT"
    )
    lock = calendar(f"BEGIN:VCAR\nCARID:lock\n{vrights}\nEND:VCAR")
    assert [one.error for one in world.create(lock, caller=world.root)] == [None]
    with pytest.raises(DeniedError):
        link(world, "read")
    assert stranger("GET", f"/ics/{old}.ics").status == 404
    made = world.store.write(lambda tx: links.add(tx, world.root, world.calendar, "read", ""))
    assert "lunch" in stranger("GET", f"/ics/{made}.ics").text
    world.delete("SELECT * FROM VCAR WHERE CARID = 'lock'", caller=world.root)
    assert "lunch" in stranger("GET", f"/ics/{old}.ics").text


def test_links_are_few(world: DavWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MAX_LINKS", 1)
    link(world, "read")
    with pytest.raises(InvalidError, match="revoke one"):
        link(world, "read")


def test_what_is_denied_to_everybody_no_link_shows(world: DavWorld, bill: Client, stranger: Client) -> None:
    fill(bill)
    secret = link(world, "read")
    law = (
        "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VCAR\nCARID:LAW\nBEGIN:VRIGHT\nDENY:@\nPERMISSION:SEARCH\n"
        "SCOPE:SELECT * FROM VEVENT\nEND:VRIGHT\nEND:VCAR\nEND:VCALENDAR\n"
    )
    world.store.write(lambda tx: creating.create(tx, world.bill, world.calendar, parse(law)))
    assert "lunch" not in stranger("GET", f"/ics/{secret}.ics").text


def test_links_go_with_their_calendar(store: Store, world: DavWorld, bill: Client, stranger: Client) -> None:
    assert bill("MKCALENDAR", "/dav/calendars/bill/more/").status == 201
    more = world.target("bill/more")
    secret = world.store.write(lambda tx: links.add(tx, world.bill, more, "read"))
    assert stranger("GET", f"/ics/{secret}.ics").status == 200
    assert bill("DELETE", "/dav/calendars/bill/more/").status == 204
    assert stranger("GET", f"/ics/{secret}.ics").status == 404


def test_a_secret_free_busy_address_tells_when_a_calendar_is_busy(
    world: DavWorld, bill: Client, stranger: Client
) -> None:
    fill(bill)
    got = stranger("GET", f"/freebusy/{link(world, 'busy')}", query=RANGE)
    assert got.status == 200
    assert got.headers["content-type"].startswith("text/calendar")
    (busy,) = Oracle.from_ical(got.body).walk("VFREEBUSY")
    assert "FREEBUSY;FBTYPE=BUSY:20260310T090000Z/20260310T100000Z" in got.text
    assert "lunch" not in got.text
    assert busy["DTSTART"].dt.isoformat() == "2026-03-10T00:00:00+00:00"


def test_a_persons_free_busy_is_for_those_who_are_logged_in(
    world: DavWorld, bill: Client, mary: Client, stranger: Client
) -> None:
    fill(bill)
    assert "20260310T090000Z/20260310T100000Z" in mary("GET", "/freebusy/bill", query=RANGE).text
    assert mary("HEAD", "/freebusy/bill", query=RANGE).body == b""
    assert stranger("GET", "/freebusy/bill", query=RANGE).status == 401
    assert stranger("GET", "/freebusy/nobody", query=RANGE).status == 401
    assert mary("GET", "/freebusy/nobody", query=RANGE).status == 404
    world.lock_out(world.calendar, world.bill)
    assert "FREEBUSY;" not in mary("GET", "/freebusy/bill", query=RANGE).text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200),
        ("start=2026-03-10T00:00:00%2B01:00&period=P1D", 200),
        ("start=2026-03-10&period=P2W", 200),
        ("start=20260310T000000Z&end=20260311T000000Z&format=text/calendar", 200),
        ("end=2026-03-10T00:00:00Z&period=P1D", 400),
        ("start=tomorrow", 400),
        ("period=long", 400),
        ("period=-P1D", 400),
        ("period=P99999999W", 400),
        ("start=2026-13-40T99:00:00Z", 400),
        ("start=2026-03-10T00:00:00Z&end=2026-03-10T00:00:00Z", 400),
        ("start=2026-03-10T00:00:00Z&period=P3000D", 400),
        ("format=text/html", 406),
        ("&".join(f"a{n}=1" for n in range(30)), 400),
    ],
)
def test_the_range_is_read_or_refused(mary: Client, query: str, status: int) -> None:
    assert mary("GET", "/freebusy/mary", query=query).status == status
