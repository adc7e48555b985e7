"""CAL-QUERY text to tree and back (RFC 4324 §6.1.1; QRY-02, 06, 07, 08, 15, 24, 34; A-23 to A-31)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calquery.query_strategies import queries
from calquery.query_text import to_text
from kalends.calquery.conditions import MAX_DEPTH
from kalends.calquery.errors import QueryError, TooComplexError
from kalends.calquery.parse import parse, parse_line
from kalends.calquery.tree import (
    AllProperties,
    And,
    Column,
    Compare,
    Contained,
    Everything,
    In,
    Like,
    Literal,
    Null,
    Or,
    OwnersColumn,
    OwnerTest,
    Query,
    SelfUpn,
    State,
)
from kalends.ical.tree import parse as parse_ical


def printed() -> list[tuple[str, str, str]]:
    text = (Path(__file__).parent / "rfc4324-queries.txt").read_text("utf-8")
    blocks = [b for b in text.split("\n\n") if b.strip() and not b.startswith("#")]
    out = []
    for block in blocks:
        head, _, query = block.partition("\n")
        verdict, _, section = head.partition(" ")
        out.append((verdict, section, query))
    return out


PRINTED = printed()


def where(text: str, source: str = "VEVENT", **options: bool) -> object:
    return parse(f"SELECT * FROM {source} WHERE {text}", **options).where


def refused(text: str, **options: bool) -> QueryError:
    with pytest.raises(QueryError) as caught:
        parse(text, **options)
    return caught.value


@pytest.mark.parametrize(("section", "query"), [(s, q) for v, s, q in PRINTED if v == "valid"])
def test_every_query_printed_in_rfc4324_is_read(section: str, query: str) -> None:
    tree = parse(query)
    assert tree.select, section
    assert tree.source
    assert parse(to_text(tree)) == tree


@pytest.mark.parametrize(("section", "query"), [(s, q) for v, s, q in PRINTED if v == "invalid"])
def test_what_rfc4324_calls_invalid_is_refused_with_its_place(section: str, query: str) -> None:
    assert refused(query).column > 0, section


def test_the_fixture_holds_the_printed_queries() -> None:
    verdicts = [v for v, _, _ in PRINTED]
    assert verdicts.count("valid") >= 19
    assert verdicts.count("invalid") == 3


@settings(max_examples=200, deadline=None)
@given(queries(functions=True))
def test_what_is_written_is_read_back_as_the_same_tree(query: Query) -> None:
    assert parse(to_text(query)) == query
    assert parse(to_text(query), strict=True) == query


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("SELECT FROMWHEREVEVENT'\"\\%_().,*=<>!-09aZ\n\t\x00é"), max_size=80))
def test_any_text_is_a_query_or_a_query_error(text: str) -> None:
    error: QueryError | None = None
    tree: Query | None = None
    try:
        tree = parse(text)
    except QueryError as caught:
        error = caught
    if error is not None:
        assert 0 <= error.column <= len(text) + 2
        assert error.caret().replace("\n", "").isprintable()
    if tree is not None:
        assert parse(to_text(tree)) == tree


class TestGrammar:
    """QRY-07: each production, once right and once wrong."""

    @pytest.mark.parametrize("operator", ["=", "!=", "<", ">", "<=", ">="])
    def test_comparisons(self, operator: str) -> None:
        assert where(f"UID {operator} 'x'") == Compare(Column("UID"), operator, Literal("x"))  # type: ignore[arg-type]

    def test_like(self) -> None:
        assert where("SUMMARY LIKE '%x%'") == Like(Column("SUMMARY"), Literal("%x%"))
        assert where("SUMMARY NOT LIKE 'x'") == Like(Column("SUMMARY"), Literal("x"), negated=True)

    def test_null(self) -> None:
        assert where("DUE IS NULL", "VTODO") == Null(Column("DUE"))
        assert where("DUE IS NOT NULL", "VTODO") == Null(Column("DUE"), negated=True)

    def test_in(self) -> None:
        assert where("'BUSINESS' IN CATEGORIES") == In(Literal("BUSINESS"), Column("CATEGORIES"))
        assert where("SELF() NOT IN ATTENDEE") == In(SelfUpn(), Column("ATTENDEE"), negated=True)
        assert where("'x' IN PARAM(ATTENDEE,MEMBER)") == In(Literal("x"), Column("ATTENDEE", None, "MEMBER"))

    @pytest.mark.parametrize(
        "text", ["STATE() = 'BOOKED'", "STATE()=BOOKED", "STATE()='booked'", 'STATE ( ) = "BOOKED"']
    )
    def test_state_in_all_its_spellings(self, text: str) -> None:
        """A-27."""
        assert where(text) == State("BOOKED")

    def test_and_binds_tighter_than_or(self) -> None:
        """A-29."""
        a, b, c = (Compare(Column("UID"), "=", Literal(x)) for x in "abc")
        assert where("UID = 'a' OR UID = 'b' AND UID = 'c'") == Or((a, And((b, c))))
        assert where("(UID = 'a' OR UID = 'b') AND UID = 'c'") == And((Or((a, b)), c))

    def test_owner_tests(self) -> None:
        assert where("CAL-OWNERS()") == OwnerTest()
        assert where("NOT CAL-OWNERS()") == OwnerTest(negated=True)
        assert where("NON CAL-OWNERS()") == OwnerTest(negated=True)
        assert where("CAL-OWNERS(cap://cal.example.com/joe)") == OwnerTest("cap://cal.example.com/joe")

    def test_selected_things(self) -> None:
        query = parse("SELECT *,VALARM,VALARM.*,VALARM.TRIGGER,PARAM(ATTENDEE,ROLE),CAL-OWNERS() FROM VEVENT")
        assert query.select == (
            AllProperties(),
            Contained("VALARM"),
            Contained("VALARM", bare=True),
            Column("TRIGGER", "VALARM"),
            Column("ATTENDEE", None, "ROLE"),
            OwnersColumn(),
        )
        assert parse("SELECT *.* FROM VAGENDA").select == (Everything(),)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "SELECT",
            "SELECT FROM VEVENT",
            "SELECT * VEVENT",
            "SELECT * FROM",
            "SELECT * FROM NOSUCH",
            "SELECT * FROM VEVENT,VTODO",
            "SELECT * FROM VEVENT WHERE",
            "SELECT *.* FROM VEVENT",
            "SELECT SELF() FROM VEVENT",
            "SELECT UID, FROM VEVENT",
            "SELECT VTODO.UID FROM VEVENT",
            "SELECT * FROM VEVENT WHERE UID",
            "SELECT * FROM VEVENT WHERE UID =",
            "SELECT * FROM VEVENT WHERE UID = abc",
            "SELECT * FROM VEVENT WHERE UID == 'abc'",
            "SELECT * FROM VEVENT WHERE UID = 'abc",
            "SELECT * FROM VEVENT WHERE 'abc' = UID",
            "SELECT * FROM VEVENT WHERE UID IS",
            "SELECT * FROM VEVENT WHERE UID NOT 'x'",
            "SELECT * FROM VEVENT WHERE UID IN 'x'",
            "SELECT * FROM VEVENT WHERE (UID = 'x'",
            "SELECT * FROM VEVENT WHERE UID = 'x')",
            "SELECT * FROM VEVENT WHERE UID = 'x' AND",
            "SELECT * FROM VEVENT WHERE UID = 'x' UID = 'y'",
            "SELECT * FROM VEVENT WHERE NOT UID = 'x'",
            "SELECT * FROM VEVENT WHERE PARAM(ATTENDEE) = 'x'",
            "SELECT * FROM VEVENT WHERE STATE() != 'BOOKED'",
            "SELECT * FROM VEVENT WHERE STATE() = 'ASLEEP'",
            "SELECT * FROM VEVENT WHERE UID = STATE()",
            "SELECT * FROM VEVENT WHERE VALARM = 'x'",
            "SELECT * FROM VEVENT WHERE SELF(x) IN ATTENDEE",
        ],
    )
    def test_what_is_no_query(self, text: str) -> None:
        error = refused(text)
        assert error.reason
        assert 1 <= error.column <= len(text) + 1


class TestValues:
    @pytest.mark.parametrize(
        ("written", "value"),
        [
            (r"It\'s time to ski", "It's time to ski"),
            (r"a\,b\;c\\d\ne", "a,b;c\\d\ne"),
            ("100%", "100%"),
            (r"100\%", "100%"),
            ('say "hi"', 'say "hi"'),
        ],
    )
    def test_escapes_of_a_literal(self, written: str, value: str) -> None:
        """QRY-15."""
        assert where(f"SUMMARY = '{written}'") == Compare(Column("SUMMARY"), "=", Literal(value))

    def test_escapes_of_a_pattern_that_stay(self) -> None:
        """QRY-15, QRY-20: wildcards keep their backslash, everything else loses it."""
        assert where(r"SUMMARY LIKE '%\%\_\\\,\'_'") == Like(Column("SUMMARY"), Literal(r"%\%\_\\,'_"))

    @pytest.mark.parametrize(
        "text",
        [
            "DTSTART > '20020201T000000'",
            "DTSTART > 'yesterday'",
            "DTSTART > '20020230T000000Z'",
            "VALARM.TRIGGER < '20020201T000000'",
            "PRIORITY = 'high'",
            "DURATION > 'soon'",
            "'20020201T000000' IN EXDATE",
        ],
    )
    def test_a_literal_must_fit_its_column(self, text: str) -> None:
        """QRY-24 and literal-data in §6.1.1."""
        error = refused(f"SELECT * FROM VEVENT WHERE {text}")
        assert error.text[error.column - 1] == "'"

    @pytest.mark.parametrize(
        "text",
        [
            "DTSTART > '20020201T000000Z'",
            "DTSTART = '20020201'",
            "PRIORITY = '5'",
            "PRIORITY = ''",
            "DURATION < 'PT1H'",
        ],
    )
    def test_a_literal_that_fits(self, text: str) -> None:
        assert isinstance(where(text), Compare)

    def test_like_on_a_date_takes_any_pattern(self) -> None:
        """QRY-18."""
        assert isinstance(where("DTSTART LIKE '____01__T%'"), Like)


class TestLiberality:
    """What the RFC's examples show is read; `strict` keeps to its grammar."""

    @pytest.mark.parametrize(
        "text",
        [
            'SELECT * FROM VEVENT WHERE UID = "123"',
            "select * from VEVENT where UID = '123'",
            "SELECT * FROM VEVENT WHERE alarm.TRIGGER < '20020201T000000Z'",
            "SELECT VTODO FROM VAGEND WHERE METHOD = 'REQUEST'",
            "SELECT * FROM VEVENT WHERE NON CAL-OWNERS()",
            "SELECT UID, SUMMARY FROM VEVENT",
            "SELECT VEVENT.UID FROM VEVENT",
            r"SELECT * FROM VEVENT WHERE UID = 'C:\temp'",
        ],
    )
    def test_liberal_by_default_strict_on_request(self, text: str) -> None:
        """A-24, A-26, A-28, A-29, A-31."""
        assert parse(text).source
        assert refused(text, strict=True).column > 0

    def test_query_on_a_calendars_contents(self) -> None:
        """A-23: FROM VAGENDA with one contained type becomes FROM that type."""
        query = parse("SELECT VEVENT FROM VAGENDA WHERE UID = 'abcd12345' AND VALARM.ACTION = 'AUDIO'")
        assert query == parse("SELECT * FROM VEVENT WHERE UID = 'abcd12345' AND VALARM.ACTION = 'AUDIO'")

    def test_a_calendars_own_property_stays_the_calendars(self) -> None:
        """A-23: an unqualified column resolves first in FROM's component."""
        query = parse("SELECT VEVENT FROM VAGENDA WHERE CALID = 'Nellis'")
        assert query.source == "VEVENT"
        assert query.where == Compare(Column("CALID", "VAGENDA"), "=", Literal("Nellis"))

    def test_folds_that_swallowed_the_blank_between_words(self) -> None:
        """A-30: the example of §10.12, folded as printed."""
        text = (
            "BEGIN:VQUERY\r\nQUERY:SELECT DTSTART,DTEND,SUMMARY,UID\r\n FROM VEVENT\r\n"
            " WHERE DTEND >= '19990310T080000Z'\r\n AND STATE() = 'BOOKED'\r\nEND:VQUERY\r\n"
        )
        line = parse_ical(text).first("QUERY")
        assert line is not None
        assert [column.name for column in parse_line(line).select] == ["DTSTART", "DTEND", "SUMMARY", "UID"]  # type: ignore[union-attr]
        with pytest.raises(QueryError):
            parse_line(line, strict=True)

    def test_a_fold_inside_a_literal_is_no_blank(self) -> None:
        line = parse_ical(
            "BEGIN:VQUERY\r\nQUERY:SELECT * FROM VEVENT WHERE UID = 'ab\r\n cd'\r\nEND:VQUERY\r\n"
        ).first("QUERY")
        assert line is not None
        assert parse_line(line).where == Compare(Column("UID"), "=", Literal("abcd"))


class TestLimits:
    """QRY-34: what is too complex is refused before it costs anything."""

    def test_ten_thousand_terms(self) -> None:
        with pytest.raises(TooComplexError):
            where(" OR ".join(["UID='a'"] * 10_000))
        with pytest.raises(TooComplexError):
            where(" AND ".join(["UID='a'"] * 1_001))
        assert isinstance(where(" OR ".join(["UID='a'"] * 1_000)), Or)

    def test_parentheses(self) -> None:
        assert where("(" * MAX_DEPTH + "UID='a'" + ")" * MAX_DEPTH) == Compare(
            Column("UID"), "=", Literal("a")
        )
        with pytest.raises(TooComplexError):
            where("(" * 50 + "UID='a'" + ")" * 50)
        with pytest.raises(TooComplexError):
            where("(" * 60_000)

    def test_long_literals_and_lists(self) -> None:
        with pytest.raises(TooComplexError):
            where(f"SUMMARY LIKE '{'%' * 10_000}'")
        with pytest.raises(TooComplexError):
            parse(f"SELECT {','.join(['UID'] * 1_000)} FROM VEVENT")

    def test_a_callers_own_limit(self) -> None:
        with pytest.raises(TooComplexError):
            parse("SELECT * FROM VEVENT WHERE UID='a' OR UID='b'", max_terms=1)


class TestErrorsPoint:
    def test_caret_stands_under_the_mistake(self) -> None:
        error = refused("SELECT VEVENT.VALARM.TRIGGER FROM VEVENT")
        first, second = error.caret().splitlines()
        assert first[second.index("^")] == "."
        assert "one dot" in second

    @pytest.mark.parametrize(
        ("text", "column"),
        [
            ("SELECT SUMMARY FRUM VEVENT", 16),
            ("SELECT * FRUM VEVENT WHERE UID = 'a'", 10),
            ("SELECT UID,SUMMARY VEVENT", 20),
            ("SELECT PARAM(ATTENDEE,ROLE) FORM VEVENT", 29),
            ("SELECT UID PARAM(ATTENDEE,ROLE) FROM VEVENT", 12),
            ("SELECT UID", 11),
            ("SELECT UID WHERE UID = 'a'", 12),
        ],
    )
    def test_a_misspelt_from_is_where_the_mistake_is(self, text: str, column: int) -> None:
        error = refused(text)
        assert (error.column, "FROM" in str(error)) == (column, True)

    def test_a_long_query_is_cropped_around_the_mistake(self) -> None:
        error = refused(
            "SELECT * FROM VEVENT WHERE " + "UID = 'a' OR " * 50 + "UID ~ 'b' " + "OR UID = 'c' " * 50
        )
        first, second = error.caret().splitlines()
        assert first[second.index("^")] == "~"
        assert first.startswith("…")
        assert first.endswith("…")

    def test_nothing_reaches_a_terminal_raw(self) -> None:
        error = refused("SELECT * FROM VEVENT WHERE \x1b[31m\u202eUID")
        assert "\x1b" not in error.caret()
        assert "\u202e" not in error.caret()
        assert "\x1b" not in str(error)
