"""Alarms as CAP knows them (RFC 4324 §2, §7.2, §7.5)."""

from __future__ import annotations

from kalends.ical.alarms import for_others, without_cap
from kalends.ical.occurrences import alarms
from kalends.ical.tree import Component, parse


def event(*alarm_lines: str) -> Component:
    inner = "".join(
        f"BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\n{lines}\r\nEND:VALARM\r\n"
        for lines in alarm_lines
    )
    return parse(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART:20260310T090000Z\r\n"
        f"{inner}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def triggers(whole: Component) -> list[str]:
    return [alarm.value("TRIGGER") or "" for alarm in whole.children("VEVENT")[0].children("VALARM")]


def test_OBM16_an_alarm_that_is_switched_off_never_rings() -> None:
    whole = event("TRIGGER;ENABLE=FALSE:-PT5M", "TRIGGER;ENABLE=TRUE:-PT10M", "TRIGGER:-PT15M")
    rung = sorted(alarm.alarm.value("TRIGGER") or "" for alarm in alarms(whole))
    assert rung == ["-PT10M", "-PT15M"]


def test_OBM15_other_programs_get_plain_alarms_and_none_that_is_switched_off() -> None:
    whole = event(
        "SEQUENCE;LOCAL=TRUE:4\r\nTRIGGER;ENABLE=FALSE:-PT5M", "SEQUENCE:1\r\nTRIGGER;ENABLE=TRUE:-PT10M"
    )
    plain = without_cap(whole)
    assert triggers(plain) == ["-PT10M"]
    assert "SEQUENCE" not in plain.to_ics()
    assert "ENABLE" not in plain.to_ics()
    assert triggers(whole) == ["-PT5M", "-PT10M"]
    untouched = event("TRIGGER;RELATED=END:-PT5M")
    assert without_cap(untouched) is untouched


def test_OBM14_only_global_alarms_are_for_others() -> None:
    whole = event(
        "SEQUENCE;LOCAL=TRUE:1\r\nTRIGGER:-PT1M", "SEQUENCE;LOCAL=FALSE:2\r\nTRIGGER:-PT2M", "TRIGGER:-PT3M"
    )
    for_others(whole.children("VEVENT")[0])
    assert triggers(whole) == ["-PT2M"]
