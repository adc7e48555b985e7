"""D:sync-collection (RFC 6578): what changed since a token, and nothing else."""

from __future__ import annotations

import pytest
from core_world import calendar, event
from dav_harness import DECLARED, NS, Answer, Client, DavWorld, ics
from reports_world import WORK, names, shelve

from kalends.core.model import Caller, Identity, Policy
from kalends.dav import app
from kalends.dav.messages import Plan, Request
from kalends.store import calendars

LEVEL = "<D:sync-level>1</D:sync-level>"


def sync(
    client: Client,
    token: str = "",
    *,
    limit: int | str | None = None,
    prop: str = "<D:getetag/>",
    level: str = LEVEL,
    path: str = WORK,
    **headers: str,
) -> Answer:
    most = "" if limit is None else f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>"
    said = f"<D:sync-token>{token}</D:sync-token>{level}{most}<D:prop>{prop}</D:prop>"
    return client("REPORT", path, f"<D:sync-collection{DECLARED}>{said}</D:sync-collection>", **headers)


def token_of(answer: Answer) -> str:
    assert answer.status == 207, answer.text
    return answer.xml.findtext("{DAV:}sync-token")


def told(answer: Answer) -> dict[str, str]:
    """Last segment -> status."""
    assert answer.status == 207, answer.text
    return {
        row.findtext("{DAV:}href").rpartition("/")[2]: row.xpath(
            "string(.//D:status)", namespaces=NS
        ).split()[1]
        for row in answer.xml.iter("{DAV:}response")
    }


def put(client: Client, name: str, uid: str, summary: str = "x", path: str = WORK) -> None:
    assert client.put(path + name, ics(event(uid, f"SUMMARY:{summary}"))).status in (201, 204)


class TestTokens:
    def test_the_first_time_all_members_are_told(self, world: DavWorld, bill: Client) -> None:
        """RFC 6578 §3.4, §3.8."""
        for number in range(3):
            put(bill, f"{number}.ics", str(number))
        answer = sync(bill, prop="<D:getetag/><X:bigbox xmlns:X='urn:ns.example.com:boxschema'/>", depth="0")
        assert names(answer) == ["0.ics", "1.ics", "2.ics"]
        rows = answer.xml.xpath("//D:response[1]/D:propstat/D:status/text()", namespaces=NS)
        assert [row.split()[1] for row in rows] == ["200", "404"]
        assert token_of(answer) == bill.propfind(WORK, "D:sync-token").prop("D:sync-token")

    def test_then_what_changed_and_what_is_gone(self, world: DavWorld, bill: Client) -> None:
        """RFC 6578 §3.5, §3.9."""
        for name in ("changed", "gone", "still"):
            put(bill, f"{name}.ics", name)
        before = token_of(sync(bill))
        put(bill, "changed.ics", "changed", "y")
        put(bill, "new.ics", "new")
        put(bill, "brief.ics", "brief")
        assert bill("DELETE", WORK + "gone.ics").status == 204
        assert bill("DELETE", WORK + "brief.ics").status == 204
        answer = sync(bill, before)
        assert told(answer) == {"changed.ics": "200", "new.ics": "200", "gone.ics": "404", "brief.ics": "404"}
        gone = answer.xml.xpath("//D:response[contains(D:href, 'gone')]", namespaces=NS)[0]
        assert [child.tag for child in gone] == ["{DAV:}href", "{DAV:}status"]
        assert told(sync(bill, token_of(answer))) == {}

    def test_a_name_taken_again_is_changed_and_not_gone(self, world: DavWorld, bill: Client) -> None:
        """RFC 6578 §3.5.1."""
        put(bill, "a.ics", "a")
        before = token_of(sync(bill))
        assert bill("DELETE", WORK + "a.ics").status == 204
        put(bill, "a.ics", "b")
        assert told(sync(bill, before)) == {"a.ics": "200"}

    def test_what_is_changed_over_cap_is_told_too(self, world: DavWorld, bill: Client) -> None:
        put(bill, "a.ics", "a")
        put(bill, "b.ics", "b")
        before = token_of(sync(bill))
        world.delete("SELECT * FROM VEVENT WHERE UID = 'a'", mark=True)
        world.create(calendar(event("c")))
        answer = told(sync(bill, before))
        assert answer.pop("a.ics") == "404"
        assert list(answer.values()) == ["200"]

    def test_what_moved_away_is_gone_here_and_new_there(self, world: DavWorld, bill: Client) -> None:
        put(bill, "a.ics", "a")
        there = "/dav/calendars/bill/other/"
        assert bill("MKCALENDAR", there).status == 201
        here, other = token_of(sync(bill)), token_of(sync(bill, path=there))
        assert bill("MOVE", WORK + "a.ics", destination=there + "b.ics").status == 201
        assert told(sync(bill, here)) == {"a.ics": "404"}
        assert told(sync(bill, other, path=there)) == {"b.ics": "200"}

    @pytest.mark.parametrize(
        "bad", ["x", "urn:kalends:sync:1:1", "http://example.com/ns/sync/1234", "urn:kalends:sync:zz:1", "-1"]
    )
    def test_a_token_that_is_none_is_refused(self, bill: Client, bad: str) -> None:
        answer = sync(bill, bad)
        assert (answer.status, answer.precondition) == (403, "D:valid-sync-token")

    def test_tokens_of_the_future_of_others_and_of_long_ago_are_refused(
        self, world: DavWorld, bill: Client
    ) -> None:
        """RFC 6578 §3.2 (valid-sync-token)."""
        put(bill, "a.ics", "a")
        own = token_of(sync(bill))
        head, _, tick = own.rpartition(":")
        others = token_of(sync(bill, path="/dav/calendars/bill/tasks/"))
        for bad in (f"{head}:{int(tick) + 1}", others):
            assert sync(bill, bad).precondition == "D:valid-sync-token"
        place = world.calendar.calendar_id
        put(bill, "b.ics", "b")
        world.store.write(lambda tx: calendars.set_floor_tick(tx, place, int(tick) + 1))
        assert sync(bill, own).precondition == "D:valid-sync-token"
        assert told(sync(bill)) == {"a.ics": "200", "b.ics": "200"}


class TestLimits:
    def test_pages_are_followed_to_the_end(self, world: DavWorld, bill: Client) -> None:
        """RFC 6578 §3.6, §3.7, §3.10: 507 on the collection, the token goes on where the page ended."""
        for number in range(7):
            put(bill, f"{number}.ics", str(number))
        seen: list[str] = []
        token, pages = "", 0
        while True:
            answer = sync(bill, token, limit=3)
            token, pages = token_of(answer), pages + 1
            rows = told(answer)
            seen += [name for name in rows if name]
            if rows.get("") != "507":
                break
            assert "<D:number-of-matches-within-limits/>" in answer.text
            assert len(rows) <= 4
        assert (pages, sorted(seen)) == (3, [f"{n}.ics" for n in range(7)])
        assert told(sync(bill, token)) == {}

    def test_one_transaction_is_not_torn_apart(self, world: DavWorld, bill: Client) -> None:
        """RFC 6578 §3.7: a limit that cannot be kept fails the request."""
        before = token_of(sync(bill))
        assert not any(one.error for one in world.create(calendar(event("a"), event("b"), event("c"))))
        answer = sync(bill, before, limit=1)
        if answer.status == 207:  # each object of the command was a transaction of its own
            assert told(answer)[""] == "507"
        else:
            assert (answer.status, answer.precondition) == (507, "D:number-of-matches-within-limits")
        assert len(told(sync(bill, before, limit=3))) == 3

    @pytest.mark.parametrize("limit", ["0", "-1", "x", ""])
    def test_a_limit_is_a_number(self, bill: Client, limit: str) -> None:
        assert sync(bill, limit=limit).status == 400


class TestForm:
    def test_levels(self, world: DavWorld, bill: Client) -> None:
        """RFC 6578 §3.3 and Appendix A: without a level, the Depth header says it."""
        put(bill, "a.ics", "a")
        assert told(sync(bill, level="<D:sync-level>infinite</D:sync-level>")) == {"a.ics": "200"}
        assert told(sync(bill, level="", depth="1")) == {"a.ics": "200"}
        assert sync(bill, level="<D:sync-level>2</D:sync-level>").status == 400
        assert sync(bill, level="", depth="0").status == 400
        assert told(sync(bill, depth="1")) == {"a.ics": "200"}  # python-caldav sends it

    def test_texts_may_come_along(self, world: DavWorld, bill: Client) -> None:
        put(bill, "a.ics", "a")
        before = token_of(sync(bill))
        put(bill, "b.ics", "b", "Lunch")
        for answer in (sync(bill, prop="<C:calendar-data/>"), sync(bill, before, prop="<C:calendar-data/>")):
            assert "SUMMARY:Lunch" in answer.text

    def test_other_properties_may_come_along(self, world: DavWorld, bill: Client) -> None:
        put(bill, "a.ics", "a")
        answer = sync(bill, prop="<D:getetag/><D:getcontenttype/><D:getcontentlength/>")
        assert set(answer.props()) == {"D:getetag", "D:getcontenttype", "D:getcontentlength"}

    def test_it_needs_a_token_and_a_calendar(self, bill: Client) -> None:
        bare = f"<D:sync-collection{DECLARED}>{LEVEL}<D:prop><D:getetag/></D:prop></D:sync-collection>"
        assert bill("REPORT", WORK, bare).status == 400
        assert sync(bill, path="/dav/principals/bill/").precondition == "D:supported-report"

    def test_other_things_in_a_calendar_are_no_members(self, world: DavWorld, bill: Client) -> None:
        shelve(world, "a.ics", ics(event("a")))
        assert told(sync(bill)) == {"a.ics": "200"}

    def test_nobody_else_learns_anything(self, world: DavWorld, bill: Client, mary: Client) -> None:
        put(bill, "a.ics", "a")
        assert sync(mary).status == 404


def test_dav_sync_who_knows_something_is_answered_without_a_thread() -> None:
    """RFC 6578 §3.2: most answers tell that nothing has changed; the first one tells of everything."""

    def plan(token: str) -> Plan:
        body = (
            f"<D:sync-collection{DECLARED}><D:sync-token>{token}</D:sync-token>{LEVEL}"
            "<D:prop><D:getetag/></D:prop></D:sync-collection>"
        ).encode()
        headers = {"content-type": "application/xml"}
        return app.plan(
            Request("REPORT", WORK, "", headers, body), Caller(Identity("a@b", 1), "dav", 0, Policy())
        )

    assert plan("data:,1-2").quick
    assert not plan("").quick


def test_a_write_can_demand_that_its_calendar_was_not_changed_since(bill: Client) -> None:  # RFC 6578 §5
    at = "/dav/calendars/bill/calendar/"

    def demand() -> str:
        token = bill.propfind(at, "D:sync-token").prop("D:sync-token")
        return f"<https://cal.example.com{at}> (<{token}>)"

    known = demand()
    assert bill.put(f"{at}a.ics", ics(event("a")), **{"if": known}).status == 201
    assert bill.put(f"{at}b.ics", ics(event("b")), **{"if": known}).status == 412
    assert bill("MKCALENDAR", "/dav/calendars/bill/new/", **{"if": known}).status == 412
    assert bill("DELETE", f"{at}a.ics", **{"if": known}).status == 412
    assert bill.put(f"{at}b.ics", ics(event("b")), **{"if": known.replace("(<", "(Not <")}).status == 201
    known = demand()
    assert bill("MKCALENDAR", "/dav/calendars/bill/new/", **{"if": known}).status == 201
    assert (
        bill("MOVE", f"{at}a.ics", destination="/dav/calendars/bill/new/a.ics", **{"if": known}).status == 201
    )
    assert bill("DELETE", f"{at}b.ics", **{"if": known}).status == 412
    assert bill("DELETE", f"{at}b.ics", **{"if": demand()}).status == 204
    patch = '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set></D:propertyupdate>'
    untagged = demand().partition("> ")[2]
    assert bill("PROPPATCH", at, patch, **{"if": untagged}).status == 207
    assert bill("PROPPATCH", at, patch, **{"if": untagged}).status == 412


def test_floating_times_of_expanded_data_are_the_calendars(bill: Client) -> None:  # RFC 4791 §5.2.2, §9.6.5
    """Bill's calendar is in Berlin: noon there is 11:00 UTC in January."""
    lines = ("DTSTART:20260112T120000", "DURATION:PT10M", "RRULE:FREQ=DAILY;COUNT=3")
    text = "\n".join(("BEGIN:VEVENT", "UID:f", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"))
    assert bill.put(f"{WORK}f.ics", ics(text)).status == 201
    body = (
        f"<D:sync-collection{DECLARED}><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><C:calendar-data>"
        '<C:expand start="20260113T110000Z" end="20260113T113000Z"/></C:calendar-data></D:prop></D:sync-collection>'
    )
    assert "DTSTART:20260113T120000" in bill("REPORT", WORK, body).text
