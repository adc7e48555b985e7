"""Random filters over whole objects, and objects that they like to meet."""

from __future__ import annotations

import random

from hypothesis import strategies as st

from kalends.calquery.tree import And, Carries, Condition, Contains, During, HasParam, Inside, Occurs
from kalends.ical.tree import Component
from kalends.ical.values import escape_text

DAY0 = 946_684_800 + 2 * 86_400  # 2000-01-03T00:00:00Z, where at 0 lies
HOUR = 3_600
HOURS = (-48, -24, -13, -12, -1, 0, 1, 9, 10, 11, 12, 13, 24, 25, 36, 48, 240, 24 * 80, 24 * 200)
TEXTS = (
    "x",
    "X",
    "Straße",
    "STRASSE",
    "naïve",
    "NAÏVE",
    "K",
    "\u212a",
    "a,b",
    "100%",
    "a_b",
    "ǆ",
    "Ǆ",
    "e",
    "é",
)
NEEDLES = ("", "x", "X", "stra", "ß", "ï", "Ï", "i", "k", "K", "a", "%", "_", "ǅ", "E", "a,b", "ss")
COLLATIONS = ("i;ascii-casemap", "i;octet", "i;unicode-casemap")
TYPES = ("contains", "contains", "equals", "starts-with", "ends-with")
NAMES = ("SUMMARY", "CATEGORIES", "ATTENDEE", "X-FOO", "UID", "STATUS")
DATED = ("DTSTART", "DTEND", "DUE", "DTSTAMP", "CREATED", "COMPLETED")
PARAMS = ("PARTSTAT", "ROLE", "CN", "X-P", "TZID")
KINDS = ("VEVENT", "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY")


def ranges() -> st.SearchStrategy[tuple[int | None, int | None]]:
    bound = st.sampled_from(HOURS).map(lambda hours: DAY0 + hours * HOUR)
    both = st.tuples(bound, bound).filter(lambda pair: pair[0] < pair[1])
    return st.one_of(both, both, both, st.tuples(st.none(), bound), st.tuples(bound, st.none()))


def contains(param: str | None = None) -> st.SearchStrategy[Contains]:
    return st.builds(
        Contains,
        st.sampled_from(NEEDLES),
        st.sampled_from(COLLATIONS),
        st.booleans(),
        st.just(param),
        st.sampled_from(TYPES),
    )


def parameters() -> st.SearchStrategy[Contains | HasParam]:
    named = st.sampled_from(PARAMS)
    return st.one_of(named.flatmap(contains), st.builds(HasParam, named, st.booleans()))


def properties() -> st.SearchStrategy[Carries]:
    more = st.lists(parameters(), max_size=2)
    texts = st.builds(
        lambda name, first, rest: Carries(name, (*first, *rest)),
        st.sampled_from(NAMES),
        st.lists(contains(), max_size=1),
        more,
    )
    times = st.builds(
        lambda name, when, rest: Carries(name, (During(*when), *rest)), st.sampled_from(DATED), ranges(), more
    )
    absent = st.builds(Carries, st.sampled_from((*NAMES, *DATED)), st.just(()), st.just(True))
    return st.one_of(texts, times, absent)


def inside(kind: str, depth: int = 1) -> st.SearchStrategy[Inside]:
    terms = [properties(), ranges().map(lambda when: Occurs(*when)), ranges().map(lambda when: Occurs(*when))]
    if depth and kind in ("VEVENT", "VTODO"):
        terms.append(inside("VALARM", depth - 1))
    several = st.lists(st.one_of(terms), max_size=3).map(lambda found: And(tuple(found)) if found else None)
    return st.one_of(
        st.builds(Inside, st.just(kind), several),
        st.builds(Inside, st.just(kind), several),
        st.builds(Inside, st.just(kind), st.none(), st.just(True)),
    )


def filters() -> st.SearchStrategy[Condition]:
    one = st.sampled_from(KINDS).flatmap(inside)
    return st.lists(one, min_size=1, max_size=2).map(lambda found: And(tuple(found)))


# --- objects ---


def crowd(seed: int, size: int) -> list[Component]:
    pick = random.Random(seed)
    return [whole(pick, number) for number in range(size)]


def whole(pick: random.Random, number: int) -> Component:
    kind = pick.choice(KINDS)
    made = Component("VCALENDAR")
    made.add("VERSION", "2.0")
    master = _component(pick, kind, number)
    made.items.append(master)
    if kind != "VFREEBUSY" and master.first("DTSTART") is not None and pick.random() < 0.5:
        _recur(pick, made, master, number)
    return made


def _recur(pick: random.Random, made: Component, master: Component, number: int) -> None:
    rule = pick.choice(("DAILY", "WEEKLY", "DAILY;INTERVAL=3"))
    end = pick.choice((";COUNT=3", ";COUNT=1", ";COUNT=90", ""))
    master.add("RRULE", f"FREQ={rule}{end}")
    if pick.random() < 0.4:
        override = _component(pick, master.name, number)
        line, own, uid = master.first("DTSTART"), override.first("UID"), master.first("UID")
        assert line is not None
        assert own is not None
        assert uid is not None
        override.replace(own, uid)
        if override.first("DTSTART") is None:
            override.items.insert(2, line)
        override.add("RECURRENCE-ID", line.value, *line.params)
        made.items.append(override)


def _time(pick: random.Random, name: str, component: Component) -> None:
    at = pick.choice((-30, -12, 0, 9, 10, 12, 13, 24, 36))
    day, hour = 3 + at // 24, at % 24
    form = pick.choice(("utc", "utc", "floating", "zoned", "date"))
    if form == "date":
        component.add(name, f"200001{day:02}", ("VALUE", ("DATE",)))
    elif form == "zoned":
        component.add(name, f"200001{day:02}T{hour:02}0000", ("TZID", ("America/New_York",)))
    else:
        component.add(name, f"200001{day:02}T{hour:02}0000{'Z' if form == 'utc' else ''}")


def _component(pick: random.Random, kind: str, number: int) -> Component:
    one = Component(kind)
    one.add("UID", f"{pick.choice('xXk')}{number}")
    one.add("DTSTAMP", pick.choice(("20000101T000000Z", "20000101T120000Z")))
    if kind == "VFREEBUSY":
        return _free_busy(pick, one)
    if pick.random() < (0.95 if kind == "VEVENT" else 0.6):
        _time(pick, "DTSTART", one)
    ending = pick.choice(("", "DURATION", "DTEND", "DUE"))
    if ending == "DURATION" and one.first("DTSTART") is not None:
        one.add("DURATION", pick.choice(("PT1H", "P1D", "PT0S", "PT25H")))
    elif ending and ending == {"VEVENT": "DTEND", "VTODO": "DUE"}.get(kind):
        _time(pick, ending, one)
    if kind == "VTODO":
        for name in ("COMPLETED", "CREATED"):
            if pick.random() < 0.4:
                one.add(name, pick.choice(("20000101T110000Z", "20000102T000000Z", "19991231T120000Z")))
    if pick.random() < 0.5:
        one.add("SUMMARY", escape_text(pick.choice(TEXTS)))
    if pick.random() < 0.4:
        one.add("CATEGORIES", ",".join(escape_text(pick.choice(TEXTS)) for _ in range(pick.randint(1, 3))))
    for _ in range(pick.choice((0, 0, 1, 2))):
        given = [
            (name, (pick.choice(("ACCEPTED", "x", "Straße")),)) for name in PARAMS[:3] if pick.random() < 0.4
        ]
        one.add("ATTENDEE", pick.choice(("mailto:x@example.com", "mailto:K@example.com")), *given)
    if kind in ("VEVENT", "VTODO") and pick.random() < 0.4:
        one.items.append(_alarm(pick))
    return one


def _free_busy(pick: random.Random, one: Component) -> Component:
    if pick.random() < 0.5:
        one.add("DTSTART", "20000101T090000Z")
        one.add("DTEND", "20000101T120000Z")
    for _ in range(pick.choice((0, 1, 2))):
        one.add("FREEBUSY", pick.choice(("20000101T100000Z/PT1H", "20000102T120000Z/20000102T130000Z")))
    return one


def _alarm(pick: random.Random) -> Component:
    alarm = Component("VALARM")
    alarm.add("ACTION", "DISPLAY")
    alarm.add("TRIGGER", pick.choice(("-PT1H", "PT0S", "P1D", "20000101T120000Z", "-P2D")))
    if pick.random() < 0.3:
        alarm.add("REPEAT", "2")
        alarm.add("DURATION", "PT12H")
    if pick.random() < 0.3:
        alarm.add("X-FOO", pick.choice(TEXTS))
    return alarm
