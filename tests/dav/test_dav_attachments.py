"""Managed attachments (RFC 8607)."""

from __future__ import annotations

import re

import pytest
from core_world import NOW, event
from dav_harness import Client, DavWorld, ics

from kalends.core import attachments
from kalends.core.access import sharing
from kalends.core.errors import ManagedIdError
from kalends.core.past import purging, undoing
from kalends.ical.tree import Line, parse
from kalends.store.base import Store, Tx

HOME = "/dav/calendars/bill/calendar/"
PATH = f"{HOME}64.ics"
AGENDA = b"<html>\r\n  <body>\r\n    <h1>Agenda</h1>\r\n  </body>\r\n</html>\r\n"
SERIES = event("s", "RRULE:FREQ=DAILY;COUNT=5")
ADD = "action=attachment-add"
MEETING = (
    "ORGANIZER:mailto:bill@example.com",
    "ATTENDEE:mailto:bill@example.com",
    "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:mary@example.com",
)


def add(client: Client, path: str = PATH, data: bytes = AGENDA, query: str = ADD, **headers: str) -> str:
    headers = {
        "content_type": 'text/html; charset="utf-8"',
        "content_disposition": "attachment;filename=agenda.html",
    } | headers
    answer = client("POST", path, data, query=query, **headers)
    assert answer.status == 201, answer.text
    return answer.headers["cal-managed-id"]


def attached(client: Client, path: str = PATH) -> list[Line]:
    whole = parse(client("GET", path).body)
    return [line for part in whole.components for line in part.all("ATTACH")]


def place(line: Line) -> str:
    return re.sub("^https://[^/]+", "", line.value)


@pytest.fixture
def bills(bill: Client) -> Client:
    """Bill with an event."""
    assert bill.put(PATH, ics(event("64", "SUMMARY:One-off meeting"))).status == 201
    return bill


def test_RFC8607_34_an_attachment_is_added(bills: Client) -> None:
    answer = bills(
        "POST", PATH, AGENDA, query=ADD, content_type='text/html; charset="utf-8"',
        content_disposition="attachment;filename=agenda.html", prefer="return=representation",
    )  # fmt: skip
    assert answer.status == 201
    assert answer.headers["content-location"] == PATH
    got = bills("GET", PATH)
    assert (answer.body, answer.headers["etag"]) == (got.body, got.headers["etag"])
    (line,) = attached(bills)
    told = {name: line.param(name) for name in ("MANAGED-ID", "FMTTYPE", "SIZE", "FILENAME")}
    assert told == {
        "MANAGED-ID": answer.headers["cal-managed-id"], "FMTTYPE": "text/html", "SIZE": str(len(AGENDA)),
        "FILENAME": "agenda.html",
    }  # fmt: skip
    assert line.value.startswith("https://cal.example.com/attach/")


def test_RFC8607_310_an_attachment_is_fetched_and_never_shown_as_a_page(bills: Client) -> None:
    add(bills)
    (line,) = attached(bills)
    got = bills("GET", place(line))
    assert (got.status, got.body, got.headers["content-type"]) == (200, AGENDA, "text/html")
    assert got.headers["content-disposition"] == 'attachment; filename="agenda.html"'
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in got.headers["content-security-policy"]
    again = bills("GET", place(line), if_none_match=got.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    head = bills("HEAD", place(line))
    assert (head.body, head.headers["content-length"]) == (b"", str(len(AGENDA)))


def test_RFC8607_35_an_attachment_is_updated(bills: Client) -> None:
    old = add(bills)
    (before,) = attached(bills)
    query = f"action=attachment-update&managed-id={old}"
    answer = bills(
        "POST", PATH, b"%PDF", query=query, content_type="application/pdf", prefer="return=representation"
    )
    assert answer.status == 200
    new = answer.headers["cal-managed-id"]
    assert new != old
    (line,) = attached(bills)
    assert (line.param("MANAGED-ID"), line.param("FMTTYPE"), line.param("SIZE")) == (
        new,
        "application/pdf",
        "4",
    )
    assert bills("GET", place(line)).body == b"%PDF"
    assert bills("GET", place(before)).status == 404


def test_RFC8607_36_an_attachment_is_removed(bills: Client) -> None:
    managed = add(bills)
    answer = bills("POST", PATH, query=f"action=attachment-remove&managed-id={managed}")
    assert (answer.status, answer.body) == (204, b"")
    assert attached(bills) == []


def test_RFC8607_332_instances_get_attachments_of_their_own(bill: Client) -> None:
    path = f"{HOME}s.ics"
    bill.put(path, ics(SERIES))
    one = add(bill, path, query=f"{ADD}&rid=20260312T090000Z")
    both = add(bill, path, b"both", query=f"{ADD}&rid=M,20260313T090000Z")
    whole = parse(bill("GET", path).body)
    held = {
        part.value("RECURRENCE-ID") or "M": [line.param("MANAGED-ID") for line in part.all("ATTACH")]
        for part in whole.children("VEVENT")
    }
    assert held == {"M": [both], "20260312T090000Z": [one], "20260313T090000Z": [both]}
    everywhere = add(bill, path, b"all")
    assert sum(line.param("MANAGED-ID") == everywhere for line in attached(bill, path)) == 3
    gone = bill("POST", path, query=f"action=attachment-remove&managed-id={everywhere}&rid=20260310T090000Z")
    assert gone.status == 204
    assert sum(line.param("MANAGED-ID") == everywhere for line in attached(bill, path)) == 3
    assert "RECURRENCE-ID:20260310T090000Z" in bill("GET", path).text


@pytest.mark.parametrize(
    ("query", "element"),
    [
        ("", "valid-action"),
        ("action=attachment-eat", "valid-action"),
        (f"{ADD}&{ADD}", "valid-action"),
        (f"{ADD}&managed-id=x", "valid-managed-id"),
        ("action=attachment-update", "valid-managed-id"),
        ("action=attachment-update&managed-id=x", "valid-managed-id"),
        ("action=attachment-update&managed-id=x&rid=M", "valid-rid"),
        ("action=attachment-remove&managed-id=x", "valid-managed-id"),
        ("action=attachment-remove&managed-id=x&managed-id=y", "valid-managed-id"),
        (f"{ADD}&rid=20260312T090000Z", "valid-rid"),
        (f"{ADD}&rid=", "valid-rid"),
        (f"{ADD}&rid=M,M", "valid-rid"),
        (f"{ADD}&rid=tomorrow", "valid-rid"),
        ("&".join("a=1" for _ in range(30)), "valid-action"),
    ],
)
def test_RFC8607_311_what_cannot_be_is_refused(bills: Client, query: str, element: str) -> None:
    before = bills("GET", PATH).body
    answer = bills("POST", PATH, b"x", query=query, content_type="text/plain")
    assert (answer.status, answer.precondition) == (403, f"C:{element}")
    assert "responsedescription" in answer.text
    assert bills("GET", PATH).body == before


@pytest.mark.parametrize(
    "rid", ["20260310T080000Z", "20260316T090000Z", "20260311", "20260311T090000", "99999999T999999Z"]
)
def test_RFC8607_311_an_instance_has_to_be_one(bill: Client, rid: str) -> None:
    bill.put(PATH, ics(SERIES))
    answer = bill("POST", PATH, b"x", query=f"{ADD}&rid={rid}", content_type="text/plain")
    assert (answer.status, answer.precondition) == (403, "C:valid-rid")


def test_RFC8607_62_63_the_limits_are_told_and_hold(
    world: DavWorld, bills: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = bills.propfind(HOME, "C:max-attachment-size", "C:max-attachments-per-resource")
    assert told.prop("C:max-attachment-size") == str(world.policy.max_object)
    assert told.prop("C:max-attachments-per-resource") == str(attachments.MAX_PER_OBJECT)
    large = bills("POST", PATH, b"x" * (world.policy.max_object + 1), query=ADD, content_type="a/b")
    assert (large.status, large.precondition) == (403, "C:max-attachment-size")
    monkeypatch.setattr(attachments, "MAX_PER_OBJECT", 1)
    add(bills)
    second = bills("POST", PATH, b"x", query=ADD, content_type="a/b")
    assert (second.status, second.precondition) == (403, "C:max-attachments-per-resource")
    monkeypatch.setattr(attachments, "MAX_OCTETS_EACH", len(AGENDA))
    full = bills("POST", PATH, b"x", query=ADD, content_type="a/b")
    assert (full.status, full.precondition) == (507, "D:quota-not-exceeded")


def test_RFC8607_32_61_support_is_told(bills: Client) -> None:
    assert "calendar-managed-attachments" in bills("OPTIONS", HOME).headers["dav"].split(", ")
    at = bills.propfind("/dav/calendars/bill/", "C:managed-attachments-server-URL").props()
    assert len(at["C:managed-attachments-server-URL"]) == 0


def test_RFC8607_312_who_sees_the_event_reads_the_file_and_nobody_else(
    world: DavWorld, bills: Client, mary: Client
) -> None:
    add(bills)
    (line,) = attached(bills)
    assert mary("GET", place(line)).status == 404
    world.store.write(lambda tx: sharing.share(tx, world.bill, world.calendar, "mary@example.com", "titles"))
    assert mary("GET", place(line)).status == 404  # titles do not show that there is one
    world.store.write(lambda tx: sharing.share(tx, world.bill, world.calendar, "mary@example.com", "read"))
    assert mary("GET", place(line)).body == AGENDA
    bills("DELETE", PATH)
    assert mary("GET", place(line)).status == 404


def test_RFC8607_3126_attendees_hear_of_it_and_read_it_but_cannot_change_it(
    bill: Client, mary: Client
) -> None:
    bill.put(PATH, ics(event("64", *MEETING)))
    managed = add(bill)
    (copy,) = mary.propfind(
        "/dav/calendars/mary/calendar/", "D:getetag", depth="1", prefer="depth-noroot"
    ).hrefs()
    (line,) = attached(mary, copy)
    assert line.param("MANAGED-ID") == managed
    assert mary("GET", place(line)).body == AGENDA
    for query in (
        ADD,
        f"action=attachment-update&managed-id={managed}",
        f"action=attachment-remove&managed-id={managed}",
    ):
        answer = mary("POST", copy, b"x", query=query, content_type="text/plain")
        assert (answer.status, answer.precondition) == (403, "D:need-privileges")
    got = mary("GET", copy)
    accepted = got.text.replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")
    assert mary.put(copy, accepted).status == 204


def test_RFC8607_37_one_uses_ones_own_attachments_in_other_events(bills: Client, mary: Client) -> None:
    add(bills)
    (line,) = attached(bills)
    other = f"{HOME}other.ics"
    assert bills.put(other, ics(event("other", line.raw.rstrip().replace("\r\n", "\n")))).status == 201
    bills("DELETE", PATH)
    assert bills("GET", place(line)).body == AGENDA
    stolen = mary.put(
        "/dav/calendars/mary/calendar/x.ics", ics(event("x", line.raw.rstrip().replace("\r\n", "\n")))
    )
    assert (stolen.status, stolen.precondition) == (403, "C:valid-managed-id-parameter")
    unknown = bills.put(f"{HOME}y.ics", ics(event("y", "ATTACH;MANAGED-ID=nothing:https://x.org/")))
    assert (unknown.status, unknown.precondition) == (403, "C:valid-managed-id-parameter")


def test_over_CAP_nobody_takes_the_attachments_of_others(world: DavWorld, bills: Client) -> None:
    managed = add(bills)
    text = ics(event("x", f"ATTACH;MANAGED-ID={managed}:https://x.org/"))
    (receipt,) = world.create(text, world.marys, world.mary)
    assert isinstance(receipt.error, ManagedIdError)


def test_what_an_if_match_demands_holds(bills: Client) -> None:
    tag = bills("GET", PATH).headers["etag"]
    add(bills, if_match=tag)
    late = bills("POST", PATH, b"x", query=ADD, content_type="text/plain", if_match=tag)
    assert late.status == 412
    assert len(attached(bills)) == 1


def test_RFC8607_38_39_the_file_itself_is_read_only(bills: Client) -> None:
    add(bills)
    (line,) = attached(bills)
    for method in ("PUT", "DELETE", "POST", "PROPPATCH"):
        assert bills(method, place(line), b"x").status == 405
    for path in ("/attach/", "/attach/x", f"/attach/{'0' * 32}", "/attach/..%2Fx", f"{place(line)}/more"):
        assert bills("GET", path).status == 404


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="a\\"b;c.txt"', "abc.txt"),
        ("attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt", "Grüße.txt"),
        ("attachment", None),
        ("nonsense", None),
        ('attachment; filename="' + "x" * 500 + '"', "x" * 200),
    ],
)
def test_RFC8607_42_a_name_harms_nobody(bills: Client, given: str, name: str | None) -> None:
    add(bills, content_disposition=given)
    (line,) = attached(bills)
    assert line.param("FILENAME") == name
    assert bills("GET", place(line)).status == 200


def test_what_is_no_media_type_is_served_as_octets(bills: Client) -> None:
    add(bills, content_type="text/html\x00; <script>")
    (line,) = attached(bills)
    assert line.param("FMTTYPE") == "application/octet-stream"
    assert bills("POST", PATH, b"x", query=ADD).status == 415


def count(store: Store, table: str) -> int:
    def work(tx: Tx) -> int:
        row = tx.row(
            {"content": "select count(*) from content", "attachment": "select count(*) from attachment"}[
                table
            ]
        )
        assert row is not None
        return int(str(row[0]))

    return store.read(work)


def test_equal_files_are_kept_once_and_unused_ones_go_when_the_past_does(
    world: DavWorld, bills: Client
) -> None:
    one, two = add(bills), add(bills, data=AGENDA)
    assert (count(world.store, "content"), count(world.store, "attachment")) == (1, 2)
    bills("POST", PATH, query=f"action=attachment-remove&managed-id={one}")
    purging.purge(world.store, world.policy, NOW, 30)
    assert count(world.store, "attachment") == 2  # the past may bring it back
    purging.purge(world.store, world.policy, NOW + 31 * 86_400, 30)
    assert (count(world.store, "content"), count(world.store, "attachment")) == (1, 1)
    assert attachments.findings(world.store) == []
    bills("POST", PATH, query=f"action=attachment-remove&managed-id={two}")
    purging.purge(world.store, world.policy, NOW, 0)
    assert (count(world.store, "content"), count(world.store, "attachment")) == (0, 0)


def test_the_past_brings_attachments_back(world: DavWorld, bills: Client) -> None:
    managed = add(bills)
    (line,) = attached(bills)
    bills("POST", PATH, query=f"action=attachment-remove&managed-id={managed}")
    assert bills("GET", place(line)).status == 404
    world.store.write(lambda tx: undoing.undo(tx, world.bill, world.calendar))
    assert bills("GET", place(line)).body == AGENDA
    bills("DELETE", PATH)
    purging.purge(world.store, world.policy, NOW, 30)
    world.store.write(lambda tx: undoing.undo(tx, world.bill, world.calendar))
    assert bills("GET", place(line)).body == AGENDA


def test_the_check_tells_damage(world: DavWorld, bills: Client) -> None:
    add(bills)
    assert attachments.findings(world.store) == []
    world.store.write(lambda tx: tx.run("update content set octets = ?", (b"other",)))
    assert [one.code for one in attachments.findings(world.store)] == ["attachment-damaged"]
    world.store.write(lambda tx: tx.run("delete from attachment"))
    assert [one.code for one in attachments.findings(world.store)] == ["orphan", "attachment-damaged"]
