"""Instances of calendar objects (RFC 5545 §3.6, §3.8.4.4, §3.8.5, §3.8.6; RFC 4324 EXPAND)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.ical.errors import ICalError, StepBudgetError
from kalends.ical.moment import DAY, parse_moment, utc_moment
from kalends.ical.occurrences import Occurrence, alarms, expand_component, occurrences, span
from kalends.ical.tree import Component, parse

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "recurrence-cases.json").read_text("utf-8")
)


def event(*lines: str, kind: str = "VEVENT") -> str:
    return "\r\n".join([f"BEGIN:{kind}", "UID:1", *lines, f"END:{kind}"])


def calendar(*components: str) -> Component:
    return parse("\r\n".join(["BEGIN:VCALENDAR", *components, "END:VCALENDAR", ""]))


def at(text: str) -> int:
    return parse_moment(text).wall


def starts(cal: Component, lo: str | None = None, hi: str | None = None) -> list[str]:
    found = list(occurrences(cal, at(lo) if lo else None, at(hi) if hi else None))
    assert [o.start for o in found] == sorted(o.start for o in found)
    return [str(utc_moment(o.start))[:-1] for o in found]


def lengths(cal: Component) -> list[int]:
    return [o.end - o.start for o in occurrences(cal, None, at("20300101"))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['dtstart']} {case['rrule']}")
def test_agreed_instances_with_dtstart_always_one(case: dict[str, Any]) -> None:
    """§3.8.5.3: DTSTART is the first instance, also where it does not fit; the agreed rules leave it out then."""
    kind = ";VALUE=DATE" if len(case["dtstart"]) == 8 else ""
    cal = calendar(event(f"DTSTART{kind}:{case['dtstart']}", f"RRULE:{case['rrule']}"))
    expected = [str(parse_moment(text).wall) for text in case["instances"]]
    if case["instances"][0] != case["dtstart"]:
        extra = "COUNT" in case["rrule"]
        expected = [str(at(case["dtstart"])), *expected[: len(expected) - extra]]
    assert [str(o.start) for o in occurrences(cal)] == expected
    bounds = span(cal)
    assert bounds is not None
    assert bounds[0] == int(expected[0])
    assert bounds[1] is not None
    assert bounds[1] >= int(expected[-1])


DAILY = ("DTSTART;TZID=Europe/Berlin:20260105T093000", "DTEND;TZID=Europe/Berlin:20260105T103000")


def test_exdates_of_every_form_take_out() -> None:
    rule = "RRULE:FREQ=DAILY;COUNT=6"
    for line in (
        "EXDATE;TZID=Europe/Berlin:20260106T093000,20260108T093000",
        "EXDATE:20260106T083000Z,20260108T083000Z",
        "EXDATE;VALUE=DATE:20260106,20260108",
        "EXDATE;TZID=America/New_York:20260106T033000,20260108T033000",
        "EXDATE:20260106T093000,20260108T093000",
    ):
        assert [s[6:8] for s in starts(calendar(event(*DAILY, rule, line)))] == ["05", "07", "09", "10"]
    days = calendar(
        event("DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260106T000000Z")
    )
    assert [s[:8] for s in starts(days)] == ["20260105", "20260107"]


def test_exdate_may_take_out_dtstart() -> None:
    """§3.8.5.3, every Friday the 13th: DTSTART is taken out by EXDATE."""
    cal = calendar(
        event(
            "DTSTART;TZID=America/New_York:19970902T090000",
            "EXDATE;TZID=America/New_York:19970902T090000",
            "RRULE:FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        )
    )
    assert starts(cal, None, "19990101") == ["19980213T140000", "19980313T140000", "19981113T140000"]


def test_exrule_takes_out() -> None:
    cal = calendar(event(*DAILY, "RRULE:FREQ=DAILY;COUNT=7", "EXRULE:FREQ=DAILY;INTERVAL=2"))
    assert [s[6:8] for s in starts(cal)] == ["06", "08", "10"]


def test_several_rules_and_rdates_are_one_set() -> None:
    cal = calendar(
        event(
            *DAILY,
            "RRULE:FREQ=DAILY;COUNT=3",
            "RRULE:FREQ=DAILY;INTERVAL=2;COUNT=3",
            "RDATE:20260106T083000Z,20260120T080000Z",
            "RDATE;VALUE=PERIOD:20260107T083000Z/PT3H,20260121T080000Z/20260121T100000Z",
        )
    )
    assert [s[6:8] for s in starts(cal)] == ["05", "06", "07", "09", "20", "21"]
    assert lengths(cal) == [3600, 3600, 10_800, 3600, 3600, 7200]


def test_lengths() -> None:
    """§3.6.1: a DATE lasts a day, a DATE-TIME without end takes no time. §3.8.5.3: exact and nominal lengths."""
    assert lengths(calendar(event("DTSTART;VALUE=DATE:20260105"))) == [DAY]
    assert lengths(calendar(event("DTSTART:20260105T090000"))) == [0]
    assert lengths(calendar(event("DTSTART;VALUE=DATE:20260105", "DTEND;VALUE=DATE:20260105"))) == [DAY]
    assert lengths(calendar(event("DTSTART:20260105T090000Z", "DTEND:20260105T080000Z"))) == [0]
    night = "DTSTART;TZID=Europe/Berlin:20260328T120000"
    rule = "RRULE:FREQ=DAILY;INTERVAL=7;COUNT=2"
    nominal = calendar(event(night, "DURATION:P1D", rule))
    exact = calendar(event(night, "DTEND;TZID=Europe/Berlin:20260329T120000", rule))
    assert lengths(nominal) == [23 * 3600, DAY]
    assert lengths(exact) == [23 * 3600, 23 * 3600]


def test_an_end_that_floats_hangs_in_the_zone_of_its_start_s3_8_2_2() -> None:
    zoned = calendar(event("DTSTART;TZID=America/New_York:20260105T100000", "DTEND:20260105T110000"))
    assert lengths(zoned) == [3600]
    assert expanded(zoned, 0)[2] == "DTEND:20260105T110000"
    assert expanded(zoned, 0, utc=True)[2] == "DTEND:20260105T160000Z"
    floating = calendar(event("DTSTART:20260105T100000", "DTEND;TZID=America/New_York:20260105T110000"))
    assert lengths(floating) == [3600]
    assert expanded(floating, 0)[2] == "DTEND;TZID=America/New_York:20260105T110000"
    unknown = calendar(event("DTSTART;TZID=Mine:20260105T100000", "DTEND;TZID=Europe/Berlin:20260105T110000"))
    assert lengths(unknown) == [3600]


def test_gaps_and_folds() -> None:
    """§3.3.5: 02:30 on the day of the gap is 03:30; 02:30 in the fold is the first."""
    rule = "RRULE:FREQ=DAILY;COUNT=3"
    gap = calendar(event("DTSTART;TZID=Europe/Berlin:20260328T023000", rule))
    assert starts(gap) == ["20260328T013000", "20260329T013000", "20260330T003000"]
    fold = calendar(event("DTSTART;TZID=Europe/Berlin:20261024T023000", rule))
    assert starts(fold) == ["20261024T003000", "20261025T003000", "20261026T013000"]


def test_an_hourly_rule_leaves_out_the_gap_and_a_daily_one_moves() -> None:
    hourly = calendar(event("DTSTART;TZID=Europe/Berlin:20260329T003000", "RRULE:FREQ=HOURLY;COUNT=5"))
    assert starts(hourly) == ["20260328T233000", "20260329T003000", "20260329T013000", "20260329T023000"]
    daily = calendar(
        event(
            "DTSTART;TZID=Europe/Berlin:20260329T010000",
            "RRULE:FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,45;COUNT=6",
        )
    )
    assert starts(daily) == [
        "20260329T000000",
        "20260329T004500",
        "20260329T010000",  # 02:00, which is 03:00, once
        "20260329T014500",  # 02:45, which is 03:45, once
    ]


def test_until_is_an_instant() -> None:
    cal = calendar(event(*DAILY, "RRULE:FREQ=DAILY;UNTIL=20260107T083000Z"))
    assert len(starts(cal)) == 3
    cal = calendar(event(*DAILY, "RRULE:FREQ=DAILY;UNTIL=20260107T082959Z"))
    assert len(starts(cal)) == 2
    assert len(starts(calendar(event(*DAILY, "RRULE:FREQ=DAILY;UNTIL=20260107")))) == 3


def test_until_in_a_folds_second_pass_keeps_the_first_s3_3_5() -> None:
    """06:15Z is 01:15 for the second time: 01:30 was there before it."""
    cal = calendar(
        event("DTSTART;TZID=America/New_York:20241101T013000", "RRULE:FREQ=DAILY;UNTIL=20241103T061500Z")
    )
    assert starts(cal) == ["20241101T053000", "20241102T053000", "20241103T053000"]
    half = "RRULE:FREQ=MINUTELY;INTERVAL=30;UNTIL=20241103T061500Z"
    assert starts(calendar(event("DTSTART;TZID=America/New_York:20241103T003000", half))) == [
        "20241103T043000",
        "20241103T050000",
        "20241103T053000",
    ]


def test_floating_times_and_dates_are_marked() -> None:
    for line, floating, is_date in (
        ("DTSTART:20260105T090000", True, False),
        ("DTSTART;VALUE=DATE:20260105", True, True),
        ("DTSTART:20260105T090000Z", False, False),
        ("DTSTART;TZID=Asia/Tokyo:20260105T090000", False, False),
        ("DTSTART;TZID=Nowhere:20260105T090000", True, False),
    ):
        (found,) = occurrences(calendar(event(line)))
        assert (found.floating, found.is_date, found.recurrence_id) == (floating, is_date, None)


def test_windows_touch() -> None:
    cal = calendar(event("DTSTART:20260105T090000Z", "DTEND:20260105T100000Z"))
    assert starts(cal, "20260105T100000") == []
    assert starts(cal, "20260105T095959") != []
    assert starts(cal, None, "20260105T090000") == []
    instant = calendar(event("DTSTART:20260105T090000Z"))
    assert starts(instant, "20260105T090000", "20260105T090001") != []
    assert starts(instant, "20260105T090001", "20260106") == []


OVERRIDE = event(
    "RECURRENCE-ID;TZID=Europe/Berlin:20260107T093000",
    "DTSTART;TZID=Europe/Berlin:20260115T120000",
    "DURATION:PT2H",
)


def test_an_override_moves_in_and_out_of_windows() -> None:
    cal = calendar(event(*DAILY, "RRULE:FREQ=DAILY;COUNT=5"), OVERRIDE)
    assert [s[6:8] for s in starts(cal)] == ["05", "06", "08", "09", "15"]
    assert starts(cal, "20260107", "20260108") == []
    (moved,) = occurrences(cal, at("20260115"), at("20260116"))
    assert (str(moved.recurrence_id), moved.end - moved.start) == ("20260107T093000", 7200)
    assert str(utc_moment(moved.recurrence)) == "20260107T083000Z"


def test_an_override_without_master_is_an_instance() -> None:
    cal = calendar(OVERRIDE)
    (found,) = occurrences(cal)
    assert str(found.recurrence_id) == "20260107T093000"
    assert span(cal) == (at("20260115T110000"), at("20260115T130000"))


def test_the_override_with_the_highest_sequence_wins() -> None:
    newer = OVERRIDE.replace("DURATION:PT2H", "DURATION:PT3H\r\nSEQUENCE:2")
    for both in ((newer, OVERRIDE), (OVERRIDE, newer)):
        cal = calendar(event(*DAILY, "RRULE:FREQ=DAILY;COUNT=5"), *both)
        assert max(lengths(cal)) == 3 * 3600
        assert len(starts(cal)) == 5


def test_this_and_future_moves_the_later_ones() -> None:
    """§3.8.4.4: moved by two hours and twice as long from the third on; later overrides stay their own."""
    cal = calendar(
        event(*DAILY, "RRULE:FREQ=DAILY;COUNT=6"),
        event(
            "RECURRENCE-ID;TZID=Europe/Berlin;RANGE=THISANDFUTURE:20260107T093000",
            "DTSTART;TZID=Europe/Berlin:20260107T113000",
            "DURATION:PT2H",
        ),
        event("RECURRENCE-ID:20260109T083000Z", "DTSTART;TZID=Europe/Berlin:20260109T200000"),
    )
    assert starts(cal) == [
        "20260105T083000",
        "20260106T083000",
        "20260107T103000",
        "20260108T103000",
        "20260109T190000",
        "20260110T103000",
    ]
    assert lengths(cal) == [3600, 3600, 7200, 7200, 0, 7200]
    ids = [str(o.recurrence_id) for o in occurrences(cal)]
    assert ids == [f"202601{day:02}T093000" for day in range(5, 11)]
    assert starts(cal, "20260110T100000", "20260111") == ["20260110T103000"]
    bounds = span(cal)
    assert bounds is not None
    assert bounds[1] is not None
    assert bounds[1] >= at("20260110T123000")


def test_todos_journals_and_busy_periods() -> None:
    todo = calendar(event("DTSTART:20260105T090000Z", "DUE:20260106T090000Z", kind="VTODO"))
    assert lengths(todo) == [DAY]
    assert starts(calendar(event("DUE:20260106T090000Z", kind="VTODO"))) == ["20260106T090000"]
    assert starts(calendar(event(kind="VTODO"))) == []
    assert lengths(calendar(event("DTSTART;VALUE=DATE:20260105", kind="VJOURNAL"))) == [DAY]
    assert lengths(calendar(event("DTSTART:20260105T090000Z", kind="VJOURNAL"))) == [0]
    busy = calendar(
        event(
            "DTSTART:20260101T000000Z",
            "DTEND:20260201T000000Z",
            "FREEBUSY;FBTYPE=BUSY:20260108T160000Z/PT3H,20260102T120000Z/20260102T130000Z",
            kind="VFREEBUSY",
        )
    )
    assert lengths(busy) == [3600, 10_800]
    nothing = ("DTSTART:20260101T000000Z", "DTEND:20260102T000000Z", "FREEBUSY:")
    assert lengths(calendar(event(*nothing, kind="VFREEBUSY"))) == [DAY]
    assert span(calendar(event("SUMMARY:no date"))) is None


def test_objects_of_several_uids_come_in_order() -> None:
    other = event("DTSTART:20260106T000000Z", "RRULE:FREQ=DAILY;COUNT=2").replace("UID:1", "UID:2")
    cal = calendar(event(*DAILY, "RRULE:FREQ=DAILY;COUNT=3"), other)
    assert starts(cal) == [
        "20260105T083000",
        "20260106T000000",
        "20260106T083000",
        "20260107T000000",
        "20260107T083000",
    ]
    assert len(list(occurrences(cal, limit=2))) == 2


def test_spans() -> None:
    assert span(calendar(event(*DAILY, "RRULE:FREQ=DAILY"))) == (at("20260105T083000"), None)
    counted = calendar(event(*DAILY, "RRULE:FREQ=DAILY;COUNT=3"))
    assert span(counted) == (at("20260105T083000"), at("20260107T093000"))
    assert span(calendar(event(*DAILY))) == (at("20260105T083000"), at("20260105T093000"))
    early = calendar(event(*DAILY, "RDATE:20260101T000000Z"))
    assert span(early) == (at("20260101T000000"), at("20260105T093000"))


def alarm(*lines: str) -> str:
    return "\r\n".join(["BEGIN:VALARM", "ACTION:DISPLAY", *lines, "END:VALARM"])


def rings(cal: Component, lo: str | None = None, hi: str | None = None) -> list[str]:
    return [str(utc_moment(a.at))[:-1] for a in alarms(cal, at(lo) if lo else None, at(hi) if hi else None)]


def test_alarms_ring_around_each_instance() -> None:
    """§3.6.6, §3.8.6.3: relative to start or end, with repetitions."""
    cal = calendar(
        event(*DAILY, "RRULE:FREQ=DAILY;COUNT=2", alarm("TRIGGER:-PT15M", "REPEAT:2", "DURATION:PT5M"))
    )
    assert rings(cal) == [
        f"202601{day}T{clock}00" for day in ("05", "06") for clock in ("0815", "0820", "0825")
    ]
    assert rings(cal, "20260106T082000", "20260106T082500") == ["20260106T082000"]
    after = calendar(event(*DAILY, alarm("TRIGGER;RELATED=END:PT5M")))
    assert rings(after) == ["20260105T093500"]
    absolute = calendar(event(*DAILY, "RRULE:FREQ=DAILY", alarm("TRIGGER;VALUE=DATE-TIME:20260104T120000Z")))
    assert rings(absolute) == ["20260104T120000"]


def test_a_day_before_is_nominal_and_windows_reach() -> None:
    cal = calendar(event("DTSTART;TZID=Europe/Berlin:20260329T120000", alarm("TRIGGER:-P1D")))
    assert rings(cal) == ["20260328T110000"]
    due = calendar(event("DUE;TZID=Europe/Berlin:20260329T120000", alarm("TRIGGER:-P1D"), kind="VTODO"))
    assert rings(due) == ["20260328T110000"]
    far = calendar(event("DTSTART:20270101T000000Z", alarm("TRIGGER:-P52W")))
    assert rings(far, "20260101", "20260201") == ["20260102T000000"]


def expanded(cal: Component, index: int, *, utc: bool = False) -> list[str]:
    found = list(occurrences(cal, limit=index + 1))[index]
    return expand_component(cal, found, utc=utc).to_ics().split("\r\n")[1:-2]


def test_an_instance_as_a_component() -> None:
    cal = calendar(
        event(*DAILY, "RRULE:FREQ=DAILY;COUNT=9", "EXDATE:20260106T083000Z", "SUMMARY:x", "X-Y:z"), OVERRIDE
    )
    assert expanded(cal, 1) == [
        "UID:1",
        "DTSTART;TZID=Europe/Berlin:20260108T093000",
        "RECURRENCE-ID;TZID=Europe/Berlin:20260108T093000",
        "DTEND;TZID=Europe/Berlin:20260108T103000",
        "SUMMARY:x",
        "X-Y:z",
    ]
    assert expanded(cal, 1, utc=True)[1:4] == [
        "DTSTART:20260108T083000Z",
        "RECURRENCE-ID:20260108T083000Z",
        "DTEND:20260108T093000Z",
    ]
    single = calendar(event(*DAILY))
    assert expanded(single, 0) == ["UID:1", *DAILY]
    days = calendar(event("DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=DAILY"))
    assert expanded(days, 1, utc=True) == [
        "UID:1",
        "DTSTART;VALUE=DATE:20260106",
        "RECURRENCE-ID;VALUE=DATE:20260106",
    ]


def test_an_instance_with_a_length_of_its_own_as_a_component() -> None:
    cal = calendar(event("DTSTART:20260105T090000Z", "RDATE;VALUE=PERIOD:20260106T090000Z/PT3H"))
    assert expanded(cal, 1) == [
        "UID:1",
        "DTSTART:20260106T090000Z",
        "RECURRENCE-ID:20260106T090000Z",
        "DURATION:PT3H",
    ]


def test_a_nominal_day_written_beside_utc_keeps_its_end_s3_3_6() -> None:
    """CalDAV's expand: noon to noon over the night that lacks an hour takes 23 hours."""
    cal = calendar(
        event("DTSTART;TZID=Europe/Berlin:20260328T120000", "DURATION:P1D", "RRULE:FREQ=DAILY;COUNT=2")
    )
    assert expanded(cal, 0, utc=True)[3] == "DURATION:PT23H"
    assert expanded(cal, 1, utc=True)[3] == "DURATION:P1D"
    assert expanded(cal, 0)[3] == "DURATION:P1D"


def test_a_due_date_beside_a_zoned_start_stays_its_day() -> None:
    cal = calendar(
        event("DTSTART;TZID=Europe/Berlin:20260105T100000", "DUE;VALUE=DATE:20260107", kind="VTODO")
    )
    assert expanded(cal, 0)[2] == expanded(cal, 0, utc=True)[2] == "DUE;VALUE=DATE:20260107"


def test_hostile_objects_end() -> None:
    endless = calendar(event("DTSTART:19700101T000000Z", "RRULE:FREQ=SECONDLY"))
    with pytest.raises(StepBudgetError):
        list(occurrences(endless, budget=5_000))
    assert len(list(occurrences(endless, at("20260101"), None, limit=10))) == 10
    never = calendar(event("DTSTART:20260101T000000Z", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"))
    assert starts(never) == ["20260101T000000"]
    with pytest.raises(ICalError):
        list(occurrences(calendar(event("DTSTART:yesterday"))))
    with pytest.raises(ICalError):
        list(occurrences(calendar(event(*DAILY, "RRULE:FREQ=NEVER"))))


RULES = [
    "FREQ=DAILY;COUNT=40",
    "FREQ=WEEKLY;BYDAY=MO,TH;COUNT=30",
    "FREQ=HOURLY;INTERVAL=5;COUNT=80",
    "FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=15,45;COUNT=60",
    "FREQ=MONTHLY;BYDAY=-1SU;COUNT=24",
]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(RULES),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo"]),
    st.integers(at("20260301"), at("20260410")),
    st.sampled_from(["", "EXDATE;VALUE=DATE:20260330", "RDATE:20260329T013000Z"]),
    st.tuples(st.integers(-5 * DAY, 60 * DAY), st.integers(0, 20 * DAY)),
)
def test_a_window_holds_what_a_filter_would_leave(
    rule: str, tzid: str, start: int, more: str, window: tuple[int, int]
) -> None:
    begin = str(utc_moment(start))[:-1]
    lines = [f"DTSTART;TZID={tzid}:{begin}", "DURATION:P1DT2H", f"RRULE:{rule}", *([more] if more else [])]
    override = event(f"RECURRENCE-ID;TZID={tzid}:{begin}", f"DTSTART;TZID={tzid}:20260401T000000")
    cal = calendar(event(*lines), override)
    lo, hi = start + window[0], start + window[0] + window[1]

    def key(found: Occurrence) -> tuple[int, int, int]:
        return found.start, found.end, found.recurrence

    everything = [key(o) for o in occurrences(cal)]
    assert everything == sorted(everything)
    assert len({recurrence for _, _, recurrence in everything}) == len(everything)
    inside = [o for o in everything if o[0] < hi and (o[1] > lo or o[0] >= lo)]
    assert [key(o) for o in occurrences(cal, lo, hi)] == inside
    bounds = span(cal)
    assert bounds is not None
    assert bounds[1] is not None
    assert bounds[0] <= everything[0][0]
    assert bounds[1] >= max(end for _, end, _ in everything)
