"""Components and properties that came after RFC 5545: kept octet for octet, found by both faces' queries.

The texts are the examples of RFC 7986, 9073, 9074 and 9253.
"""

from __future__ import annotations

import pytest
from dav_harness import DECLARED, Client, DavWorld, ics

HOME = "/dav/calendars/bill/calendar/"
CONCERT = r"""BEGIN:VEVENT
CREATED:20200215T145739Z
DESCRIPTION: Piano Sonata No 3\n
 Piano Sonata No 30
DTSTAMP:20200215T145739Z
DTSTART;TZID=America/New_York:20200315T150000Z
DTEND;TZID=America/New_York:20200315T163000Z
LAST-MODIFIED:20200216T145739Z
SUMMARY:Beethoven Piano Sonatas
UID:concert
IMAGE;VALUE=URI;DISPLAY=BADGE;FMTTYPE=image/png:h
 ttp://example.com/images/concert.png
STYLED-DESCRIPTION;VALUE=TEXT;FMTTYPE=text/html;DERIVED=TRUE:<b>Sonatas</b>
BEGIN:PARTICIPANT
PARTICIPANT-TYPE:SPONSOR
UID:dG9tQGZvb2Jhci5xlLmNvbQ
STRUCTURED-DATA;VALUE=URI:http://example.com/sponsor.vcf
END:PARTICIPANT
BEGIN:PARTICIPANT
PARTICIPANT-TYPE:PERFORMER
UID:em9lQGZvb2GFtcGxlLmNvbQ
CALENDAR-ADDRESS:mailto:johndoe@example.com
STRUCTURED-DATA;VALUE=URI:http://www.example.com/people/johndoe.vcf
BEGIN:VLOCATION
UID:stage
NAME:Stage door
END:VLOCATION
END:PARTICIPANT
BEGIN:VLOCATION
UID:123456-abcdef-98765432
NAME:The venue
LOCATION-TYPE:arena
STRUCTURED-DATA;VALUE=URI:http://dir.example.com/venues/big-hall.vcf
END:VLOCATION
BEGIN:VRESOURCE
UID:piano
NAME:Grand piano
RESOURCE-TYPE:PIANO
END:VRESOURCE
END:VEVENT"""
SNOOZED = """BEGIN:VEVENT
CREATED:20210302T151004Z
UID:snoozed
DTSTAMP:20210302T152026Z
DTSTART;TZID=America/New_York:20210302T103000
DTEND;TZID=America/New_York:20210302T113000
SUMMARY:Meeting
BEGIN:VALARM
UID:8297C37D-BA2D-4476-91AE-C1EAA364F8E1
TRIGGER:-PT15M
DESCRIPTION:Event reminder
ACTION:DISPLAY
ACKNOWLEDGED:20210302T152024Z
END:VALARM
BEGIN:VALARM
UID:87D690A7-B5E8-4EB4-8500-491F50AFE394
TRIGGER;VALUE=DATE-TIME:20210302T152500Z
RELATED-TO;RELTYPE=SNOOZE:8297C37D-BA2D-4476-91AE-C1EAA364F8E1
DESCRIPTION:Event reminder
ACTION:DISPLAY
END:VALARM
END:VEVENT"""
MILK = """BEGIN:VTODO
UID:milk
DTSTAMP:20210302T152026Z
SUMMARY:Milk
BEGIN:VALARM
UID:77D80D14-906B-4257-963F-85B1E734DBB6
ACTION:DISPLAY
TRIGGER;VALUE=DATE-TIME:19760401T005545Z
DESCRIPTION:Remember to buy milk
PROXIMITY:DEPART
BEGIN:VLOCATION
UID:123456-abcdef-98765432
NAME:Office
URL:geo:40.443,-79.945;u=10
END:VLOCATION
END:VALARM
END:VTODO"""
LINKED = """BEGIN:VEVENT
UID:linked
DTSTAMP:20210302T152026Z
DTSTART:20210302T103000Z
CONCEPT;VALUE=URI:https://example.com/event-types/arts/music
LINK;LINKREL=SOURCE;LABEL=Venue;VALUE=URI:
 https://example.com/events
LINK;LINKREL="https://example.com/linkrel/costStructure";
 VALUE=XML-REFERENCE:
 https://example.com/xmlDocs/bidFramework.xml
 #xpointer(descendant::CostStruc/range-to(
 following::CostStrucEND[1]))
REFID:itinerary-2014-11-17
RELATED-TO;RELTYPE=FINISHTOSTART;GAP=PT1H:concert
COLOR:turquoise
CONFERENCE;VALUE=URI;FEATURE=PHONE,MODERATOR;
 LABEL=Moderator dial-in:tel:+1-412-555-0123,,,654321
CONFERENCE;VALUE=URI;FEATURE=VIDEO;
 LABEL="Web video chat, access code=76543":
 https://video-chat.example.com/;group-id=1234
END:VEVENT"""
TEXTS = {"concert": CONCERT, "snoozed": SNOOZED, "milk": MILK, "linked": LINKED}
PLACES = {
    name: f"/dav/calendars/bill/{'tasks' if name == 'milk' else 'calendar'}/{name}.ics" for name in TEXTS
}
IN_CALENDAR = [name for name in TEXTS if name != "milk"]


@pytest.fixture
def full(bill: Client) -> Client:
    """Bill with all of them."""
    for name, text in TEXTS.items():
        answer = bill.put(PLACES[name], ics(text))
        assert answer.status == 201, answer.text
    return bill


def test_they_come_back_octet_for_octet(full: Client) -> None:
    for name, text in TEXTS.items():
        assert full("GET", PLACES[name]).body == ics(text).encode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("FROM VEVENT WHERE PARTICIPANT.PARTICIPANT-TYPE = 'PERFORMER'", ["concert"]),
        ("FROM VEVENT WHERE PARTICIPANT.CALENDAR-ADDRESS = 'mailto:johndoe@example.com'", ["concert"]),
        ("FROM VEVENT WHERE PARTICIPANT.STRUCTURED-DATA LIKE '%johndoe.vcf'", ["concert"]),
        ("FROM VEVENT WHERE VLOCATION.NAME = 'The venue'", ["concert"]),
        ("FROM VEVENT WHERE VLOCATION.LOCATION-TYPE = 'arena'", ["concert"]),
        ("FROM VEVENT WHERE VRESOURCE.RESOURCE-TYPE = 'PIANO'", ["concert"]),
        ("FROM VEVENT WHERE IMAGE IS NOT NULL", ["concert"]),
        ("FROM VEVENT WHERE PARAM(IMAGE,DISPLAY) = 'BADGE'", ["concert"]),
        ("FROM VEVENT WHERE STYLED-DESCRIPTION LIKE '%Sonatas%'", ["concert"]),
        ("FROM VEVENT WHERE VALARM.UID = '87D690A7-B5E8-4EB4-8500-491F50AFE394'", ["snoozed"]),
        ("FROM VEVENT WHERE VALARM.ACKNOWLEDGED > '20210302T152000Z'", ["snoozed"]),
        ("FROM VEVENT WHERE VALARM.RELATED-TO = '8297C37D-BA2D-4476-91AE-C1EAA364F8E1'", ["snoozed"]),
        ("FROM VEVENT WHERE CONCEPT = 'https://example.com/event-types/arts/music'", ["linked"]),
        ("FROM VEVENT WHERE LINK LIKE '%bidFramework%'", ["linked"]),
        ("FROM VEVENT WHERE PARAM(LINK,LINKREL) = 'SOURCE'", ["linked"]),
        ("FROM VEVENT WHERE REFID = 'itinerary-2014-11-17'", ["linked"]),
        ("FROM VEVENT WHERE PARAM(RELATED-TO,GAP) = 'PT1H'", ["linked"]),
        ("FROM VEVENT WHERE COLOR = 'turquoise'", ["linked"]),
        ("FROM VEVENT WHERE PARAM(CONFERENCE,FEATURE) = 'VIDEO'", ["linked"]),
        ("FROM VEVENT WHERE PARAM(CONFERENCE,LABEL) = 'Web video chat, access code=76543'", ["linked"]),
    ],
)
def test_CAL_QUERY_finds_them(world: DavWorld, full: Client, query: str, found: list[str]) -> None:
    assert world.uids(f"SELECT * {query}") == found


def test_CAL_QUERY_finds_what_an_alarm_of_a_to_do_says(world: DavWorld, full: Client) -> None:
    tasks = world.target("bill/tasks")
    assert world.uids("SELECT * FROM VTODO WHERE VALARM.PROXIMITY = 'DEPART'", tasks) == ["milk"]
    assert world.uids("SELECT * FROM VTODO WHERE VALARM.PROXIMITY = 'ARRIVE'", tasks) == []


def matched(client: Client, inner: str, kind: str = "VEVENT", path: str = HOME) -> list[str]:
    body = (
        f"<C:calendar-query{DECLARED}><D:prop><D:getetag/></D:prop><C:filter>"
        f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="{kind}">{inner}</C:comp-filter>'
        "</C:comp-filter></C:filter></C:calendar-query>"
    )
    answer = client("REPORT", path, body, depth="1")
    assert answer.status == 207, answer.text
    return sorted(href.rsplit("/", 1)[-1].removesuffix(".ics") for href in answer.hrefs())


def has(prop: str, text: str = "", param: str = "") -> str:
    inner = f"<C:text-match>{text}</C:text-match>" if text else ""
    if param:
        inner = f'<C:param-filter name="{param}">{inner}</C:param-filter>'
    return f'<C:prop-filter name="{prop}">{inner}</C:prop-filter>'


def inside(*kinds: str, of: str) -> str:
    for kind in reversed(kinds):
        of = f'<C:comp-filter name="{kind}">{of}</C:comp-filter>'
    return of


@pytest.mark.parametrize(
    ("inner", "found"),
    [
        (inside("PARTICIPANT", of=has("PARTICIPANT-TYPE", "performer")), ["concert"]),
        (inside("PARTICIPANT", of=has("CALENDAR-ADDRESS", "johndoe")), ["concert"]),
        (inside("PARTICIPANT", of=has("STRUCTURED-DATA", "sponsor.vcf")), ["concert"]),
        (inside("PARTICIPANT", "VLOCATION", of=has("NAME", "Stage")), ["concert"]),
        (inside("VLOCATION", of=has("NAME", "The venue")), ["concert"]),
        (inside("VLOCATION", of=has("NAME", "Stage")), []),
        (inside("VRESOURCE", of=has("RESOURCE-TYPE", "piano")), ["concert"]),
        (inside("VRESOURCE", of="<C:is-not-defined/>"), ["linked", "snoozed"]),
        (inside("VALARM", of=has("ACKNOWLEDGED")), ["snoozed"]),
        (inside("VALARM", of=has("UID", "87D690A7")), ["snoozed"]),
        (inside("VALARM", of=has("RELATED-TO", "SNOOZE", "RELTYPE")), ["snoozed"]),
        (has("IMAGE", "BADGE", "DISPLAY"), ["concert"]),
        (has("CONFERENCE", "VIDEO", "FEATURE"), ["linked"]),
        (has("CONFERENCE", "access code=76543", "LABEL"), ["linked"]),
        (has("CONCEPT", "arts/music"), ["linked"]),
        (has("LINK", "costStructure", "LINKREL"), ["linked"]),
        (has("REFID", "itinerary-2014-11-17"), ["linked"]),
        (has("RELATED-TO", "PT1H", "GAP"), ["linked"]),
        (has("COLOR", "turquoise"), ["linked"]),
    ],
)
def test_RFC4791_97_calendar_query_finds_them(full: Client, inner: str, found: list[str]) -> None:
    assert matched(full, inner) == found


def test_RFC9074_8_calendar_query_finds_where_an_alarm_rings(full: Client) -> None:
    tasks = "/dav/calendars/bill/tasks/"
    assert matched(full, inside("VALARM", of=has("PROXIMITY", "DEPART")), "VTODO", tasks) == ["milk"]
    assert matched(full, inside("VALARM", "VLOCATION", of=has("NAME", "Office")), "VTODO", tasks) == ["milk"]
    assert matched(full, inside("VALARM", "VLOCATION", of=has("NAME", "Home")), "VTODO", tasks) == []


def test_RFC7986_5_properties_of_the_whole_are_kept(bill: Client) -> None:
    head = (
        "NAME:Company Vacation Days\nDESCRIPTION:Closed\nUID:5FC53010-1267-4F8E-BC28-1D7AE55A7C99\n"
        "LAST-MODIFIED:20120601T203412Z\nURL:https://example.com/\nREFRESH-INTERVAL;VALUE=DURATION:P1W\n"
        "SOURCE;VALUE=URI:https://example.com/holidays.ics\nCOLOR:turquoise\nCATEGORIES:holiday\n"
    )
    text = ics(LINKED, head=head)
    assert bill.put(f"{HOME}x.ics", text).status == 201
    assert bill("GET", f"{HOME}x.ics").body == text.encode()
