"""Making, moving and removing calendars and moving objects (RFC 4791 §5.3.1, RFC 5689, RFC 4918 §9.8, §9.9)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_world import STORE, event, todo
from dav_harness import DECLARED, Client, DavWorld, ics

HOME = "/dav/calendars/bill/"
CALENDAR = HOME + "calendar/"
EVENT = CALENDAR + "a.ics"
ORIGIN = "https://cal.example.com"


def making(props: str, root: str = "C:mkcalendar") -> str:
    return f"<{root}{DECLARED}><D:set><D:prop>{props}</D:prop></D:set></{root}>"


def test_mkcalendar_without_a_body(bill: Client, world: DavWorld) -> None:
    made = bill("MKCALENDAR", HOME + "work/")
    assert (made.status, made.headers["cache-control"]) == (201, "no-cache")
    assert HOME + "work/" in bill.propfind(HOME, "D:resourcetype", depth="1").hrefs()
    assert "OWNER:bill@example.com" in world.text("SELECT * FROM VAGENDA WHERE CALID = 'bill/work'", STORE)
    again = bill("MKCALENDAR", HOME + "work/")
    assert (again.status, again.precondition) == (405, "D:resource-must-be-null")


def test_mkcalendar_with_properties(bill: Client) -> None:  # RFC 4791 §5.3.1.2
    body = making(
        "<D:displayname>Lisa's Events</D:displayname>"
        '<C:calendar-description xml:lang="en">Only events.</C:calendar-description>'
        '<C:supported-calendar-component-set><C:comp name="VTODO"/></C:supported-calendar-component-set>'
        "<A:calendar-color>#112233FF</A:calendar-color><Z:own xmlns:Z='urn:z'>x</Z:own>"
    )
    assert bill("MKCALENDAR", HOME + "e/", body).status == 201
    seen = bill.propfind(HOME + "e/", "D:displayname", "C:calendar-description", "A:calendar-color")
    assert seen.prop("D:displayname") == "Lisa's Events"
    assert seen.prop("C:calendar-description") == "Only events."
    assert seen.prop("A:calendar-color") == "#112233FF"
    assert bill.put(HOME + "e/x.ics", ics(event("x"))).precondition == "C:supported-calendar-component"
    assert bill.put(HOME + "e/x.ics", ics(todo("x"))).status == 201


def test_mkcalendar_makes_nothing_when_a_property_is_refused(bill: Client) -> None:
    body = making("<D:displayname>x</D:displayname><D:getetag>y</D:getetag>")
    answer = bill("MKCALENDAR", HOME + "e/", body)
    assert answer.status == 207
    assert list(answer.props(status=424)) == ["D:displayname"]
    assert bill.propfind(HOME + "e/", "D:displayname").status == 404


@pytest.mark.parametrize(
    "path", ["/dav/x/", "/x", CALENDAR + "below/", HOME + "inbox2/y/", "/dav/calendars/nobody/x/"]
)
def test_a_calendar_is_made_right_under_a_home(bill: Client, path: str) -> None:
    assert bill("MKCALENDAR", path).status in (403, 409)


def test_mkcol_makes_calendars_only(bill: Client) -> None:  # RFC 5689 §3
    types = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"
    body = making(types + "<D:displayname>M</D:displayname>", "D:mkcol")
    assert bill("MKCOL", HOME + "m/", body).status == 201
    assert bill.propfind(HOME + "m/", "D:displayname").prop("D:displayname") == "M"
    assert bill("MKCOL", HOME + "m/").status == 405  # RFC 4918 §9.3.1
    assert bill("MKCOL", "/dav/calendars/nobody/m/").status == 409
    plain = bill("MKCOL", HOME + "p/")
    assert (plain.status, plain.precondition) == (403, "D:valid-resourcetype")
    failed = bill("MKCOL", HOME + "q/", making(types + "<D:getetag/>", "D:mkcol"))
    assert failed.status == 403
    assert failed.xml.tag == "{DAV:}mkcol-response"


def test_nobody_makes_a_calendar_in_somebody_elses_home(mary: Client) -> None:
    answer = mary("MKCALENDAR", HOME + "spy/")
    assert (answer.status, answer.precondition) == (403, "D:need-privileges")


@pytest.mark.parametrize(
    "name", ["%C3%A9t%C3%A9", "a%20b", "100%25", "%E6%97%A5", "a%3Fb%23c", "Work", "..."]
)
def test_any_name_a_client_chooses_for_a_calendar_is_kept(bill: Client, name: str) -> None:
    assert bill("MKCALENDAR", f"{HOME}{name}/").status == 201
    assert f"{HOME}{name}/" in bill.propfind(HOME, "D:resourcetype", depth="1").hrefs()


def test_a_calendar_is_deleted_with_all_it_holds(bill: Client, world: DavWorld) -> None:  # RFC 4918 §9.6.1
    bill("MKCALENDAR", HOME + "old/")
    bill.put(HOME + "old/a.ics", ics(event("a")))
    assert bill("DELETE", HOME + "old/", depth="0").status == 400
    assert bill("DELETE", HOME + "old/", if_match='"x"').status == 412
    assert bill("DELETE", HOME + "old/").status == 204
    assert bill("GET", HOME + "old/a.ics").status == 404
    assert bill("DELETE", HOME).status == 405


def test_an_object_moves_to_another_calendar_and_keeps_its_past(bill: Client, world: DavWorld) -> None:
    bill("MKCALENDAR", HOME + "work/")
    bill.put(EVENT, ics(event("a")))
    tag = bill("GET", EVENT).headers["etag"]
    moved = bill("MOVE", EVENT, destination=f"{ORIGIN}{HOME}work/b.ics")
    assert (moved.status, moved.headers["location"]) == (201, f"{ORIGIN}{HOME}work/b.ics")
    assert bill("GET", EVENT).status == 404
    assert bill("GET", HOME + "work/b.ics").headers["etag"] == tag


def test_an_object_gets_another_name(bill: Client) -> None:
    bill.put(EVENT, ics(event("a")))
    assert bill("MOVE", EVENT, destination=CALENDAR + "n.ics", overwrite="F").status == 201
    assert bill.propfind(CALENDAR, "D:getetag", depth="1").hrefs() == [CALENDAR, CALENDAR + "n.ics"]


def test_nothing_moves_into_a_full_calendar(bill: Client, world: DavWorld) -> None:  # RFC 4918 §11.5
    bill("MKCALENDAR", HOME + "work/")
    bill.put(EVENT, ics(event("a")))
    bill.put(HOME + "work/o.ics", ics(event("o")))
    world.policy = replace(world.policy, quota=1)
    limited = world.client()
    full = limited("MOVE", EVENT, destination=HOME + "work/a.ics")
    assert (full.status, full.precondition) == (507, "D:quota-not-exceeded")
    assert bill("GET", EVENT).status == 200
    assert limited("MOVE", EVENT, destination=CALENDAR + "n.ics").status == 201


def test_moving_minds_overwrite_uids_and_components(
    bill: Client,
) -> None:  # RFC 4918 §10.6, RFC 4791 §5.3.2.1
    bill("MKCALENDAR", HOME + "work/")
    bill.put(EVENT, ics(event("a")))
    bill.put(HOME + "work/a.ics", ics(event("a")))
    bill.put(HOME + "work/other.ics", ics(event("o")))
    move = lambda to, **more: bill("MOVE", EVENT, destination=to, **more)  # noqa: E731
    assert move(HOME + "work/a.ics", overwrite="F").status == 412
    taken = move(HOME + "work/b.ics")
    assert (taken.status, taken.precondition) == (403, "C:no-uid-conflict")
    assert taken.xml[0][0].text == HOME + "work/a.ics"
    assert move(HOME + "work/other.ics").precondition == "C:no-uid-conflict"
    assert move(HOME + "tasks/a.ics").precondition == "C:supported-calendar-component"
    assert move(EVENT).status == 403
    assert move(HOME + "none/a.ics").status == 409
    assert move(HOME + "work/").status == 409
    assert move("https://elsewhere.example/a.ics").status == 502
    assert move("relative").status == 400
    assert bill("MOVE", EVENT).status == 400
    assert move(HOME + "work/a.ics", overwrite="X").status == 400
    assert move(HOME + "work/a.ics", if_match='"x"').status == 412
    assert bill("GET", EVENT).status == 200
    assert move(HOME + "work/a.ics").status == 204
    assert bill("GET", EVENT).status == 404


def test_an_object_is_copied_with_its_properties(bill: Client) -> None:
    bill("MKCALENDAR", HOME + "work/")
    bill.put(EVENT, ics(event("a")))
    body = f'<D:propertyupdate{DECLARED}><D:set><D:prop><z xmlns="urn:z">kept</z></D:prop></D:set></D:propertyupdate>'
    bill("PROPPATCH", EVENT, body)
    assert bill("COPY", EVENT, destination=HOME + "work/a.ics").status == 201
    assert bill("GET", EVENT).status == 200
    assert "kept" in bill("PROPFIND", HOME + "work/a.ics", depth="0").text
    assert bill("COPY", EVENT, destination=HOME + "work/a.ics").status == 204
    assert bill("COPY", EVENT, destination=HOME + "work/a.ics", overwrite="F").status == 412
    same = bill("COPY", EVENT, destination=CALENDAR + "c.ics")
    assert (same.status, same.precondition) == (403, "C:no-uid-conflict")


def test_destinations_carry_the_prefix(world: DavWorld) -> None:
    client = world.client(prefix="/cal")
    client.put(EVENT, ics(event("a")))
    assert client("MOVE", EVENT, destination=f"{ORIGIN}{CALENDAR}b.ics").status == 502
    moved = client("MOVE", EVENT, destination=f"{ORIGIN}/cal{CALENDAR}b.ics")
    assert (moved.status, moved.headers["location"]) == (201, f"{ORIGIN}/cal{CALENDAR}b.ics")


def test_a_calendar_gets_another_path(bill: Client, world: DavWorld) -> None:
    bill.put(EVENT, ics(event("a")))
    moved = bill("MOVE", CALENDAR, destination=HOME + "life/")
    assert moved.status == 201
    assert bill("GET", HOME + "life/a.ics").status == 200
    assert bill("GET", EVENT).status == 404
    assert world.uids("SELECT * FROM VEVENT") == ["a"]
    assert bill("MOVE", HOME + "life/", destination=HOME + "tasks/", overwrite="F").status == 412
    refused = bill("MOVE", HOME + "life/", destination=HOME + "tasks/")
    assert (refused.status, "delete it first" in refused.text) == (403, True)
    copied = bill("COPY", HOME + "life/", destination=HOME + "copy/")
    assert (copied.status, "COPY objects into it" in copied.text) == (403, True)
    assert bill("GET", HOME + "life/a.ics").status == 200
    assert bill("MOVE", HOME + "life/", destination=HOME + "inbox/").status == 403
    assert bill("MOVE", HOME + "life/", destination="/dav/calendars/mary/life/").status == 403


EPOCH = "Thu, 01 Jan 1970 00:00:01 GMT"
NAMED = f"<D:propertyupdate{DECLARED}><D:set><D:prop><D:displayname>X</D:displayname></D:prop></D:set></D:propertyupdate>"


@pytest.mark.parametrize(
    ("name", "value"), [("if_match", '"x"'), ("if_none_match", "*"), ("if_unmodified_since", EPOCH)]
)
@pytest.mark.parametrize("method", ["DELETE", "MOVE", "PROPPATCH", "ACL"])
def test_conditions_hold_for_calendars_too(  # RFC 9110 §13.1
    bill: Client, method: str, name: str, value: str
) -> None:
    place = HOME + "old/"
    bill("MKCALENDAR", place)
    bill.put(place + "a.ics", ics(event("a")))
    body = {"PROPPATCH": NAMED, "ACL": f"<D:acl{DECLARED}/>"}.get(method, "")
    answer = bill(method, place, body, destination=HOME + "new/", **{name: value})
    assert answer.status == 412, answer.text
    assert bill("GET", place + "a.ics").status == 200
    assert bill.propfind(place, "D:displayname").prop("D:displayname") == "old"
    assert bill(method, place, body, destination=HOME + "new/", if_match="*").status < 300


def test_no_calendar_is_made_where_one_has_to_be(bill: Client) -> None:  # RFC 9110 §13.1.1
    assert bill("MKCALENDAR", HOME + "new/", if_match="*").status == 412
    assert bill("MKCALENDAR", HOME + "new/", if_none_match="*").status == 201
