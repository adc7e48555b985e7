"""Letters for tests: jobs as core writes them."""

from __future__ import annotations

import json

from kalends.store.jobs import JobRow

AT = 1_767_225_600  # 2026-01-01T00:00:00Z


def job(ics: str, *, sender: str = "mailto:bill@example.com", to: str = "mailto:jane@example.org",
        language: str = "", ident: int = 7) -> JobRow:  # fmt: skip
    """A job that holds a message; lines end as in a file."""
    ics = ics.replace("\r\n", "\n").replace("\n", "\r\n")
    method = ics.partition("METHOD:")[2].partition("\r\n")[0]
    payload = {"from": sender, "to": to, "method": method, "ics": ics, "by": "bill@example.com", "at": AT,
               "language": language}  # fmt: skip
    return JobRow(ident, f"imip {to} {ident:x}", "imip", AT, json.dumps(payload), 1, None, None)


def message(method: str = "REQUEST", *lines: str) -> str:
    """A small message."""
    inner = "\n".join(lines or ("SUMMARY:Lunch",))
    return (
        f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//T//EN\nMETHOD:{method}\nBEGIN:VEVENT\nUID:lunch\n"
        "DTSTAMP:20260101T000000Z\nDTSTART:20260310T120000Z\nDTEND:20260310T130000Z\n"
        "ORGANIZER;CN=Bill:mailto:bill@example.com\nATTENDEE;CN=Jane:mailto:jane@example.org\n"
        f"{inner}\nEND:VEVENT\nEND:VCALENDAR\n"
    )
