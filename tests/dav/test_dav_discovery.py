"""How apps find calendars: the requests that they are known to send, in their order, and what they need in the answers."""

from __future__ import annotations

import pytest
from core_world import calendar, event
from dav_harness import DECLARED, Answer, Client, DavWorld, ics

HOME = "/dav/calendars/bill/"
PRINCIPAL = "/dav/principals/bill/"
AT = f"{HOME}calendar/"


def link(answer: Answer, name: str, href: str | None = None) -> str:
    """The D:href in a property."""
    found = answer.props(href)[name].findtext("{DAV:}href")
    assert found is not None
    return found


def report(client: Client, path: str, name: str, inner: str, **headers: str) -> Answer:
    return client("REPORT", path, f"<{name}{DECLARED}>{inner}</{name}>", **headers)


@pytest.mark.parametrize("start", ["/.well-known/caldav", "/", "/dav/", f"{HOME}calendar/", PRINCIPAL])
def test_an_app_in_the_manner_of_davx5(bill: Client, start: str) -> None:
    """From whatever address the user typed: principal, home, collections with many properties, then sync."""
    asked = (
        "D:current-user-principal",
        "D:resourcetype",
        "D:displayname",
        "A:calendar-color",
        "C:calendar-home-set",
    )
    found = bill.propfind(start, *asked)
    if found.status == 301:
        assert found.headers["location"] == "/dav/"
        found = bill.propfind("/dav/", *asked)
    principal = link(found, "D:current-user-principal")
    options = bill("OPTIONS", principal)
    assert "calendar-access" in options.headers["dav"]
    home = bill.propfind(principal, "C:calendar-home-set", "D:group-membership", "CS:calendar-proxy-read-for")
    home_path = link(home, "C:calendar-home-set")
    listed = bill.propfind(
        home_path, "D:resourcetype", "D:displayname", "D:owner", "D:current-user-privilege-set", "A:calendar-color",
        "C:calendar-description", "C:calendar-timezone", "C:supported-calendar-component-set", "CS:source",
        depth="1",
    )  # fmt: skip
    assert {AT, f"{HOME}tasks/"} <= set(listed.hrefs())
    one = listed.props(AT)
    assert [child.tag for child in one["D:resourcetype"]][-1].endswith("}calendar")
    assert one["C:supported-calendar-component-set"][0].get("name") == "VEVENT"
    privileges = {kind.tag for privilege in one["D:current-user-privilege-set"] for kind in privilege}
    assert {"{DAV:}read", "{DAV:}write-content", "{DAV:}bind", "{DAV:}unbind"} <= privileges
    state = bill.propfind(AT, "D:sync-token", "CS:getctag", "D:supported-report-set", "C:max-resource-size")
    reports = {kind.tag for kind in state.props()["D:supported-report-set"].iter()}
    assert {"{DAV:}sync-collection", "{urn:ietf:params:xml:ns:caldav}calendar-multiget"} <= reports
    put = bill.put(f"{AT}a-b-c.ics", ics(event("a-b-c")), if_none_match="*")
    assert (put.status, "etag" in put.headers) == (201, True)
    inner = "<D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop>"
    synced = report(bill, AT, "D:sync-collection", inner)
    assert synced.hrefs() == [f"{AT}a-b-c.ics"]
    wanted = f"<D:prop><D:getcontenttype/><D:getetag/><C:schedule-tag/><C:calendar-data/></D:prop><D:href>{AT}a-b-c.ics</D:href>"
    got = report(bill, AT, "C:calendar-multiget", wanted)
    assert got.prop("D:getetag") == put.headers["etag"]
    assert "UID:a-b-c" in got.prop("C:calendar-data")
    assert bill("DELETE", f"{AT}a-b-c.ics", if_match=put.headers["etag"]).status == 204
    since = synced.xml.findtext("{DAV:}sync-token")
    inner = inner.replace("<D:sync-token/>", f"<D:sync-token>{since}</D:sync-token>")
    assert "404" in report(bill, AT, "D:sync-collection", inner).text


def test_an_app_in_the_manner_of_apple_calendar(bill: Client, mary: Client) -> None:
    """Principal with boxes and proxies, OPTIONS, the home's many properties, the default calendar, then ETags."""
    found = bill.propfind(
        "/.well-known/caldav", "D:current-user-principal", "D:principal-URL", "D:resourcetype"
    )
    assert found.status == 301
    found = bill.propfind(
        found.headers["location"], "D:current-user-principal", "D:principal-URL", "D:resourcetype"
    )
    principal = link(found, "D:current-user-principal")
    assert "calendar-auto-schedule" in bill("OPTIONS", principal).headers["dav"]
    me = bill.propfind(
        principal, "C:calendar-home-set", "C:calendar-user-address-set", "D:current-user-principal", "D:displayname",
        "CS:dropbox-home-URL", "CS:email-address-set", "CS:notification-URL", "D:principal-collection-set",
        "D:principal-URL", "D:resource-id", "C:schedule-inbox-URL", "C:schedule-outbox-URL", "D:supported-report-set",
    )  # fmt: skip
    boxes = [link(me, f"C:schedule-{box}-URL") for box in ("inbox", "outbox")]
    assert boxes == [f"{HOME}inbox/", f"{HOME}outbox/"]
    addresses = [one.text for one in me.props()["C:calendar-user-address-set"]]
    assert "mailto:bill@example.com" in addresses
    searched = bill(
        "REPORT",
        link(me, "D:principal-collection-set"),
        f"<D:principal-search-property-set{DECLARED}/>",
        depth="0",
    )
    assert searched.status == 200
    home = link(me, "C:calendar-home-set")
    listed = bill.propfind(
        home, "D:add-member", "CS:allowed-sharing-modes", "A:calendar-color", "A:calendar-order",
        "C:calendar-description", "C:calendar-free-busy-set", "C:calendar-timezone", "D:current-user-privilege-set",
        "C:default-alarm-vevent-date", "D:displayname", "CS:getctag", "D:owner", "CS:pre-publish-url", "CS:publish-url",
        "CS:push-transports", "CS:pushkey", "D:quota-available-bytes", "D:quota-used-bytes", "D:resource-id",
        "D:resourcetype", "C:schedule-calendar-transp", "C:schedule-default-calendar-URL", "CS:source",
        "C:supported-calendar-component-set", "D:supported-report-set", "D:sync-token", depth="1",
    )  # fmt: skip
    assert {home, AT, f"{HOME}tasks/", *boxes} <= set(listed.hrefs())
    assert link(listed, "C:schedule-default-calendar-URL", boxes[0]) == AT
    assert listed.prop("CS:getctag", AT)
    color = "<D:set><D:prop><A:calendar-color symbolic-color='custom'>#FF2968FF</A:calendar-color></D:prop></D:set>"
    order = "<D:set><D:prop><A:calendar-order>1</A:calendar-order></D:prop></D:set>"
    assert (
        bill("PROPPATCH", AT, f"<D:propertyupdate{DECLARED}>{color}{order}</D:propertyupdate>").status == 207
    )
    assert bill.propfind(AT, "A:calendar-color").prop("A:calendar-color") == "#FF2968FF"
    made = (
        "<D:set><D:prop><D:displayname>Work</D:displayname><A:calendar-color>#0000FFFF</A:calendar-color>"
        '<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>'
        "<C:calendar-free-busy-set><NO/></C:calendar-free-busy-set></D:prop></D:set>"
    )
    unique = f"{HOME}6F9619FF-8B86-D011-B42D-00C04FC964FF/"
    assert bill("MKCALENDAR", unique, f"<C:mkcalendar{DECLARED}>{made}</C:mkcalendar>").status == 201
    assert bill.propfind(unique, "D:displayname").prop("D:displayname") == "Work"
    assert bill.put(f"{unique}A.ics", ics(event("A")), if_none_match="*").status == 201
    etags = bill.propfind(unique, "D:getetag", "D:getcontenttype", depth="1")
    assert etags.prop("D:getcontenttype", f"{unique}A.ics").startswith("text/calendar")
    window = (
        "<D:prop><D:getetag/><D:getcontenttype/></D:prop><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter"
        " name='VEVENT'><C:time-range start='20260301T000000Z'/></C:comp-filter></C:comp-filter></C:filter>"
    )
    assert report(bill, unique, "C:calendar-query", window, depth="1").hrefs() == [f"{unique}A.ics"]
    others = (
        "<D:property-search><D:prop><D:displayname/></D:prop><D:match>mar</D:match></D:property-search>"
        "<D:prop><D:displayname/><C:calendar-user-address-set/><C:calendar-user-type/></D:prop>"
    )
    assert report(bill, "/dav/principals/", "D:principal-property-search", others, depth="0").hrefs() == [
        "/dav/principals/mary/"
    ]


def test_an_app_in_the_manner_of_evolution(bill: Client, world: DavWorld) -> None:
    """OPTIONS first, the address set, then a calendar by CTag, ETags of a range and multiget of what is new."""
    options = bill("OPTIONS", AT)
    assert {"PUT", "DELETE", "PROPFIND", "REPORT"} <= set(options.headers["allow"].split(", "))
    assert "calendar-access" in options.headers["dav"]
    principal = link(bill.propfind(AT, "D:current-user-principal"), "D:current-user-principal")
    addresses = bill.propfind(
        principal, "C:calendar-user-address-set", "C:calendar-home-set", "C:schedule-outbox-URL"
    )
    assert addresses.status == 207
    assert bill.propfind(AT, "D:owner", "D:current-user-privilege-set", "CS:getctag").prop("CS:getctag")
    world.create(calendar(event("a")))
    kinds = "<D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'/></C:comp-filter></C:filter>"
    (path,) = report(bill, AT, "C:calendar-query", kinds, depth="1").hrefs()
    got = bill("GET", path)
    etag = got.headers["etag"]
    assert (
        bill.put(path, got.text.replace("END:VEVENT", "SUMMARY:x\r\nEND:VEVENT"), if_match=etag).status == 204
    )
    assert bill.put(path, got.text, if_match=etag).status == 412
    assert bill("DELETE", path).status == 204
