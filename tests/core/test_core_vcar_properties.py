"""What must hold for any VCARs and any component (RFC 4324 §4.2)."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from judging import selects

from kalends.calquery.bind import Bindings, bind
from kalends.calquery.match import Subject
from kalends.calquery.parse import parse as parse_query
from kalends.calquery.plan import plan
from kalends.core.access.circumstances import Context, Standing
from kalends.core.access.scopes import prepare
from kalends.core.access.vcar import Judge
from kalends.core.access.vrights import Rule, rules_of
from kalends.core.model import Identity
from kalends.ical.tree import Component

ME = "bob@example.com"
AGENDA = Component("VAGENDA")
AGENDA.add("NAME", "Work")
PERMISSIONS = ("SEARCH", "CREATE", "DELETE", "MODIFY", "MOVE")
STANDINGS = (Standing(), Standing("UNPROCESSED", "REQUEST"), Standing("DELETED"))

filters = st.sampled_from(("*", "@", "*@*", "*@example.com", ME, "eve@example.com", "NOT CAL-OWNERS()"))
selected = st.sampled_from(
    ("*", "SUMMARY", "UID,DTSTART,DTEND", "ATTENDEE", "PARAM(ATTENDEE,CN)", "VALARM", "VALARM.TRIGGER")
)
conditions = st.sampled_from(
    (
        "CLASS = 'PRIVATE'", "CLASS != 'PRIVATE'", "ATTENDEE = SELF()", "STATE() = 'BOOKED'",
        "SUMMARY IS NULL", "SUMMARY LIKE 'a%'", "SUMMARY NOT LIKE 'a%'", "VALARM.TRIGGER IS NOT NULL",
        "DTEND > '20260101T120000Z'", "DURATION IS NULL", "PARAM(ATTENDEE,CN) = 'a'",
    )
)  # fmt: skip
events = st.builds(
    lambda what, where: f"SELECT {what} FROM VEVENT" + (f" WHERE {where}" if where else ""),
    selected,
    st.none() | conditions,
)
others = st.sampled_from(
    (
        "SELECT * FROM VAGENDA", "SELECT NAME FROM VAGENDA", "SELECT * FROM VALARM", "SELECT * FROM VCALENDAR",
        "SELECT ACTION FROM VALARM", "SELECT * FROM VCAR", "SELECT * FROM VAGENDA WHERE STATE() = 'BOOKED'",
    )
)  # fmt: skip
scopes = st.lists(events | others, max_size=2)


def rights(label: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[Rule, ...]]:
    return st.builds(
        _right,
        label,
        filters,
        st.sampled_from(("*", *PERMISSIONS)),
        scopes,
        st.lists(events, max_size=1),
    )


def _right(label: str, who: str, permission: str, queries: list[str], results: list[str]) -> tuple[Rule, ...]:
    vright = Component("VRIGHT")
    vright.add(label, who)
    vright.add("PERMISSION", permission)
    for query in queries:
        vright.add("SCOPE", query)
    for query in results:
        vright.add("RESTRICTION", query)
    vcar = Component("VCAR", [vright])
    vcar.add("CARID", "x")
    return rules_of(vcar)


words = st.sampled_from(("a", "ab", "b"))
lines = st.one_of(
    st.tuples(st.just("SUMMARY"), words, st.just(())),
    st.tuples(st.just("CLASS"), st.sampled_from(("PUBLIC", "PRIVATE")), st.just(())),
    st.tuples(st.just("DTSTART"), st.just("20260101T100000Z"), st.just(())),
    st.tuples(st.just("DTEND"), st.sampled_from(("20260101T110000Z", "20260101T130000Z")), st.just(())),
    st.tuples(
        st.just("ATTENDEE"),
        st.sampled_from(("mailto:bob@example.com", "mailto:eve@example.com")),
        st.sampled_from(((), (("CN", ("a",)),), (("CN", ("b",)), ("PARTSTAT", ("ACCEPTED",))))),
    ),
)


def _alarm(trigger: str) -> Component:
    made = Component("VALARM")
    made.add("ACTION", "AUDIO")
    made.add("TRIGGER", trigger)
    return made


def _event(
    found: list[tuple[str, str, tuple[tuple[str, tuple[str, ...]], ...]]], alarms: list[str]
) -> Component:
    made = Component("VEVENT")
    made.add("UID", "1")
    for name, value, params in found:
        made.add(name, value, *params)
    made.items += [_alarm(trigger) for trigger in alarms]
    return made


components = st.builds(
    _event, st.lists(lines, max_size=6), st.lists(st.sampled_from(("-PT5M", "PT0S")), max_size=2)
)
some_rules = st.lists(rights(st.sampled_from(("GRANT", "GRANT", "DENY"))), max_size=5).map(
    lambda found: [rule for one in found for rule in one]
)


def judge(rules: list[Rule]) -> Judge:
    bindings = Bindings(ME, (f"mailto:{ME}",))
    return Judge(rules, Identity(ME), Context(False, bindings, AGENDA))


def is_part(seen: Component | None, whole: Component) -> bool:
    """Whether a component holds nothing that another does not hold, too."""
    if seen is None:
        return True
    left = list(whole.lines)
    for line in seen.lines:
        source = next((one for one in left if _is_part_of_line(line, one)), None)
        if source is None:
            return False
        left.remove(source)
    children = list(whole.components)
    for child in seen.components:
        source_child = next((one for one in children if one.name == child.name and is_part(child, one)), None)
        if source_child is None:
            return False
        children.remove(source_child)
    return True


def _is_part_of_line(line: object, other: object) -> bool:
    return (
        line.name == other.name  # type: ignore[attr-defined]
        and line.value == other.value  # type: ignore[attr-defined]
        and set(line.params) <= set(other.params)  # type: ignore[attr-defined]
    )


def text(seen: Component | None) -> str:
    return "" if seen is None else seen.to_ics()


def answers(one: Judge, old: Component, new: Component) -> list[bool]:
    found = [one.may(name) for name in PERMISSIONS]
    found += [one.may(name, old, state) for name in PERMISSIONS for state in STANDINGS]
    return found + [one.may_modify(old, new, state) for state in STANDINGS]


@given(some_rules, components, components, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_the_order_of_creation_does_not_matter(rules, old, new, random) -> None:  # type: ignore[no-untyped-def]
    """RFC 4324 §4.2: no sequence is prescribed."""
    shuffled = list(rules)
    random.shuffle(shuffled)
    first, second = judge(rules), judge(shuffled)
    assert answers(first, old, new) == answers(second, old, new)
    for state in STANDINGS:
        assert text(first.visible(old, state)) == text(second.visible(old, state))


@given(some_rules, rights(st.just("DENY")), components, components)
@settings(max_examples=150, deadline=None)
def test_a_denial_never_widens(rules, denial, old, new) -> None:  # type: ignore[no-untyped-def]
    """ACL-02: with one more DENY, nothing more is allowed and nothing more is seen."""
    before, after = judge(rules), judge([*rules, *denial])
    for was, is_now in zip(answers(before, old, new), answers(after, old, new), strict=True):
        assert was or not is_now
    for state in STANDINGS:
        seen = before.visible(old, state)
        assert is_part(after.visible(old, state), seen or Component("VEVENT"))


@given(some_rules, components)
@settings(max_examples=150, deadline=None)
def test_what_is_seen_is_a_part_of_what_is_there(rules, component) -> None:  # type: ignore[no-untyped-def]
    """ACL-14: nothing is invented, and untouched lines keep their text."""
    before = component.to_ics()
    for state in STANDINGS:
        seen = judge(rules).visible(component, state)
        assert is_part(seen, component)
        if seen is not None:
            bare = Counter(line.raw for line in component.lines if not line.params)
            cut = {(line.name, line.value) for line in component.lines if line.params}
            kept = (line for line in seen.lines if not line.params and (line.name, line.value) not in cut)
            assert not Counter(line.raw for line in kept) - bare
    assert component.to_ics() == before


unconditional = st.lists(
    st.builds(
        lambda what: _right("GRANT", "*", "SEARCH", [f"SELECT {what} FROM VEVENT"], []),
        selected.filter(lambda what: what != "*"),
    ),
    max_size=3,
).map(lambda found: [rule for one in found for rule in one])


@given(unconditional, components, components, conditions)
@settings(max_examples=200, deadline=None)
def test_conditions_tell_nothing_of_what_is_hidden(rules, one, two, where) -> None:  # type: ignore[no-untyped-def]
    """No leak through WHERE: what looks the same is selected by the same conditions."""
    seer = judge(rules)
    query = bind(parse_query(f"SELECT * FROM VEVENT WHERE {where}"), Bindings(ME, (f"mailto:{ME}",)))
    if text(seer.visible(one)) == text(seer.visible(two)):
        prepared = plan(query.where)
        assert text(selects(seer, prepared, one)) == text(selects(seer, prepared, two))


@given(unconditional, components, st.data(), conditions)
@settings(max_examples=150, deadline=None)
def test_taking_out_what_is_hidden_changes_no_answer(rules, whole, data, where) -> None:  # type: ignore[no-untyped-def]
    """The same, with components that surely look alike."""
    seer = judge(rules)
    seen = seer.visible(whole)
    twin = Component("VEVENT", list(whole.items))
    shown = {id(item) for item in seen.items} if seen is not None else set()
    for item in whole.items:
        alike = id(item) in shown or item.name in ("ATTENDEE", "VALARM")
        if not alike and data.draw(st.booleans()):
            twin.remove(item)
    prepared = plan(
        bind(parse_query(f"SELECT * FROM VEVENT WHERE {where}"), Bindings(ME, (f"mailto:{ME}",))).where
    )
    assert text(seer.visible(twin)) == text(seen)
    assert text(selects(seer, prepared, twin)) == text(selects(seer, prepared, whole))


@given(components, conditions, st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_scope_looks_only_at_what_its_condition_names(component, where, grant) -> None:  # type: ignore[no-untyped-def]
    """Reading less of a component never changes whether a SCOPE holds."""
    bindings = Bindings(ME, (f"mailto:{ME}",))
    query = parse_query(f"SELECT * FROM VEVENT WHERE {where}")
    prepared = plan(bind(query, bindings).where)
    for state in ("BOOKED", "UNPROCESSED"):
        subject = Subject(component, state=state)
        scope = prepare(query, bindings, grant=grant)
        counted = state if grant or scope.says_state else "BOOKED"
        assert scope.holds(component, subject) is Subject(component, state=counted).satisfies(prepared)


@given(some_rules, st.lists(st.tuples(components, st.sampled_from(STANDINGS)), min_size=2, max_size=6))
@settings(max_examples=150, deadline=None)
def test_what_was_judged_before_changes_no_judgement(rules, asked) -> None:  # type: ignore[no-untyped-def]
    """One who has judged other components judges like one who has not, whatever he remembers of them."""
    old_hand = judge(rules)
    for one, standing in asked:
        fresh = judge(rules)
        for also in ((), ("MODIFY",)):
            remembered: dict[int, Component] = {}
            anew: dict[int, Component] = {}
            seen = old_hand.visible(one, standing, also=also, trace=remembered)
            assert text(seen) == text(fresh.visible(one, standing, also=also, trace=anew))
            assert {key: text(part) for key, part in remembered.items()} == {
                key: text(part) for key, part in anew.items()
            }
        assert [old_hand.may(name, one, standing) for name in PERMISSIONS] == [
            fresh.may(name, one, standing) for name in PERMISSIONS
        ]
