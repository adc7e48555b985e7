"""What a condition means (RFC 4324 §6.1.1.1 to §6.1.1.15; QRY-09 to QRY-25; A-32 to A-37, A-48, A-49)."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calquery.component_strategies import crowd, objects
from calquery.query_strategies import TEXTS, conditions
from kalends.calquery.bind import Bindings, bind, bind_condition, is_plain
from kalends.calquery.cells import cells, fold_case
from kalends.calquery.like import Pattern
from kalends.calquery.match import Subject, matches
from kalends.calquery.parse import parse
from kalends.calquery.plan import kinds, plan
from kalends.calquery.tree import (
    And,
    AnyOf,
    Column,
    Compare,
    Condition,
    Constant,
    In,
    Like,
    Literal,
    Null,
    Or,
    State,
)
from kalends.ical.tree import Component
from kalends.ical.tree import parse as parse_ical


def event(*lines: str, name: str = "VEVENT") -> Component:
    return parse_ical("\r\n".join([f"BEGIN:{name}", *lines, f"END:{name}", ""]))


def holds(
    where: str, component: Component, bindings: Bindings | None = None, **circumstances: object
) -> bool:
    query = bind(parse(f"SELECT * FROM {component.name} WHERE {where}"), bindings or Bindings())
    return Subject(component, **circumstances).matches(query)  # type: ignore[arg-type]


# §6.1.1.11: CATEGORIES stands for the multi-valued property, ATTENDEE;MEMBER for the parameter. (b) is written
# with an escaped comma: iCalendar knows no quoted property values.
ROWS = {
    "a": "CATEGORIES:value1,value2",
    "b": r"CATEGORIES:value1\,value2",
    "c": "ATTENDEE;MEMBER=1,2:x",
    "d": 'ATTENDEE;MEMBER="1,2",3:y',
    "e": 'ATTENDEE;MEMBER=",":z',
    "f": "CATEGORIES:x,y,z",
}
TABLE = [
    ("'value1' IN CATEGORIES", "a"),
    ("'value1,value2' IN CATEGORIES", "b"),
    ("'value%' IN CATEGORIES", ""),
    ("',' IN CATEGORIES", ""),
    ("'%,%' IN CATEGORIES", ""),
    ("'x' IN CATEGORIES", "f"),
    ("'x' IN ATTENDEE", "c"),
    ("'2' IN PARAM(ATTENDEE,MEMBER)", "c"),
    ("'1,2' IN PARAM(ATTENDEE,MEMBER)", "d"),
    ("',' IN PARAM(ATTENDEE,MEMBER)", "e"),
    ("'%,%' IN PARAM(ATTENDEE,MEMBER)", ""),
    ("CATEGORIES LIKE 'value1%'", "ab"),
    ("CATEGORIES LIKE 'value%'", "ab"),
    ("CATEGORIES LIKE 'x'", "f"),
    ("ATTENDEE LIKE 'x'", "c"),
    ("PARAM(ATTENDEE,MEMBER) LIKE '1%'", "cd"),
    ("PARAM(ATTENDEE,MEMBER) LIKE '%2%'", "cd"),
    ("PARAM(ATTENDEE,MEMBER) LIKE ','", "e"),
]


@pytest.mark.parametrize(("where", "rows"), TABLE)
def test_the_table_of_section_6_1_1_11(where: str, rows: str) -> None:
    """QRY-21, QRY-23: values one by one, unquoted and unescaped; NOT is the exact opposite."""
    opposite = where.replace(" IN ", " NOT IN ").replace(" LIKE ", " NOT LIKE ")
    for row, line in ROWS.items():
        assert holds(where, event(line)) is (row in rows), row
        assert holds(opposite, event(line)) is (row not in rows), row


class TestNull:
    """QRY-22: six cases of §6.1.1.10."""

    @pytest.mark.parametrize(
        ("where", "line", "expected"),
        [
            ("LOCATION IS NULL", "UID:1", True),
            ("LOCATION IS NULL", "LOCATION:", False),
            ("LOCATION = ''", "LOCATION:", True),
            ("PARAM(ATTENDEE,CN) IS NULL", "ATTENDEE:mailto:x@example.com", True),
            ("PARAM(ATTENDEE,CN) IS NULL", "ATTENDEE;CN=:mailto:x@example.com", False),
            ("PARAM(ATTENDEE,ROLE) IS NULL", "ATTENDEE:mailto:x@example.com", False),
            ("DTEND IS NULL", "DTSTART:20200101T000000Z", True),
        ],
    )
    def test_absent_empty_defaulted(self, where: str, line: str, expected: bool) -> None:
        assert holds(where, event(line)) is expected
        assert holds(where.replace("IS NULL", "IS NOT NULL"), event(line)) is expected or "''" not in where

    def test_a_whole_component_can_be_absent(self) -> None:
        bare, belled = event("UID:1"), event("UID:1", "BEGIN:VALARM", "ACTION:AUDIO", "END:VALARM")
        assert holds("VALARM IS NULL", bare)
        assert not holds("VALARM IS NULL", belled)
        assert holds("VALARM IS NOT NULL", belled)
        assert holds("VALARM.TRIGGER IS NULL", bare)
        assert holds("VALARM.TRIGGER IS NULL", belled)


class TestParameters:
    """QRY-12: any instance may match; defaults count."""

    def test_defaults(self) -> None:
        one = event("ATTENDEE;PARTSTAT=ACCEPTED:cap://host.com/joe")
        assert holds("PARAM(ATTENDEE,PARTSTAT) = 'ACCEPTED'", one)
        assert holds("PARAM(ATTENDEE,ROLE) = 'REQ-PARTICIPANT'", one)
        assert not holds("PARAM(ATTENDEE,ROLE) = 'CHAIR'", one)

    def test_QRY11_the_type_of_a_property_is_the_default_of_VALUE(self) -> None:
        timed, dated = event("DTSTART:20260101T000000Z"), event("DTSTART;VALUE=DATE:20260101")
        for where, expected in (
            ("PARAM(DTSTART,VALUE) = 'DATE-TIME'", (True, False)),
            ("PARAM(DTSTART,VALUE) = 'date'", (False, True)),
            ("PARAM(DTSTART,VALUE) != 'DATE'", (True, False)),
            ("PARAM(DTSTART,VALUE) LIKE 'DATE%'", (True, True)),
            ("PARAM(DTSTART,VALUE) NOT LIKE 'DATE-%'", (False, True)),
            ("PARAM(DTSTART,VALUE) IS NULL", (False, False)),
            ("PARAM(DTSTART,VALUE) IS NOT NULL", (True, True)),
            ("PARAM(DTEND,VALUE) = 'DATE-TIME'", (False, False)),
        ):
            assert (holds(where, timed), holds(where, dated)) == expected, where

    def test_one_of_several(self) -> None:
        both = event(
            "ATTENDEE;ROLE=CHAIR:mailto:a@example.com", "ATTENDEE;PARTSTAT=DECLINED:mailto:b@example.com"
        )
        assert holds("PARAM(ATTENDEE,ROLE) = 'CHAIR' AND PARAM(ATTENDEE,PARTSTAT) = 'DECLINED'", both)


class TestDates:
    @pytest.mark.parametrize(
        ("literal", "op", "line", "expected"),
        [
            # the rule of §6.1.1.7 (same UTC day), not its second and third row
            ("20020304", "=", "DTSTART:20020304T153456Z", True),
            ("20020304", "=", "DTSTART;TZID=America/New_York:20020304T003456", True),
            ("20020304", "=", "DTSTART;TZID=America/New_York:20020304T200000", False),
            ("20020305", "=", "DTSTART;TZID=America/New_York:20020304T200000", True),
            ("20020304T003456Z", "=", "DTSTART;VALUE=DATE:20020304", True),
            ("20020304T003456Z", "=", "DTSTART;VALUE=DATE:20020205", False),
            ("20020304", "=", "DTSTART;VALUE=DATE:20020304", True),
            # before the day's start, after its end
            ("20020304", "<", "DTSTART:20020303T235959Z", True),
            ("20020304", "<", "DTSTART:20020304T000000Z", False),
            ("20020304", ">", "DTSTART:20020304T235959Z", False),
            ("20020304", ">", "DTSTART:20020305T000000Z", True),
            ("20020304", "<=", "DTSTART:20020304T235959Z", True),
            ("20020304", ">=", "DTSTART:20020304T000000Z", True),
            ("20020304", "!=", "DTSTART:20020304T120000Z", False),
            ("20020304T120000Z", "<", "DTSTART;VALUE=DATE:20020304", False),
            ("20020304T120000Z", ">=", "DTSTART;VALUE=DATE:20020304", True),
            ("20020304T120000Z", ">", "DTSTART;VALUE=DATE:20020304", False),
            ("20020304T120000Z", "<", "DTSTART;VALUE=DATE:20020303", True),
        ],
    )
    def test_days_and_times(self, literal: str, op: str, line: str, expected: bool) -> None:
        """QRY-16."""
        assert holds(f"DTSTART {op} '{literal}'", event(line)) is expected

    def test_floating_times_are_in_the_clients_zone(self) -> None:
        """QRY-17, A-34."""
        floating = event("DTSTART:20020304T120000")
        assert holds("DTSTART = '20020304T110000Z'", floating, default_tz="Europe/Berlin")
        assert holds("DTSTART = '20020304T120000Z'", floating)

    @pytest.mark.parametrize(
        ("pattern", "value", "expected"),
        [
            ("2002%", "20020304T120000Z", True),
            ("200201%", "20020304T120000Z", False),
            ("%T000000", "20020304T000000", True),
            ("%T000000", "20020304T000000Z", True),
            ("%T000000", "20020304T120000Z", False),
            ("____01__T%", "20020104T120000Z", True),
            ("%00%", "20020304T120001Z", True),
        ],
    )
    def test_like_sees_the_string(self, pattern: str, value: str, expected: bool) -> None:
        """QRY-18."""
        assert holds(f"DTSTART LIKE '{pattern}'", event(f"DTSTART:{value}")) is expected

    @pytest.mark.parametrize(
        ("where", "lines", "name"),
        [
            ("DTEND = '20020304T130000Z'", ("DTSTART:20020304T120000Z", "DURATION:PT1H"), "VEVENT"),
            ("DURATION = 'PT1H'", ("DTSTART:20020304T120000Z", "DTEND:20020304T130000Z"), "VEVENT"),
            ("DURATION >= 'PT30M'", ("DTSTART:20020304T120000Z", "DTEND:20020304T130000Z"), "VEVENT"),
            ("DUE = '20020304T130000Z'", ("DTSTART:20020304T120000Z", "DURATION:PT1H"), "VTODO"),
            ("DTEND = '20020305'", ("DTSTART;VALUE=DATE:20020304",), "VEVENT"),
            ("DURATION = 'P1D'", ("DTSTART;VALUE=DATE:20020304",), "VEVENT"),
            (
                "DURATION = 'PT1H'",  # one floats: both hang in one zone
                ("DTSTART;TZID=Europe/Berlin:20020304T120000", "DTEND:20020304T130000"),
                "VEVENT",
            ),
            ("DURATION = 'PT14H'", ("DTSTART:20020304T100000Z", "DUE;VALUE=DATE:20020305"), "VTODO"),
            (
                "DURATION = 'PT14H'",
                ("DTSTART;TZID=Europe/Berlin:20020304T100000", "DUE;VALUE=DATE:20020305"),
                "VTODO",
            ),
            ("DTEND = '20020304T120000Z'", ("DTSTART:20020304T120000Z",), "VEVENT"),
        ],
    )
    def test_end_and_duration_say_the_same(self, where: str, lines: tuple[str, ...], name: str) -> None:
        """QRY-19, A-35."""
        assert holds(where, event(*lines, name=name))

    def test_days_of_a_duration_follow_the_wall_clock(self) -> None:
        one = event("DTSTART;TZID=Europe/Berlin:20200328T120000", "DURATION:P1DT1H")
        assert holds("DTEND = '20200329T110000Z'", one)


class TestText:
    def test_like_is_blind_to_case_equality_is_not(self) -> None:
        """QRY-20, A-36."""
        one = event("SUMMARY:Naïve Ärzte", "STATUS:Confirmed", "ATTENDEE:MAILTO:Joe@Example.com")
        assert holds("SUMMARY LIKE '%äRZTE'", one)
        assert not holds("SUMMARY = 'naïve ärzte'", one)
        assert holds("STATUS = 'CONFIRMED'", one)
        assert holds("ATTENDEE = 'mailto:joe@example.com'", one)

    @pytest.mark.parametrize(
        ("pattern", "text", "expected"),
        [("____", "日本語字", True), ("_", "é", True), ("%\\%%", "100% sure", True), ("%\\%%", "100", False)],
    )
    def test_underscore_is_one_character(self, pattern: str, text: str, expected: bool) -> None:
        """QRY-20: not one octet."""
        assert holds(f"SUMMARY LIKE '{pattern}'", event(f"SUMMARY:{text}")) is expected

    @given(
        st.text(alphabet="ab%_\\ß", max_size=8),
        st.text(alphabet="abß%_\\", max_size=8),
    )
    def test_patterns_agree_with_their_definition(self, pattern: str, text: str) -> None:
        assert Pattern(pattern).matches(fold_case(text)) is by_definition(pattern, text)

    def test_a_hostile_pattern_costs_no_more_than_its_length(self) -> None:
        assert not Pattern("%a" * 2_000 + "b").matches("a" * 8_000)

    @given(st.text(max_size=20))
    def test_folding_keeps_the_length(self, text: str) -> None:
        assert len(fold_case(text)) == len(text)
        assert fold_case(fold_case(text)) == fold_case(text) or not text.isascii()

    def test_commas_of_a_rule_separate_nothing(self) -> None:
        """QRY-21."""
        one = event("RRULE:FREQ=WEEKLY;BYDAY=MO,TU")
        assert holds("RRULE LIKE '%MO,TU'", one)
        assert not holds("'TU' IN RRULE", one)

    def test_numbers_compare_as_numbers(self) -> None:
        assert holds("PRIORITY < '10'", event("PRIORITY:9"))
        assert not holds("PRIORITY != '9'", event("PRIORITY:nonsense"))


def by_definition(pattern: str, text: str) -> bool:
    """LIKE by recursion over the pattern, as the prose of §6.1.1.9 has it."""
    if not pattern:
        return not text
    head, rest = pattern[0], pattern[1:]
    if head == "%":
        return any(by_definition(rest, text[at:]) for at in range(len(text) + 1))
    if head == "\\" and rest:
        head, rest = rest[0], rest[1:]
        return text[:1] == head and by_definition(rest, text[1:])
    return bool(text) and (head in ("_", text[0])) and by_definition(rest, text[1:])


class TestState:
    """QRY-14."""

    def test_default_states(self) -> None:
        query = parse("SELECT * FROM VEVENT WHERE UID = '1'")
        assert [matches(query, event("UID:1"), state=s) for s in ("BOOKED", "UNPROCESSED", "DELETED")] == [
            True,
            True,
            False,
        ]
        assert not matches(parse("SELECT * FROM VEVENT"), event("UID:1"), state="DELETED")

    def test_asked_for(self) -> None:
        assert holds("STATE() = 'DELETED'", event("UID:1"), state="DELETED")
        assert holds("STATE() = 'DELETED' OR UID = '1'", event("UID:1"), state="BOOKED")

    def test_method_is_the_envelopes(self) -> None:
        """A-24."""
        assert holds("METHOD = 'request'", event("UID:1"), method="REQUEST", state="UNPROCESSED")
        assert holds("METHOD IS NULL", event("UID:1"))
        envelope = parse("SELECT * FROM VCALENDAR WHERE METHOD = 'REQUEST'")
        assert Subject(event("UID:1"), method="REQUEST").matches(envelope)
        assert not Subject(event("CARID:1", name="VCAR"), method="REQUEST").matches(envelope)


ALARMS = (
    "DTSTART:20000601T120000Z",
    "BEGIN:VALARM",
    "ACTION:AUDIO",
    "TRIGGER;VALUE=DATE-TIME:20000101T030405Z",
    "END:VALARM",
    "BEGIN:VALARM",
    "ACTION:DISPLAY",
    "TRIGGER:-PT15M",
    "END:VALARM",
)


class TestContained:
    """QRY-25; ARCHITECTURE §11.4: the same alarm."""

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            ("VALARM.TRIGGER >= '20000101T030405Z' AND VALARM.TRIGGER <= '20001231T235959Z'", True),
            ("VALARM.TRIGGER > '20000101T030405Z' AND VALARM.TRIGGER < '20000201T000000Z'", False),
            ("VALARM.ACTION = 'AUDIO' AND VALARM.TRIGGER < '20000201T000000Z'", True),
            ("VALARM.ACTION = 'DISPLAY' AND VALARM.TRIGGER < '20000201T000000Z'", False),
            ("VALARM.ACTION = 'DISPLAY' AND (VALARM.TRIGGER < '20000201T000000Z' OR UID = 'x')", False),
            ("VALARM.ACTION = 'DISPLAY' AND VALARM.TRIGGER = '20000601T114500Z'", True),
            ("VALARM.TRIGGER = '-PT15M'", True),
            ("VALARM.TRIGGER > 'PT0S'", False),
            ("VALARM.ACTION = 'AUDIO' OR VALARM.ACTION = 'EMAIL'", True),
        ],
    )
    def test_alarms(self, where: str, expected: bool) -> None:
        assert holds(where, event(*ALARMS)) is expected

    @settings(max_examples=150, deadline=None)
    @given(conditions(), objects())
    def test_pushing_there_is_down_changes_nothing(self, condition: Condition, component: Component) -> None:
        """The plan says what trying every choice of contained components says."""
        subject = Subject(component)
        limited = (
            condition
            if "State(" in repr(condition)
            else And((condition, Or((State("BOOKED"), State("UNPROCESSED")))))
        )
        assert subject.satisfies(plan(condition)) is naive(limited, subject)


def naive(condition: Condition, subject: Subject) -> bool:
    """Try every choice of one contained component per kind; None where there is none."""
    names = sorted(kinds(condition))
    choices = [subject.contained(name) or [None] for name in names]
    return any(
        evaluate(condition, subject, dict(zip(names, choice, strict=True)))
        for choice in itertools.product(*choices)
    )


def evaluate(condition: Condition, subject: Subject, chosen: dict[str, Subject | None]) -> bool:
    if isinstance(condition, And):
        return all(evaluate(term, subject, chosen) for term in condition.terms)
    if isinstance(condition, Or):
        return any(evaluate(term, subject, chosen) for term in condition.terms)
    column = getattr(condition, "column", None)
    if column is None or column.component is None:
        return subject.satisfies(plan(And((condition, Or(tuple(State(s) for s in ("BOOKED", "DELETED")))))))
    one = chosen[column.component]
    if not column.name:
        return (one is None) is not condition.negated  # type: ignore[union-attr]
    return Subject(one.component if one else Component("VALARM"), parent=subject.component).satisfies(
        plan(And((own(condition), State("BOOKED"))))
    )


def own(condition: Condition) -> Condition:
    """A term about a contained component as one about itself."""
    assert isinstance(condition, Compare | Like | In | Null)
    column = Column(condition.column.name, None, condition.column.param)
    if isinstance(condition, Compare):
        return Compare(column, condition.operator, condition.value)
    if isinstance(condition, Like):
        return Like(column, condition.pattern, condition.negated)
    if isinstance(condition, In):
        return In(condition.value, column, condition.negated)
    return Null(column, condition.negated)


class TestBinding:
    """QRY-09, QRY-10, QRY-13; A-16, A-48, A-49."""

    JOE = Bindings(
        self_upn="joe@example.com",
        self_addresses=("urn:uuid:1",),
        groups=("staff@example.com",),
        owners=lambda calid: {None: ["joe@example.com"], "team": ["staff@example.com"]}.get(
            calid, ["sue@example.com"]
        ),
        target="joe/work",
        csid="cal.example.com",
    )

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            ("ATTENDEE = SELF()", True),
            ("SELF() IN ATTENDEE", True),
            ("ORGANIZER = SELF()", False),
            ("CONTACT = SELF()", True),
            ("ATTENDEE = CURRENT-TARGET()", True),
            ("URL = CURRENT-TARGET()", True),
            ("CAL-OWNERS()", True),
            ("NOT CAL-OWNERS()", False),
            ("CAL-OWNERS(team)", True),
            ("CAL-OWNERS(other)", False),
            ("ORGANIZER = CAL-OWNERS(other)", True),
            ("ATTENDEE LIKE SELF()", True),
        ],
    )
    def test_functions_of_the_session(self, where: str, expected: bool) -> None:
        one = event(
            "ATTENDEE:MAILTO:joe@example.com",
            "ORGANIZER:mailto:sue@example.com",
            "CONTACT:urn:uuid:1",
            "URL:cap://cal.example.com/joe/work",
        )
        assert holds(where, one, self.JOE) is expected

    def test_a_calid_in_either_form(self) -> None:
        agenda = event("CALID:joe/work", name="VAGENDA")
        for text in ("joe/work", "cap://cal.example.com/joe/work", "CAP://CAL.EXAMPLE.COM/joe/work"):
            assert holds(f"CALID = '{text}'", agenda, self.JOE)
        assert not holds("CALID = 'cap://other.example.com/joe/work'", agenda, self.JOE)

    def test_the_containers_own_property(self) -> None:
        """A-23."""
        agenda = event("CALID:joe/work", name="VAGENDA")
        query = bind(parse("SELECT VEVENT FROM VAGENDA WHERE CALID = 'joe/work' AND UID = '1'"), self.JOE)
        assert Subject(event("UID:1"), container=agenda).matches(query)
        assert not Subject(event("UID:1")).matches(query)

    def test_nothing_unbound_reaches_the_evaluators(self) -> None:
        where = parse("SELECT * FROM VEVENT WHERE CAL-OWNERS() OR UID = '1'").where
        assert where is not None
        with pytest.raises(TypeError):
            plan(where)
        assert bind_condition(where, self.JOE) == Or(
            (Constant(True), Compare(Column("UID"), "=", Literal("1")))
        )
        assert AnyOf(()).texts == ()

    @given(conditions(functions=True))
    @settings(deadline=None)
    def test_what_is_plain_means_the_same_in_every_session(self, where: Condition) -> None:
        """So that rights which name nobody are made ready once for all who ask."""
        assert is_plain(where) is (bind_condition(where, self.JOE) == where)


class TestCells:
    @pytest.mark.parametrize("end", ["DTEND;VALUE=DATE:20000100", "DTEND:never", "DTEND;VALUE=TEXT:late"])
    def test_an_end_that_cannot_be_read_is_there_once_and_nothing_follows_from_it(self, end: str) -> None:
        made = cells(event("DTSTART;VALUE=DATE:20000101", end))
        assert [(c.name, c.num) for c in made if c.name in ("DTEND", "DURATION")] == [("DTEND", None)]

    def test_keys_are_unique_for_any_component(self) -> None:
        for component in crowd(9, 60):
            for one in component.walk():
                made = cells(one, parent=component)
                assert len({(c.name, c.pos, c.k) for c in made}) == len(made)
                assert all((c.folded is None) is (fold_case(c.value) == c.value) for c in made)

    def test_an_instance_has_its_start_as_recurrence_id(self) -> None:
        """QRY-27: a range of RECURRENCE-ID finds single events when expanding."""
        query = parse(
            "SELECT * FROM VEVENT WHERE RECURRENCE-ID >= '20000701T000000Z' AND RECURRENCE-ID <= '20000730'"
        )
        single = event("DTSTART:20000704T120000Z")
        assert Subject(single, expanded=True).matches(query)
        assert not Subject(single).matches(query)

    def test_texts_of_the_generators_meet(self) -> None:
        assert len(set(TEXTS)) == len(TEXTS)
