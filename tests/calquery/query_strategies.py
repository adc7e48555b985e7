"""Random query trees and components that like to meet: few names, few values."""

from __future__ import annotations

from hypothesis import strategies as st

from kalends.calquery.tree import (
    AllProperties,
    And,
    Column,
    Compare,
    Condition,
    Contained,
    CurrentTarget,
    In,
    Like,
    Literal,
    Null,
    Or,
    Owners,
    OwnersColumn,
    OwnerTest,
    Query,
    SelfUpn,
    State,
)

OPERATORS = ("=", "!=", "<", ">", "<=", ">=")
TEXTS = (
    "",
    "x",
    "X",
    "BUSINESS",
    "business",
    "a,b",
    "100%",
    "It's",
    "naïve",
    "NAÏVE",
    "a\\b",
    "日本",
    "a_b",
    "ß",
)
PATTERNS = (
    "%",
    "",
    "x",
    "%a%",
    "b%",
    "____",
    "%\\%%",
    "_",
    "%\\_%",
    "na_ve",
    "%ss",
    "日_",
    "\\\\%",
    "a\\\\b",
    "2000%",
    "%t000000",
    "20000101t120000",
)
DATES = (
    "20000101",
    "20000102",
    "20000101T000000Z",
    "20000101T120000Z",
    "20000102T000000Z",
    "19991231T235959Z",
)
DURATIONS = ("PT1H", "P1D", "PT0S", "-PT15M", "PT24H", "PT12H")
TEXT_NAMES = ("SUMMARY", "CATEGORIES", "CLASS", "ATTENDEE", "UID", "X-FOO", "COMMENT")
DATE_NAMES = ("DTSTART", "DTEND", "DTSTAMP", "RECURRENCE-ID")
PARAMS = (
    ("ATTENDEE", "PARTSTAT"),
    ("ATTENDEE", "ROLE"),
    ("ATTENDEE", "CN"),
    ("X-FOO", "X-P"),
    ("DTSTART", "TZID"),
)


def text_columns(component: str | None) -> st.SearchStrategy[Column]:
    names = ("ACTION", "DESCRIPTION", "X-FOO") if component else TEXT_NAMES
    plain = st.sampled_from(names).map(lambda name: Column(name, component))
    if component:
        return plain
    return st.one_of(plain, st.sampled_from(PARAMS).map(lambda pair: Column(pair[0], None, pair[1])))


def typed_compares(component: str | None) -> st.SearchStrategy[Condition]:
    operators = st.sampled_from(OPERATORS)
    if component:
        trigger = st.just(Column("TRIGGER", component))
        values = st.sampled_from(DATES + DURATIONS).map(Literal)
        numbers = st.builds(
            Compare, st.just(Column("REPEAT", component)), operators, st.sampled_from("0123").map(Literal)
        )
        return st.one_of(st.builds(Compare, trigger, operators, values), numbers)
    dates = st.builds(
        Compare,
        st.sampled_from(DATE_NAMES).map(Column),
        operators,
        st.sampled_from((*DATES, "")).map(Literal),
    )
    durations = st.builds(
        Compare, st.just(Column("DURATION")), operators, st.sampled_from(DURATIONS).map(Literal)
    )
    numbers = st.builds(
        Compare,
        st.sampled_from(("PRIORITY", "SEQUENCE")).map(Column),
        operators,
        st.sampled_from(("0", "1", "5", "-1", "")).map(Literal),
    )
    return st.one_of(dates, durations, numbers)


def terms(component: str | None, functions: bool) -> st.SearchStrategy[Condition]:
    texts = st.sampled_from(TEXTS).map(Literal)
    if functions:
        texts = st.one_of(texts, st.sampled_from((SelfUpn(), CurrentTarget(), Owners(), Owners("c"))))
    columns = text_columns(component)
    every = st.sampled_from((*TEXT_NAMES, *DATE_NAMES, "DURATION", "DUE")).map(
        lambda name: Column(name, component)
    )
    flags = st.booleans()
    options = [
        st.builds(Compare, columns, st.sampled_from(OPERATORS), texts),
        st.builds(In, texts, columns, flags),
        st.builds(Like, st.one_of(columns, every), st.sampled_from(PATTERNS).map(Literal), flags),
        st.builds(Null, st.one_of(columns, every), flags),
        typed_compares(component),
        typed_compares(component),
    ]
    if component:
        options.append(st.builds(Null, st.just(Column("", component)), flags))
    else:
        options.append(st.sampled_from(("BOOKED", "UNPROCESSED", "DELETED")).map(State))
    if functions:
        options.append(st.builds(OwnerTest, st.sampled_from((None, "c")), flags))
    return st.one_of(options)


def conditions(functions: bool = False) -> st.SearchStrategy[Condition]:
    leaves = st.one_of(terms(None, functions), terms("VALARM", functions))

    def grow(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
        several = st.lists(inner, min_size=2, max_size=4).map(tuple)
        return st.one_of(st.builds(And, several), st.builds(Or, several))

    return st.recursive(leaves, grow, max_leaves=6)


SELECTED = st.one_of(
    st.sampled_from(TEXT_NAMES).map(Column),
    st.sampled_from(
        (
            AllProperties(),
            Contained("VALARM"),
            Contained("VALARM", bare=True),
            OwnersColumn(),
            OwnersColumn("c"),
        )
    ),
    st.just(Column("TRIGGER", "VALARM")),
    st.just(Column("ATTENDEE", None, "ROLE")),
)


def queries(functions: bool = False) -> st.SearchStrategy[Query]:
    return st.builds(
        Query,
        st.lists(SELECTED, min_size=1, max_size=4).map(tuple),
        st.just("VEVENT"),
        st.one_of(st.none(), conditions(functions)),
    )
