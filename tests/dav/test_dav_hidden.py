"""What CalDAV must not tell somebody who sees parts only: names, times, properties of what is hidden (RFC 4324 §4.2)."""

from __future__ import annotations

import pytest
from core_world import NOW, calendar, event
from dav_harness import DECLARED, Answer, Client, DavWorld, ics
from reports_world import WORK
from test_dav_free_busy import ask as ask_busy
from test_dav_sync import sync, token_of, told

from kalends.core.past import purging

MINE = "/dav/calendars/mary/calendar/"
SEES = "SCOPE:SELECT CALID,NAME FROM VAGENDA"
PUBLIC = "SCOPE:SELECT * FROM VEVENT WHERE CLASS = 'PUBLIC'"
TIMES = "SCOPE:SELECT UID,DTSTART,DTEND,DURATION,RECURRENCE-ID FROM VEVENT"
NOTE = f"<D:propertyupdate{DECLARED}><D:set><D:prop><note xmlns='urn:x'>lawyer</note></D:prop></D:set></D:propertyupdate>"


def grant(world: DavWorld, *lines: str, deny: str = "", permission: str = "SEARCH") -> None:
    """Give Mary one right in Bill's calendar, and take one away."""
    rights = [("GRANT", permission, *lines)] + ([("DENY", "SEARCH", deny)] if deny else [])
    vrights = [
        "\n".join(("BEGIN:VRIGHT", f"{label}:mary@example.com", f"PERMISSION:{what}", *scopes, "END:VRIGHT"))
        for label, what, *scopes in rights
    ]
    body = "\n".join(("BEGIN:VCAR", f"CARID:test-{permission}", *vrights, "END:VCAR"))
    assert [one.error for one in world.create(calendar(body))] == [None]


def put(client: Client, name: str, *more: str, uid: str = "", path: str = WORK) -> Answer:
    return client.put(f"{path}{name}.ics", ics(event(uid or name, *more)))


def said(answer: Answer) -> tuple[int, str]:
    """All that a refusal tells; the path that was asked for is no news."""
    return answer.status, answer.text


class TestSynchronisation:
    """RFC 6578 §3.5.1: a member that was never seen is not gone."""

    def test_what_was_never_seen_comes_and_goes_unheard(
        self, world: DavWorld, bill: Client, mary: Client
    ) -> None:
        grant(world, SEES, PUBLIC)
        put(bill, "old", "CLASS:PRIVATE")
        before = token_of(sync(mary))
        put(bill, "new", "CLASS:PRIVATE")
        put(bill, "brief", "CLASS:PRIVATE")
        assert bill("DELETE", f"{WORK}brief.ics").status == 204
        assert bill("DELETE", f"{WORK}old.ics").status == 204
        assert told(sync(mary, before)) == {}

    def test_what_was_seen_is_gone_when_it_is_hidden_removed_or_renamed(
        self, world: DavWorld, bill: Client, mary: Client
    ) -> None:
        grant(world, SEES, PUBLIC)
        for name in ("hidden", "removed", "renamed", "left"):
            put(bill, name, "CLASS:PUBLIC")
        before = token_of(sync(mary))
        put(bill, "hidden", "CLASS:PRIVATE")
        bill("DELETE", f"{WORK}removed.ics")
        assert bill("MOVE", f"{WORK}renamed.ics", destination=f"{WORK}other.ics").status == 201
        gone = {"hidden.ics": "404", "removed.ics": "404", "renamed.ics": "404"}
        assert told(sync(mary, before)) == {**gone, "other.ics": "200"}

    def test_a_limited_answer_forgets_nothing_that_was_seen(
        self, world: DavWorld, bill: Client, mary: Client
    ) -> None:
        """Hidden before the tick at which the answer was cut, and changed once more after it."""
        grant(world, SEES, PUBLIC)
        for name in ("a", "b"):
            put(bill, name, "CLASS:PUBLIC")
        before = token_of(sync(mary))
        put(bill, "a", "CLASS:PRIVATE")
        put(bill, "b", "CLASS:PUBLIC", "SUMMARY:changed")
        put(bill, "a", "CLASS:PRIVATE", "SUMMARY:again")
        first = sync(mary, before, limit=1)
        assert told(first) == {"b.ics": "200", "": "507"}
        assert told(sync(mary, token_of(first))) == {"a.ics": "404"}

    def test_where_the_past_was_forgotten_the_asker_begins_anew(
        self, world: DavWorld, bill: Client, mary: Client
    ) -> None:
        grant(world, SEES, PUBLIC)
        put(bill, "a", "CLASS:PRIVATE")
        before, his = token_of(sync(mary)), token_of(sync(bill))
        put(bill, "a", "CLASS:PRIVATE", "SUMMARY:again")
        world.store.write(lambda tx: tx.run("delete from history"))
        assert sync(mary, before).precondition == "D:valid-sync-token"
        assert told(sync(bill, his)) == {"a.ics": "200"}

    def test_emptying_the_trash_ends_no_token(self, world: DavWorld, bill: Client, mary: Client) -> None:
        grant(world, SEES, PUBLIC)
        put(bill, "a", "CLASS:PUBLIC")
        bill("DELETE", f"{WORK}a.ics")
        before = token_of(sync(mary))
        forgotten, removed = purging.purge(world.store, world.policy, NOW + 10, 0)
        assert (forgotten > 0, removed) == (True, 1)
        assert told(sync(mary, before)) == {}


class TestNames:
    """Whether something hidden has a name: RFC 4324 §10.12, ACL-22."""

    @pytest.fixture(autouse=True)
    def shelf(self, world: DavWorld, bill: Client, mary: Client) -> None:
        grant(world, SEES, PUBLIC)
        put(bill, "hidden", "CLASS:PRIVATE")
        put(bill, "seen", "CLASS:PUBLIC")
        put(mary, "mine", path=MINE)
        put(mary, "twin", uid="hidden", path=MINE)

    @pytest.mark.parametrize("headers", [{}, {"if_none_match": "*"}, {"if_match": "*"}])
    @pytest.mark.parametrize("uid", ["hidden", "other"])
    def test_put_answers_as_at_a_free_name(self, mary: Client, uid: str, headers: dict[str, str]) -> None:
        taken, free = (
            mary.put(f"{WORK}{name}.ics", ics(event(uid)), **headers) for name in ("hidden", "free")
        )
        assert taken.status == (412 if "if_match" in headers else 403)
        assert said(taken) == said(free)

    @pytest.mark.parametrize("method", ["COPY", "MOVE"])
    @pytest.mark.parametrize("source", [f"{WORK}seen.ics", f"{MINE}mine.ics", f"{MINE}twin.ics"])
    @pytest.mark.parametrize("overwrite", ["T", "F"])
    def test_a_destination_that_is_hidden_is_like_a_free_one(
        self, mary: Client, method: str, source: str, overwrite: str
    ) -> None:
        taken, free = (
            mary(method, source, destination=f"{WORK}{name}.ics", overwrite=overwrite)
            for name in ("hidden", "free")
        )
        assert (taken.status, taken.precondition) == (403, "D:need-privileges")
        assert said(taken) == said(free)

    def test_who_may_make_objects_hears_that_the_name_is_taken_and_changes_nothing(
        self, world: DavWorld, bill: Client, mary: Client
    ) -> None:
        grant(world, "SCOPE:SELECT * FROM VEVENT", permission="CREATE")
        before = bill("GET", f"{WORK}hidden.ics").body
        for answer in (
            put(mary, "hidden", uid="other"),
            mary("COPY", f"{MINE}mine.ics", destination=f"{WORK}hidden.ics"),
            mary("MOVE", f"{MINE}mine.ics", destination=f"{WORK}hidden.ics"),
        ):
            assert answer.status == 403
            assert "Something that you may not see has this name" in answer.text
        assert bill("GET", f"{WORK}hidden.ics").body == before
        assert mary("GET", f"{MINE}mine.ics").status == 200

    def test_a_missing_right_is_named_where_it_is_missing(self, mary: Client) -> None:
        """RFC 3744 §7.1.1."""
        copied = mary("COPY", f"{MINE}mine.ics", destination=f"{WORK}free.ics")
        moved = mary("MOVE", f"{WORK}seen.ics", destination=f"{MINE}free.ics")
        for answer, privilege in ((copied, "bind"), (moved, "unbind")):
            (needed,) = answer.xml.iter("{DAV:}need-privileges")
            assert needed.findtext(".//{DAV:}href") == WORK
            assert needed.find(f".//{{DAV:}}{privilege}") is not None


class TestFreeBusy:
    def test_seeing_some_events_tells_nothing_of_the_times_of_others(
        self, world: DavWorld, bill: Client, mary: Client
    ) -> None:
        """RFC 4324 §4.2: the denial of VFREEBUSY holds over CalDAV, as over CAP."""
        put(bill, "hidden", "CLASS:PRIVATE")
        assert ask_busy(mary).status == 200
        grant(world, SEES, PUBLIC, deny="SCOPE:SELECT * FROM VFREEBUSY")
        assert world.find("SELECT * FROM VFREEBUSY", None, world.mary) == []
        assert ask_busy(mary).status == 404
        told_set = mary.propfind(WORK, "D:current-user-privilege-set").text
        assert "<D:read/>" in told_set
        assert "read-free-busy" not in told_set


class TestProperties:
    def test_dead_properties_of_what_is_seen_in_part_are_not_told(
        self, world: DavWorld, bill: Client, mary: Client
    ) -> None:
        grant(world, SEES, TIMES)
        put(bill, "a", "SUMMARY:x")
        assert bill("PROPPATCH", f"{WORK}a.ics", NOTE).status == 207
        assert "lawyer" in bill.propfind(f"{WORK}a.ics").text
        for path, depth in ((f"{WORK}a.ics", "0"), (WORK, "1")):
            assert "lawyer" not in mary.propfind(path, depth=depth).text
            assert "lawyer" not in mary("PROPFIND", path, named("note"), depth=depth).text
        assert mary("COPY", f"{WORK}a.ics", destination=f"{MINE}a.ics").status == 201
        assert "lawyer" not in mary.propfind(f"{MINE}a.ics").text

    def test_when_something_hidden_changed_is_not_told(
        self, world: DavWorld, bill: Client, mary: Client
    ) -> None:
        """RFC 9110 §8.8: the ETag of the part is the validator; dates and the Schedule-Tag are of the whole."""
        grant(world, SEES, TIMES)
        guests = ("ORGANIZER:mailto:bill@example.com", "ATTENDEE:mailto:root@example.com", "SUMMARY:x")
        put(bill, "a", *guests)
        asked = ("D:getlastmodified", "D:creationdate", "C:schedule-tag")
        assert set(bill.propfind(f"{WORK}a.ics", *asked).props()) == set(asked)
        assert set(mary.propfind(f"{WORK}a.ics", *asked).props(status=404)) == set(asked)
        assert set(mary.propfind(WORK, "D:getlastmodified").props(status=404)) == {"D:getlastmodified"}
        got = mary("GET", f"{WORK}a.ics")
        assert (got.status, {"last-modified", "schedule-tag"}.isdisjoint(got.headers)) == (200, True)
        long_ago, later = "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
        for date in (long_ago, later):
            for name in ("if_modified_since", "if_unmodified_since"):
                assert mary("GET", f"{WORK}a.ics", **{name: date}).status == 200
        assert mary("GET", f"{WORK}a.ics", if_none_match=got.headers["etag"]).status == 304
        assert bill("GET", f"{WORK}a.ics", if_modified_since=later).status == 304

    def test_the_time_zone_of_a_calendar_is_one_of_its_properties(
        self, world: DavWorld, mary: Client
    ) -> None:
        grant(world, SEES, TIMES)
        asked = ("C:calendar-timezone", "C:calendar-timezone-id")
        assert set(mary.propfind(WORK, *asked).props(status=404)) == set(asked)
        grant(world, "SCOPE:SELECT DEFAULT-TZID FROM VAGENDA", permission="*")
        assert set(mary.propfind(WORK, *asked).props()) == set(asked)


def named(name: str) -> str:
    return f"<D:propfind{DECLARED}><D:prop><{name} xmlns='urn:x'/></D:prop></D:propfind>"


def test_attaching_tells_nothing_of_how_something_recurs(world: DavWorld, bill: Client, mary: Client) -> None:
    """RFC 8607 §3.3.2: `rid` is looked up only for who sees the whole object."""
    grant(world, SEES, TIMES)
    put(bill, "a", "RRULE:FREQ=DAILY;COUNT=3")
    answers = [
        mary(
            "POST", f"{WORK}a.ics", b"x", query=f"action=attachment-add&rid={rid}", content_type="text/plain"
        )
        for rid in ("M", "20260311T090000Z", "20260318T090000Z")
    ]
    assert len({said(one) for one in answers}) == 1
    assert answers[0].precondition == "D:need-privileges"
