"""A calendar that is shared: seen, cut and guarded over CalDAV as its VCARs say (RFC 3744, RFC 4324 §4.2)."""

from __future__ import annotations

import pytest
from core_world import event, preset_text
from dav_harness import DECLARED, Client, DavWorld, ics

from kalends.ical.tree import parse

CALENDAR = "/dav/calendars/bill/calendar/"
EVENT = CALENDAR + "a.ics"
PRIVATE = CALENDAR + "p.ics"
TEXT = ics(event("a", "SUMMARY:Board", "LOCATION:Attic"))


def shared(world: DavWorld, how: str) -> Client:
    """Mary's client, after Bill shared his calendar with her."""
    bill = world.client()
    bill.put(EVENT, TEXT)
    bill.put(PRIVATE, ics(event("p", "SUMMARY:Doctor", "CLASS:PRIVATE", start="DTSTART:20260311T090000Z")))
    world.create(parse(preset_text(how, "mary@example.com")))
    return world.client("mary")


def privileges(client: Client) -> set[str]:
    found = client.propfind(CALENDAR, "D:current-user-privilege-set").props()["D:current-user-privilege-set"]
    return {child.tag.rpartition("}")[2] for one in found for child in one}


def test_a_reader_lists_and_gets_what_is_public_and_writes_nothing(world: DavWorld) -> None:
    mary = shared(world, "read")
    listed = mary.propfind(CALENDAR, "D:getetag", "D:getcontentlength", depth="1")
    assert listed.hrefs() == [CALENDAR, EVENT]
    got = mary("GET", EVENT)
    assert (got.status, got.text) == (200, TEXT)
    assert got.headers["etag"] == listed.prop("D:getetag", EVENT)
    assert mary("GET", PRIVATE).status == 404
    assert "write" not in privileges(mary)
    assert "read" in privileges(mary)
    for refused in (mary.put(EVENT, TEXT.replace("Board", "x")), mary.put(CALENDAR + "n.ics", ics(event("n"))),
                    mary("DELETE", EVENT), mary("DELETE", CALENDAR),
                    mary("MOVE", EVENT, destination="/dav/calendars/mary/calendar/a.ics")):  # fmt: skip
        assert refused.status in (403, 404), refused.text
    assert world.client()("GET", EVENT).text == TEXT


def test_a_text_that_is_cut_has_an_etag_of_its_own_and_never_comes_back(world: DavWorld) -> None:
    mary = shared(world, "titles")
    full = world.client()("GET", EVENT)
    cut = mary("GET", EVENT)
    assert "SUMMARY:Board" in cut.text
    assert "Attic" not in cut.text
    assert cut.headers["etag"] != full.headers["etag"]
    listed = mary.propfind(CALENDAR, "D:getetag", "D:getcontentlength", depth="1")
    assert listed.prop("D:getetag", EVENT) == cut.headers["etag"]
    assert listed.prop("D:getcontentlength", EVENT) == str(len(cut.body))
    for headers in ({}, {"if_match": cut.headers["etag"]}, {"if_match": full.headers["etag"]}):
        assert mary.put(EVENT, cut.text, **headers).status in (403, 404, 412)
    assert world.client()("GET", EVENT).text == TEXT


def test_a_secretary_writes_objects_but_not_the_calendar(world: DavWorld) -> None:
    mary = shared(world, "secretary")
    assert mary.put(EVENT, TEXT.replace("Board", "Bored")).status == 204
    assert mary.put(CALENDAR + "n.ics", ics(event("n"))).status == 201
    assert mary("DELETE", CALENDAR + "n.ics").status == 204
    body = f"<D:propertyupdate{DECLARED}><D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set></D:propertyupdate>"
    assert mary("PROPPATCH", CALENDAR, body).status in (403, 404)
    assert {"read", "write-content", "bind", "unbind"} <= privileges(mary)
    assert "write-acl" not in privileges(mary)


@pytest.mark.parametrize("how", ["busy", "titles", "read"])
def test_what_is_hidden_is_told_by_no_condition(world: DavWorld, how: str) -> None:
    mary = shared(world, how)
    etag = world.client()("GET", PRIVATE).headers["etag"]
    for headers in ({"if_match": etag}, {"if_match": '"x"'}, {"if_none_match": "*"}, {}):
        assert (
            mary("DELETE", PRIVATE, **headers).status
            == mary("DELETE", CALENDAR + "none.ics", **headers).status
        )
        assert mary("GET", PRIVATE, **headers).status == 404


def test_a_reader_sees_the_name_of_a_calendar_and_not_its_other_properties(world: DavWorld) -> None:
    setting = "<D:displayname>Plans</D:displayname><C:calendar-description>secret</C:calendar-description><x xmlns='urn:x'>own</x>"
    body = f"<D:propertyupdate{DECLARED}><D:set><D:prop>{setting}</D:prop></D:set></D:propertyupdate>"
    world.client()("PROPPATCH", CALENDAR, body)
    mary = shared(world, "read")
    assert mary.propfind(CALENDAR, "D:displayname").prop("D:displayname") == "Plans"
    assert list(mary.propfind(CALENDAR, "C:calendar-description").props(status=404)) == [
        "C:calendar-description"
    ]
    assert "own" not in mary("PROPFIND", CALENDAR, depth="0").text.replace("owner", "")
