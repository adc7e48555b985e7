"""MODIFY's heart: replace old values by new ones in a component, touching nothing else (RFC 4324 §10.9).

Old values are a compare-and-swap: a component that does not hold all of them is not the one that is meant.
A line that is not named keeps its octets; a line that changes takes the client's octets where it can.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kalends.core.errors import InvalidError
from kalends.ical.errors import ICalError
from kalends.ical.param_text import Param
from kalends.ical.properties import find
from kalends.ical.tree import Component, Line
from kalends.ical.values import binary, normal_address, unescape_text

READ_ONLY: Mapping[str, frozenset[str]] = {
    "VAGENDA": frozenset(("CALID", "CREATED")),
    "VCALSTORE": frozenset(("CREATED", "CSID", "LAST-MODIFIED", "RELATED-TO", "MAXDATE", "MINDATE")),
}
"""Properties of containers that MODIFY never changes (RFC 4324 §9.1, §9.2; MDF-13). A calendar is renamed by
MOVE (A-55); the store's limits are its configuration's."""
IDENTITY = frozenset(("UID",))
"""Properties of every component that MODIFY never changes (RFC 4324 §10.9; MDF-07)."""


def check_encoding(values: Component) -> None:
    """Refuse inline attachments that cannot be decoded, among old or new values.

    Raises:
        InvalidError: no base64.

    Source: RFC 4324 §10.9; MDF-12.
    """
    for part in values.walk():
        for line in part.lines:
            if _is_binary(line):
                try:
                    binary(line)
                except ICalError as error:
                    raise InvalidError(f"{line.name}: {error.reason}") from error


def holds(component: Component, old: Component) -> bool:
    """Whether a component has all the old values: every line, and every contained component somewhere.

    Args:
        component: what the query selected.
        old: the old values.

    Source: RFC 4324 §10.9; MDF-03.
    """
    if _matched(component, old) is None:
        return False
    return all(
        any(holds(child, wanted) for child in component.children(wanted.name)) for wanted in old.components
    )


def apply(component: Component, old: Component, new: Component) -> None:
    """Replace the old values by the new ones, in place.

    What stands in both stays as it is, old and not new goes, new and not old comes.

    Args:
        component: a component that `holds` the old values; it is changed.
        old: the old values.
        new: the new values.

    Raises:
        InvalidError: a read-only property would change.

    Source: RFC 4324 §10.9; MDF-04 to MDF-08, MDF-12, MDF-13.
    """
    matched = _matched(component, old)
    assert matched is not None, "apply without holds"
    _apply_lines(component, matched, new.lines)
    _apply_children(component, old, new)


def _matched(component: Component, old: Component) -> list[tuple[Line, Line]] | None:
    """Old lines with the component's lines that they mean; None when one is not there."""
    free: dict[str, list[Line]] = {}
    for line in component.lines:
        free.setdefault(line.name, []).append(line)
    pairs: list[tuple[Line, Line]] = []
    for wanted in old.lines:
        candidates = [line for line in free.get(wanted.name, ()) if _same_value(line, wanted)]
        candidates = [line for line in candidates if _covers(line, wanted)]
        if not candidates:
            return None
        exact = [line for line in candidates if _params(line) == _params(wanted)]
        chosen = (exact or candidates)[0]
        free[wanted.name] = [line for line in free[wanted.name] if line is not chosen]
        pairs.append((wanted, chosen))
    return pairs


def _params(line: Line) -> dict[str, tuple[str, ...]]:
    return dict(line.params)


def _covers(line: Line, wanted: Line) -> bool:
    """Whether a line has all the parameters that the old values name."""
    if not wanted.params:
        return True
    have = {name: tuple(v.lower() for v in values) for name, values in line.params}
    return all(have.get(name) == tuple(v.lower() for v in values) for name, values in wanted.params)


def _same_value(line: Line, wanted: Line) -> bool:
    if line.value == wanted.value:
        return True
    if _is_binary(wanted):
        return _same_binary(line, wanted)
    kind = find(line.name).type
    if kind == "CAL-ADDRESS":
        return normal_address(line.value) == normal_address(wanted.value)
    if kind == "TEXT":
        return unescape_text(line.value) == unescape_text(wanted.value)
    return line.value.strip() == wanted.value.strip()


def _is_binary(line: Line) -> bool:
    return bool(line.params) and (
        (line.param("ENCODING") or "").upper() == "BASE64" or (line.param("VALUE") or "").upper() == "BINARY"
    )


def _same_binary(line: Line, wanted: Line) -> bool:
    """Attachments are compared by their octets; the first ones are enough (RFC 4324 §10.9; MDF-12)."""
    try:
        return _is_binary(line) and binary(line).startswith(binary(wanted))
    except ICalError:
        return False


def _apply_lines(component: Component, matched: Sequence[tuple[Line, Line]], new: Sequence[Line]) -> None:
    arriving = list(new)
    leaving: list[tuple[Line, Line]] = []
    for wanted, line in matched:
        twin = next((n for n in arriving if _identical(n, wanted)), None)
        if twin is None:
            leaving.append((wanted, line))
        else:
            arriving = [n for n in arriving if n is not twin]
    arriving = [n for n in arriving if not any(_identical(n, line) for line in component.all(n.name))]
    _refuse_read_only(component.name, [wanted for wanted, _ in leaving] + arriving)
    for wanted, line in leaving:
        follower = _follower(wanted, arriving)
        if follower is None:
            component.remove(line)
            continue
        arriving = [n for n in arriving if n is not follower]
        component.replace(line, _merged(line, wanted, follower))
    for line in arriving:
        component.items.insert(_place_for(component, line), _whole(line))


def _identical(one: Line, other: Line) -> bool:
    return one.name == other.name and one.value == other.value and _params(one) == _params(other)


def _follower(wanted: Line, arriving: Sequence[Line]) -> Line | None:
    """The new line that takes an old one's place: of the same name, with the same value if there is one."""
    named = [line for line in arriving if line.name == wanted.name]
    return next((line for line in named if line.value == wanted.value), named[0] if named else None)


def _merged(line: Line, wanted: Line, new: Line) -> Line:
    """The new line; parameters that neither old nor new values name stay."""
    if _params(line) == _params(wanted):
        return _whole(new)
    named = {name for name, _ in wanted.params} | {name for name, _ in new.params}
    kept: list[Param] = [(name, values) for name, values in line.params if name not in named]
    return _whole(new) if not kept else Line.make(new.name, new.value, (*kept, *new.params))


def _whole(line: Line) -> Line:
    """The line with a line ending, which the last one of a text may lack."""
    return line if line.raw.endswith("\n") else Line(line.raw + "\r\n", line.name)


def _place_for(component: Component, line: Line) -> int:
    """Behind the last line of its name, else behind the last property."""
    last = last_same = -1
    for index, item in enumerate(component.items):
        if isinstance(item, Line):
            last = index
            if item.name == line.name:
                last_same = index
    return (last_same if last_same >= 0 else last) + 1


def _refuse_read_only(kind: str, lines: Iterable[Line]) -> None:
    closed = READ_ONLY.get(kind, frozenset()) | IDENTITY
    for line in lines:
        if line.name in closed:
            raise InvalidError(f"{line.name} of a {kind} cannot be changed", 0)


def _apply_children(component: Component, old: Component, new: Component) -> None:
    arriving = new.components
    for wanted in old.components:
        twin = _twin(wanted, arriving)
        arriving = [child for child in arriving if child is not twin]
        for child in [child for child in component.children(wanted.name) if holds(child, wanted)]:
            if twin is None:
                component.remove(child)
            else:
                apply(child, wanted, twin)
    component.items.extend(arriving)


def _twin(wanted: Component, arriving: Sequence[Component]) -> Component | None:
    """The new values of a contained component: the one with its SEQUENCE, else the next of its kind."""
    same_kind = [child for child in arriving if child.name == wanted.name]
    sequence = wanted.value("SEQUENCE")
    if sequence is not None:
        for child in same_kind:
            if child.value("SEQUENCE") == sequence:
                return child
    return same_kind[0] if same_kind else None
