"""The time zone service: the tz database for clients that want it from the server (RFC 7808).

It needs no login and no transaction. Its context path is /tz, where /.well-known/timezone leads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from kalends import __version__
from kalends.core.defaults import PRODID
from kalends.dav import conditions
from kalends.dav.context import Context
from kalends.dav.messages import Plan, Response, ready
from kalends.ical import tzdatabase
from kalends.ical.errors import ICalError
from kalends.ical.gregorian import year_start
from kalends.ical.moment import DAY, parse_moment, utc_moment
from kalends.ical.tree import Component
from kalends.ical.tzfile import iana_names, load_zone
from kalends.ical.vtimezone import LAST_TRUNCATED_YEAR, onsets_between, write_truncated

CONTEXT = "tz"
"""First word of the paths here."""
PUBLISHER = "IANA"
ERROR = "urn:ietf:params:tzdist:error:"
MAX_TZID = 200
"""Characters of a name or pattern that is looked up."""
_INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z\Z")
_CACHED = ("Cache-Control", "public, max-age=3600")
_LAST = year_start(LAST_TRUNCATED_YEAR + 1) * DAY
_TITLES = {
    "invalid-action": "There is no such action here.",
    "invalid-changedsince": "changedsince stands once.",
    "invalid-end": "end is a UTC time such as 2030-01-01T00:00:00Z after start, and stands once.",
    "invalid-format": "Time zones are given as text/calendar.",
    "invalid-pattern": "A pattern stands once; * is its first or last character, or \\*.",
    "invalid-start": "start is a UTC time such as 2020-01-01T00:00:00Z, and stands once.",
    "tzid-not-found": "There is no time zone of that name.",
}
Query = Mapping[str, list[str]]


class _ProblemError(Exception):
    """A refusal: the error's last word, and the status."""

    def __init__(self, name: str, status: int = 400, *headers: tuple[str, str]) -> None:
        self.name, self.status, self.headers = name, status, headers
        super().__init__(name)

    def response(self) -> Response:
        """The problem as JSON (RFC 7807 §3; RFC 7808 §4.1.7)."""
        told = {"type": ERROR + self.name, "title": _TITLES[self.name], "status": self.status}
        headers = (("Content-Type", "application/problem+json"), ("Content-Language", "en"), *self.headers)
        return Response(self.status, headers, json.dumps(told).encode())


def plan(context: Context) -> Plan:
    """What is to be done with a request below /tz."""
    request = context.request
    try:
        response = _answer(context)
    except _ProblemError as problem:
        response = problem.response()
    if request.method == "HEAD":
        assert isinstance(response.body, bytes)
        length = ("Content-Length", str(len(response.body)))
        return ready(Response(response.status, (*response.headers, length)))
    return ready(response)


def _answer(context: Context) -> Response:
    if context.request.method not in ("GET", "HEAD"):
        raise _ProblemError("invalid-action", 405, ("Allow", "GET, HEAD"))
    path = context.request.path.partition(f"/{CONTEXT}")[2].strip("/")
    query = _query(context.request.query)
    first, _, rest = path.partition("/")
    if first == "zones" and rest:
        tzid, slash, last = rest.rpartition("/")
        if slash and last == "observances":
            return _expand(context, _known(tzid), query)
        return _get(context, _known(rest), query)
    action = _ACTIONS.get(path)
    if action is None:
        raise _ProblemError("invalid-action", 404)
    return action(context, query)


def _query(text: str) -> Query:
    found: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise _ProblemError("invalid-action") from error
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _known(raw: str) -> str:
    """The exact name that a (percent-encoded) tzid means. Raises tzid-not-found."""
    name = unquote(raw[: MAX_TZID * 3])
    if iana_names().get(name.lower()) != name:
        raise _ProblemError("tzid-not-found", 404)
    return name


def _json(told: Any, *headers: tuple[str, str]) -> Response:
    return Response(200, (("Content-Type", "application/json"), _CACHED, *headers), json.dumps(told).encode())


# --- capabilities, list, find, leapseconds ---

_PARAMETERS: tuple[tuple[str, str, tuple[tuple[str, bool], ...]], ...] = (
    ("capabilities", "/capabilities", ()),
    ("list", "/zones{?changedsince}", (("changedsince", False),)),
    ("get", "/zones{/tzid}{?start,end}", (("start", False), ("end", False))),
    ("expand", "/zones{/tzid}/observances{?start,end}", (("start", True), ("end", True))),
    ("find", "/zones{?pattern}", (("pattern", True),)),
    ("leapseconds", "/leapseconds", ()),
)


def _capabilities(context: Context, query: Query) -> Response:
    """What this service can do (RFC 7808 §5.1, §6.1)."""
    base = f"{context.prefix}/{CONTEXT}"
    return _json(
        {
            "version": 1,
            "info": {
                "primary-source": f"{PUBLISHER}:{tzdatabase.version()}",
                "formats": ["text/calendar"],
                "truncated": {"any": True, "untruncated": True},
            },
            "actions": [
                {
                    "name": name,
                    "uri-template": base + template,
                    "parameters": [
                        {"name": one, "required": needed, "multi": False} for one, needed in parameters
                    ],
                }
                for name, template, parameters in _PARAMETERS
            ],
        }
    )


def _zones(context: Context, query: Query) -> Response:
    """All zones, those that changed, or those that match a pattern (RFC 7808 §5.2, §5.5)."""
    if "pattern" in query:
        if len(query["pattern"]) != 1:
            raise _ProblemError("invalid-pattern")
        matches = _matcher(query["pattern"][0])
        found = [one for one in _listed() if any(map(matches, (one["tzid"], *one["aliases"])))]
        return _json({"synctoken": _token(), "timezones": found})
    since = query.get("changedsince", [])
    if len(since) > 1:
        raise _ProblemError("invalid-changedsince")
    return _json({"synctoken": _token(), "timezones": [] if since == [_token()] else _listed()})


def _token() -> str:
    """Changes with the database; what was before it is not known any more, and then all zones are told."""
    return f"{tzdatabase.version()}-{__version__}"


@lru_cache(maxsize=1)
def _listed() -> list[dict[str, Any]]:
    """The zones as a list tells them (RFC 7808 §6.2). The database says of none when it changed."""
    return [
        {
            "tzid": name,
            "etag": _etag(name),
            "last-modified": f"{tzdatabase.version()[:4]}-01-01T00:00:00Z",
            "publisher": PUBLISHER,
            "version": tzdatabase.version(),
            "aliases": list(aliases),
        }
        for name, aliases in tzdatabase.canonical().items()
    ]


def _matcher(pattern: str) -> Callable[[str], bool]:
    """What a pattern of a find matches (RFC 7808 §5.5)."""
    if len(pattern) > MAX_TZID:
        raise _ProblemError("invalid-pattern")
    starts, ends = pattern.startswith("*"), bool(re.search(r"(?<!\\)(?:\\\\)*\*\Z", pattern[1:]))
    inner = pattern[1 if starts else 0 : -1 if ends else None]
    if not re.fullmatch(r"(?:[^\\*]|\\[\\*])*", inner) or not (inner or starts):
        raise _ProblemError("invalid-pattern")
    wanted = _folded(re.sub(r"\\([\\*])", r"\1", inner))

    def matches(name: str) -> bool:
        folded = _folded(name)
        if starts and ends:
            return wanted in folded
        if starts:
            return folded.endswith(wanted)
        return folded.startswith(wanted) if ends else folded == wanted

    return matches


def _folded(text: str) -> str:
    return text.replace("_", " ").lower()


def _leapseconds(context: Context, query: Query) -> Response:
    """The leap seconds so far (RFC 7808 §5.6)."""
    found = tzdatabase.leap_seconds()
    return _json(
        {
            "expires": found.expires,
            "publisher": PUBLISHER,
            "version": tzdatabase.version(),
            "leapseconds": [{"utc-offset": offset, "onset": day} for day, offset in found.onsets],
        }
    )


_ACTIONS: Mapping[str, Callable[[Context, Query], Response]] = {
    "": _capabilities,
    "capabilities": _capabilities,
    "zones": _zones,
    "leapseconds": _leapseconds,
}
"""The actions that name no zone, by path."""


# --- get, expand ---


def _etag(name: str, *more: object) -> str:
    """The ETag of a zone's data, without quotes; of a part of it, another one."""
    return "-".join(map(str, (tzdatabase.fingerprint(name), __version__, *more)))


def _range(query: Query, *, needed: bool) -> tuple[int | None, int | None]:
    """The start and end of a request, epoch seconds. Raises invalid-start, invalid-end."""
    found: list[int | None] = []
    for name in ("start", "end"):
        values = query.get(name, [])
        match = _INSTANT.match(values[0]) if len(values) == 1 else None
        if len(values) > 1 or (values and match is None) or (needed and not values):
            raise _ProblemError(f"invalid-{name}")
        try:
            found.append(
                None if match is None else parse_moment("{}{}{}T{}{}{}Z".format(*match.groups())).wall
            )
        except ICalError as error:
            raise _ProblemError(f"invalid-{name}") from error
    start, end = found
    if end is not None and end <= (start if start is not None else end - 1):
        raise _ProblemError("invalid-end")
    if start is not None and start >= _LAST:
        raise _ProblemError("invalid-start")
    return start, end


def _get(context: Context, name: str, query: Query) -> Response:
    """One zone as a VTIMEZONE, all of it or what a range needs (RFC 7808 §5.3)."""
    accept = (context.header("accept") or "*/*").lower()
    if not any(one in accept for one in ("*/*", "text/*", "text/calendar")):
        raise _ProblemError("invalid-format", 406)
    start, end = _range(query, needed=False)
    parts = [] if start is None and end is None else [start, end]
    tag = ("ETag", f'"{_etag(name, *([] if name not in tzdatabase.aliases() else ["alias"]), *parts)}"')
    if tag[1] in conditions.etags(context.header("if-none-match") or ""):
        return Response(304, (tag, _CACHED))
    headers = (("Content-Type", "text/calendar; charset=utf-8"), tag, _CACHED)
    return Response(200, headers, _definition(name, start, end))


@lru_cache(maxsize=512)
def _definition(name: str, start: int | None, end: int | None) -> bytes:
    zone = write_truncated(name, start=start, end=end)
    target = tzdatabase.aliases().get(name)
    if target is not None:
        zone.items.insert(1, _alias_of(target))
    whole = Component("VCALENDAR")
    whole.add("VERSION", "2.0")
    whole.add("PRODID", PRODID)
    whole.items.append(zone)
    return whole.to_bytes()


def _alias_of(target: str) -> Any:
    made = Component("X")
    made.add("TZID-ALIAS-OF", target)
    return made.items[0]


def _expand(context: Context, name: str, query: Query) -> Response:
    """What holds from when on, in a range (RFC 7808 §5.4, §6.3)."""
    start, end = _range(query, needed=True)
    assert start is not None
    assert end is not None
    tag = ("ETag", f'"{_etag(name, start, end, "x")}"')
    if tag[1] in conditions.etags(context.header("if-none-match") or ""):
        return Response(304, (tag, _CACHED))
    stop = min(end, _LAST)
    offset = load_zone(name).offset(start)
    told = [
        _observance("Standard" if not daylight else "Daylight", at, before, after)
        for at, before, after, daylight in onsets_between(name, start, stop)
    ]
    if not told or told[0]["onset"] != _stamp(start):
        daylight = _is_daylight(name, start)
        told.insert(0, _observance("Daylight" if daylight else "Standard", start, offset, offset))
    answer: dict[str, Any] = {"tzid": name, "observances": told}
    if stop != end:
        answer["end"] = _stamp(stop)
    return _json(answer, tag)


def _observance(name: str, at: int, before: int, after: int) -> dict[str, Any]:
    return {"name": name, "onset": _stamp(at), "utc-offset-from": before, "utc-offset-to": after}


def _stamp(at: int) -> str:
    text = str(utc_moment(at))
    return f"{text[:4]}-{text[4:6]}-{text[6:11]}:{text[11:13]}:{text[13:]}"


def _is_daylight(name: str, at: int) -> bool:
    """Whether daylight saving time is in effect, as the last change before says."""
    before = onsets_between(name, at - 2 * 366 * DAY, at)
    return bool(before) and before[-1][3]
