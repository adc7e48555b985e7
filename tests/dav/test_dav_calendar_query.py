"""C:calendar-query: filters, time, collations, forms of the data (RFC 4791 §7.4 to §7.8, §9.6 to §9.9)."""

from __future__ import annotations

import pytest
from core_world import calendar, event, todo
from dav_harness import Client, DavWorld, ics
from reports_world import WORK, ask, bernard, found, query, shelve

from kalends.dav.calendar_data import NAME

DATA = "<C:calendar-data/>"


def comp(inner: str = "", name: str = "VEVENT") -> str:
    return f'<C:comp-filter name="{name}">{inner}</C:comp-filter>'


def prop(name: str, inner: str = "") -> str:
    return comp(f'<C:prop-filter name="{name}">{inner}</C:prop-filter>')


def text(value: str, collation: str = "", negate: str = "", kind: str = "") -> str:
    said = "".join(
        f' {name}="{given}"'
        for name, given in (("collation", collation), ("negate-condition", negate), ("match-type", kind))
        if given
    )
    return f"<C:text-match{said}>{value}</C:text-match>"


def during(start: str = "", end: str = "") -> str:
    return "<C:time-range" + (f' start="{start}"' if start else "") + (f' end="{end}"' if end else "") + "/>"


def put(world: DavWorld, name: str, *lines: str, kind: str = "VEVENT") -> None:
    body = "\n".join(lines)
    shelve(world, name, ics(f"BEGIN:{kind}\nUID:{name}\nDTSTAMP:20260101T000000Z\n{body}\nEND:{kind}"))


class TestComponents:
    def test_an_empty_filter_finds_everything(self, world: DavWorld, bill: Client) -> None:
        bernard(world)
        assert found(bill, "") == [f"abcd{n}.ics" for n in range(1, 9)]

    def test_kinds_are_told_apart_and_absence_counts(self, world: DavWorld, bill: Client) -> None:
        """RFC 4791 §9.7.1."""
        bernard(world)
        assert found(bill, comp(name="VFREEBUSY")) == ["abcd8.ics"]
        assert found(bill, comp("<C:is-not-defined/>")) == [f"abcd{n}.ics" for n in range(4, 9)]
        alarm = comp('<C:comp-filter name="VALARM"><C:is-not-defined/></C:comp-filter>', "VTODO")
        assert found(bill, alarm) == ["abcd6.ics", "abcd7.ics"]

    def test_time_zones_and_lines_of_the_calendar_are_looked_at_closely(
        self, world: DavWorld, bill: Client
    ) -> None:
        bernard(world)
        assert found(bill, comp(name="VTIMEZONE")) == ["abcd1.ics", "abcd2.ics", "abcd3.ics"]
        line = '<C:prop-filter name="PRODID"><C:text-match>example corp</C:text-match></C:prop-filter>'
        assert len(found(bill, line)) == 8
        assert found(bill, '<C:prop-filter name="METHOD"/>') == []

    def test_depth_0_means_the_collection_itself(self, world: DavWorld, bill: Client) -> None:
        """RFC 4791 §7.8: Depth 0 when there is no header."""
        bernard(world)
        assert ask(bill, "", depth="0").hrefs() == []
        assert bill("REPORT", WORK, query("")).hrefs() == []
        assert found(bill, comp(name="VFREEBUSY"), WORK + "abcd8.ics") == ["abcd8.ics"]

    def test_depth_infinity_asks_all_calendars_of_a_home(self, world: DavWorld, bill: Client) -> None:
        bernard(world)
        answer = ask(bill, comp(), "/dav/calendars/bill/", depth="infinity")
        assert sorted(answer.hrefs()) == [f"{WORK}abcd{n}.ics" for n in (1, 2, 3)]
        assert ask(bill, comp(), "/dav/calendars/bill/").hrefs() == []


class TestTime:
    @pytest.mark.parametrize(
        ("start", "lines", "hit"),
        [
            ("DTSTART:20260310T100000Z", "DTEND:20260310T110000Z", True),
            ("DTSTART:20260310T080000Z", "DURATION:PT1H", False),
            ("DTSTART:20260310T080000Z", "DURATION:PT61M", True),
            ("DTSTART:20260310T090000Z", "", True),
            ("DTSTART:20260310T120000Z", "", False),
            ("DTSTART;VALUE=DATE:20260310", "", True),
            ("DTSTART;VALUE=DATE:20260309", "", False),
            ("DTSTART:20260101T100000Z", "RRULE:FREQ=DAILY;COUNT=69", True),
            ("DTSTART:20260101T100000Z", "RRULE:FREQ=DAILY;COUNT=68", False),
            ("DTSTART:20260101T100000Z", "RRULE:FREQ=WEEKLY", False),
            ("DTSTART:20260106T100000Z", "RRULE:FREQ=WEEKLY", True),
        ],
    )
    def test_an_event_overlaps_a_range(
        self, world: DavWorld, bill: Client, start: str, lines: str, hit: bool
    ) -> None:
        """RFC 4791 §9.9, the table for VEVENT; a date is a day in Berlin."""
        put(world, "a.ics", *(line for line in (start, lines) if line))
        got = found(bill, comp(during("20260310T090000Z", "20260310T120000Z")))
        assert got == (["a.ics"] if hit else [])

    def test_an_instance_that_was_moved_away_is_not_found(self, world: DavWorld, bill: Client) -> None:
        master = "DTSTART:20260301T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3"
        moved = "RECURRENCE-ID:20260302T100000Z\nDTSTART:20260402T100000Z\nDURATION:PT1H"
        both = f"{master}\nEND:VEVENT\nBEGIN:VEVENT\nUID:a.ics\nDTSTAMP:20260101T000000Z\n{moved}"
        put(world, "a.ics", both)
        assert found(bill, comp(during("20260302T000000Z", "20260303T000000Z"))) == []
        assert found(bill, comp(during("20260402T000000Z", "20260403T000000Z"))) == ["a.ics"]

    def test_a_series_is_found_behind_the_horizon_and_without_an_end(
        self, world: DavWorld, bill: Client
    ) -> None:
        put(world, "ever.ics", "DTSTART:20260101T100000Z", "RRULE:FREQ=YEARLY")
        put(world, "once.ics", "DTSTART:20260101T100000Z", "DURATION:PT1H")
        assert found(bill, comp(during("20500101T000000Z", "20500102T000000Z"))) == ["ever.ics"]
        assert found(bill, comp(during("20500102T000000Z", "20500103T000000Z"))) == []
        assert found(bill, comp(during("20300601T000000Z"))) == ["ever.ics"]
        assert found(bill, comp(during(end="20260101T100001Z"))) == ["ever.ics", "once.ics"]

    @pytest.mark.parametrize(
        ("lines", "hit"),
        [
            ("", True),
            ("CREATED:20260309T000000Z", True),
            ("CREATED:20260311T000000Z", False),
            ("CREATED:00001231T000000Z", True),  # as Google exports what it lost
            ("CREATED:00001231T000000Z\nCOMPLETED:20260309T000000Z", False),
            ("COMPLETED:20260309T000000Z", False),
            ("COMPLETED:20260310T100000Z", True),
            ("CREATED:20260301T000000Z\nCOMPLETED:20260401T000000Z", True),
            ("DUE:20260310T090000Z", False),
            ("DUE:20260310T120000Z", True),
            ("DTSTART:20260310T080000Z\nDURATION:PT1H", True),
            ("DTSTART:20260310T080000Z\nDUE:20260310T090000Z", False),
            ("DTSTART:20260310T120000Z", False),
            ("DTSTART;VALUE=DATE:20260310", False),
        ],
    )
    def test_a_todo_overlaps_by_what_it_has(
        self, world: DavWorld, bill: Client, lines: str, hit: bool
    ) -> None:
        """RFC 4791 §9.9, the table for VTODO."""
        shelve(world, "t.ics", ics(todo("t", *([lines] if lines else []))))
        got = found(bill, comp(during("20260310T090000Z", "20260310T120000Z"), "VTODO"))
        assert got == (["t.ics"] if hit else [])

    def test_alarms_are_found_by_when_they_ring(self, world: DavWorld, bill: Client) -> None:
        alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT30M\nREPEAT:2\nDURATION:PT1H\nEND:VALARM"
        put(world, "a.ics", "DTSTART:20260310T100000Z", "RRULE:FREQ=DAILY;COUNT=3", alarm)
        inner = '<C:comp-filter name="VALARM">{}</C:comp-filter>'
        assert found(bill, comp(inner.format(during("20260311T093000Z", "20260311T093001Z")))) == ["a.ics"]
        assert found(bill, comp(inner.format(during("20260311T113000Z", "20260311T113001Z")))) == ["a.ics"]
        assert found(bill, comp(inner.format(during("20260311T100000Z", "20260311T101000Z")))) == []

    def test_properties_have_times_too_those_of_every_instance(self, world: DavWorld, bill: Client) -> None:
        put(world, "a.ics", "DTSTART:20260310T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3")
        when = during("20260312T105900Z", "20260312T110100Z")
        assert found(bill, prop("DTEND", when)) == ["a.ics"]
        assert found(bill, prop("DTSTART", when)) == []
        assert found(bill, prop("DTSTAMP", during("20251231T235959Z", "20260101T000001Z"))) == ["a.ics"]

    def test_floating_times_are_the_requests_or_the_calendars(self, world: DavWorld, bill: Client) -> None:
        """RFC 4791 §7.3, §9.8; RFC 7809 §6.2. Bill's calendar is in Berlin."""
        put(world, "f.ics", "DTSTART:20260310T100000", "DURATION:PT1H")
        berlin = comp(during("20260310T090000Z", "20260310T093000Z"))
        tokyo = comp(during("20260310T010000Z", "20260310T013000Z"))
        named = "<C:timezone-id>Asia/Tokyo</C:timezone-id>"
        zone = ics(
            "BEGIN:VTIMEZONE\nTZID:Mine\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0900\n"
            "TZOFFSETTO:+0900\nEND:STANDARD\nEND:VTIMEZONE"
        )
        defined = f"<C:timezone>{zone}</C:timezone>"
        assert (found(bill, berlin), found(bill, tokyo)) == (["f.ics"], [])
        for more in (named, defined):
            assert (found(bill, berlin, more=more), found(bill, tokyo, more=more)) == ([], ["f.ics"])


class TestText:
    @pytest.mark.parametrize(
        ("match", "hit"),
        [
            (text("STRASSE"), False),
            (text("straße"), True),
            (text("STRAßE"), True),
            (text("GRÜN"), False),
            (text("grün", "i;octet"), False),
            (text("Grün", "i;octet"), True),
            (text("GRÜN", "i;unicode-casemap"), True),
            (text("grun", "i;unicode-casemap"), False),
            (text("gru", "i;unicode-casemap"), True),
            (text("GRÜN", "default"), False),
            (text("die", negate="yes"), False),
            (text("das", negate="yes"), True),
            (text("das", "i;unicode-casemap", "yes"), True),
            (text("die", kind="starts-with"), True),
            (text("straße", kind="starts-with"), False),
            (text("STRAßE", kind="ends-with"), True),
            (text("die grüne straße", kind="equals"), True),
            (text("", "i;octet"), True),
            (text("100%"), False),
            (text("_"), False),
        ],
    )
    def test_collations(self, world: DavWorld, bill: Client, match: str, hit: bool) -> None:
        """RFC 4791 §7.5, §9.7.5; RFC 4790 §9.2, §9.3; RFC 5051: what decomposes holds its letter."""
        put(world, "a.ics", "DTSTART:20260310T100000Z", "SUMMARY:Die Grüne Straße")
        assert found(bill, prop("SUMMARY", match)) == (["a.ics"] if hit else [])

    def test_a_property_that_is_not_there_matches_no_text_at_all(self, world: DavWorld, bill: Client) -> None:
        """RFC 4791 §9.7.2: the property value has to be there to differ."""
        put(world, "a.ics", "DTSTART:20260310T100000Z")
        assert found(bill, prop("STATUS", text("CANCELLED", negate="yes"))) == []
        assert found(bill, prop("STATUS", "<C:is-not-defined/>")) == ["a.ics"]

    def test_a_list_holds_a_text_when_one_value_does(self, world: DavWorld, bill: Client) -> None:
        put(world, "a.ics", "DTSTART:20260310T100000Z", "CATEGORIES:Work,Travel")
        assert found(bill, prop("CATEGORIES", text("travel"))) == ["a.ics"]
        assert found(bill, prop("CATEGORIES", text("travel", negate="yes"))) == []

    def test_parameters_belong_to_the_property_that_matches(self, world: DavWorld, bill: Client) -> None:
        """RFC 4791 §9.7.3."""
        put(
            world, "a.ics", "DTSTART:20260310T100000Z", "ATTENDEE;PARTSTAT=DECLINED:mailto:x@example.com",
            "ATTENDEE;PARTSTAT=ACCEPTED;CN=Y:mailto:y@example.com",
        )  # fmt: skip
        param = '<C:param-filter name="PARTSTAT">{}</C:param-filter>'
        accepted = param.format(text("ACCEPTED"))
        assert found(bill, prop("ATTENDEE", text("mailto:y@") + accepted)) == ["a.ics"]
        assert found(bill, prop("ATTENDEE", text("mailto:x@") + accepted)) == []
        absent = '<C:param-filter name="CN"><C:is-not-defined/></C:param-filter>'
        assert found(bill, prop("ATTENDEE", text("mailto:x@") + absent)) == ["a.ics"]
        assert found(bill, prop("ATTENDEE", text("mailto:y@") + absent)) == []
        assert (
            found(bill, prop("ATTENDEE", '<C:param-filter name="ROLE"/>')) == []
        )  # a default is not written

    def test_two_filters_need_not_mean_one_component(self, world: DavWorld, bill: Client) -> None:
        alarms = "".join(
            f"BEGIN:VALARM\nACTION:{one}\nTRIGGER:-PT5M\nEND:VALARM\n" for one in ("AUDIO", "EMAIL")
        )
        put(world, "a.ics", "DTSTART:20260310T100000Z", alarms.strip())
        action = (
            '<C:comp-filter name="VALARM"><C:prop-filter name="ACTION">{}</C:prop-filter></C:comp-filter>'
        )
        both = action.format(text("AUDIO")) + action.format(text("EMAIL"))
        assert found(bill, comp(both)) == ["a.ics"]

    def test_many_conditions_are_planned_in_no_time(self, world: DavWorld, bill: Client) -> None:
        put(world, "a.ics", "DTSTART:20260310T100000Z", *(f"X-A{n}:b" for n in range(40)))
        many = "".join(
            f'<C:prop-filter name="X-A{n}">{text("B")}'
            f'<C:param-filter name="P"><C:is-not-defined/></C:param-filter></C:prop-filter>'
            for n in range(40)
        )
        assert found(bill, comp(many)) == ["a.ics"]


class TestData:
    def shown(self, bill: Client, data: str, conditions: str = comp()) -> str:
        answer = ask(bill, conditions, prop=data)
        return answer.prop("C:calendar-data").replace("\n", "\r\n")

    def test_the_text_goes_out_as_it_is_stored(self, world: DavWorld, bill: Client) -> None:
        stored = ics(event("a", "SUMMARY:1 < 2 & 3 > 2 ]]> ä\\n日本")).replace(
            "\r\nDURATION", "\r\nX-A:\x0b\r\nDURATION"
        )
        shelve(world, "a.ics", stored)
        assert self.shown(bill, DATA) == stored.replace("\x0b", "\ufffd")

    def test_a_sequence_cut_by_a_fold_is_written_as_characters(self, world: DavWorld, bill: Client) -> None:
        raw = ics(event("a", "SUMMARY:ä")).encode().replace("ä".encode(), b"\xc3\r\n \xa4")
        shelve(world, "a.ics", raw)
        assert "ä" in self.shown(bill, DATA)

    def test_parts_and_values_are_left_out(self, world: DavWorld, bill: Client) -> None:
        """RFC 4791 §9.6.1 to §9.6.4."""
        alarm = "BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM"
        put(world, "a.ics", "DTSTART;X-P=1:20260310T100000Z", "SUMMARY:Secret", alarm)
        asked = (
            '<C:calendar-data><C:comp name="VCALENDAR"><C:prop name="VERSION"/><C:comp name="VEVENT">'
            '<C:prop name="dtstart" novalue="yes"/><C:prop name="X-NONE"/></C:comp></C:comp></C:calendar-data>'
        )
        lines = [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "BEGIN:VEVENT",
            "DTSTART;X-P=1:",
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
        assert self.shown(bill, asked) == "\r\n".join(lines)
        whole = asked.replace('<C:prop name="X-NONE"/>', "<C:allprop/><C:allcomp/>")
        assert "SUMMARY:Secret" in self.shown(bill, whole)
        assert "ACTION:AUDIO" in self.shown(bill, whole)

    def test_expansion_is_in_utc_and_names_its_instances(self, world: DavWorld, bill: Client) -> None:
        """RFC 4791 §9.6.5."""
        start = "DTSTART;TZID=Europe/Berlin:20260310T100000"
        put(
            world,
            "a.ics",
            start,
            "DURATION:PT1H",
            "RRULE:FREQ=DAILY;COUNT=9",
            "EXDATE;TZID=Europe/Berlin:20260312T100000",
        )
        data = (
            '<C:calendar-data><C:expand start="20260311T000000Z" end="20260314T000000Z"/></C:calendar-data>'
        )
        shown = self.shown(bill, data)
        assert [line for line in shown.splitlines() if line.startswith(("DTSTART", "RECURRENCE-ID"))] == [
            "DTSTART:20260311T090000Z", "RECURRENCE-ID:20260311T090000Z",
            "DTSTART:20260313T090000Z", "RECURRENCE-ID:20260313T090000Z",
        ]  # fmt: skip
        assert not any(word in shown for word in ("RRULE", "EXDATE", "TZID", "VTIMEZONE"))

    def test_floating_instances_are_placed_by_the_zone_and_stay_floating(
        self, world: DavWorld, bill: Client
    ) -> None:
        put(world, "a.ics", "DTSTART:20260310T003000", "DURATION:PT10M", "RRULE:FREQ=DAILY;COUNT=3")
        data = (
            '<C:calendar-data><C:expand start="20260310T230000Z" end="20260311T230000Z"/></C:calendar-data>'
        )
        shown = self.shown(bill, data)
        assert [line for line in shown.splitlines() if line.startswith("DTSTART")] == [
            "DTSTART:20260311T003000"
        ]

    def test_overrides_outside_of_the_range_are_left_out(self, world: DavWorld, bill: Client) -> None:
        """RFC 4791 §9.6.6: one that happens there, or would have happened there, stays."""
        parts = ["DTSTART:20260301T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=9"]
        for day, to in (("02", "20260402"), ("03", "20260403"), ("05", "20260302")):
            parts.append(
                f"RECURRENCE-ID:202603{day}T100000Z\nDTSTART:{to}T100000Z\nDURATION:PT1H\nSUMMARY:{day}"
            )
        put(world, "a.ics", "\nEND:VEVENT\nBEGIN:VEVENT\nUID:a.ics\nDTSTAMP:20260101T000000Z\n".join(parts))
        limit = '<C:limit-recurrence-set start="20260302T000000Z" end="20260303T000000Z"/>'
        shown = self.shown(bill, f"<C:calendar-data>{limit}</C:calendar-data>")
        assert [line for line in shown.splitlines() if line.startswith("SUMMARY")] == [
            "SUMMARY:02",
            "SUMMARY:05",
        ]

    def test_time_zones_that_everybody_knows_come_when_they_are_wanted(
        self, world: DavWorld, bill: Client
    ) -> None:
        """RFC 7809 §3.1.1."""
        put(world, "a.ics", "DTSTART;TZID=Europe/Berlin:20260310T100000")
        bernard(world)
        for wanted, zones in (("T", True), ("F", False), (None, True)):
            headers = {} if wanted is None else {"caldav_timezones": wanted}
            for name in ("a.ics", "abcd1.ics"):
                body = query(comp(), prop=DATA)
                answer = bill("REPORT", WORK + name, body, depth="0", **headers)
                assert ("BEGIN:VTIMEZONE" in answer.prop("C:calendar-data")) is zones, (wanted, name)

    def test_calendar_data_is_no_property_of_propfind(self, world: DavWorld, bill: Client) -> None:
        bernard(world)
        answer = bill.propfind(WORK + "abcd1.ics", "C:calendar-data")
        assert list(answer.props(status=404)) == ["C:calendar-data"]
        assert NAME not in answer.text.replace("}", "")


class TestRefusals:
    @pytest.mark.parametrize(
        ("conditions", "precondition"),
        [
            (comp(during("20260310T090000Z", "20260310T090000Z")), "C:valid-filter"),
            (comp(during("20260310", "20260311")), "C:valid-filter"),
            (comp(during("20260310T090000", "20260311T090000Z")), "C:valid-filter"),
            (comp(during("20261310T090000Z")), "C:valid-filter"),
            (comp("<C:time-range/>"), "C:valid-filter"),
            (comp(comp(), "VTODO"), "C:valid-filter"),
            (prop("SUMMARY", during("20260310T090000Z")), "C:valid-filter"),
            (comp(during("20260310T090000Z"), "VTIMEZONE"), "C:valid-filter"),
            (during("20260310T090000Z"), "C:valid-filter"),
            ("<C:is-not-defined/>", "C:valid-filter"),
            (comp("<C:is-not-defined/>" + during("20260310T090000Z")), "C:valid-filter"),
            (comp("<C:text-match>x</C:text-match>"), "C:valid-filter"),
            ("<C:comp-filter/>", "C:valid-filter"),
            (prop("a b"), "C:valid-filter"),
            (prop("SUMMARY", text("x") + text("y")), "C:valid-filter"),
            (prop("SUMMARY", text("x", negate="maybe")), "C:valid-filter"),
            (prop("SUMMARY", text("x", kind="regex")), "C:valid-filter"),
            (prop("SUMMARY", text("x" * 1001)), "C:valid-filter"),
            (comp(name="VPOLL"), "C:supported-filter"),
            (prop("SUMMARY", text("x", "i;ascii-numeric")), "C:supported-collation"),
            (prop("SUMMARY", text("x", "i;*")), "C:supported-collation"),
            (comp("".join(f'<C:prop-filter name="X-{n}"/>' for n in range(1001))), "K:within-effort"),
        ],
    )
    def test_a_filter_that_means_nothing_is_refused_with_its_name(
        self, bill: Client, conditions: str, precondition: str
    ) -> None:
        """RFC 4791 §7.8."""
        answer = ask(bill, conditions)
        assert (answer.status, answer.precondition) == (403, precondition), answer.text
        assert "<D:responsedescription>" in answer.text

    def test_a_component_that_is_not_searched_is_named(self, bill: Client) -> None:
        answer = ask(bill, comp(name="VPOLL"))
        assert answer.xml[0][0].get("name") == "VPOLL"

    @pytest.mark.parametrize(
        ("data", "status", "precondition"),
        [
            ('<C:calendar-data content-type="text/x"/>', 403, "C:supported-calendar-data"),
            ('<C:calendar-data version="3.0"/>', 403, "C:supported-calendar-data"),
            ('<C:calendar-data><C:comp name="VEVENT"/></C:calendar-data>', 400, ""),
            (
                '<C:calendar-data><C:expand start="20260101T000000Z"/></C:calendar-data>',
                403,
                "C:valid-filter",
            ),
        ],
    )
    def test_data_in_a_form_that_is_not_offered(
        self, bill: Client, data: str, status: int, precondition: str
    ) -> None:
        answer = ask(bill, "", prop=data)
        assert answer.status == status
        if precondition:
            assert answer.precondition == precondition

    @pytest.mark.parametrize(
        ("more", "precondition"),
        [
            ("<C:timezone>x</C:timezone>", "C:valid-calendar-data"),
            ("<C:timezone>BEGIN:VCALENDAR\nEND:VCALENDAR</C:timezone>", "C:valid-calendar-data"),
            ("<C:timezone-id>Mars/Olympus</C:timezone-id>", "C:valid-timezone"),
        ],
    )
    def test_a_time_zone_that_is_none(self, bill: Client, more: str, precondition: str) -> None:
        answer = ask(bill, "", more=more)
        assert (answer.status, answer.precondition) == (403, precondition)

    def test_dates_outside_of_the_stores(self, world: DavWorld, store: object) -> None:
        from dataclasses import replace

        caller = world.caller("bill")
        policy = replace(caller.policy, min_date=0, max_date=2_000_000_000)
        client = Client(world.store, replace(caller, policy=policy))
        assert ask(client, comp(during("19600101T000000Z"))).precondition == "C:min-date-time"
        assert ask(client, comp(during(end="21000101T000000Z"))).precondition == "C:max-date-time"

    def test_more_matches_than_allowed_are_cut_and_said_so(self, world: DavWorld, bill: Client) -> None:
        """RFC 4791 §7.8 (number-of-matches-within-limits); RFC 5323 §5.17."""
        bernard(world)
        answer = ask(bill, "", more="<D:limit><D:nresults>3</D:nresults></D:limit>")
        assert len(answer.hrefs()) == 4
        assert answer.hrefs()[-1] == WORK
        assert "507" in answer.text
        assert "<D:number-of-matches-within-limits/>" in answer.text


class TestRights:
    def test_nobody_else_learns_anything(self, world: DavWorld, mary: Client) -> None:
        bernard(world)
        assert ask(mary, "").status == 404

    def test_deleted_and_unprocessed_objects_are_not_there(self, world: DavWorld, bill: Client) -> None:
        world.create(calendar(event("gone")))
        world.delete("SELECT * FROM VEVENT WHERE UID = 'gone'", mark=True)
        world.create(calendar(event("asked", "ORGANIZER:mailto:x@example.com"), method="REQUEST"))
        assert found(bill, "") == []
