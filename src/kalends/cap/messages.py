"""From a BEEP payload to commands: which verb, which parameters, which targets, what data.

RFC 4324's own examples write CMD in ways its grammar forbids. The verbs are a closed set and a parameter
is always NAME, sign, value, so all of them parse without doubt (A-04, A-41, A-70); `strict` refuses them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from kalends.cap.mime import calendar_bodies
from kalends.cap.status import BAD_ARGS, RefusalError
from kalends.core.languages import ENGLISH
from kalends.ical.errors import ICalError
from kalends.ical.folds import unfold
from kalends.ical.tree import Component, Line, parse_all

MAX_OBJECTS = 10_000
"""iCalendar objects in one message; an import sends a calendar's worth."""
MAX_TARGETS = 1_000
"""TARGETs of one command: more than anybody invites at once."""
MAX_LATENCY = 86_400
"""Seconds a client may ask for: after a day nobody waits for an answer."""
MAX_ID = 1_024
"""Characters of an ID; it is repeated in every reply."""
ID_WITHIN = 65_536
"""Octets of a message that cannot be read, in which its ID is looked for."""
MAX_REPAIRED = 65_536
"""Octets of a message in which lines are looked for that belong to a query: who types has no more."""

Action = Literal["ASK", "ABORT"]

_VERB = re.compile(r"\s*:\s*([A-Za-z][A-Za-z0-9-]*)\s*\Z")
_PARAM = re.compile(r'([;:])\s*([A-Za-z0-9-]+)\s*([=:])((?:"[^"]*"|[^";:])*)(?=[;:])')
_ALIASES = {"OPTION": "OPTIONS", "UD": "ID"}
_VERBS = {"CAPABILITY": "GET-CAPABILITY", "SETLOCALE": "SET-LOCALE"}
_ONCE = ("ID", "LOCALIZE", "LATENCY", "ACTION", "OPTIONS")
_SINGLE = ("VERSION", "PRODID", "CALSCALE", "METHOD")
_CMD_LINE = re.compile(rb"(?im)^CMD[;:][^\r\n]*(?:\r?\n[ \t][^\r\n]*)*+(?=\r?\n)")
_LOST_FOLD = re.compile(rb"\r?\n(?=[ \t]*(?:FROM|WHERE|AND|OR)[ \t])", re.IGNORECASE)
_BROKEN_QUERY = re.compile(
    rb"^(?:QUERY|SCOPE|RESTRICTION)[;:][^\n]*\n(?:[ \t][^\n]*\n|[^:\n]+\n)*+", re.IGNORECASE | re.MULTILINE
)
_CLOSES_VQUERY = re.compile(
    rb"(BEGIN:VQUERY\r?\n(?:(?!BEGIN:|END:)[^\n]*\n)*)END:VCAR(?=\r?\n)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Request:
    """One command as the client meant it.

    Attributes:
        verb: upper-case command name.
        ident: the ID exactly as it was written, quotes included (RFC 4324 §10.11); None for none.
        targets: TARGET values in order, each once.
        vcalendar: the whole object.
        options: the OPTIONS value without quotes; None when absent.
        latency: seconds; None for no limit.
        action: what to do when the latency is over; None without one.
        localize: language asked for this command's texts; None for the session's.
        language: the offered language its statuses are to be in; the session decides it.
        liberties: which leniencies were needed to read it (A-nn), for the log.
        fault: why the command cannot be executed at all; None when it can.
    """

    verb: str
    ident: str | None
    targets: tuple[str, ...]
    vcalendar: Component
    options: str | None = None
    latency: int | None = None
    action: Action | None = None
    localize: str | None = None
    language: str = ENGLISH
    liberties: tuple[str, ...] = ()
    fault: RefusalError | None = None


@dataclass(slots=True)
class _Cmd:
    verb: str
    params: dict[str, str]
    liberties: set[str]


def read_message(payload: bytes, *, strict: bool = False) -> list[Request]:
    """Read every command of a message.

    Args:
        payload: entity headers and body of one MSG.
        strict: refuse what RFC 4324's grammar forbids even where its examples do it.

    Returns:
        At least one request; a faulty one carries its `fault`, so that its neighbours can be executed.

    Raises:
        RefusalError: when the message as a whole cannot be read (RFC 4324 §12.1; A-71).

    Source: RFC 4324 §10.1, §12.1; SES-13, SES-15.
    """
    try:
        return _requests(payload, strict=strict)
    except RefusalError as error:
        error.ident = read_id(payload)
        raise


def _requests(payload: bytes, *, strict: bool) -> list[Request]:
    objects = [found for body in calendar_bodies(payload) for found in _objects(body, strict=strict)]
    if not objects:
        raise RefusalError(BAD_ARGS, "The message holds no VCALENDAR.")
    if len(objects) > MAX_OBJECTS:
        raise RefusalError(BAD_ARGS, f"The message holds more than {MAX_OBJECTS} objects.")
    requests = [_request(vcalendar, strict=strict) for vcalendar in objects]
    if len({frozenset(request.targets) for request in requests if request.targets}) > 1:
        raise RefusalError(BAD_ARGS, "All objects of one message must have the same TARGET.")
    return requests


def read_id(payload: bytes) -> str | None:
    """Find the ID of a command in a message that cannot be read, or was too large to be kept.

    Args:
        payload: the message, or its beginning.

    Returns:
        None when there is none near the beginning, or when there are several commands.

    Source: RFC 4324 §10.11.
    """
    lines = _CMD_LINE.findall(payload[:ID_WITHIN])
    if len(lines) != 1:
        return None
    try:
        return _shorter(_read_cmd(unfold(lines[0].decode("utf-8", "surrogateescape"))[3:]).params.get("ID"))
    except RefusalError as error:
        return _shorter(error.ident)


def _objects(body: bytes, *, strict: bool) -> list[Component]:
    try:
        roots = parse_all(body)
    except ICalError as error:
        repaired = body if strict else _repair(body)
        if repaired == body:
            raise RefusalError(BAD_ARGS, f"The object cannot be read: {error}.") from None
        try:
            roots = parse_all(repaired)
        except ICalError as second:
            raise RefusalError(BAD_ARGS, f"The object cannot be read: {second}.") from None
    for root in roots:
        if root.name != "VCALENDAR":
            raise RefusalError(BAD_ARGS, f"The message holds a {root.name[:40]} outside of a VCALENDAR.")
    return roots


def _repair(body: bytes) -> bytes:
    """What RFC 4324's own text gets wrong: queries without folds, a VQUERY closed as VCAR (A-02, A-30)."""
    body = _LOST_FOLD.sub(b"\r\n  ", body)
    if len(body) <= MAX_REPAIRED:
        body = _BROKEN_QUERY.sub(_folded, body)
    return _CLOSES_VQUERY.sub(rb"\1END:VQUERY", body)


def _folded(query: re.Match[bytes]) -> bytes:
    """A query whose lines without a colon, which are no content lines, are folds of the first."""
    first, *rest = query[0].splitlines(keepends=True)
    return first + b"".join(line if line[:1] in b" \t" else b"  " + line for line in rest)


def _request(vcalendar: Component, *, strict: bool) -> Request:
    try:
        cmd = _cmd_of(vcalendar)
    except RefusalError as fault:
        return Request("", _shorter(fault.ident), _targets(vcalendar), vcalendar, fault=fault)
    ident, targets = cmd.params.get("ID"), _targets(vcalendar)
    liberties = tuple(sorted(cmd.liberties))
    try:
        _check_cmd(cmd, strict=strict)
        _check_properties(vcalendar, targets, strict=strict)
        latency, action = _latency(cmd.params, strict=strict)
    except RefusalError as fault:
        return Request(cmd.verb, _shorter(ident), targets, vcalendar, liberties=liberties, fault=fault)
    return Request(
        cmd.verb,
        ident,
        targets,
        vcalendar,
        options=_plain(cmd.params.get("OPTIONS")),
        latency=latency,
        action=action,
        localize=_plain(cmd.params.get("LOCALIZE")),
        liberties=liberties,
    )


def _shorter(ident: str | None) -> str | None:
    return None if ident is None or len(ident) > MAX_ID else ident


def _targets(vcalendar: Component) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.value.strip() for line in vcalendar.all("TARGET")))


def _cmd_of(vcalendar: Component) -> _Cmd:
    lines = vcalendar.all("CMD")
    if len(lines) != 1:
        how_many = "none" if not lines else "more than one"
        raise RefusalError(BAD_ARGS, f"Every object needs exactly one CMD property; this one has {how_many}.")
    return _read_cmd(_text_after_name(lines[0]))


def _text_after_name(line: Line) -> str:
    return unfold(line.raw)[len("CMD") :]


def _read_cmd(text: str) -> _Cmd:
    """Read `;NAME=value…:VERB` and the forms that RFC 4324's examples have (A-04)."""
    params: dict[str, str] = {}
    liberties: set[str] = set()
    at = 0
    while not (end := _VERB.match(text, at)):
        match = _PARAM.match(text, at)
        if not match:
            raise RefusalError(
                BAD_ARGS,
                f"CMD cannot be read from character {at + 4} on; CMD;ID=x:VERB is expected.",
                params.get("ID"),
            )
        name = match[2].upper()
        if (match[1], match[3]) != (";", "="):
            liberties.add("A-04")
        if name in _ALIASES:
            name = _ALIASES[name]
            liberties.add("A-41")
        if name in params and name in _ONCE:
            raise RefusalError(BAD_ARGS, f"{name} occurs more than once in CMD.")
        params[name] = match[4].strip()
        at = match.end()
    verb = end[1].upper()
    if verb in _VERBS:
        verb = _VERBS[verb]
        liberties.add("A-42")
    return _Cmd(verb, params, liberties)


def _check_cmd(cmd: _Cmd, *, strict: bool) -> None:
    if strict and cmd.liberties:
        ways = ", ".join(sorted(cmd.liberties))
        raise RefusalError(BAD_ARGS, f"CMD is not written as RFC 4324 §10.1 demands ({ways}).")
    if len(cmd.params.get("ID", "")) > MAX_ID:
        raise RefusalError(BAD_ARGS, f"The ID is longer than {MAX_ID} characters.")


def _plain(value: str | None) -> str | None:
    return value.strip('"') if value is not None else None


def _check_properties(vcalendar: Component, targets: tuple[str, ...], *, strict: bool) -> None:
    """RFC 4324 §2: what `calprops` may hold, and how often (OBM-01)."""
    for name in _SINGLE:
        count = len(vcalendar.all(name))
        if count > 1:
            raise RefusalError(BAD_ARGS, f"{name} occurs more than once.")
        if strict and not count and name in {"VERSION", "PRODID"}:
            raise RefusalError(BAD_ARGS, f"{name} is missing.")
    version = vcalendar.value("VERSION")
    if version is not None and version.strip() != "2.0":
        raise RefusalError(BAD_ARGS, f"VERSION {version[:20]} is not offered; 2.0 is.")
    if len(targets) > MAX_TARGETS:
        raise RefusalError(BAD_ARGS, f"The command has more than {MAX_TARGETS} TARGETs.")
    if "" in targets:
        raise RefusalError(BAD_ARGS, "TARGET is empty.")


def _latency(params: dict[str, str], *, strict: bool) -> tuple[int | None, Action | None]:
    """LATENCY and ACTION come together or not at all (PRM-03; RFC 4324 §10.1.1)."""
    latency, action = _plain(params.get("LATENCY")), _plain(params.get("ACTION"))
    if (latency is None) != (action is None):
        raise RefusalError(BAD_ARGS, "LATENCY and ACTION go together; one of them is missing.")
    if latency is None or action is None:
        return None, None
    if action.upper() not in {"ASK", "ABORT"} or (strict and action != action.upper()):
        raise RefusalError(BAD_ARGS, "ACTION is ASK or ABORT.")
    if not re.fullmatch(r"[0-9]{1,9}", latency) or (strict and latency.startswith("0")):
        raise RefusalError(BAD_ARGS, "LATENCY is a whole number of seconds, 1 or more.")
    if int(latency) > MAX_LATENCY:
        raise RefusalError(BAD_ARGS, f"LATENCY is longer than {MAX_LATENCY} seconds.")
    if int(latency) == 0:  # §7.4: zero means no timeout
        return None, None
    return int(latency), "ASK" if action.upper() == "ASK" else "ABORT"
