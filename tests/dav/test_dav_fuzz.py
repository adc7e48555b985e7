"""Any sequence of valid and broken requests is answered, breaks nothing, and leaves the store free of contradictions."""

from __future__ import annotations

import os

import pytest
from core_world import event
from dav_harness import Answer, Client, DavWorld, ics
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from kalends.core.conflicts import conflict
from kalends.dav.methods import METHODS
from kalends.store.base import Store
from kalends.store.maintenance import check

EXAMPLES = max(40, int(os.environ.get("KALENDS_FUZZ", "0")))
FRESH = "KALENDS_FUZZ" in os.environ
HOME = "/dav/calendars/bill/"
NAMES = ("a.ics", "b.ics", "%C3%A4.ics", "a%CC%88.ics", "x%20y", "no-suffix", "a" * 990)
PATHS = (
    *(f"{HOME}calendar/{name}" for name in NAMES), *(f"{HOME}tasks/{name}" for name in NAMES[:2]),
    *(f"{HOME}fresh/{name}" for name in NAMES[:2]),
    f"{HOME}calendar/", f"{HOME}tasks/", f"{HOME}fresh/", f"{HOME}inbox/", f"{HOME}outbox/", HOME,
    "/dav/calendars/mary/calendar/", "/dav/calendars/mary/", "/dav/calendars/", "/dav/principals/bill/",
    "/dav/principals/", "/dav/", "/",
)  # fmt: skip
BAD_PATHS = (
    "", "*", "//", "/dav", "/dav/calendars/nobody/", f"{HOME}calendar/../tasks/", f"{HOME}%2e%2e/mary/",
    f"{HOME}calendar/a%2Fb.ics", f"{HOME}calendar/a%00.ics", f"{HOME}calendar/%FF.ics", f"{HOME}calendar/%zz",
    f"{HOME}calendar/%ED%A0%80", f"{HOME}calendar//a.ics", f"{HOME}calendar/a.ics/", f"{HOME}inbox/a.ics",
    f"{HOME}outbox/a.ics", f"{HOME}calendar/{'ä' * 501}.ics", "/" + "a/" * 9000, "/elsewhere/x", HOME[:-1],
    f"{HOME}calendar/%EF%BF%BE", f"{HOME}calendar/%0D%0AX:y", f"{HOME}%20/", "/dav/principals/%00/",
)  # fmt: skip
ETAGS = ("*", '"x"', 'W/"x"', "x", '"', "", '"a", "b"', "\x00", "ä")
HEADERS = {
    "depth": ("0", "1", "infinity", "INFINITY", "2", "-1", "9" * 400, "", "0, 1"),
    "if_match": ETAGS, "if_none_match": ETAGS, "if_schedule_tag_match": ETAGS,
    "if": ("(<DAV:no-lock>)", '(["x"])', "(Not <DAV:no-lock>)", f"<{HOME}calendar/a.ics> ([\"x\"])", "(", "()", "<x", ""),
    "if_unmodified_since": ("Thu, 01 Jan 2026 00:00:00 GMT", "yesterday", "Thu, 01 Jan 99999 00:00:00 GMT"),
    "if_modified_since": ("Thu, 01 Jan 2026 00:00:00 GMT", "", "31 Feb"),
    "overwrite": ("T", "F", "maybe"), "prefer": ("return=minimal", "return=representation", "depth-noroot", '="', ","),
    "destination": (
        f"{HOME}calendar/b.ics", f"{HOME}fresh/a.ics", f"{HOME}tasks/a.ics", f"{HOME}moved/", f"{HOME}calendar/",
        "https://cal.example.com/dav/calendars/bill/calendar/a.ics", "http://[", "http://elsewhere/x", "", "a.ics",
        f"{HOME}calendar/%00", f"{HOME}calendar/../x", "/dav/calendars/mary/calendar/a.ics", f"{HOME}inbox/",
    ),
    "content_type": (
        "text/calendar", "text/calendar; charset=utf-8", "application/xml", "text/xml; charset=utf-16",
        "text/calendar; charset=latin-1", "application/json", ";", "",
    ),
    "content_encoding": ("gzip",), "content_range": ("bytes 0-1/2",), "schedule_reply": ("F", "x"), "brief": ("t",),
    "caldav_timezones": ("F", "T", "x"), "accept": ("text/html", "*/*;q=x", "application/calendar+json"),
}  # fmt: skip
LINES = (
    "SUMMARY:Tea", "DTEND:20260105T110000Z", "DTEND:20260104T110000Z", "DURATION:PT1H", "DURATION:P99999999W",
    "RRULE:FREQ=DAILY", "RRULE:FREQ=NEVER", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "EXDATE:20260106T100000Z",
    "RECURRENCE-ID:20260106T100000Z", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260106T100000Z", "TRANSP:TRANSPARENT",
    "ORGANIZER:mailto:bill@example.com", "ORGANIZER:mailto:mary@example.com", "ORGANIZER:nobody",
    "ATTENDEE:mailto:bill@example.com", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:mary@example.com",
    "ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:x@y.org", "ATTENDEE;SCHEDULE-FORCE-SEND=REQUEST:mailto:mary@example.com",
    "SEQUENCE:-1", "STATUS:CANCELLED", "CLASS:PRIVATE", "GEO:x", "X-A;X-B=\"c\":d", "no line", ":", "A" * 10_000,
    "BEGIN:VALARM", "END:VALARM", "DUE:20260105T120000Z", "COMPLETED:20260105T120000Z", "SUMMARY:\x00", "SUMMARY:\ud7ff",
    "ATTACH;ENCODING=BASE64;VALUE=BINARY:!", "DTSTART;TZID=Nowhere:20260105T100000", "UID:other",
)  # fmt: skip
GOOD = (
    "SUMMARY:Tea", "RRULE:FREQ=DAILY", "EXDATE:20260310T090000Z", "TRANSP:TRANSPARENT", "X-A:b", "CLASS:PRIVATE",
    "ORGANIZER:mailto:bill@example.com\nATTENDEE:mailto:bill@example.com\nATTENDEE:mailto:mary@example.com",
)  # fmt: skip
DATES = (
    "20260105T100000Z",
    "20260105T100000",
    "20260329T023000",
    "99991231T235959Z",
    "00010101T000000Z",
    "20260230T000000Z",
    "x",
)
PROPS = (
    "D:displayname", "D:resourcetype", "D:getetag", "D:acl", "D:sync-token", "D:supported-report-set", "C:calendar-data",
    "C:calendar-timezone", "C:supported-calendar-component-set", "C:calendar-availability", "CS:getctag",
    "A:calendar-color", "X:dead", "C:schedule-default-calendar-URL", "D:current-user-privilege-set", "C:calendar-home-set",
)  # fmt: skip
SPACES = (
    ' xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CS="http://calendarserver.org/ns/"'
    ' xmlns:A="http://apple.com/ns/ical/" xmlns:X="urn:x"'
)
TEXTS = ("", "x", "infinite", "1", "-1", "9" * 30, "urn:kalends:sync:1:1", "urn:kalends:sync:1:99999999999999999999",
         f"{HOME}calendar/a.ics", f"{HOME}calendar/%00", "&#9;", "BEGIN:VCALENDAR", "Europe/Berlin", "&lt;x>")  # fmt: skip
ELEMENTS = (
    "D:prop", "D:allprop", "D:propname", "D:set", "D:remove", "D:href", "D:sync-token", "D:sync-level", "D:limit",
    "D:nresults", "D:property-search", "D:match", "D:include", "D:principal-property", "C:filter", "C:comp-filter",
    "C:prop-filter", "C:param-filter", "C:text-match", "C:time-range", "C:is-not-defined", "C:expand", "C:comp",
    "C:limit-recurrence-set", "C:timezone", "C:timezone-id", "C:mkcalendar", *PROPS,
)  # fmt: skip
ROOTS = (
    "D:propfind", "D:propertyupdate", "C:mkcalendar", "D:mkcol", "C:calendar-query", "C:calendar-multiget",
    "C:free-busy-query", "D:sync-collection", "D:expand-property", "D:principal-property-search", "D:principal-match",
    "D:principal-search-property-set", "D:acl-principal-prop-set", "D:acl", "D:nonsense",
)  # fmt: skip
ATTRIBUTES = (
    ("name", "VCALENDAR"), ("name", "VEVENT"), ("name", "DTSTART"), ("name", "displayname"), ("name", ""),
    ("start", "20260101T000000Z"), ("end", "20270101T000000Z"), ("end", "x"), ("start", "99991231T235959Z"),
    ("collation", "i;octet"), ("collation", "i;none"), ("negate-condition", "yes"), ("namespace", "DAV:"),
    ("match-type", "starts-with"), ("content-type", "application/calendar+json"), ("version", "3"), ("novalue", "yes"),
)  # fmt: skip
FILTERS = (
    '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter>',
    (
        '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        '<C:time-range end="20260201T000000Z"/></C:comp-filter></C:comp-filter></C:filter>'
    ),
    "<D:prop><C:calendar-data/><D:getetag/></D:prop>", "<D:sync-token/><D:sync-level>1</D:sync-level>",
    f"<D:href>{HOME}calendar/a.ics</D:href>", "<D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set>",
    "<D:set><D:prop><X:dead>y</X:dead></D:prop></D:set>", "<D:remove><D:prop><X:dead/></D:prop></D:remove>",
    '<C:time-range start="20260101T000000Z" end="20260201T000000Z"/>',
)  # fmt: skip


FINE = tuple(
    f"<{root}{SPACES}>{inner}</{root}>".encode()
    for root, inner in (
        ("D:propfind", "<D:allprop/>"), ("D:propfind", "<D:prop><D:getetag/><X:dead/></D:prop>"),
        ("D:propertyupdate", FILTERS[6]), ("D:propertyupdate", FILTERS[7]), ("C:calendar-query", FILTERS[2] + FILTERS[1]),
        ("C:calendar-multiget", FILTERS[2] + FILTERS[4]), ("D:sync-collection", FILTERS[3]), ("C:mkcalendar", FILTERS[5]),
        ("C:free-busy-query", FILTERS[8]),
    )
)  # fmt: skip


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> str:
    name = draw(st.sampled_from(ELEMENTS))
    attributes = dict(draw(st.lists(st.sampled_from(ATTRIBUTES), max_size=2)))
    said = "".join(f' {key}="{value}"' for key, value in attributes.items())
    below = draw(st.lists(elements(depth + 1), max_size=2)) if depth < 4 else []
    return f"<{name}{said}>{draw(st.sampled_from(TEXTS)) if not below else ''}{''.join(below)}</{name}>"


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    if draw(st.booleans()):
        return draw(st.sampled_from(FINE))
    root = draw(st.sampled_from(ROOTS))
    inner = draw(st.lists(st.one_of(st.sampled_from(FILTERS), elements()), max_size=3))
    text = f"<{root}{SPACES}>{''.join(inner)}</{root}>".encode()
    return draw(st.one_of(st.just(text), st.just(text), st.just(text), st.just(text[: len(text) // 2])))


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    kind = draw(
        st.sampled_from(
            ("VEVENT", "VEVENT", "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "X-THING", "VTIMEZONE")
        )
    )
    if draw(st.integers(0, 2)):  # a fine one
        return ics(
            event(
                draw(st.sampled_from(("a", "b"))),
                *draw(st.lists(st.sampled_from(GOOD), max_size=3, unique=True)),
            )
        ).encode()
    uids = draw(st.lists(st.sampled_from(("a", "b", "ä,;\\,", "")), min_size=1, max_size=2))
    head = draw(st.sampled_from(("", "", "", "METHOD:REQUEST\r\n", "CALSCALE:JULIAN\r\n", "VERSION:3.0\r\n")))
    parts = ""
    for uid in uids:
        start = draw(st.sampled_from((DATES[0], DATES[0], DATES[0], *DATES)))
        lines = draw(st.lists(st.sampled_from(LINES), max_size=4))
        body = "".join(
            f"{line}\r\n" for line in (f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"DTSTART:{start}", *lines)
        )
        parts += f"BEGIN:{kind}\r\n{body}END:{kind}\r\n"
    whole = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//F//EN\r\n{head}{parts}END:VCALENDAR\r\n"
    odd = draw(st.sampled_from((0, 0, 0, 0, 1, 2, 3)))
    data = whole.encode("utf-8", "surrogatepass")
    return (data, data.replace(b"\r\n", b"\n"), b"\xef\xbb\xbf" + data, data[: len(data) // 2])[odd]


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, bytes, dict[str, str]]:
    method = draw(st.sampled_from((*METHODS, *["PUT"] * 9, "REPORT", "REPORT", "LOCK", "PATCH", "x")))
    path = draw(
        st.one_of(
            *[st.sampled_from(PATHS)] * 4, *[st.sampled_from(PATHS[:2])] * 3, st.sampled_from(BAD_PATHS)
        )
    )
    names = draw(st.lists(st.sampled_from(sorted(HEADERS)), max_size=3, unique=True))
    headers = {name: draw(st.sampled_from(HEADERS[name])) for name in names}
    fitting = texts() if method in ("PUT", "POST") else documents()
    body = draw(st.one_of(*[fitting] * 8, st.binary(max_size=40), st.just(b"")))
    if method in ("COPY", "MOVE", "GET", "HEAD", "DELETE"):
        body = b""
        if draw(st.booleans()):
            headers["destination"] = draw(st.sampled_from(HEADERS["destination"]))
    return method, path, body, headers


def sane(answer: Answer, method: str) -> None:
    """What holds of every answer."""
    assert 200 <= answer.status < 500 or answer.status in (502, 507), answer.text
    if (
        answer.status >= 400
        and method != "HEAD"
        and answer.headers.get("content-type", "").startswith("application/xml")
    ):
        assert len(answer.xml.findtext("{DAV:}responsedescription") or "") > 8, answer.text
    if answer.status == 207:
        assert answer.xml.tag == "{DAV:}multistatus"
    assert not any("\n" in value or "\r" in value for value in answer.headers.values())


def ticks(store: Store) -> list[tuple[object, ...]]:
    return store.read(lambda tx: list(tx.rows("select id, tick from calendar order by id")))


@pytest.fixture
def people(world: DavWorld) -> tuple[DavWorld, list[Client]]:
    return world, [world.client("bill"), world.client("bill"), world.client("mary")]


def test_no_sequence_of_requests_breaks_anything(people: tuple[DavWorld, list[Client]]) -> None:
    world, clients = people
    reached: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=not FRESH,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(st.lists(st.tuples(st.integers(0, 2), requests()), min_size=4, max_size=12))
    def play(asked: list[tuple[int, tuple[str, str, bytes, dict[str, str]]]]) -> None:
        first = ("PUT", PATHS[0], ics(event("a")).encode(), {"content_type": "text/calendar"})
        for who, (method, path, body, headers) in [(0, first), *asked]:
            before = ticks(world.store)
            answer = clients[who](method, path, body, **headers)
            sane(answer, method)
            reached.add(answer.status)
            if answer.status >= 400:
                assert ticks(world.store) == before, f"{method} {path} was refused and changed something"

    play()
    assert check(world.store) + conflict.findings(world.store, world.policy) == []
    assert {201, 400, 403, 404} <= reached
