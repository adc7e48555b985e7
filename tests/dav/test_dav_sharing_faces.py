"""One calendar, shared over one face and read over the other; what is hidden is told by nothing."""

from __future__ import annotations

import pytest
from core_world import event, preset_text
from dav_harness import DECLARED, NS, Answer, Client, DavWorld, ics

from kalends.core import containers
from kalends.core.access import presets, sharing
from kalends.ical.tree import parse

CALENDAR = "/dav/calendars/bill/calendar/"
MOUNT = "/dav/calendars/mary/bill~calendar/"
BOARD = ics(event("a", "SUMMARY:Board", "LOCATION:Attic"))
DOCTOR = ics(event("p", "SUMMARY:Doctor", "CLASS:PRIVATE", start="DTSTART:20260311T090000Z"))
PRESETS = list(presets.PRESETS)
SEEN = {
    "busy": {},
    "titles": {"a": "cut"},
    "read": {"a": "whole"},
    "colleague": {"a": "whole", "p": "cut"},
    "secretary": {"a": "whole", "p": "whole"},
    "owner": {"a": "whole", "p": "whole"},
}


@pytest.fixture(params=["share", "vcar"])
def give(request: pytest.FixtureRequest, world: DavWorld):
    """Shares Bill's calendar with Mary, on the command line or by a VCAR over CAP."""
    bill = world.client()
    bill.put(CALENDAR + "a.ics", BOARD)
    bill.put(CALENDAR + "p.ics", DOCTOR)

    def gives(how: str) -> Client:
        if request.param == "vcar":
            world.create(parse(preset_text(how, "mary@example.com")))
        else:
            world.store.write(
                lambda tx: sharing.share(tx, world.bill, world.calendar, "mary@example.com", how)
            )
        return world.client("mary")

    return gives


def query(client: Client, path: str, inner: str) -> Answer:
    body = (
        f"<C:calendar-query{DECLARED}><D:prop><D:getetag/><C:calendar-data/></D:prop><C:filter>"
        f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{inner}</C:comp-filter></C:comp-filter>'
        "</C:filter></C:calendar-query>"
    )
    return client("REPORT", path, body, depth="1")


def names(answer: Answer) -> list[str]:
    if answer.status != 207:
        return []
    return sorted(one.rpartition("/")[2][:-4] for one in answer.hrefs() if not one.endswith("/"))


def text_match(name: str, text: str, negate: str = "no") -> str:
    return (
        f'<C:prop-filter name="{name}"><C:text-match negate-condition="{negate}">{text}</C:text-match>'
        "</C:prop-filter>"
    )


def sync(client: Client, path: str, token: str = "") -> Answer:
    body = (
        f"<D:sync-collection{DECLARED}><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>"
        "<D:prop><D:getetag/></D:prop></D:sync-collection>"
    )
    return client("REPORT", path, body)


@pytest.mark.parametrize("how", PRESETS)
def test_every_way_of_asking_shows_the_same_part(world: DavWorld, give, how: str) -> None:
    mary, seen = give(how), SEEN[how]
    stored = {name: world.client()("GET", f"{CALENDAR}{name}.ics") for name in ("a", "p")}
    for path in (CALENDAR, MOUNT):
        for name, whole in stored.items():
            got = mary("GET", f"{path}{name}.ics")
            assert got.status == (200 if name in seen else 404)
            if name in seen:
                assert (got.text == whole.text) is (seen[name] == "whole")
                assert (got.headers["etag"] == whole.headers["etag"]) is (seen[name] == "whole")
                listed = mary.propfind(path, "D:getetag", depth="1")
                assert listed.prop("D:getetag", f"{path}{name}.ics") == got.headers["etag"]
        hrefs = "".join(f"<D:href>{path}{name}.ics</D:href>" for name in stored)
        asked = f"<C:calendar-multiget{DECLARED}><D:prop><D:getetag/><C:calendar-data/></D:prop>{hrefs}</C:calendar-multiget>"
        multiget = mary("REPORT", path, asked)
        if seen:
            found = multiget.xml.xpath("//D:response[D:propstat]/D:href/text()", namespaces=NS)
            assert sorted(one.rpartition("/")[2][0] for one in found) == sorted(seen)
        assert names(mary.propfind(path, "D:getetag", depth="1")) == sorted(seen)
        assert names(sync(mary, path)) == sorted(seen)
        everything = query(mary, path, "")
        assert names(everything) == sorted(seen)
        for text in (everything.text, multiget.text):
            assert ("Doctor" in text) is (seen.get("p") == "whole")
            assert ("Attic" in text) is (seen.get("a") == "whole")


@pytest.mark.parametrize("how", PRESETS)
def test_no_filter_tells_what_is_hidden(give, how: str) -> None:
    mary, seen = give(how), SEEN[how]
    whole = sorted(name for name, part in seen.items() if part == "whole")
    for path in (CALENDAR, MOUNT):
        assert names(query(mary, path, text_match("LOCATION", "Attic"))) == [
            one for one in whole if one == "a"
        ]
        assert names(query(mary, path, text_match("SUMMARY", "Doctor"))) == [
            one for one in whole if one == "p"
        ]
        said = [one for one in seen if one == "a" or seen[one] == "whole"]
        assert names(query(mary, path, text_match("SUMMARY", "zzz", "yes"))) == sorted(said)
        defined = '<C:prop-filter name="LOCATION"><C:is-not-defined/></C:prop-filter>'
        assert ("a" in names(query(mary, path, defined))) is (seen.get("a") == "cut")
        window = '<C:time-range start="20260311T000000Z" end="20260312T000000Z"/>'
        assert names(query(mary, path, window)) == [one for one in seen if one == "p"]


@pytest.mark.parametrize("how", PRESETS)
def test_when_it_is_busy_is_told_without_words(give, how: str) -> None:
    mary = give(how)
    body = f'<C:free-busy-query{DECLARED}><C:time-range start="20260301T000000Z" end="20260401T000000Z"/></C:free-busy-query>'
    for path in (CALENDAR,) if how == "busy" else (CALENDAR, MOUNT):
        told = mary("REPORT", path, body)
        assert told.status == 200, told.text
        assert "20260311T090000Z" in told.text
        assert "Doctor" not in told.text
        assert "Board" not in told.text


@pytest.mark.parametrize("how", ["titles", "colleague"])
def test_a_part_is_never_put_in_the_place_of_the_whole(world: DavWorld, give, how: str) -> None:
    mary = give(how)
    name = "a" if how == "titles" else "p"
    cut = mary("GET", f"{MOUNT}{name}.ics")
    for headers in ({}, {"if_match": cut.headers["etag"]}):
        answer = mary.put(f"{MOUNT}{name}.ics", cut.text, **headers)
        assert (answer.status, answer.precondition) == (403, "D:need-privileges")
        assert "part" in answer.text or "rights" in answer.text
    assert "Attic" in world.client()("GET", CALENDAR + "a.ics").text


@pytest.mark.parametrize(
    "share",
    [
        f"<CS:share{DECLARED}><CS:set><D:href>mailto:mary@example.com</D:href><CS:read/></CS:set></CS:share>",
        f"<D:acl{DECLARED}><D:ace><D:principal><D:href>/dav/principals/mary/</D:href></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace></D:acl>",
    ],
)
def test_what_an_app_shares_is_seen_over_cap_until_it_is_taken_back(
    world: DavWorld, bill: Client, share: str
) -> None:
    bill.put(CALENDAR + "a.ics", BOARD)
    bill.put(CALENDAR + "p.ics", DOCTOR)
    asked = "SELECT * FROM VEVENT"
    method = "POST" if "CS:share" in share.partition(" ")[0] else "ACL"
    assert world.uids(asked, world.calendar, world.mary) == []
    assert bill(method, CALENDAR, share, content_type="application/xml").status == 200
    assert world.uids(asked, world.calendar, world.mary) == ["a"]
    world.store.write(lambda tx: sharing.unshare(tx, world.bill, world.calendar, "mary"))
    assert world.uids(asked, world.calendar, world.mary) == []
    assert world.client("mary").propfind(MOUNT, "D:getetag").status == 404


def test_a_change_of_rights_ends_sync_tokens(world: DavWorld, give) -> None:
    """RFC 6578 §3.8: other objects may be seen now."""
    mary = give("secretary")
    token = sync(mary, MOUNT).xml.xpath("string(//D:sync-token)", namespaces=NS)
    assert names(sync(mary, MOUNT, token)) == []
    world.store.write(lambda tx: sharing.share(tx, world.bill, world.calendar, "mary", "read"))
    answer = sync(mary, MOUNT, token)
    assert (answer.status, answer.precondition) == (403, "D:valid-sync-token")
    assert names(sync(mary, MOUNT)) == ["a"]


def bind(world: DavWorld, path: str = CALENDAR) -> Client:
    """Mary, who may see what is public and add to it."""
    body = f"<D:acl{DECLARED}><D:ace><D:principal><D:href>/dav/principals/mary/</D:href></D:principal><D:grant><D:privilege><D:read/></D:privilege><D:privilege><D:bind/></D:privilege></D:grant></D:ace></D:acl>"
    assert world.client()("ACL", path, body).status == 200
    return world.client("mary")


def test_a_uid_that_is_taken_names_nothing_that_is_hidden(world: DavWorld, bill: Client) -> None:
    """RFC 4791 §5.3.2.1: no-uid-conflict names the other object, where it may be seen."""
    bill.put(CALENDAR + "hidden-name.ics", DOCTOR)
    bill.put(CALENDAR + "a.ics", BOARD)
    mary = bind(world)
    hidden = mary.put(MOUNT + "n.ics", ics(event("p")))
    assert (hidden.status, hidden.precondition) == (403, "C:no-uid-conflict")
    assert "hidden-name" not in hidden.text
    assert "D:href" not in hidden.text
    shown = mary.put(MOUNT + "n.ics", ics(event("a")))
    assert (shown.status, shown.precondition) == (403, "C:no-uid-conflict")
    assert f"<D:href>{MOUNT}a.ics</D:href>" in shown.text


def test_a_time_that_is_taken_does_not_say_by_what(world: DavWorld, bill: Client) -> None:
    world.store.write(
        lambda tx: containers.create_calendar(tx, world.bill, "bill/only", "bill", allow_conflict=False)
    )
    only = "/dav/calendars/bill/only/"
    bill.put(only + "p.ics", DOCTOR)
    mary = bind(world, only)
    answer = mary.put(only + "n.ics", ics(event("n", start="DTSTART:20260311T090000Z")))
    assert (answer.status, answer.precondition) == (403, "K:no-time-conflict")
    assert "Doctor" not in answer.text
    assert "p.ics" not in answer.text


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "PROPFIND", "PROPPATCH", "DELETE", "REPORT", "ACL", "POST"]
)
def test_a_calendar_that_may_not_be_seen_is_nowhere(bill: Client, mary: Client, method: str) -> None:
    """The same answer as for one that is not there, whatever is asked."""
    bodies = {
        "PROPPATCH": f"<D:propertyupdate{DECLARED}><D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set></D:propertyupdate>",
        "REPORT": f"<D:sync-collection{DECLARED}><D:sync-token/><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>",
        "ACL": f"<D:acl{DECLARED}/>",
        "POST": f"<CS:share{DECLARED}><CS:remove><D:href>mailto:x@example.com</D:href></CS:remove></CS:share>",
    }
    there = mary(
        method,
        CALENDAR,
        bodies.get(method, ""),
        content_type="application/xml",
        depth="infinity" if method == "DELETE" else "0",
    )
    nowhere = mary(
        method,
        "/dav/calendars/bill/none/",
        bodies.get(method, ""),
        content_type="application/xml",
        depth="infinity" if method == "DELETE" else "0",
    )
    assert there.status == nowhere.status == 404
    assert there.body == nowhere.body


def test_what_people_keep_at_their_principal_and_home_is_theirs(bill: Client, mary: Client) -> None:
    for path in ("/dav/principals/bill/", "/dav/calendars/bill/"):
        body = f"<D:propertyupdate{DECLARED}><D:set><D:prop><x xmlns='urn:x'>secret</x></D:prop></D:set></D:propertyupdate>"
        assert bill("PROPPATCH", path, body).status == 207
        assert "secret" in bill("PROPFIND", path, depth="0").text
        assert mary("PROPFIND", path, depth="0").status == 207
        assert "secret" not in mary("PROPFIND", path, depth="0").text
    listed = mary.propfind("/dav/calendars/bill/", "D:displayname", depth="1").hrefs()
    assert listed == ["/dav/calendars/bill/"]
