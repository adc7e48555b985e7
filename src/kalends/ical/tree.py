"""A lossless tree of content lines (RFC 5545 §3.1, §3.4, §3.6).

The tree keeps each content line's original folded text, line ending included, so that serialising an
untouched tree gives back the very same octets. Names, parameters and values are cut out only when asked
for: reading an event to store it touches a handful of its lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kalends.ical.errors import ICalError

MAX_OCTETS = 50_000_000
"""Largest text parsed at all; what a store accepts for one object is a smaller, configurable limit."""
MAX_LINES = 1_000_000
"""Content lines in one text: 10,000 events of a hundred lines each."""
MAX_DEPTH = 16
"""Nested components. RFC 5545, 4324, 7953 and 9073 together need five."""
FOLD_AT = 75
"""Octets of a physical line before it is folded, the line break not counted (RFC 5545 §3.1)."""

Param = tuple[str, tuple[str, ...]]
"""A parameter: upper-case name, decoded values (quotes removed, RFC 6868 carets resolved)."""

_LOGICAL_END = re.compile(r"\n(?![ \t])")
_FOLD = re.compile(r"\r?\n[ \t]")
_NAME = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)?\Z")
_PARAM = re.compile(r';\s*([A-Za-z0-9-]+)\s*=((?:"[^"]*"|[^",;:]*)(?:,(?:"[^"]*"|[^",;:]*))*)')
_ITEM = re.compile(r'"([^"]*)"|([^",]*)')
_CARET = re.compile(r"\^[n'^]")
_CARETS = {"^n": "\n", "^'": '"', "^^": "^"}
_NEEDS_QUOTES = re.compile(r"[,;:]")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


def unfold(raw: str) -> str:
    """Join a folded content line.

    Args:
        raw: one logical line as it came, folds and line ending included.

    Returns:
        The line without folds (line break plus one space or tab) and without its ending.

    Source: RFC 5545 §3.1.
    """
    if "\n" in raw:
        raw = _FOLD.sub("", raw)
        if "\udc80" <= max(raw, default="") <= "\udcff":  # a fold had cut a UTF-8 sequence in two
            raw = raw.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    return raw.rstrip("\r\n")


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


def encode_param(value: str) -> str:
    """Write one parameter value: RFC 6868 carets, and quotes where the value needs them.

    Args:
        value: any text; other control characters are dropped, for they have no encoding.

    Returns:
        The value as it stands on a content line.
    """
    value = value.replace("^", "^^").replace("\r\n", "\n").replace("\n", "^n").replace('"', "^'")
    value = _CONTROL.sub("", value)
    return f'"{value}"' if _NEEDS_QUOTES.search(value) else value


def _decode_param(value: str) -> str:
    return _CARET.sub(lambda m: _CARETS[m.group()], value) if "^" in value else value


class Line:
    """One content line: a property. Compared by identity; `raw` is what is written back.

    Attributes:
        raw: the line as it came: folded, with its line ending.
        name: the property name in upper case (a vCard-style group prefix included).
    """

    __slots__ = ("_params", "_value", "name", "raw")

    def __init__(self, raw: str, name: str) -> None:
        self.raw = raw
        self.name = name
        self._params: tuple[Param, ...] | None = None
        self._value: str | None = None

    @classmethod
    def make(cls, name: str, value: str, params: tuple[Param, ...] = ()) -> Line:
        """Build a line from its parts.

        Args:
            name: property name, any case.
            value: the value as it stands on the wire (TEXT already escaped: see `values.escape_text`).
            params: decoded parameters in order; they are quoted and caret-encoded as needed.

        Returns:
            A line folded at 75 octets.
        """
        head = "".join(f";{key}={','.join(encode_param(v) for v in values)}" for key, values in params)
        line = cls(fold(f"{name}{head}:{value}"), name.upper())
        line._params, line._value = params, value
        return line

    def _split(self) -> None:
        text = unfold(self.raw)
        colon = text.find(":")
        semicolon = text.find(";", 0, colon)
        if semicolon < 0:
            self._params, self._value = (), text[colon + 1 :]
            return
        params: list[Param] = []
        at = semicolon
        while match := _PARAM.match(text, at):
            items = match[2]
            if '"' in items:
                values = tuple(_decode_param(q or p) for q, p in _split_items(items))
            else:
                values = tuple(_decode_param(v) for v in items.split(","))
            params.append((match[1].upper(), values))
            at = match.end()
        if text[at : at + 1] != ":":  # a broken parameter list: the value starts at the next colon
            at = text.find(":", at)
        self._params = tuple(params)
        self._value = text[at + 1 :] if at >= 0 else ""

    @property
    def value(self) -> str:
        """The value as it stands on the wire, unfolded, escapes not resolved."""
        if self._value is None:
            self._split()
        assert self._value is not None
        return self._value

    @property
    def params(self) -> tuple[Param, ...]:
        """The parameters in order, decoded."""
        if self._params is None:
            self._split()
        assert self._params is not None
        return self._params

    def param(self, name: str) -> str | None:
        """The first value of a parameter as written, or None (no RFC default: see `values.param_default`)."""
        for key, values in self.params:
            if key == name:
                return values[0] if values else ""
        return None

    def param_values(self, name: str) -> tuple[str, ...]:
        """All values of a parameter as written, over all its occurrences; empty when absent."""
        return tuple(v for key, values in self.params if key == name for v in values)

    def with_value(self, value: str) -> Line:
        """A new line with the same name and parameters and another wire value."""
        return Line.make(self.name, value, self.params)

    def with_params(self, params: tuple[Param, ...]) -> Line:
        """A new line with the same name and value and other parameters."""
        return Line.make(self.name, self.value, params)

    def __repr__(self) -> str:
        return f"Line({unfold(self.raw)!r})"


def _split_items(items: str) -> Iterator[tuple[str, str]]:
    at = 0
    while True:
        match = _ITEM.match(items, at)
        assert match is not None
        yield match[1] or "", match[2] or ""
        at = match.end()
        if at >= len(items):
            return
        at += 1


class Component:
    """A component: its BEGIN and END lines and what stands between them, in order.

    Attributes:
        name: upper-case component name.
        items: lines and nested components in their written order. May be changed freely.
        begin: the raw BEGIN line. end: the raw END line.
        line_number: where BEGIN stood in the text, from 1; 0 when built by the program.
    """

    __slots__ = ("begin", "end", "items", "line_number", "name")

    def __init__(self, name: str, items: list[Line | Component] | None = None) -> None:
        self.name = name.upper()
        self.items: list[Line | Component] = items if items is not None else []
        self.begin = f"BEGIN:{self.name}\r\n"
        self.end = f"END:{self.name}\r\n"
        self.line_number = 0

    @property
    def lines(self) -> list[Line]:
        """The component's own properties, in order."""
        return [item for item in self.items if isinstance(item, Line)]

    @property
    def components(self) -> list[Component]:
        """The directly nested components, in order."""
        return [item for item in self.items if isinstance(item, Component)]

    def first(self, name: str) -> Line | None:
        """The first property of that (upper-case) name, or None."""
        for item in self.items:
            if item.name == name and isinstance(item, Line):
                return item
        return None

    def value(self, name: str) -> str | None:
        """The wire value of the first property of that name, or None."""
        line = self.first(name)
        return None if line is None else line.value

    def all(self, name: str) -> list[Line]:
        """All properties of that (upper-case) name, in order."""
        return [item for item in self.items if item.name == name and isinstance(item, Line)]

    def children(self, name: str) -> list[Component]:
        """The directly nested components of that (upper-case) name, in order."""
        return [item for item in self.items if item.name == name and isinstance(item, Component)]

    def add(self, name: str, value: str, *params: Param) -> Line:
        """Append a property built from wire parts and return it."""
        line = Line.make(name, value, params)
        self.items.append(line)
        return line

    def replace(self, old: Line | Component, new: Line | Component) -> None:
        """Put `new` where `old` (by identity) stands."""
        self.items[self._index(old)] = new

    def remove(self, item: Line | Component) -> None:
        """Take out an item (by identity)."""
        del self.items[self._index(item)]

    def _index(self, wanted: Line | Component) -> int:
        return next(i for i, item in enumerate(self.items) if item is wanted)

    def copy(self) -> Component:
        """A deep copy of the structure; lines, which never change, are shared."""
        twin = Component(self.name, [i.copy() if isinstance(i, Component) else i for i in self.items])
        twin.begin, twin.end, twin.line_number = self.begin, self.end, self.line_number
        return twin

    def walk(self) -> Iterator[Component]:
        """This component and all nested ones, outer first, in written order."""
        yield self
        for item in self.items:
            if isinstance(item, Component):
                yield from item.walk()

    def _write(self, out: list[str]) -> None:
        out.append(self.begin)
        for item in self.items:
            if isinstance(item, Line):
                out.append(item.raw)
            else:
                item._write(out)
        out.append(self.end)

    def to_ics(self) -> str:
        """The component as text: untouched lines exactly as they came."""
        out: list[str] = []
        self._write(out)
        return "".join(out)

    def to_bytes(self) -> bytes:
        """The component as octets, exactly those that were parsed when nothing was changed."""
        return self.to_ics().encode("utf-8", "surrogateescape")

    def __repr__(self) -> str:
        return f"<{self.name} {len(self.items)} items>"


def parse_all(data: bytes | str) -> list[Component]:
    """Parse a text that holds any number of root components.

    Args:
        data: octets (UTF-8, a byte order mark is dropped) or text.

    Returns:
        The root components in order; an empty text gives an empty list.

    Raises:
        ICalError: with line number and reason, for anything that cannot be kept losslessly.

    Source: RFC 5545 §3.4.
    """
    text = _decode(data) if isinstance(data, bytes) else data.removeprefix("\ufeff")
    if len(text) > MAX_OCTETS:
        raise ICalError(f"the text is longer than {MAX_OCTETS} octets")
    if not text:
        return []
    logical = _LOGICAL_END.split(text)
    if len(logical) > MAX_LINES:
        raise ICalError(f"the text has more than {MAX_LINES} lines")
    return _Reader(logical).read()


def parse(data: bytes | str) -> Component:
    """Parse a text that holds exactly one root component.

    Raises:
        ICalError: also when there is no root component, or more than one.
    """
    roots = parse_all(data)
    if len(roots) != 1:
        raise ICalError(
            "no component: BEGIN is missing" if not roots else f"{len(roots)} components, one expected",
            roots[1].line_number if roots else 1,
        )
    return roots[0]


def _decode(data: bytes) -> str:
    if len(data) > MAX_OCTETS:
        raise ICalError(f"the text is longer than {MAX_OCTETS} octets")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # A fold may have cut a UTF-8 sequence in two: legal to receive (RFC 5545 §3.1), else refused.
        joined = re.sub(rb"\r?\n[ \t]", b"", data)
        try:
            joined.decode("utf-8")
        except UnicodeDecodeError:
            raise ICalError("not UTF-8", data.count(b"\n", 0, error.start) + 1) from None
        return data.decode("utf-8", "surrogateescape")


class _Reader:
    """Turns logical lines into components; line numbers are counted only when something is wrong."""

    def __init__(self, logical: list[str]) -> None:
        self.logical = logical

    def fail(self, index: int, reason: str) -> ICalError:
        return ICalError(reason, self.number(index))

    def number(self, index: int) -> int:
        return sum(1 + raw.count("\n") for raw in self.logical[:index]) + 1

    def read(self) -> list[Component]:
        roots: list[Component] = []
        stack: list[Component] = []
        items: list[Line | Component] | None = None
        last = len(self.logical) - 1
        for index, raw in enumerate(self.logical):
            colon = raw.find(":")
            semicolon = raw.find(";", 0, colon)
            name = raw[: semicolon if semicolon >= 0 else colon] if colon >= 0 else ""
            if not name.isalpha() and not _NAME.match(name):
                name = self.odd_name(index, raw)
            name = name.upper()
            full = raw if index == last else raw + "\n"
            if name == "BEGIN":
                opened = self.begin(index, full, len(stack))
                if items is None:
                    roots.append(opened)
                else:
                    items.append(opened)
                stack.append(opened)
                items = opened.items
            elif name == "END":
                self.end(index, full, stack)
                items = stack[-1].items if stack else None
            elif items is not None:
                items.append(Line(full, name))
            elif name:
                raise self.fail(index, f"{name} stands outside any component")
        if stack:
            raise self.fail(last, f"END:{stack[-1].name} is missing")
        return roots

    def odd_name(self, index: int, raw: str) -> str:
        """The name of a line that is blank, folded inside its name, or broken."""
        text = unfold(raw)
        if not text.strip():
            return ""
        name = re.split("[;:]", text, maxsplit=1)[0].strip()
        if ":" not in text or not _NAME.match(name):
            raise self.fail(index, f"not a content line (name:value): {text[:40]!r}")
        return name

    def begin(self, index: int, raw: str, depth: int) -> Component:
        if depth >= MAX_DEPTH:
            raise self.fail(index, f"components nested deeper than {MAX_DEPTH}")
        name = unfold(raw).partition(":")[2].strip()
        if not _NAME.match(name):
            raise self.fail(index, f"BEGIN of what? {name[:40]!r} is no component name")
        component = Component(name)
        component.begin = raw
        component.line_number = index + 1
        return component

    def end(self, index: int, raw: str, stack: list[Component]) -> None:
        name = unfold(raw).partition(":")[2].strip().upper()
        if not stack:
            raise self.fail(index, f"END:{name} without BEGIN")
        if name != stack[-1].name:
            raise self.fail(index, f"END:{name} closes BEGIN:{stack[-1].name}")
        stack.pop().end = raw
