"""The door of the room: a request becomes a plan, whatever goes wrong becomes a response."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from kalends.core.model import Caller, Policy
from kalends.dav import conditions, feeds, paths, sync_tokens, tzdist, xmlread
from kalends.dav import properties as _properties
from kalends.dav.context import Context
from kalends.dav.errors import NEED, DavError, lacking, of_any
from kalends.dav.finding import find
from kalends.dav.messages import Plan, Request, Response, ready
from kalends.dav.methods import METHODS, attaching
from kalends.dav.methods.put import etag_at
from kalends.dav.resources import Calendar, CalendarObject
from kalends.dav.xmlwrite import CALDAV
from kalends.store import calendars
from kalends.store.base import Tx

__all__ = ["limit_of", "plan", "refusal", "too_large"]

_WITHOUT_BODY = frozenset(("GET", "HEAD", "DELETE", "OPTIONS", "COPY", "MOVE"))
_SMALL = 64_000
"""Octets of a body that nobody looks at."""
WELL_KNOWN: Mapping[str, str] = {
    paths.WELL_KNOWN: paths.ROOT,
    "/.well-known/timezone": f"/{tzdist.CONTEXT}",
}
"""Where services are found from the bare origin (RFC 6764 §5; RFC 7808 §4.2.1.3)."""
ELSEWHERE: Mapping[str, Callable[[Context], Plan]] = {
    feeds.ICS: feeds.plan,
    feeds.FREEBUSY: feeds.plan,
    tzdist.CONTEXT: tzdist.plan,
    attaching.PLACE: attaching.fetch,
}
"""What is outside of the WebDAV tree, by the first word of its path; each checks by itself who asks."""
assert _properties.PROPERTIES, "the table of properties is filled by importing it"


def plan(request: Request, caller: Caller) -> Plan:
    """Say what is to be done with a request.

    Everything that needs no transaction happens here: the path, headers, XML and iCalendar are read first.

    Args:
        request: read to its end.
        caller: who asks; anonymous may see OPTIONS and the way to the door.

    Returns:
        A plan; what a client did wrong is told in it. With kind 'none' `answer` is the response. Otherwise
        `work` runs in a transaction, where its body's iterator is drained, too; what either raises is told by
        `refusal`.
    """
    if request.headers.get("schedule-reply", "").strip().upper() == "F":  # RFC 6638 §8.1
        caller = replace(caller, schedule_reply=False)
    if "if-schedule-tag-match" in request.headers:
        caller = replace(caller, merge_answers=True)
    context = Context(request, caller)
    try:
        return _with_if(context, _plan(context))
    except DavError as error:
        return ready(_told(request, error))


def _with_if(context: Context, made: Plan) -> Plan:
    """The plan of a request with an If header.

    The sync tokens of calendars that it names are read before a write begins (RFC 6578 §5), which checks the
    header under its lock; what only reads is checked here.

    Source: RFC 4918 §10.4.
    """
    if "if" not in context.request.headers or made.kind == "none" or _elsewhere(context.request):
        return made
    named = conditions.paths_of_tokens(context)
    if made.kind == "write" and not named:
        return made

    def work(tx: Tx) -> Response:
        context.tokens.clear()
        for path in named:
            found = find(tx, context, paths.read(path))
            if isinstance(found, Calendar):
                if made.kind == "write":
                    calendars.lock(tx, (found.row.id,))
                row = calendars.by_id(tx, found.row.id)
                if row is not None:
                    context.tokens[path] = sync_tokens.write(row)
        if made.kind == "read":
            _check_if(tx, context)
        return made.work(tx)

    return replace(made, work=work)


def _check_if(tx: Tx, context: Context) -> None:
    """412 where a resource is there and no list of the If header holds."""
    found = find(tx, context, context.address)
    if found is not None:
        etag = found.etag if isinstance(found, CalendarObject) else None
        conditions.check_if(context, lambda path: etag_at(tx, context, path, etag))


def _elsewhere(request: Request) -> Callable[[Context], Plan] | None:
    return ELSEWHERE.get(request.path[1:].partition("/")[0])


def _plan(context: Context) -> Plan:
    request = context.request
    elsewhere = _elsewhere(request)
    if elsewhere is not None and request.method != "OPTIONS":
        return elsewhere(context)
    address = context.address
    known = WELL_KNOWN.get(request.path.rstrip("/"))
    if known is not None:  # any method, PROPFIND included
        where = f"{context.prefix}{known}"
        return ready(Response(301, (("Location", where), ("Cache-Control", "no-cache"))))
    method = METHODS.get(request.method)
    if method is None:
        raise DavError(405, None, "There is no such method here.", headers=(("Allow", ", ".join(METHODS)),))
    if request.method == "OPTIONS":
        return method.plan(context)
    if caller_unknown(context.caller):
        raise DavError(401, None, "Say who you are.")
    if address.area == "other" and request.method not in ("PUT", "MKCOL", "MKCALENDAR"):
        raise DavError(404, None, "There is nothing at this path.")
    return method.plan(context)


def caller_unknown(caller: Caller) -> bool:
    """Whether nobody is known to be asking."""
    return caller.identity.principal_id is None and not caller.identity.admin


def refusal(request: Request, error: Exception) -> Response | None:
    """The response that tells what `work` raised; its transaction was undone.

    Args:
        request: what was asked.
        error: any exception.

    Returns:
        None for a bug, which the log must hear of; the client then gets a bare 500.
    """
    told = of_any(error)
    return None if told is None else _told(request, told)


_NEEDS = {
    "PUT": "D:write-content",
    "POST": "D:bind",
    "DELETE": "D:unbind",
    "MOVE": "D:unbind",
    "MKCALENDAR": "D:bind",
    "MKCOL": "D:bind",
    "PROPPATCH": "D:write-properties",
    "ACL": "D:write-acl",
}
"""The privilege that a method needs where a refusal does not say it more exactly (RFC 3744, Appendix B)."""
_ABOVE = frozenset(("DELETE", "MOVE", "MKCALENDAR", "MKCOL"))
"""Methods that need it on the collection above."""


def _told(request: Request, error: DavError) -> Response:
    if error.precondition == NEED and not error.inner:
        path = request.prefix + request.path
        if request.method in _ABOVE:
            path = path.rstrip("/").rpartition("/")[0] + "/"
        error = lacking(path, _NEEDS.get(request.method, "D:read"), error.sentence)
    response = error.response()
    if request.method == "HEAD" and isinstance(response.body, bytes):  # as long as GET's (RFC 9110 §8.6)
        length = ("Content-Length", str(len(response.body)))
        return Response(response.status, (*response.headers, length))
    return response


def limit_of(method: str, path: str, headers: Mapping[str, str], policy: Policy | None = None) -> int:
    """How many octets of body are accepted, known before the first one is read.

    Args:
        method: upper case.
        path: raw, without prefix.
        headers: lower-case names.
        policy: the store's limits; None for the default ones.

    Source: RFC 4791 §5.2.5; RFC 4918 §20.1.
    """
    if method in ("PUT", "POST"):
        return (policy or Policy()).max_object
    return _SMALL if method in _WITHOUT_BODY else xmlread.MAX_OCTETS


def too_large(method: str, limit: int) -> Response:
    """413, said before a body is read.

    Args:
        method: upper case.
        limit: what `limit_of` said.
    """
    name = f"{CALDAV}max-resource-size" if method in ("PUT", "POST") else None
    return DavError(413, name, f"The body may have at most {limit} octets.").response()
