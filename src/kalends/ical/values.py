"""Typed values on demand: what a line's value means, value by value (RFC 5545 §3.3, RFC 4324 §6.1)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from kalends.ical.errors import ICalError
from kalends.ical.moment import (
    Moment,
    parse_duration,
    parse_moment,
    parse_period,
    parse_time,
    parse_utc_offset,
)
from kalends.ical.properties import Property, find
from kalends.ical.recur import Rule
from kalends.ical.tree import Line

INTEGER_MIN: Final = -(2**31)
INTEGER_MAX: Final = 2**31 - 1
"""The range of INTEGER (RFC 5545 §3.3.8)."""

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "N": "\n"}
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}\Z")
_FLOAT = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?\Z")
_SPLIT_AT = {sep: re.compile(rf"(?:[^\\{sep}]|\\.|\\\Z)*", re.DOTALL) for sep in ",;"}


class Instants(Protocol):
    """What turns local times into instants: `zones.Zones`."""

    def to_epoch(self, moment: Moment) -> int:
        """Seconds since 1970-01-01 UTC of a moment."""
        ...  # pragma: no cover


class TypedValue(NamedTuple):
    """One value of a property, ready for an index or a comparison.

    Attributes:
        type: upper-case value type, e.g. "TEXT", "DATE-TIME", "UPN".
        text: the value without escapes, as a person or a query names it.
        number: the value as a number where it has one: INTEGER itself; BOOLEAN 0 or 1; DURATION and
            UTC-OFFSET seconds; TIME seconds since midnight; DATE, DATE-TIME and PERIOD (its start) seconds
            since 1970-01-01 UTC, floating times counted as if UTC.
    """

    type: str
    text: str
    number: int | None = None


def escape_text(text: str) -> str:
    r"""Write TEXT as it stands on a content line.

    Args:
        text: any text; a CRLF or a lone CR becomes one line break, other control characters are dropped.

    Returns:
        The text with ``\\ \; \, \n``.

    Source: RFC 5545 §3.3.11.
    """
    text = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", text.replace("\n", "\\n"))


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def unescape_text(value: str) -> str:
    r"""Read one TEXT value: ``\n`` and ``\N`` are line breaks, a backslash before anything else is dropped.

    Source: RFC 5545 §3.3.11.
    """
    if "\\" not in value:
        return value
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), value)


def split_values(value: str, separator: str = ",") -> list[str]:
    """Split a wire value at unescaped separators; the pieces keep their escapes.

    Args:
        value: the value as it stands on the wire, unfolded.
        separator: "," or ";".

    Returns:
        At least one piece; an empty value is one empty piece.

    Source: RFC 5545 §3.1.1.
    """
    if "\\" not in value:
        return value.split(separator)
    piece = _SPLIT_AT[separator]
    pieces: list[str] = []
    at = 0
    while match := piece.match(value, at):
        pieces.append(match[0])
        at = match.end() + 1
        if at > len(value):
            break
    return pieces


def normal_address(uri: str) -> str:
    """A calendar user address in the one spelling used for comparison.

    Args:
        uri: as written; a bare mailbox without scheme is taken as mailto.

    Returns:
        The address trimmed, scheme in lower case, mailto entirely in lower case (calendar software treats
        mailboxes without regard to case, whatever RFC 5321 §2.4 allows).

    Source: RFC 5545 §3.3.3; RFC 3986 §6.2.2.1.
    """
    uri = uri.strip()
    scheme, colon, rest = uri.partition(":")
    if not colon:
        return f"mailto:{uri.lower()}" if "@" in uri else uri
    scheme = scheme.lower()
    if scheme == "mailto":
        return f"mailto:{rest.strip().lower()}"
    return f"{scheme}:{rest}"


def value_type(line: Line) -> str:
    """The upper-case type of a line's values: its VALUE parameter, else what the property table says."""
    if line.params:
        written = line.param("VALUE")
        if written:
            return written.upper()
    return find(line.name).type


def binary(line: Line) -> bytes:
    """Decode a BINARY value.

    Args:
        line: a line with VALUE=BINARY and ENCODING=BASE64.

    Returns:
        The octets.

    Raises:
        ICalError: when the value is no base64.

    Source: RFC 5545 §3.3.1.
    """
    try:
        return base64.b64decode(re.sub(r"\s", "", line.value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ICalError(f"{line.name} is no base64: {error}") from None


def values(line: Line, zones: Instants | None = None, *, lenient: bool = False) -> list[TypedValue]:
    """The values of a line, typed and decoded, one by one.

    Args:
        line: any content line.
        zones: turns local times into instants; without it times with a TZID have no number.
        lenient: give a value that does not fit its type as raw text without a number, instead of refusing.

    Returns:
        One entry for each value; a property with an empty value has one entry with empty text. RECUR,
        CAL-QUERY and URI values are never split, whatever commas they hold.

    Raises:
        ICalError: when a value does not fit its type and `lenient` is off.

    Source: RFC 5545 §3.3; RFC 4324 §6.1.1.9, §6.1.1.11.
    """
    rule = find(line.name)
    kind = value_type(line)
    read = READERS.get(kind)
    if read is None:
        return [TypedValue(kind, line.value)]
    try:
        return [read(piece, line, zones) for piece in _pieces(line.value, rule, kind)]
    except ICalError as error:
        if lenient:
            return [TypedValue(kind, line.value)]
        raise ICalError(f"{line.name}: {error.reason}") from None


def _pieces(value: str, rule: Property, kind: str) -> list[str]:
    if rule.separator != "," or kind not in _SPLITTABLE:
        return [value]
    return split_values(value) if kind == "TEXT" else value.split(",")


_SPLITTABLE = frozenset(("TEXT", "DATE", "DATE-TIME", "PERIOD", "DURATION", "INTEGER", "FLOAT", "TIME"))


def _text(value: str, line: Line, zones: Instants | None) -> TypedValue:
    return TypedValue("TEXT", unescape_text(value))


def _integer(value: str, line: Line, zones: Instants | None) -> TypedValue:
    if not _INTEGER.match(value := value.strip()):
        raise ICalError(f"no integer: {value[:40]!r}")
    number = int(value)
    if not INTEGER_MIN <= number <= INTEGER_MAX:
        raise ICalError(f"integer out of range: {value}")
    return TypedValue("INTEGER", value, number)


def _boolean(value: str, line: Line, zones: Instants | None) -> TypedValue:
    text = value.strip().upper()
    if text not in ("TRUE", "FALSE"):
        raise ICalError(f"neither TRUE nor FALSE: {value[:40]!r}")
    return TypedValue("BOOLEAN", text, int(text == "TRUE"))


def _float(value: str, line: Line, zones: Instants | None) -> TypedValue:
    parts = value.split(";")
    if len(parts) != (2 if find(line.name).separator == ";" else 1):
        raise ICalError(f"wrong number of values: {value[:40]!r}")
    for part in parts:
        if not _FLOAT.match(part.strip()):
            raise ICalError(f"no number: {part[:40]!r}")
    return TypedValue("FLOAT", value)


def _time(value: str, line: Line, zones: Instants | None) -> TypedValue:
    return TypedValue("TIME", value, parse_time(value).seconds)


def _moment(value: str, line: Line, zones: Instants | None) -> TypedValue:
    # Only a written VALUE insists: a bare date where a time is the default is a daily slip, and clear.
    moment = parse_moment(value, line.param("TZID"), line.param("VALUE"))
    return TypedValue("DATE" if moment.is_date else "DATE-TIME", value, _instant(moment, zones))


def _period(value: str, line: Line, zones: Instants | None) -> TypedValue:
    period = parse_period(value, line.param("TZID"))
    return TypedValue("PERIOD", value, _instant(period.start, zones))


def _instant(moment: Moment, zones: Instants | None) -> int | None:
    if moment.tzid is None:
        return moment.wall
    return None if zones is None else zones.to_epoch(moment)


def _duration(value: str, line: Line, zones: Instants | None) -> TypedValue:
    return TypedValue("DURATION", value, parse_duration(value).total)


def _utc_offset(value: str, line: Line, zones: Instants | None) -> TypedValue:
    return TypedValue("UTC-OFFSET", value, parse_utc_offset(value))


def _uri(value: str, line: Line, zones: Instants | None) -> TypedValue:
    return TypedValue("URI", value)


def _binary(value: str, line: Line, zones: Instants | None) -> TypedValue:
    binary(line)
    return TypedValue("BINARY", value)


def _recur(value: str, line: Line, zones: Instants | None) -> TypedValue:
    Rule.parse(value)
    return TypedValue("RECUR", value)


def _verbatim(kind: str) -> Callable[[str, Line, Instants | None], TypedValue]:
    def read(value: str, line: Line, zones: Instants | None) -> TypedValue:
        return TypedValue(kind, value)

    return read


READERS: Mapping[str, Callable[[str, Line, Instants | None], TypedValue]] = {
    "TEXT": _text,
    "INTEGER": _integer,
    "BOOLEAN": _boolean,
    "FLOAT": _float,
    "TIME": _time,
    "DATE": _moment,
    "DATE-TIME": _moment,
    "PERIOD": _period,
    "DURATION": _duration,
    "UTC-OFFSET": _utc_offset,
    "URI": _uri,
    "BINARY": _binary,
    "RECUR": _recur,
    **{kind: _verbatim(kind) for kind in ("CAL-ADDRESS", "UPN", "UPN-FILTER", "CAL-QUERY", "UID")},
}
"""How a single value of each type is read. A new type is one more entry."""
