"""A lossless tree of content lines (RFC 5545 §3.1, §3.4, §3.6).

The tree keeps each content line's original folded text, line ending included, so that serialising an
untouched tree gives back the very same octets; blank lines belong to the line before them, a byte order
mark alone is dropped. Names, parameters and values are cut out only when asked for: reading an event to
store it touches a handful of its lines.

Values are kept whatever they hold, except NUL, which no database stores as text; other control characters
are `validate`'s to refuse. Names are letters, digits, hyphens and, as some programs write them, underscores.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kalends.ical.errors import ICalError
from kalends.ical.folds import decode_cut, fold, unfold
from kalends.ical.param_text import Param, decode_param, encode_param, quoted_params
from kalends.ical.properties import PROPERTIES

MAX_OCTETS = 50_000_000
"""Largest text parsed at all; what a store accepts for one object is a smaller, configurable limit."""
MAX_LINES = 1_000_000
"""Content lines in one text: 10,000 events of a hundred lines each. Folds do not count, blank lines do."""
MAX_DEPTH = 16
"""Nested components. RFC 5545, 4324, 7953 and 9073 together need five."""
MAX_PARAMS = 65_536
"""Characters of a line's name and parameters, folds included. Real ones stay below 4,000; without a bound one
line could hold millions of parameters, which cost hundreds of times their octets."""


_NAME = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)?\Z")
_LINES = re.compile(
    r"""(                                         # one content line as it came:
        (?: ([A-Za-z0-9_-]++) [:;] )?+            #   its name (empty: look closer)
        [^\n]*+ \n                                #   the rest of its first physical line
        (?: [ \t] [^\n]*+ \n )*+                  #   its folds
        (?: \r? \n )*+                            #   blank lines after it belong to it
    )""",
    re.VERBOSE,
)
_HEAD = re.compile(r'(?:[^":]++|"[^"]*+")*+')
_BLANK = re.compile(r"(?:\r?\n)*+")
_LINE_BREAKERS = re.compile("[\x00\r\n]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_KNOWN = {name: name for name in PROPERTIES}
"""Names that need no look: they are found as they stand and share one string in memory."""
_ENDS = {
    f"{end}:{name}\r\n": name
    for end in ("BEGIN", "END")
    for name in ("VCALENDAR", "VEVENT", "VTODO", "VJOURNAL", "VALARM", "VTIMEZONE", "STANDARD", "DAYLIGHT")
}
"""First and last lines as nearly everybody writes them, with the component they mean."""


class Line:
    """One content line: a property. Compared by identity; `raw` is what is written back.

    Attributes:
        raw: the line as it came: folded, with its line ending.
        name: the property name in upper case (a vCard-style group prefix included).
    """

    __slots__ = ("_params", "_value", "name", "raw")
    _params: tuple[Param, ...]  # set together with _value

    def __init__(self, raw: str, name: str) -> None:
        self.raw = raw
        self.name = name
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

        Raises:
            ICalError: for a name that is none, or a value with a raw line break or NUL, which would smuggle
                in lines of its own.
        """
        if not _NAME.match(name) or not all(_NAME.match(key) for key, _ in params):
            raise ICalError(f"not the name of a property or parameter: {name[:40]!r}")
        if _LINE_BREAKERS.search(value) or _SURROGATE.search(value):
            raise ICalError(f"{name.upper()}: a value cannot hold a raw line break or NUL")
        head = "".join(f";{key}={','.join(encode_param(v) for v in values)}" for key, values in params)
        line = cls(fold(f"{name}{head}:{value}"), name.upper())
        line._params, line._value = params, value
        return line

    def _split(self) -> str:
        """Cut the line into parameters and value, both kept; returns the value."""
        text = unfold(self.raw)
        head, _, value = text.partition(":")
        if ";" not in head:
            self._params = ()
        elif '"' in head:
            value = self._split_quoted(text, len(head.partition(";")[0]))
        else:
            params: list[Param] = []
            for part in head.split(";")[1:]:
                key, equals, items = part.partition("=")
                if "^" in items:
                    items = decode_param(items)
                if equals:
                    params.append((key.strip().upper(), tuple(items.split(","))))
            self._params = tuple(params)
        self._value = value
        return value

    def _split_quoted(self, text: str, at: int) -> str:
        """The same where quotes may hide colons and semicolons; `at` is the first semicolon."""
        self._params, colon = quoted_params(text, at)
        return text[colon + 1 :] if colon >= 0 else ""

    @property
    def value(self) -> str:
        """The value as it stands on the wire, unfolded, escapes not resolved."""
        return self._split() if self._value is None else self._value

    @property
    def params(self) -> tuple[Param, ...]:
        """The parameters in order, decoded."""
        if self._value is None:
            self._split()
        return self._params

    def param(self, name: str) -> str | None:
        """The first value of a parameter as written, or None (no default: see `properties.param_default`)."""
        for key, values in self.params:
            if key == name:
                return values[0] if values else ""
        return None

    def param_values(self, name: str) -> tuple[str, ...]:
        """All values of a parameter as written, over all its occurrences; empty when absent."""
        return tuple(v for key, values in self.params if key == name for v in values)

    def with_value(self, value: str) -> Line:
        """A new line with another wire value; name and parameters stay as they were written.

        Raises:
            ICalError: for a value with a raw line break or NUL.
        """
        if _LINE_BREAKERS.search(value) or _SURROGATE.search(value):
            raise ICalError(f"{self.name}: a value cannot hold a raw line break or NUL")
        text = unfold(self.raw)
        return Line(fold(text[: len(text) - len(self.value)] + value), self.name)

    def with_params(self, params: tuple[Param, ...]) -> Line:
        """A new line with the same name and value and other parameters."""
        return Line.make(self.name, self.value, params)

    def __repr__(self) -> str:
        return f"Line({unfold(self.raw)!r})"


class Component:
    """A component: its BEGIN and END lines and what stands between them, in order.

    Attributes:
        name: upper-case component name.
        items: lines and nested components in their written order. May be changed freely.
        begin: the raw BEGIN line. end: the raw END line.
        line_number: of a root component, where its text started, from 1; 0 for all others (see `numbered`).
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
                if out[-1][-1] != "\n":  # it once was the end of a text without a last line break
                    out[-1] += "\r\n"
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


def parse_all(data: bytes | str, *, cap_lenient: bool = False) -> list[Component]:
    """Parse a text that holds any number of root components.

    Args:
        data: octets (UTF-8, a byte order mark is dropped) or text.
        cap_lenient: accept the slips of RFC 4324's own examples: REPLY for VREPLY in BEGIN and END, and a
            VQUERY closed by END:VCAR.

    Returns:
        The root components in order; an empty or blank text gives an empty list.

    Raises:
        ICalError: with line number and reason, for anything that cannot be kept losslessly.

    Source: RFC 5545 §3.4; RFC 4324 §9.6, §10.4.
    """
    text = _decode(data) if isinstance(data, bytes) else _checked(data)
    if "\0" in text:
        raise ICalError("a NUL character", text.count("\n", 0, text.index("\0")) + 1)
    if text.count("\n") > MAX_LINES and _count_lines(text) > MAX_LINES:
        raise ICalError(f"the text has more than {MAX_LINES} lines")
    return _Reader(text, cap_lenient).read()


def parse(data: bytes | str, *, cap_lenient: bool = False) -> Component:
    """Parse a text that holds exactly one root component.

    Args:
        data: octets or text, see `parse_all`.
        cap_lenient: see `parse_all`.

    Returns:
        The root component.

    Raises:
        ICalError: also when there is no root component, or more than one.
    """
    roots = parse_all(data, cap_lenient=cap_lenient)
    if len(roots) != 1:
        raise ICalError(
            "no component: BEGIN is missing" if not roots else f"{len(roots)} components, one expected",
            roots[1].line_number if roots else 1,
        )
    return roots[0]


def _count_lines(text: str) -> int:
    return text.count("\n") - text.count("\n ") - text.count("\n\t")


def _checked(text: str) -> str:
    if not text.isascii():
        if len(text) > MAX_OCTETS // 4 and len(text.encode("utf-8", "replace")) > MAX_OCTETS:
            raise ICalError(f"the text is longer than {MAX_OCTETS} octets")
        if surrogate := _SURROGATE.search(text):
            raise ICalError("not UTF-8", text.count("\n", 0, surrogate.start()) + 1)
    elif len(text) > MAX_OCTETS:
        raise ICalError(f"the text is longer than {MAX_OCTETS} octets")
    return text.removeprefix("\ufeff")


def _decode(data: bytes) -> str:
    if len(data) > MAX_OCTETS:
        raise ICalError(f"the text is longer than {MAX_OCTETS} octets")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return decode_cut(data)


class _Reader:
    """Turns lines into components; line numbers are counted only when something is wrong."""

    def __init__(self, text: str, cap_lenient: bool) -> None:
        blank = _BLANK.match(text)
        self.blank = blank[0] if blank else ""
        """Blank lines before the first line."""
        self.whole = text[-1:] == "\n"
        self.long = len(text) > MAX_PARAMS
        self.lines: list[tuple[str, str]] = _LINES.findall(
            text if self.whole else text + "\n", len(self.blank)
        )
        if len(self.blank) == len(text):
            self.lines = []
        self.cap_lenient = cap_lenient
        self.roots: list[Component] = []
        self.stack: list[Component] = []

    def fail(self, index: int, reason: str) -> ICalError:
        return ICalError(reason, self.number(index))

    def number(self, index: int) -> int:
        return 1 + self.blank.count("\n") + sum(raw.count("\n") for raw, _ in self.lines[:index])

    def read(self) -> list[Component]:
        if self.long:
            self.check_heads()
        strays: list[Line | Component] = []
        append = strays.append
        known = _KNOWN.get
        for index, (raw, written) in enumerate(self.lines):
            name = known(written)
            if name and ":" in raw:
                append(Line(raw, name))
                continue
            name = self.odd_name(index, raw, written)
            if name == "BEGIN":
                append = self.begin(index, raw).items.append
            elif name == "END":
                self.end(index, raw)
                append = self.stack[-1].items.append if self.stack else strays.append
            else:
                append(Line(raw, name))
            if strays:
                self.refuse_stray(strays[0])
        if strays:
            self.refuse_stray(strays[0])
        if self.stack:
            raise self.fail(len(self.lines) - 1, f"END:{self.stack[-1].name} is missing")
        if not self.whole and self.roots:
            self.roots[-1].end = self.roots[-1].end[:-1]
        return self.roots

    def check_heads(self) -> None:
        for index, (raw, _) in enumerate(self.lines):
            if len(raw) > MAX_PARAMS and (head := _HEAD.match(raw)) and head.end() > MAX_PARAMS:
                raise self.fail(index, f"name and parameters longer than {MAX_PARAMS} characters")

    def odd_name(self, index: int, raw: str, written: str) -> str:
        """The name of a line that is no registered property in upper case; refuses lines without a name."""
        if written and ":" in raw:
            return written.upper()
        text = unfold(raw)
        name = re.split("[;:]", text, maxsplit=1)[0].rstrip()
        if ":" not in text or not _NAME.match(name):
            raise self.fail(index, f"not a content line (name:value): {text[:40]!r}")
        return name.upper()

    def begin(self, index: int, raw: str) -> Component:
        name = self.component_name(raw)
        if len(self.stack) >= MAX_DEPTH:
            raise self.fail(index, f"components nested deeper than {MAX_DEPTH}")
        if raw not in _ENDS and not _NAME.match(name):
            raise self.fail(index, f"BEGIN of what? {name[:40]!r} is no component name")
        component = Component.__new__(Component)
        component.name, component.items, component.begin, component.end = name, [], raw, ""
        if self.stack:
            component.line_number = 0
            self.stack[-1].items.append(component)
        else:
            component.line_number = 1
            if not self.roots:
                component.begin = self.blank + raw
            else:
                component.line_number = self.roots[-1].line_number + self.roots[-1].to_ics().count("\n")
            self.roots.append(component)
        self.stack.append(component)
        return component

    def end(self, index: int, raw: str) -> None:
        name = self.component_name(raw)
        if not self.stack:
            raise self.fail(index, f"END:{name[:40]} without BEGIN")
        opened = self.stack.pop()
        if name != opened.name and not (self.cap_lenient and (opened.name, name) == ("VQUERY", "VCAR")):
            raise self.fail(index, f"END:{name[:40]} closes BEGIN:{opened.name[:40]}")
        opened.end = raw

    def component_name(self, raw: str) -> str:
        if plain := _ENDS.get(raw):
            return plain
        name = unfold(raw).partition(":")[2].strip().upper()
        return "VREPLY" if self.cap_lenient and name == "REPLY" else name

    def refuse_stray(self, stray: Line | Component) -> None:
        assert isinstance(stray, Line)
        index = next(i for i, (raw, _) in enumerate(self.lines) if raw is stray.raw)
        raise self.fail(index, f"{stray.name[:40]} stands outside any component")
