"""A whole calendar as one iCalendar file, and the small page that a browser is shown in its place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote

from kalends.core import contents
from kalends.dav import conditions
from kalends.dav.context import Context
from kalends.dav.messages import Response
from kalends.dav.properties.rfc4918 import named
from kalends.dav.resources import Calendar
from kalends.ical.tree import Line
from kalends.ical.values import escape_text, unescape_text
from kalends.store.base import Tx

ICALENDAR = "text/calendar; charset=utf-8"
PIECE = 32_768
"""Octets that leave together."""
_NOSNIFF = ("X-Content-Type-Options", "nosniff")
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>{name}</title><style>body{{font:16px/1.5 system-ui;max-width:40rem;margin:3rem auto;"
    "padding:0 1rem;color-scheme:light dark}}code{{word-break:break-all}}</style><h1>{name}</h1>"
    "<p>This is a calendar. Give a calendar app the address of this server, or this one:</p>"
    '<p><code>{url}</code></p><p><a href="{path}?export" download>Download all of it</a> as one iCalendar '
    "file.</p></html>"
)


def answer(tx: Tx, context: Context, calendar: Calendar) -> Response:
    """The answer to GET or HEAD of a calendar.

    With `?export`, or from a client that does not ask for HTML, it is one VCALENDAR with what the caller may
    see. Its ETag is weak: it tells that nothing changed, and is not one to be sent back in If-Match.

    Args:
        tx: a read transaction, open until the body is drained.
        context: the request.
        calendar: what is asked for.
    """
    if _wants_page(context):
        return page(tx, context, calendar)
    headers: tuple[tuple[str, str], ...] = (
        ("Content-Type", ICALENDAR),
        ("Content-Disposition", disposition(f"{title(tx, context, calendar)}.ics")),
        ("Cache-Control", "private, no-cache"),
        ("Vary", "Accept, Authorization"),
        _NOSNIFF,
    )
    sight = calendar.sight(tx, context)
    if sight.whole:  # of a part nobody can say whether it is the same without making it
        tag = f'"{calendar.row.id}-{calendar.row.tick}"'
        headers = (*headers, ("ETag", f"W/{tag}"))
        if tag in conditions.etags(context.header("if-none-match") or ""):
            return Response(304, headers[2:])
    head = (Line.make("NAME", escape_text(title(tx, context, calendar))),)
    return streamed(context, headers, contents.one_text(tx, calendar.row.id, sight, head, cap=False))


def streamed(context: Context, headers: tuple[tuple[str, str], ...], text: Iterable[str]) -> Response:
    """An answer whose text is made while it leaves; to HEAD, how long it would be."""
    made = pieces(text)
    if context.request.method == "HEAD":
        return Response(200, (*headers, ("Content-Length", str(sum(map(len, made))))))
    return Response(200, headers, made)


def _wants_page(context: Context) -> bool:
    """Whether a browser asks that did not say that it wants the file."""
    if "export" in context.request.query.split("&"):
        return False
    accept = (context.header("accept") or "").lower()
    return "text/html" in accept and "text/calendar" not in accept


def title(tx: Tx, context: Context, calendar: Calendar) -> str:
    """The name for people of a calendar, as far as the caller may see it."""
    line = named(calendar.seen(tx, context))
    return unescape_text(line.value) if line is not None else calendar.row.slug or "calendar"


def page(tx: Tx, context: Context, calendar: Calendar) -> Response:
    """What a browser is shown."""
    path = escape(calendar.path)
    url = escape(f"{context.request.origin}{calendar.path}")
    body = _PAGE.format(name=escape(title(tx, context, calendar)), path=path, url=url).encode()
    headers = (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
        ("Cache-Control", "private, no-store"),
        ("Vary", "Accept, Authorization"),
        _NOSNIFF,
    )
    if context.request.method == "HEAD":
        return Response(200, (*headers, ("Content-Length", str(len(body)))))
    return Response(200, headers, body)


def disposition(name: str, kind: str = "attachment") -> str:
    """A Content-Disposition that no name can break out of.

    Args:
        name: any text.
        kind: attachment or inline.

    Source: RFC 6266 §4.1, §4.3; RFC 8187.
    """
    clean = (
        "".join(c if c.isprintable() and c not in "/\\" else "_" for c in name).strip(". ")[:100] or "file"
    )
    plain = "".join(c if c.isascii() and c not in '"%' else "_" for c in clean)
    said = f'{kind}; filename="{plain}"'
    return said if plain == clean else f"{said}; filename*=UTF-8''{quote(clean, safe='')}"


def pieces(text: Iterable[str]) -> Iterator[bytes]:
    """Text as octets, in pieces worth sending."""
    held: list[str] = []
    size = 0
    for one in text:
        held.append(one)
        size += len(one)
        if size >= PIECE:
            yield "".join(held).encode()
            held, size = [], 0
    if held:
        yield "".join(held).encode()
