"""Folds: how content lines are broken over physical lines, even inside a character (RFC 5545 §3.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kalends.ical.errors import ICalError

FOLD_AT = 75
"""Octets of a physical line before it is folded, the line break not counted (RFC 5545 §3.1)."""

_CUT = re.compile("[\udc80-\udcff]")


def unfold(raw: str) -> str:
    """Join a folded content line.

    Args:
        raw: one logical line as it came, folds and line ending included.

    Returns:
        The line without folds (line break plus one space or tab) and without its ending.

    Source: RFC 5545 §3.1.
    """
    text = raw.rstrip("\r\n")
    if "\n" not in text:
        return text
    # Whole replacements, not a regular expression: a line of a million folds costs no million pieces.
    for mark in ("\r\n ", "\r\n\t", "\n ", "\n\t"):
        text = text.replace(mark, "")
    if is_cut(text):  # a fold had cut a UTF-8 sequence in two
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    return text


def fold(line: str) -> str:
    """Fold a line at 75 octets, never inside a UTF-8 sequence.

    Args:
        line: an unfolded content line without ending.

    Returns:
        The folded line, CRLF at its end.

    Source: RFC 5545 §3.1.
    """
    if len(line) <= FOLD_AT and line.isascii():
        return line + "\r\n"
    data = line.encode("utf-8", "surrogateescape")
    pieces: list[bytes] = []
    start, room = 0, FOLD_AT
    while len(data) - start > room:
        end = start + room
        while data[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(data[start:end])
        start, room = end, FOLD_AT - 1
    pieces.append(data[start:])
    return b"\r\n ".join(pieces).decode("utf-8", "surrogateescape") + "\r\n"


def is_cut(raw: str) -> bool:
    """Whether a fold of the line cuts a UTF-8 sequence in two (the text then holds escaped octets)."""
    return not raw.isascii() and _CUT.search(raw) is not None


def decode_cut(data: bytes) -> str:
    """Decode octets whose folds may cut UTF-8 sequences, which is legal to receive; all else is refused.

    Args:
        data: octets that are no UTF-8 as they stand.

    Returns:
        Text in which the octets of cut sequences are escaped (Python's surrogateescape).

    Raises:
        ICalError: with the physical line, when unfolding does not make it UTF-8.

    Source: RFC 5545 §3.1.
    """
    for number, line in _byte_lines(data):
        joined = line
        for mark in (b"\r\n ", b"\r\n\t", b"\n ", b"\n\t"):
            joined = joined.replace(mark, b"")
        try:
            joined.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ICalError("not UTF-8", number + _folds_before(line, error.start)) from None
    return data.decode("utf-8", "surrogateescape")


def _byte_lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    number = 1
    for match in re.finditer(rb"[^\n]*+(?:\n[ \t][^\n]*+)*+(?:\n|\Z)", data):
        yield number, match[0]
        number += match[0].count(b"\n")


def _folds_before(line: bytes, at: int) -> int:
    """How many folds stand before the octet that is number `at` of the unfolded line."""
    folds = removed = 0
    for match in re.finditer(rb"\r?\n[ \t]", line):
        if match.start() - removed > at:
            break
        removed += len(match[0])
        folds += 1
    return folds
