"""Who sent a mail, as far as the mail server proved it (RFC 8601).

A From can be written by anybody. What a mail server found out about it stands in Authentication-Results; it
counts where the server that we trust wrote it, and nowhere else: those of others are a sender's to invent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kalends.imip.errors import UnprovenError

MAX_RESULTS, MAX_VALUE = 20, 4_000
"""Fields of the trusted server that are looked at, and characters of one."""
_METHOD = re.compile(r"\s*([a-z0-9-]+)\s*(?:/\s*\d+\s*)?=\s*([a-z]+)(?![\w-])", re.IGNORECASE)
_QUOTED = r'"(?:[^"\\]|\\.){0,320}"'
# What stands in quotes by itself is skipped: a reason may repeat what a stranger wrote
_PROPERTY = re.compile(
    rf"{_QUOTED}|(?<![a-z])([a-z]{{1,20}})\s{{0,9}}\.\s{{0,9}}([\w-]{{1,40}})\s{{0,9}}=\s{{0,9}}"
    rf"((?:{_QUOTED}|[^\s;\"])+)",
    re.IGNORECASE,
)
_OUTSIDE = re.compile(rf'{_QUOTED}|[^"\\()]+|\(', re.DOTALL)
_INSIDE = re.compile(r"\\.|[^\\()]+|[()]", re.DOTALL)
"""The pieces of a field outside of comments, and inside."""


@dataclass(frozen=True, slots=True)
class _Result:
    """What one method found: its name, its result, and properties such as header.from."""

    method: str
    result: str
    properties: dict[str, str]


def require(sender: str, results: Sequence[str], server: str) -> None:
    """Refuse a mail whose sender the trusted server did not prove.

    DMARC proves it when it passed for the sender's domain; where it is not said, DKIM by a signature of that
    domain or one above it, or SPF for an envelope's sender of the same domain. A DMARC that failed counts.

    Args:
        sender: a mailbox.
        results: Authentication-Results of the mail.
        server: the authserv-id that is trusted.

    Raises:
        UnprovenError: nothing proves it.

    Source: RFC 8601 §2.2, §5; RFC 7489 §3.1.
    """
    domain = sender.rpartition("@")[2].lower()
    ours = [pieces for text in results if (pieces := _by(text[:MAX_VALUE], server))]
    found = [one for pieces in ours[:MAX_RESULTS] for one in _read(pieces)]
    dmarc = [one for one in found if one.method == "dmarc"]
    if any(one.result == "fail" for one in dmarc):
        raise UnprovenError(f"DMARC failed for {domain}")
    if any(one.result == "pass" and one.properties.get("header.from") == domain for one in dmarc):
        return
    if not any(one.result == "pass" and _proves(one, domain) for one in found):
        raise UnprovenError(f"{server} did not prove that the mail is from {domain}")


def _proves(one: _Result, domain: str) -> bool:
    if one.method == "dkim":
        by = one.properties.get("header.d") or one.properties.get("header.i", "").rpartition("@")[2]
        return "." in by and (domain == by or domain.endswith(f".{by}"))
    if one.method == "spf":
        return one.properties.get("smtp.mailfrom", "").rpartition("@")[2] == domain
    return False


def _by(text: str, server: str) -> list[str]:
    """What stands in a field that the server wrote; nothing for one that others did."""
    first, *others = _split(text)
    named = first.split()
    return others if named and named[0].strip('"').lower() == server.lower() else []


def _read(pieces: Sequence[str]) -> Iterator[_Result]:
    for piece in pieces:
        match = _METHOD.match(piece)
        if match is None:
            continue
        said = {
            f"{kind}.{name}".lower(): value.strip('"').lower()
            for kind, name, value in reversed(_PROPERTY.findall(piece, match.end()))
        }
        yield _Result(match[1].lower(), match[2].lower(), said)


def _split(text: str) -> list[str]:
    """The pieces between semicolons, without comments; what stands in quotes belongs to its piece.

    A field in which a quote or a comment does not end says nothing: a stranger may have written all of it.
    """
    pieces, depth, at = [""], 0, 0
    while at < len(text):
        match = (_INSIDE if depth else _OUTSIDE).match(text, at)
        if match is None:
            return [""]
        piece, at = match[0], match.end()
        if piece in "()":
            depth += 1 if piece == "(" else -1
        elif not depth and piece.startswith('"'):
            pieces[-1] += piece
        elif not depth:
            head, *more = piece.split(";")
            pieces[-1] += head
            pieces += more
    return [""] if depth else pieces
