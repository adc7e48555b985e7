"""What the reports tell somebody who sees parts only: nothing hidden is returned, matched or counted (RFC 4324 §4)."""

from __future__ import annotations

import pytest
from core_world import calendar, event
from dav_harness import Client, DavWorld, ics
from reports_world import WORK, ask, found, names, shelve
from test_dav_free_busy import ask as ask_busy
from test_dav_free_busy import busy
from test_dav_multiget import multiget, statuses
from test_dav_sync import sync, token_of, told

from kalends.core.access import presets
from kalends.ical.tree import parse

DATA = "<D:getetag/><C:calendar-data/>"
MARCH = '<C:time-range start="20260301T000000Z" end="20260401T000000Z"/>'


def share(world: DavWorld, how: str) -> None:
    """Share Bill's calendar with Mary, in place of how it was shared before."""
    upn = "mary@example.com"
    world.delete(f"SELECT * FROM VCAR WHERE CARID = '{presets.carid(upn)}'")
    command = parse(calendar())
    command.items.append(presets.preset(how, upn))
    assert not any(one.error for one in world.create(command))


def prop(name: str, text: str) -> str:
    return (
        f'<C:comp-filter name="VEVENT"><C:prop-filter name="{name}"><C:text-match>{text}</C:text-match>'
        "</C:prop-filter></C:comp-filter>"
    )


@pytest.fixture
def shelf(world: DavWorld) -> None:
    shelve(world, "a.ics", ics(event("a", "SUMMARY:Lunch", "LOCATION:Secret", "CLASS:PUBLIC")))
    shelve(world, "b.ics", ics(event("b", "SUMMARY:Late", start="DTSTART:20260510T090000Z")))


@pytest.mark.usefixtures("shelf")
class TestTitles:
    @pytest.fixture(autouse=True)
    def shared(self, world: DavWorld, shelf: None) -> None:
        share(world, "titles")

    def test_what_is_hidden_is_not_returned(self, mary: Client) -> None:
        for answer in (
            ask(mary, "", prop=DATA),
            multiget(mary, f"{WORK}a.ics", f"{WORK}b.ics"),
            sync(mary, prop=DATA),
        ):
            assert "SUMMARY:Lunch" in answer.text
            assert "Secret" not in answer.text
            assert answer.prop("D:getetag", f"{WORK}a.ics").startswith('"cut-')

    def test_what_is_hidden_is_not_matched(self, mary: Client) -> None:
        assert found(mary, prop("SUMMARY", "lunch")) == ["a.ics"]
        assert found(mary, prop("LOCATION", "secret")) == []
        absent = '<C:prop-filter name="LOCATION"><C:is-not-defined/></C:prop-filter>'
        assert found(mary, f'<C:comp-filter name="VEVENT">{absent}</C:comp-filter>') == ["a.ics", "b.ics"]

    def test_times_are_searched_by_the_index_and_are_right(self, mary: Client) -> None:
        assert found(mary, f'<C:comp-filter name="VEVENT">{MARCH}</C:comp-filter>') == ["a.ics"]

    def test_expansion_is_made_of_what_is_seen(self, mary: Client) -> None:
        data = (
            '<C:calendar-data><C:expand start="20260301T000000Z" end="20260401T000000Z"/></C:calendar-data>'
        )
        answer = ask(mary, f'<C:comp-filter name="VEVENT">{MARCH}</C:comp-filter>', prop=data)
        assert "SUMMARY:Lunch" in answer.text
        assert "Secret" not in answer.text

    def test_changes_are_told_with_the_etag_of_what_is_seen(self, bill: Client, mary: Client) -> None:
        before = token_of(sync(mary))
        bill.put(f"{WORK}a.ics", ics(event("a", "SUMMARY:Dinner", "LOCATION:Secret")))
        answer = sync(mary, before)
        assert told(answer) == {"a.ics": "200"}
        assert answer.prop("D:getetag").startswith('"cut-')


@pytest.mark.usefixtures("shelf")
class TestBusy:
    def test_who_may_see_when_sees_nothing_else(self, world: DavWorld, mary: Client) -> None:
        share(world, "busy")
        assert busy(ask_busy(mary)) == [("BUSY", "20260310T090000Z/20260310T100000Z")]
        for answer in (ask(mary, "", prop=DATA), multiget(mary, f"{WORK}a.ics"), sync(mary, prop=DATA)):
            assert answer.status == 404

    def test_a_change_of_rights_ends_the_tokens_of_others(
        self, world: DavWorld, bill: Client, mary: Client
    ) -> None:
        """RFC 6578 §3.5.1 allows to tell what became visible; here the asker begins anew."""
        share(world, "titles")
        hers, his = token_of(sync(mary)), token_of(sync(bill))
        share(world, "read")
        assert sync(mary, hers).precondition == "D:valid-sync-token"
        assert sync(bill, his).status == 207
        assert "Secret" in ask(mary, "", prop=DATA).text

    def test_who_sees_all_sees_what_owners_see(self, world: DavWorld, bill: Client, mary: Client) -> None:
        share(world, "read")
        hers, his = (ask(one, "", prop=DATA) for one in (mary, bill))
        assert names(hers) == ["a.ics", "b.ics"]
        assert hers.prop("C:calendar-data") == his.prop("C:calendar-data")
        assert statuses(multiget(mary, f"{WORK}a.ics")) == [(f"{WORK}a.ics", "200")]
