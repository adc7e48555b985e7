"""The first page: how a calendar app and a CUA get here."""

from __future__ import annotations

from html import escape

from kalends.ports import page
from kalends.serve.proxies import Seen

QUERY = "SELECT DTSTART,SUMMARY FROM VEVENT"
"""What the page shows to be asked."""


def document(seen: Seen, csid: str, cap_port: int) -> str:
    """The page of the bare origin.

    Args:
        seen: the request; the address that people are to enter is the one by which they came.
        csid: of the store, a host name.
        cap_port: TCP port of CAP.

    Returns:
        A whole HTML page.
    """
    base, home = escape(seen.prefix), escape(seen.origin + seen.prefix)
    cap = escape(f"cap://{seen.host}:{cap_port}")
    rows = (
        ("server, or URL", f"<code>{home}/</code>"),
        ("user name", "yours, such as <code>amira</code>"),
        ("password", "best one for this app alone: <code>kalends user app-password add</code>"),
        ("one calendar", f"<code>{home}/dav/calendars/<i>user</i>/<i>calendar</i>/</code>"),
    )
    told = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    body = (
        '<h1>Kalends</h1><p class="lead">A calendar server. Calendar apps speak CalDAV (RFC 4791) with it '
        f"at this address; CAP (RFC 4324) is spoken on port {cap_port}.</p>"
        f"<section><h2>Connect a calendar app</h2><dl>{told}</dl>"
        "<p>Choose CalDAV. An app that is given the server finds all your calendars. One that asks for the "
        "address of a single calendar gets the last line; at first there are <code>calendar</code> for "
        "events and <code>tasks</code>. <code>docs/caldav.md</code>, which comes with Kalends, says more."
        "</p></section>"
        "<section><h2>Ask over CAP</h2>"
        f'<pre>kalends query "{QUERY}" --server {cap} --user <i>user</i></pre>'
        f"<p>This store is <code>cap://{escape(csid)}</code>. What CAP's port is registered for, and what "
        f'listens there: <a href="{base}/port/1026">/port/1026</a>.</p></section>'
    )
    return page.document("Kalends", body, seen.prefix)
