"""What a store must refuse, liberal and strict (RFC 5545 §3.6; RFC 4324 §9), and what each iTIP method demands."""

from __future__ import annotations

from pathlib import Path

import pytest

from kalends.ical import itip, validate
from kalends.ical.checks import CHECKS, MAX_PROBLEMS
from kalends.ical.components import COMPONENTS
from kalends.ical.errors import ICalError
from kalends.ical.itip import METHODS, RESTRICTIONS
from kalends.ical.problem import Problem
from kalends.ical.properties import PROPERTIES
from kalends.ical.tree import Component, parse, parse_all

CORPUS = Path(__file__).parent / "corpus"
HEAD = ("VERSION:2.0", "PRODID:-//Kalends//Test//EN")
STAMP = "DTSTAMP:20250101T000000Z"
START = "DTSTART:20250301T100000Z"
ZONE = (
    "BEGIN:VTIMEZONE", "TZID:Here", "BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0100",
    "TZOFFSETTO:+0100", "END:STANDARD", "END:VTIMEZONE",
)  # fmt: skip


def calendar(*rows: str) -> Component:
    return parse("".join(f"{row}\r\n" for row in ("BEGIN:VCALENDAR", *HEAD, *rows, "END:VCALENDAR")))


def part(kind: str, *rows: str) -> tuple[str, ...]:
    return (f"BEGIN:{kind}", *rows, f"END:{kind}")


def event(*rows: str) -> Component:
    return calendar(*part("VEVENT", "UID:1", STAMP, *rows))


def liberal(root: Component) -> list[str]:
    return [problem.reason for problem in validate.problems(root)]


def strict(root: Component) -> list[str]:
    return [problem.reason for problem in validate.problems(root, strict=True)]


def test_a_sound_event_has_no_problems() -> None:
    root = calendar(
        *ZONE,
        *part(
            "VEVENT", "UID:1", STAMP, "DTSTART;TZID=Here:20250301T100000", "DTEND;TZID=Here:20250301T110000",
            "RRULE:FREQ=DAILY;COUNT=3", "EXDATE;TZID=Here:20250302T100000", "SUMMARY:Lunch", "STATUS:CONFIRMED",
            "TRANSP:OPAQUE-NOCONFLICT", "PRIORITY:1", "ATTENDEE;CN=\"A, B\":mailto:a@example.com",
            *part("VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", "TRIGGER;ENABLE=FALSE:-PT5M", "SEQUENCE;LOCAL=TRUE:1"),
        ),
        *part("VEVENT", "UID:1", STAMP, "RECURRENCE-ID;TZID=Here:20250303T100000", START, "DURATION:PT1H"),
    )  # fmt: skip
    assert validate.problems(root, strict=True, one_object=True) == []


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ((), "needs DTSTART when there is no METHOD"),
        ((START, START), "DTSTART stands more than once"),
        ((START, "DTEND:20250301T110000Z", "DURATION:PT1H"), "exclude each other"),
        ((START, "DTEND:20250301T095959Z"), "DTEND lies before DTSTART"),
        (
            ("DTSTART;TZID=Europe/Rome:20250301T100000", "DTEND;TZID=Asia/Tokyo:20250301T170000"),
            "lies before",
        ),
        ((START, "DTEND;VALUE=DATE:20250302"), "DTEND must be a DATE-TIME"),
        (("DTSTART;VALUE=DATE:20250301", "DTEND:20250302T000000Z"), "DTEND must be a DATE as"),
        ((START, "DURATION:-PT1H"), "DURATION is negative"),
        (("DTSTART:2025",), "DTSTART: no date"),
        (("DTSTART;VALUE=TEXT:20250301T100000Z",), "DTSTART cannot have VALUE=TEXT"),
        ((START, "RRULE:FREQ=SOMETIMES"), "RRULE: FREQ=SOMETIMES"),
        ((START, "EXDATE:20250230"), "EXDATE: no such date"),
        ((START, "CREATED:now"), "CREATED: no date"),
        ((START, "SEQUENCE:x"), "SEQUENCE: no integer"),
        ((START, "SEQUENCE:-1"), "SEQUENCE is out of range"),
        ((START, "SUMMARY:a\x07b"), "SUMMARY holds a control character"),
        ((START, "SUMMARY:a\rb"), "SUMMARY holds a control character"),
        ((START, *part("VALARM", "ACTION:AUDIO")), "VALARM needs TRIGGER"),
        ((START, *part("VALARM", "ACTION:AUDIO", "TRIGGER:soon")), "TRIGGER: no duration"),
        ((START, *part("VALARM", "TRIGGER;ENABLE=FALSE:RELATED=END:PT5M")), "TRIGGER: no duration"),
        (
            (START, *part("VALARM", "ACTION:AUDIO", "TRIGGER;ENABLE=MAYBE:-PT5M")),
            "ENABLE of TRIGGER is TRUE or FALSE",
        ),
        (
            (START, *part("VALARM", "TRIGGER:-PT5M", "SEQUENCE;LOCAL=x:1")),
            "LOCAL of SEQUENCE is TRUE or FALSE",
        ),
        ((START, *part("VEVENT", "UID:2", START)), "VEVENT cannot stand in VEVENT"),
    ],
)
def test_even_the_liberal_refuse(rows: tuple[str, ...], reason: str) -> None:
    """RFC 5545 §3.6.1, §3.8.2, §3.8.5."""
    found = liberal(event(*rows))
    assert any(reason in one for one in found), found
    assert len(found) == 1


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ((START, "DTEND:20250301T100000Z"), "DTEND must be later than DTSTART"),
        (("DTSTART;TZID=Nowhere:20250301T100000",), "the time zone 'Nowhere' is neither defined"),
        (("DTSTART:20250301",), "DTSTART is a DATE without VALUE=DATE"),
        (("DTSTART;VALUE=DATE:20250301", "DURATION:PT1H"), "DURATION of whole days"),
        ((START, "SUMMARY:a", "SUMMARY:b"), "SUMMARY stands more than once"),
        ((START, "RRULE:FREQ=DAILY;UNTIL=20250401"), "UNTIL must be of the form DTSTART has"),
        ((START, "RRULE:FREQ=DAILY;UNTIL=20250401T100000"), "UNTIL must be of the form DTSTART has"),
        (
            ("DTSTART;TZID=Europe/Berlin:20250301T100000", "RRULE:FREQ=DAILY;UNTIL=20250401T100000"),
            "UNTIL must be of the form DTSTART has",
        ),
        (
            ("DTSTART:20250301T100000", "RRULE:FREQ=DAILY;UNTIL=20250401T100000Z"),
            "UNTIL must be of the form DTSTART has",
        ),
        ((START, "PRIORITY:10"), "PRIORITY is out of range"),
        ((START, "STATUS:MAYBE"), "STATUS is none of"),
        ((START, "TRANSP:FOGGY"), "TRANSP is none of"),
        ((START, "DUE:20250301T110000Z"), "DUE does not belong in VEVENT"),
        ((START, "X_A:1"), "malformed"),
        ((START, "SUMMARY;LANGUAGE:x"), "malformed"),
        ((START, "EXDATE:"), "EXDATE: no date"),
        ((START, "GEO:x;y"), "GEO: no number"),
        ((START, "CONFERENCE:tel:1"), "CONFERENCE needs a VALUE parameter"),
        ((START, *part("VALARM", "TRIGGER:-PT1M")), "VALARM needs ACTION"),
        ((START, *part("VALARM", "ACTION:AUDIO", "TRIGGER:-PT1M", "REPEAT:2")), "DURATION and REPEAT"),
        ((START, *part("VALARM", "ACTION:DISPLAY", "TRIGGER:-PT1M")), "needs DESCRIPTION"),
        (
            (START, *(2 * part("VALARM", "ACTION:AUDIO", "TRIGGER;ENABLE=false:-PT1M", "SEQUENCE:1"))),
            "two alarms of one SEQUENCE (RFC 4324 §2)",
        ),
    ],
)
def test_the_strict_also_refuse(rows: tuple[str, ...], reason: str) -> None:
    root = event(*rows)
    assert liberal(root) == []
    found = strict(root)
    assert any(reason in one for one in found), found
    assert len(found) == 1


def test_a_stored_component_needs_a_uid_unless_asked_otherwise() -> None:
    for kind in ("VEVENT", "VTODO", "VJOURNAL"):
        root = calendar(*part(kind, STAMP, START))
        assert liberal(root) == [f"{kind} needs UID (RFC 5545 §3.8.4.7)"]
        assert validate.problems(root, need_uid=False) == []
        assert liberal(calendar(*part(kind, "UID: ", STAMP, START))) == ["UID is empty"]


def test_with_a_method_an_event_may_lack_its_start() -> None:
    """RFC 5545 §3.6.1."""
    assert liberal(calendar("METHOD:CANCEL", *part("VEVENT", "UID:1", STAMP))) == []


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (("DUE:20250301T090000Z", START), ["DUE lies before DTSTART (RFC 5545 §3.8.2)"]),
        (
            ("DUE:20250301T110000Z", "DURATION:PT1H", START),
            ["DURATION and DUE exclude each other (RFC 5545 §3.6)"],
        ),
        (("RRULE:FREQ=DAILY",), ["a recurrence needs DTSTART (RFC 5545 §3.8.5.3)"]),
        (("DUE;VALUE=DATE:20250301", START), []),
        ((), []),
    ],
)
def test_tasks(rows: tuple[str, ...], found: list[str]) -> None:
    """RFC 5545 §3.6.2."""
    assert liberal(calendar(*part("VTODO", "UID:1", STAMP, *rows))) == found


def test_strict_tasks() -> None:
    task = part("VTODO", "UID:1", STAMP, "DURATION:PT1H", "PERCENT-COMPLETE:101", "STATUS:FINAL")
    assert [reason.split(" ")[0] for reason in strict(calendar(*task))] == [
        "DURATION",
        "PERCENT-COMPLETE",
        "STATUS",
    ]
    mixed = part("VTODO", "UID:1", STAMP, "DUE;VALUE=DATE:20250301", START)
    assert strict(calendar(*mixed)) == ["DUE must be a DATE-TIME as DTSTART is (RFC 5545 §3.8.2)"]


def test_created_in_the_year_0_is_what_google_exports_of_events_it_lost_it_of() -> None:
    root = event(START, "CREATED:00001231T000000Z")
    assert liberal(root) == []
    assert strict(root) == ["CREATED: no such date and time: '00001231T000000Z'"]
    assert liberal(event(START, "LAST-MODIFIED:00001231T000000Z"))


def test_free_busy_times_are_utc() -> None:
    """RFC 5545 §3.6.4."""
    root = calendar(
        *part("VFREEBUSY", "UID:1", STAMP, "FREEBUSY:20250301T100000/PT1H", START, "DURATION:PT1H")
    )
    assert liberal(root) == []
    assert strict(root) == ["FREEBUSY of VFREEBUSY must be UTC (RFC 5545 §3.6.4)"]


def test_a_zone_definition_must_define() -> None:
    """RFC 5545 §3.6.5."""
    assert liberal(calendar(*part("VTIMEZONE", "TZID:UTC"))) == [
        "VTIMEZONE needs DAYLIGHT or STANDARD (RFC 5545 §3.6.5)"
    ]
    broken = calendar(*part("VTIMEZONE", "TZID:Here", *part("STANDARD", "DTSTART:19700101T000000")))
    found = liberal(broken)
    assert "STANDARD needs TZOFFSETTO (RFC 5545 §3.6.5)" in found
    assert any(reason.startswith("VTIMEZONE: ") for reason in found)


def test_versions_and_scales_we_cannot_read() -> None:
    body = "".join(f"{row}\r\n" for row in part("VEVENT", "UID:1", START))
    for line, reason in (
        ("VERSION:1.0", "VERSION 1.0 is not 2.0"),
        ("CALSCALE:HEBREW", "scale HEBREW is not known"),
    ):
        found = liberal(parse(f"BEGIN:VCALENDAR\r\n{line}\r\n{body}END:VCALENDAR\r\n"))
        assert len(found) == 1
        assert reason in found[0]
    assert strict(parse("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")) == [
        "VCALENDAR needs PRODID (RFC 5545 §3.6)",
        "VCALENDAR needs VERSION (RFC 5545 §3.6)",
        "VCALENDAR needs a component (RFC 5545 §3.6)",
    ]
    assert strict(calendar("CMD:GET-CAPABILITY")) == []


def test_an_identity_stands_once() -> None:
    one = part("VEVENT", "UID:1", STAMP, START)
    assert liberal(calendar(*one, *one)) == ["a second VEVENT of UID 1 without RECURRENCE-ID"]
    moved = part("VEVENT", "UID:1", STAMP, "RECURRENCE-ID:20250301T100000Z", START)
    assert liberal(calendar(*one, *moved)) == []
    assert liberal(calendar(*moved, *moved)) == [
        "a second VEVENT of UID 1 with RECURRENCE-ID 20250301T100000Z"
    ]


def test_one_calendar_object_has_one_kind_and_one_uid() -> None:
    """RFC 4791 §4.1."""
    root = calendar(
        *part("VEVENT", "UID:1", STAMP, START),
        *part("VEVENT", "UID:2", STAMP, START),
        *part("VTODO", "UID:1", STAMP),
    )
    assert liberal(root) == []
    assert [problem.reason for problem in validate.problems(root, one_object=True)] == [
        "a second UID: one calendar object only (RFC 4791 §4.1)",
        "VTODO beside VEVENT: one kind only (RFC 4791 §4.1)",
    ]


def test_problems_name_component_and_line() -> None:
    problems = validate.problems(event("SUMMARY:a\r\n b", "DTSTART:x", "DURATION:y"))
    assert problems[0] == Problem(
        "VEVENT", 9, "DTSTART: no date or date and time (YYYYMMDD or YYYYMMDDTHHMMSS): 'x'"
    )
    assert str(problems[1]) == "VEVENT, line 10: DURATION: no duration such as PT15M or P1D: 'y'"
    assert str(Problem("VEVENT", 0, "why")) == "why"


def test_only_so_many_problems_are_looked_for() -> None:
    """A million broken lines, or TZIDs that nothing defines, cost no more than some."""
    zones = [row for n in range(2000) for row in part("VTIMEZONE", f"TZID:Zone {n}")]
    exceptions = [f"EXDATE;TZID=Nowhere {n}:20250301T100000" for n in range(2000)]
    root = calendar(*zones, *part("VEVENT", "UID:1", STAMP, START, *exceptions))
    assert len(validate.problems(root, strict=True)) == MAX_PROBLEMS
    assert len(validate.problems(event(START, *exceptions), strict=True)) == MAX_PROBLEMS


# --- CAP

RIGHT = part("VRIGHT", "GRANT:*", "PERMISSION:SEARCH", "SCOPE:SELECT * FROM VEVENT")


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (part("VCAR", "CARID:a", "NAME:x", *RIGHT, *RIGHT), []),
        (part("VCAR", *RIGHT), ["VCAR needs CARID (RFC 4324 §9.3)"]),
        (part("VCAR", "CARID:", *RIGHT), ["CARID is empty (RFC 4324 §8.6)"]),
        (part("VCAR", "CARID:a", "CARID:b", *RIGHT), ["CARID stands more than once"]),
        (part("VCAR", "CARID:a"), ["VCAR needs VRIGHT (RFC 4324 §9.3)"]),
        (part("VCAR", "CARID:a", "DECREED:TRUE", "DECREED:TRUE", *RIGHT), ["DECREED stands more than once"]),
        (part("VCAR", "CARID:a", "DECREED:MAYBE", *RIGHT), ["DECREED: neither TRUE nor FALSE: 'MAYBE'"]),
        (
            part("VCAR", "CARID:a", *part("VRIGHT", "PERMISSION:*")),
            ["VRIGHT needs GRANT or DENY (RFC 4324 §9.4)"],
        ),
        (part("VCAR", "CARID:a", *part("VRIGHT", "DENY:*")), ["VRIGHT needs PERMISSION (RFC 4324 §9.4)"]),
        (
            part("VCAR", "CARID:a", *part("VRIGHT", "DENY:", "PERMISSION:*")),
            ["DENY is empty (RFC 4324 §9.4)"],
        ),
    ],
)  # fmt: skip
def test_access_rights(rows: tuple[str, ...], found: list[str]) -> None:
    """ACL-13, ACL-17, ACL-18."""
    assert liberal(calendar(*rows)) == found


def test_a_restriction_restricts_writing() -> None:
    """RFC 4324 §8.32."""
    right = part("VRIGHT", "GRANT:*", "PERMISSION:SEARCH", "RESTRICTION:SELECT * FROM VEVENT")
    assert liberal(calendar(*part("VCAR", "CARID:a", *right))) == []
    assert strict(calendar(*part("VCAR", "CARID:a", *right)))[0].startswith("RESTRICTION needs PERMISSION")


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (("QUERY:SELECT * FROM VEVENT", "QUERY:SELECT * FROM VTODO"), []),
        (("QUERYID:a", "TARGET:cal", "EXPAND:TRUE"), []),
        (("EXPAND:TRUE",), ["VQUERY needs QUERY or QUERYID (RFC 4324 §9.6)"]),
        (("QUERYID:a", "QUERYID:b"), ["QUERYID stands more than once"]),
        (("QUERYID:a", "EXPAND:TRUE", "EXPAND:FALSE"), ["EXPAND stands more than once"]),
        (("QUERYID:a", "EXPAND:YES"), ["EXPAND: neither TRUE nor FALSE: 'YES'"]),
        (("QUERY:SELECT * FROM VEVENT", "TARGET:cal"), ["TARGET in a VQUERY needs QUERYID (RFC 4324 §9.6)"]),
    ],
)
def test_queries(rows: tuple[str, ...], found: list[str]) -> None:
    """QRY-30."""
    assert liberal(calendar(*part("VQUERY", *rows))) == found


AGENDA = (
    "ALLOW-CONFLICT:TRUE", "CALID:a", "CALSCALE:GREGORIAN", "DEFAULT-CHARSET:UTF-8", "DEFAULT-LOCALE:en",
    "DEFAULT-TZID:UTC", "OWNER:a@example.com",
)  # fmt: skip


def test_new_calendars_say_everything_once_in_strict_mode_only() -> None:
    """CRE-09, OBM-27."""
    assert strict(calendar(*part("VAGENDA", *AGENDA))) == []
    assert liberal(calendar(*part("VAGENDA", "CALID:a"))) == []
    for row in AGENDA:
        name = row.split(":")[0]
        less = [other for other in AGENDA if other != row]
        assert strict(calendar(*part("VAGENDA", *less))) == [f"VAGENDA needs {name} (RFC 4324 §9.1)"]
        if name != "OWNER":
            assert liberal(calendar(*part("VAGENDA", *AGENDA, row))) == [f"{name} stands more than once"]
    assert liberal(calendar(*part("VAGENDA", "OWNER:"))) == ["OWNER is empty (RFC 4324 §9.1)"]
    assert liberal(calendar(*part("VAGENDA", "ALLOW-CONFLICT:"))) == [
        "ALLOW-CONFLICT: neither TRUE nor FALSE: ''"
    ]


def test_names_have_different_languages() -> None:
    """OBM-21 and A-53: LANG and LANGUAGE, en_US and en-US are the same."""
    for kind, rows in (("VAGENDA", ()), ("VQUERY", ("QUERYID:q",)), ("VCALSTORE", ())):
        fine = part(kind, *rows, "NAME;LANGUAGE=en:a", "NAME;LANGUAGE=de:b", "NAME:c")
        assert liberal(calendar(*fine)) == []
        twice = part(kind, *rows, "NAME;LANGUAGE=en-US:a", "NAME;LANG=EN_us:b")
        assert liberal(calendar(*twice)) == ["two NAMEs of one language (RFC 4324 §8.23)"]


# --- iTIP

REQUEST = (
    "UID:1",
    STAMP,
    START,
    "ORGANIZER:mailto:a@example.com",
    "ATTENDEE:mailto:b@example.com",
    "SUMMARY:x",
    "SEQUENCE:1",
)


def itip_reasons(root: Component, *, to_the_letter: bool = False) -> list[str]:
    return [problem.reason for problem in itip.problems(root, strict=to_the_letter)]


def test_a_request_needs_an_organizer() -> None:
    """CRE-05."""
    assert itip_reasons(calendar("METHOD:REQUEST", *part("VEVENT", *REQUEST)), to_the_letter=True) == []
    less = [row for row in REQUEST if not row.startswith("ORGANIZER")]
    assert itip_reasons(calendar("METHOD:request", *part("VEVENT", *less))) == [
        "ORGANIZER must stand exactly once, not 0 times (RFC 5546 §3.2.2)"
    ]


@pytest.mark.parametrize("method", sorted(METHODS))
def test_each_method_is_known(method: str) -> None:
    """OBM-12."""
    table = RESTRICTIONS["VEVENT", method]
    rows = [row for row in REQUEST if row.split(":")[0] not in table.never]
    assert itip_reasons(calendar(f"METHOD:{method}", *part("VEVENT", *rows)), to_the_letter=True) == []


@pytest.mark.parametrize(
    ("method", "parts", "reason"),
    [
        ("MAYBE", part("VEVENT", *REQUEST), "no such METHOD: MAYBE"),
        ("REPLY", part("VJOURNAL", *REQUEST), "no METHOD:REPLY exists for VJOURNAL"),
        ("REPLY", part("VEVENT", *REQUEST, "ATTENDEE:mailto:c@example.com"), "ATTENDEE must stand exactly once"),
        ("REQUEST", (), "METHOD:REQUEST without a component"),
        ("REQUEST", (*part("VEVENT", *REQUEST), *part("VTODO", *REQUEST)), "components of different kinds"),
        ("ADD", (*part("VEVENT", *REQUEST), *part("VEVENT", *REQUEST)), "METHOD:ADD allows one VEVENT only"),
        ("ADD", part("VEVENT", *REQUEST, "RRULE:FREQ=DAILY"), "RRULE must not stand here (RFC 5546 §3.2.4)"),
        ("REQUEST", part("VFREEBUSY", "UID:1", STAMP, START, "DTEND:20250302T000000Z", REQUEST[3]), "ATTENDEE is missing"),
    ],
)  # fmt: skip
def test_messages_against_the_tables_are_refused(method: str, parts: tuple[str, ...], reason: str) -> None:
    """RFC 5546 §3.2 to §3.5."""
    found = itip_reasons(calendar(f"METHOD:{method}", *parts))
    assert len(found) == 1
    assert reason in found[0]


def test_small_omissions_are_forgiven_unless_strict() -> None:
    root = calendar("METHOD:PUBLISH", *part("VEVENT", "UID:1", START, *REQUEST[3:5]))
    assert itip_reasons(root) == []
    assert [reason.split(" ")[0] for reason in itip_reasons(root, to_the_letter=True)] == [
        "DTSTAMP",
        "SUMMARY",
        "ATTENDEE",
    ]


def test_without_a_method_there_is_nothing_to_check() -> None:
    assert itip.problems(event()) == []


# --- tables


def test_the_tables_name_only_what_is_registered() -> None:
    for name, rule in COMPONENTS.items():
        assert rule.name == name
        assert rule.parents | rule.holds <= set(COMPONENTS), name
        assert {*rule.needed, *rule.demanded} <= set(PROPERTIES), name
    assert set(CHECKS) <= set(COMPONENTS)
    for row in PROPERTIES.values():
        assert row.where | row.many_in | row.once_in <= set(COMPONENTS), row.name
    for (kind, method), table in RESTRICTIONS.items():
        assert kind in COMPONENTS
        assert method in METHODS
        assert table.once | table.some | table.never <= {*PROPERTIES, "VALARM"}
        assert not (table.once | table.some) & table.never


def test_the_corpus_is_checked_without_surprise() -> None:
    """Whatever parses can be checked, and every problem points into its text."""
    checked = 0
    for path in sorted(CORPUS.rglob("*.ics")):
        data = path.read_bytes()
        try:
            roots = parse_all(data)
        except ICalError:
            continue
        for root in roots:
            for problem in validate.problems(root, strict=True, one_object=True) + itip.problems(
                root, strict=True
            ):
                assert 1 <= problem.line <= data.count(b"\n") + 1
                assert problem.reason
            checked += 1
    assert checked > 200
