"""Managed attachments over CalDAV: POST to an object, and GET of a file (RFC 8607)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote

from kalends.core import attachments, errors, ledger
from kalends.core.people import identity
from kalends.dav import conditions
from kalends.dav.context import Context
from kalends.dav.errors import DavError, not_found
from kalends.dav.finding import calendar_at, resolve
from kalends.dav.messages import Plan, Response
from kalends.dav.methods.put import check_conditions
from kalends.dav.resources import Calendar, CalendarObject
from kalends.dav.whole import disposition
from kalends.dav.xmlwrite import CALDAV
from kalends.ical.tree import Component, parse
from kalends.store.attachments import AttachmentRow
from kalends.store.base import Tx
from kalends.store.objects import ObjectRow

PLACE = "attach"
"""First word of the paths of attachments."""
ACTIONS = ("attachment-add", "attachment-update", "attachment-remove")
_FILENAME = re.compile(r"""filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))""", re.IGNORECASE)
_FILENAME_STAR = re.compile(r"filename\*\s*=\s*utf-8'[^']*'([^\s;]+)", re.IGNORECASE)
_SANDBOX = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; sandbox"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
"""A file of somebody's is never a page of this site, whatever it says it is."""


@dataclass(frozen=True, slots=True)
class Action:
    """What a POST asks for.

    Attributes:
        name: one of `ACTIONS`.
        rids: 'M' and RECURRENCE-IDs; none for all instances.
        managed_id: which attachment; '' with attachment-add.
    """

    name: str
    rids: tuple[str, ...]
    managed_id: str


def read_action(context: Context) -> Action:
    """Read the query of a POST to an object.

    Raises:
        DavError: 403 with valid-action, valid-rid or valid-managed-id.

    Source: RFC 8607 §3.3, §3.11.
    """
    try:
        pairs = parse_qsl(context.request.query, keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise _refused("valid-action", "The query of this address cannot be read.") from error
    asked: dict[str, list[str]] = {}
    for name, value in pairs:
        asked.setdefault(name, []).append(value)
    names = asked.get("action", [])
    if len(names) != 1 or names[0] not in ACTIONS:
        raise _refused("valid-action", f"action is one of {', '.join(ACTIONS)}.")
    rids = asked.get("rid", [])
    parts = tuple("M" if one.upper() == "M" else one for one in rids[0].split(",")) if rids else ()
    if rids and (names[0] == "attachment-update" or len(rids) > 1 or "" in parts):
        raise _refused("valid-rid", "rid names instances, and does not go with attachment-update.")
    managed = asked.get("managed-id", [])
    if len(managed) != (0 if names[0] == "attachment-add" else 1):
        raise _refused("valid-managed-id", "managed-id names one attachment, and nothing where one is added.")
    return Action(names[0], parts, managed[0] if managed else "")


def _refused(name: str, sentence: str) -> DavError:
    return DavError(403, f"{CALDAV}{name}", sentence)


def plan(context: Context) -> Plan:
    """What is to be done with a POST to an object.

    Raises:
        DavError: it is refused already.
    """
    action = read_action(context)
    if action.name != "attachment-remove":
        if not context.header("content-type"):
            raise DavError(415, None, "A Content-Type has to say what the attachment is.")
        if len(context.request.body) > context.caller.policy.max_object:
            limit = context.caller.policy.max_object
            raise _refused("max-attachment-size", f"An attachment has at most {limit} octets.")
    return Plan("write", lambda tx: _act(tx, context, action))


def _act(tx: Tx, context: Context, action: Action) -> Response:
    calendar = calendar_at(tx, context, context.address)
    found = resolve(tx, context, context.address)
    if not isinstance(found, CalendarObject) or not isinstance(found.row, ObjectRow):
        raise not_found()
    before = found.row
    check_conditions(tx, context, calendar, before)  # what follows tells of all there is in the object
    calendar.authority(tx, context).require("MODIFY")
    whole = parse(before.ics)
    attachments.refuse_attendee(whole, before.kind, _addresses(tx, calendar))
    try:
        kept = _change(tx, context, action, whole, before.kind)
        row = ledger.put_object(
            tx, context.caller, calendar.target, before.name, whole,
            check=_unchanged(tx, context, calendar, before),
        )  # fmt: skip
    except errors.ManagedIdError as error:
        raise _refused("valid-managed-id", f"{error.reason}.") from error
    return _answer(context, CalendarObject(calendar, row), row, action, kept)


def _addresses(tx: Tx, calendar: Calendar) -> frozenset[str]:
    home = identity.by_id(tx, calendar.home.row.id)
    return frozenset(() if home is None else home.addresses)


def _change(tx: Tx, context: Context, action: Action, whole: Component, kind: str) -> AttachmentRow | None:
    """Keep what came, and change the object's text."""
    if action.name == "attachment-remove":
        attachments.detach(whole, kind, action.managed_id, action.rids)
        return None
    media = context.header("content-type") or ""
    kept = attachments.keep(tx, context.caller, context.request.body, filename(context), media)
    line = attachments.line_of(kept, url_of(context, kept))
    if action.name == "attachment-update":
        attachments.exchange(whole, action.managed_id, line)
        return kept
    try:
        attachments.attach(whole, kind, line, action.rids)
    except errors.TooLargeError as error:
        raise _refused("max-attachments-per-resource", f"{error.reason}.") from error
    return kept


def _unchanged(
    tx: Tx, context: Context, calendar: Calendar, before: ObjectRow
) -> Callable[[ObjectRow | None], None]:
    """Check, under the calendar's lock, what the request demands, and that nobody was faster."""

    def check(row: ObjectRow | None) -> None:
        check_conditions(tx, context, calendar, row)
        if row is None or row.etag != before.etag:
            raise DavError(409, None, "The object was changed at the same moment; try again.")

    return check


def filename(context: Context) -> str:
    """The name that a Content-Disposition gives a file; '' for none (RFC 6266 §4.3)."""
    given = context.header("content-disposition") or ""
    star = _FILENAME_STAR.search(given)
    if star is not None:
        return unquote(star[1], errors="replace")
    found = _FILENAME.search(given)
    if found is None:
        return ""
    name = re.sub(r"\\(.)", r"\1", found[1]) if found[1] is not None else found[2]
    try:  # header fields are read as Latin-1; browsers and apps write UTF-8
        return name.encode("latin-1").decode()
    except UnicodeError:
        return name


def url_of(context: Context, row: AttachmentRow) -> str:
    """Where an attachment is fetched."""
    name = f"/{quote(row.filename, safe='')}" if row.filename else ""
    return f"{context.request.origin}{context.prefix}/{PLACE}/{row.managed_id}{name}"


def _answer(
    context: Context, found: CalendarObject, row: ObjectRow, action: Action, kept: AttachmentRow | None
) -> Response:
    headers: tuple[tuple[str, str], ...] = (("ETag", f'"{row.etag}"'),)
    if row.schedule_tag is not None:
        headers = (*headers, ("Schedule-Tag", f'"{row.schedule_tag}"'))
    if kept is not None:
        headers = (*headers, ("Cal-Managed-ID", kept.managed_id))
    made = action.name == "attachment-add"
    if not context.representation:
        return Response(201 if made else 204, headers)
    shown = (
        ("Content-Type", f"text/calendar; charset=utf-8; component={row.kind}"),
        ("Content-Location", found.path),
        ("Preference-Applied", "return=representation"),
    )
    return Response(201 if made else 200, (*headers, *shown), row.ics)


# --- fetching ---


def fetch(context: Context) -> Plan:
    """What is to be done with a request for an attachment.

    Raises:
        DavError: 401 without a login; 405 for what would change it (RFC 8607 §3.8, §3.9).
    """
    request = context.request
    if request.method not in ("GET", "HEAD"):
        sentence = "Attachments change by a POST to the object that has them."
        raise DavError(405, None, sentence, headers=(("Allow", "GET, HEAD"),))
    if context.caller.identity.principal_id is None and not context.caller.identity.admin:
        raise DavError(401, None, "Say who you are.")
    _, managed_id, *rest = [*request.path.strip("/").split("/"), ""]
    if not re.fullmatch("[0-9a-f]{32}", managed_id) or len(rest) > 2:
        raise not_found()
    return Plan("read", lambda tx: _file(tx, context, managed_id))


def _file(tx: Tx, context: Context, managed_id: str) -> Response:
    found = attachments.opened(tx, context.caller, managed_id)
    if found is None:
        raise not_found()
    tag = f'"{found.row.hash[:32]}"'
    headers: tuple[tuple[str, str], ...] = (
        ("Content-Type", found.row.media),
        ("Content-Disposition", disposition(found.row.filename or "attachment")),
        ("Cache-Control", "private, max-age=86400, immutable"),
        ("Vary", "Authorization"),
        ("ETag", tag),
        *_SANDBOX,
    )
    if tag in conditions.etags(context.header("if-none-match") or ""):
        return Response(304, headers[2:])
    if context.request.method == "HEAD":
        return Response(200, (*headers, ("Content-Length", str(len(found.data)))))
    return Response(200, headers, found.data)
