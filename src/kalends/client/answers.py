"""Octets of an answer to replies: liberal in every shape RFC 4324 shows, lazy in parsing components.

Accepted: no MIME headers at all (A-18), several objects behind one another or as multipart (§12.1),
BEGIN:REPLY and END:REPLY for VREPLY (A-01), END:VCAR closing a VQUERY (A-02), statuses inside components or
flat (A-22), a missing CMD (A-18), `CMD;ID:x:REPLY` (A-04).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import policy
from email.parser import BytesParser

from kalends.client.errors import ReplyError
from kalends.client.results import Reply, Result, Status
from kalends.ical.errors import ICalError
from kalends.ical.tree import Line, parse

MAX_DEPTH = 16
"""Nested components; the same bound as the iCalendar room's."""

_EDGE = re.compile(r"^(BEGIN|END):[ \t]*([A-Za-z0-9-]+)[ \t]*\r?(?:\n|\Z)", re.MULTILINE | re.IGNORECASE)
_ODD = re.compile(r"^(?:(?:BEGIN|END):REPLY|END:VCAR)\s*$", re.MULTILINE | re.IGNORECASE)
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_ALIASES = {"REPLY": "VREPLY"}
_CLOSES = frozenset((("VQUERY", "VCAR"),))
_COMMAND = re.compile(r"(?:CMD)[;:](.*):([A-Za-z0-9-]+)\Z", re.DOTALL | re.IGNORECASE)
_COMMAND_ID = re.compile(r"(?:^|;)ID[=:](\"[^\"]*\"|[^;:]*)", re.IGNORECASE)
_XML_ERROR = re.compile(rb"<error\b[^>]*\bcode\s*=\s*['\"](\d{3})['\"][^>]*?(?:/>|>([^<]*)<)", re.DOTALL)


def bodies(payload: bytes) -> list[bytes]:
    """The text/calendar bodies of a payload.

    Args:
        payload: entity headers, an empty line, a body; or just a body.

    Returns:
        One body, or one for each text/calendar part of a multipart entity.

    Source: RFC 4324 §12.1, RFC 3080 §2.1.1.
    """
    text = payload.lstrip(b"\r\n")
    if text[:6].upper() == b"BEGIN:":
        return [text]
    if payload[:1] in (b"\r", b"\n"):
        if text[:8].lower() != b"content-":
            return [text]
        payload = text  # headers behind an empty line: the peer's library had ended them already
    head = _HEAD_END.search(payload)
    if head is None:
        return [payload]
    fields = payload[: head.start()].lower()
    if b"multipart/" not in fields and b"transfer-encoding" not in fields:
        return [payload[head.end() :]]
    message = BytesParser(policy=policy.HTTP).parsebytes(payload)
    calendars = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
    decoded = [part.get_payload(decode=True) for part in calendars]
    return [body for body in decoded if isinstance(body, bytes)]


def read_replies(payload: bytes) -> Iterator[Reply]:
    """Read one message of the server.

    Args:
        payload: the payload of an RPY, ANS or MSG.

    Yields:
        One reply for each iCalendar object.

    Raises:
        ReplyError: it is no iCalendar text.

    Source: RFC 4324 §12.1.
    """
    for body in bodies(payload):
        text = body.decode("utf-8", "surrogateescape")
        if _ODD.search(text):
            text = _repair(text)
        yield from _objects(text)


def read_error(payload: bytes) -> tuple[list[Reply], Status]:
    """Read the payload of an ERR: an iCalendar object as RFC 4324 wants, or BEEP's own <error> (A-71).

    Returns:
        The replies, if there are any, and the first status in them or made of the <error>.
    """
    try:
        replies = list(read_replies(payload))
    except ReplyError:
        replies = []
    statuses = [status for reply in replies for status in reply.statuses]
    if statuses:
        return replies, next((status for status in statuses if not status.ok), statuses[0])
    if match := _XML_ERROR.search(payload):
        return replies, Status(match[1].decode(), (match[2] or b"").decode("utf-8", "replace").strip())
    return replies, Status("8.0", "")


def _repair(text: str) -> str:
    """Write the closing names the way they were meant (A-01, A-02)."""
    stack: list[str] = []

    def fix(match: re.Match[str]) -> str:
        name = match[2].upper()
        name = _ALIASES.get(name, name)
        if match[1].upper() == "BEGIN":
            stack.append(name)
        elif stack:
            opened = stack.pop()
            name = opened if (opened, name) in _CLOSES else name
        return f"{match[1]}:{name}\r\n"

    return _EDGE.sub(fix, text)


def _objects(text: str) -> Iterator[Reply]:
    stack: list[str] = []
    begun: list[int] = []
    head: list[str] = []  # pieces of the VCALENDAR's own properties
    results: list[Result] = []
    own: list[str] = []  # pieces of the VREPLY's own properties
    spans: list[tuple[int, int]] = []
    at = 0
    for match in _EDGE.finditer(text):
        start, end = match.span()
        name = match[2].upper()
        depth = len(stack)
        if depth == 1:
            head.append(text[at:start])
        elif depth == 2 and stack[1] == "VREPLY":
            own.append(text[at:start])
        elif depth == 0 and text[at:start].strip():
            raise ReplyError("the answer holds text outside of any component")
        at = end
        if match[1][0] in "Bb":
            if depth >= MAX_DEPTH:
                raise ReplyError("the answer nests components too deep")
            if depth == 0 and name != "VCALENDAR":
                raise ReplyError(f"the answer begins with {name} where VCALENDAR belongs")
            stack.append(name)
            begun.append(start)
            continue
        if not stack or stack.pop() != name:
            raise ReplyError(f"END:{name} closes what is not open")
        opened = begun.pop()
        if depth == 3 and stack[1] == "VREPLY":
            spans.append((opened, end))
        elif depth == 2 and name == "VREPLY":
            results.append(Result(_lines("".join(own)), text, tuple(spans)))
            own, spans = [], []
        elif depth == 1:
            yield _reply("".join(head), results)
            head, results = [], []
    if stack:
        raise ReplyError(f"the answer ends inside of {stack[-1]}")
    if text[at:].strip("\r\n \t\x00"):
        raise ReplyError("the answer is no iCalendar text")


def _lines(text: str) -> tuple[Line, ...]:
    if not text.strip():
        return ()
    try:
        return tuple(parse(f"BEGIN:X\r\n{text}END:X\r\n").lines)
    except ICalError as error:
        raise ReplyError(f"the answer can't be read: {error.reason}") from None


def _reply(head: str, results: list[Result]) -> Reply:
    target, method, command, command_id = "", None, "", None
    for line in _lines(head):
        if line.name == "TARGET":
            target = line.value.strip()
        elif line.name == "METHOD":
            method = line.value.strip().upper()
        elif line.name == "CMD":
            command, command_id = command_of(line)
    return Reply(target, command_id, method, tuple(results), command)


def command_of(line: Line) -> tuple[str, str | None]:
    """Read a CMD line in every spelling RFC 4324 shows.

    Returns:
        The upper-case verb and the ID as the peer wrote it, quotes removed; None without one.

    Source: RFC 4324 §10; A-04.
    """
    if line.param("ID") is not None and ":" not in line.value:
        return line.value.strip().upper(), line.param("ID")
    raw = line.raw.replace("\r\n ", "").replace("\r\n\t", "").strip()
    if match := _COMMAND.match(raw):
        found = _COMMAND_ID.search(match[1])
        return match[2].upper(), found[1].strip('"') if found else None
    return line.value.strip().upper(), None
