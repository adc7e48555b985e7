"""Every shape of an answer that RFC 4324 shows is read (A-01, A-02, A-04, A-06, A-07, A-09, A-18, A-19, A-22)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.client import verbs
from kalends.client.answers import read_error, read_replies
from kalends.client.errors import ConflictError, NotFoundError, RefusedError, ReplyError, StaleError
from kalends.client.results import Capability, Found, Reply, Status
from kalends.client.verbs import Finder, outcomes
from kalends.ical.tree import Component, Line


def crlf(text: str) -> bytes:
    return "\r\n".join(line for line in text.strip().splitlines()).encode() + b"\r\n"


def one(text: str) -> Reply:
    [reply] = read_replies(crlf(text))
    return reply


CREATED = """
Content-Type: text/calendar

BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//someone's prodid
CMD;ID=creation02:REPLY
TARGET:relcalz1
BEGIN:REPLY
UID:FirstInThisExample-1
REQUEST-STATUS:2.0
END:VREPLY
BEGIN:VREPLY
UID:SecondInThisExample-2
REQUEST-STATUS:6.4;Not yours
END:REPLY
END:VCALENDAR
"""


def test_vreply_may_be_written_reply_at_either_end() -> None:
    """A-01; RFC 4324 §10.4."""
    reply = one(CREATED)
    assert (reply.target, reply.command_id, reply.command) == ("relcalz1", "creation02", "REPLY")
    first, second = outcomes(reply)
    assert (first.id_name, first.id_value, first.ok) == ("UID", "FirstInThisExample-1", True)
    assert (second.id_value, second.status) == ("SecondInThisExample-2", Status("6.4", "Not yours"))


def test_a_query_closed_with_end_vcar_is_a_query() -> None:
    """A-02; RFC 4324 §9.6."""
    reply = one("""
BEGIN:VCALENDAR
CMD:REPLY
TARGET:cal
BEGIN:VREPLY
BEGIN:VQUERY
QUERYID:mine
QUERY:SELECT * FROM VEVENT
END:VCAR
BEGIN:VCAR
CARID:x
END:VCAR
END:VREPLY
END:VCALENDAR
""")
    query, rights = reply.components()
    assert (query.name, query.value("QUERYID")) == ("VQUERY", "mine")
    assert (rights.name, rights.value("CARID")) == ("VCAR", "x")


@pytest.mark.parametrize(
    ("line", "command_id"),
    [
        ("CMD;ID=a-1:REPLY", "a-1"),
        ('CMD;ID="random but unique per CUA":REPLY', "random but unique per CUA"),
        ('CMD;ID:"random but unique per CUA":REPLY', "random but unique per CUA"),
        ("CMD:ID=unique-mod:REPLY", "unique-mod"),
        ("CMD:REPLY", None),
    ],
)
def test_cmd_is_read_in_every_spelling_of_the_rfc(line: str, command_id: str | None) -> None:
    """A-04; RFC 4324 §10.5, §10.9."""
    reply = one(f"BEGIN:VCALENDAR\n{line}\nTARGET:t\nEND:VCALENDAR")
    assert (reply.command, reply.command_id) == ("REPLY", command_id)


def test_headers_version_prodid_and_cmd_may_be_missing() -> None:
    """A-18; RFC 4324 §10.10."""
    reply = one("""
BEGIN:VCALENDAR
TARGET:Area-51
BEGIN:VREPLY
CALID:Nellis
REQUEST-STATUS: 2.0
END:VREPLY
END:VCALENDAR
""")
    assert reply.command == ""
    [outcome] = outcomes(reply)
    assert (outcome.id_name, outcome.id_value, outcome.ok) == ("CALID", "Nellis", True)


SEARCHED = """
Content-Type: text/calendar

BEGIN:VCALENDAR
TARGET:relcalid
CMD:REPLY
VERSION:2.0
PRODID:-//someone's prodid
BEGIN:VREPLY
BEGIN:VEVENT
REQUEST-STATUS:4.1
END:VEVENT
BEGIN:VEVENT
REQUEST-STATUS:2.0
UID:123
SUMMARY: Big meeting
BEGIN:VALARM
SEQUENCE:1
END:VALARM
END:VEVENT
END:VREPLY
BEGIN:VREPLY
TRIGGER:-PT5M
ACTION:DISPLAY
REQUEST-STATUS:2.0
END:VREPLY
END:VCALENDAR
"""


def find(*replies: Reply) -> list[Found]:
    finder = Finder()
    found = [one for reply in replies for one in finder.take(reply)]
    finder.finish()
    return found


def test_statuses_inside_components_and_bare_properties() -> None:
    """A-22; RFC 4324 §10.12, §6.1.1."""
    hidden, seen, bare = find(one(SEARCHED))
    assert hidden.status == Status("4.1")
    assert not hidden.component.items
    assert (seen.status, seen.query) == (Status("2.0"), 0)
    assert seen.component.to_ics() == (
        "BEGIN:VEVENT\r\nUID:123\r\nSUMMARY: Big meeting\r\n"
        "BEGIN:VALARM\r\nSEQUENCE:1\r\nEND:VALARM\r\nEND:VEVENT\r\n"
    )
    assert (bare.component.name, bare.component.value("TRIGGER"), bare.query) == ("VREPLY", "-PT5M", 1)


def test_an_empty_answer_finds_nothing() -> None:
    """SEA-04; RFC 4324 §10.12."""
    assert (
        find(one("BEGIN:VCALENDAR\nTARGET:x\nBEGIN:VREPLY\nREQUEST-STATUS:2.0\nEND:VREPLY\nEND:VCALENDAR"))
        == []
    )


def test_what_was_found_comes_before_what_was_refused() -> None:
    finder = Finder()
    refused = one(
        "BEGIN:VCALENDAR\nTARGET:y\nBEGIN:VREPLY\nREQUEST-STATUS:6.1;none\nEND:VREPLY\nEND:VCALENDAR"
    )
    found = [*finder.take(refused), *finder.take(one(SEARCHED))]
    assert len(found) == 3
    with pytest.raises(NotFoundError, match="y: none"):
        finder.finish()


def test_statuses_of_modify_stand_inside_components() -> None:
    """A-22; RFC 4324 §10.9."""
    reply = one("""
BEGIN:VCALENDAR
TARGET:relcalid
CMD;ID=delete#1:REPLY
BEGIN:VREPLY
BEGIN:VEVENT
UID:123
RECURRENCE-ID:20260101T000000Z
REQUEST-STATUS:2.0
END:VEVENT
REQUEST-STATUS:2.0
END:VREPLY
END:VCALENDAR
""")
    [outcome] = outcomes(reply)
    assert (outcome.id_value, outcome.ok) == ("123", True)
    assert outcome.recurrence is not None
    assert outcome.recurrence.value == "20260101T000000Z"


def run(procedure: verbs.Procedure[object], *replies: list[Reply]) -> object:
    """Drive a procedure by hand."""
    next(procedure)
    try:
        for answer in replies:
            procedure.send(answer)
    except StopIteration as end:
        return end.value
    raise AssertionError("the procedure wants more")


def test_a_delete_answered_with_3_0_succeeded() -> None:
    """A-19; RFC 4324 §10.5."""
    reply = one(
        "BEGIN:VCALENDAR\nTARGET:t\nBEGIN:VREPLY\nUID:a\nREQUEST-STATUS:3.0\nEND:VREPLY\nEND:VCALENDAR"
    )
    done = run(verbs.do(verbs.commands.delete("SELECT * FROM VEVENT", ("t",))), [reply])
    assert [outcome.ok for outcome in done] == [True]  # type: ignore[attr-defined]  # a list of Outcome
    with pytest.raises(RefusedError):
        run(verbs.do(verbs.commands.move("SELECT * FROM VEVENT", "t")), [reply])


def refused(code: str) -> list[Reply]:
    return [
        one(
            f"BEGIN:VCALENDAR\nTARGET:t\nBEGIN:VREPLY\nUID:a\nREQUEST-STATUS:{code}\nEND:VREPLY\nEND:VCALENDAR"
        )
    ]


def test_codes_become_the_errors_that_callers_act_on() -> None:
    """A-12, A-61; RFC 4324 §10.15."""
    event = Component("VEVENT")
    event.add("UID", "a")
    change = verbs.modify("SELECT * FROM VEVENT", event, event, ("t",))
    with pytest.raises(StaleError):
        run(change, refused("6.1"))
    with pytest.raises(ConflictError):
        run(verbs.create(event, ("t",)), refused("6.2"))
    with pytest.raises(ConflictError):
        run(verbs.create(event, ("t",)), refused("6.3;Overlaps another event"))
    with pytest.raises(RefusedError) as caught:
        run(verbs.create(event, ("t",)), refused("8.5"))
    assert caught.value.outcomes[0].id_value == "a"


RFC_CAPABILITY = """
Content-Type: text/calendar

BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//someone's prodid
CMD;ID=unique-per-cua-125:REPLY
BEGIN:VREPLY
CAP-VERSION:1.0
PRODID:The CS prodid
QUERY-LEVEL:CAL-QL-1
CAR-LEVEL:CAR-FULL-1
MAXDATE:99991231T235959Z
MINDATE:00000101T000000Z
MAX-COMPONENT-SIZE:4096
COMPONENTS:VCALENDAR,VTODO,VJOURNAL,VEVENT,VCAR,
 VALARM,VFREEBUSY,VTIMEZONE,STANDARD,DAYLIGHT,VREPLY
ITIP-VERSION:2446
RECUR-ACCEPTED:TRUE
RECUR-EXPAND:TRUE
RECUR-LIMIT:0
STORES-EXPANDED:FALSE
X-INET-PRIVATE-COMMANDS:1.0
END:VREPLY
END:VCALENDAR
"""


def test_the_capabilities_printed_in_the_rfc_are_read() -> None:
    """A-06, A-07, A-09; RFC 4324 §10.7."""
    can = Capability.read(one(RFC_CAPABILITY).results[0].lines)
    assert can.cap_versions == {"4324"}
    assert can.max_size == 4096
    assert can.recur_expand
    assert not can.stores_expanded
    assert "VALARM" in can.components
    assert ("X-INET-PRIVATE-COMMANDS", "1.0") in can.properties


def test_a_minimal_capability_reply_is_enough() -> None:
    """CAP-09; RFC 4324 §10.7."""
    can = Capability.read(
        one("BEGIN:VCALENDAR\nBEGIN:VREPLY\nRECUR-LIMIT:many\nEND:VREPLY\nEND:VCALENDAR").results[0].lines
    )
    assert (can.max_size, can.recur_limit) == (0, 0)
    assert {"VEVENT", "VTODO", "VJOURNAL"} <= can.components


def test_objects_behind_one_another_and_multipart() -> None:
    """SES-15; RFC 4324 §12.1."""
    plain = crlf(CREATED)
    body = plain.split(b"\r\n\r\n", 1)[1]
    assert len(list(read_replies(plain + body))) == 2
    parts = b"".join(
        b"--x\r\n" + part + b"\r\n" for part in (plain, plain, b"Content-Type: text/plain\r\n\r\nhello")
    )
    wrapped = b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n' + parts + b"--x--\r\n"
    assert [reply.target for reply in read_replies(wrapped)] == ["relcalz1", "relcalz1"]


def test_an_error_may_be_calendar_or_beep() -> None:
    """SES-19, A-71; RFC 4324 §12.1."""
    replies, status = read_error(crlf(CREATED))
    assert (len(replies), status.code) == (1, "6.4")
    replies, status = read_error(b"\r\n<error code='500'>what &amp; why</error>")
    assert (replies, status.code) == ([], "500")
    assert read_error(b"\xff\xfe nothing")[1].code == "8.0"


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "BEGIN:VEVENT\nEND:VEVENT",
        "BEGIN:VCALENDAR\nBEGIN:VREPLY\nEND:VCALENDAR",
        "BEGIN:VCALENDAR",
        "BEGIN:VCALENDAR\nEND:VCALENDAR\ntrailing",
        "BEGIN:VCALENDAR\n" + "BEGIN:X\n" * 50,
    ],
)
def test_what_is_no_answer_is_told_so(text: str) -> None:
    with pytest.raises(ReplyError):
        list(read_replies(crlf(text)))


@given(
    st.binary(max_size=200), st.lists(st.sampled_from(crlf(SEARCHED).splitlines(keepends=True)), max_size=30)
)
@settings(max_examples=150, deadline=None)
def test_no_octets_make_the_reader_fail_otherwise(junk: bytes, lines: list[bytes]) -> None:
    for payload in (junk, b"".join(lines), b"".join(lines) + junk):
        try:
            replies = list(read_replies(payload))
            find(*replies)
        except (ReplyError, RefusedError):
            continue
        assert all(isinstance(line, Line) for reply in replies for r in reply.results for line in r.lines)
