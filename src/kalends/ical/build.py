"""New components and properties from Python values, escaped and folded as they must be."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from kalends.ical.errors import ICalError
from kalends.ical.moment import Duration, Moment, Period, format_utc_offset, utc_moment
from kalends.ical.param_text import Param
from kalends.ical.properties import find
from kalends.ical.tree import Line
from kalends.ical.values import escape_text

Single = str | int | bool | float | bytes | Moment | Duration | Period
"""What one value may be made from."""
Value = Single | Sequence[Single]
"""What a property may be made from: one value, or a list where the property takes several."""


def prop(name: str, value: Value, *params: Param) -> Line:
    """Build a property.

    Args:
        name: property name, any case.
        value: str for TEXT (escaped here) and for types without escapes (URI, CAL-ADDRESS, RECUR, CAL-QUERY:
            put as they are); int, bool, float; int seconds for a UTC-OFFSET; bytes for BINARY; `Moment`,
            `Duration`, `Period`; a sequence for list and structured properties.
        params: parameters in order, decoded. VALUE, TZID and ENCODING are added from the value.

    Returns:
        The folded line.

    Raises:
        ICalError: a list for a property of one value, values of different forms in one list, or text with
            line breaks where the type knows no escapes.

    Source: RFC 5545 §3.1.1, §3.3.
    """
    rule = find(name.upper())
    items: Sequence[Single]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        items = value
        if not rule.separator:
            raise ICalError(f"{name.upper()} takes one value, not a list")
    else:
        items = (value,)
    given = {key: values[0] for key, values in params if values}
    kind = given.get("VALUE", rule.type)
    added = {key: text for item in items for key, text in _form(item, kind).items()}
    if any(_form(item, kind) != added for item in items):
        raise ICalError(f"{name.upper()}: values of different forms in one list")
    head = tuple((key, (text,)) for key, text in added.items() if key not in given)
    wire = (rule.separator or ",").join(_wire(item, kind) for item in items)
    return Line.make(name, wire, head + params)


def _form(item: Single, kind: str) -> dict[str, str]:
    """The parameters that say how a value is written, where the property's default type does not."""
    if isinstance(item, Moment):
        own = "DATE" if item.is_date else "DATE-TIME"
        form = {"VALUE": own} if own != kind else {}
        return form if item.tzid is None else {**form, "TZID": item.tzid}
    if isinstance(item, Period):
        form = {"VALUE": "PERIOD"} if kind != "PERIOD" else {}
        return form if item.start.tzid is None else {**form, "TZID": item.start.tzid}
    if isinstance(item, bytes):
        return {"VALUE": "BINARY", "ENCODING": "BASE64"}
    return {}


def _wire(item: Single, kind: str) -> str:
    if isinstance(item, str):
        return escape_text(item) if kind == "TEXT" else item
    if isinstance(item, bool):
        return "TRUE" if item else "FALSE"
    if isinstance(item, bytes):
        return base64.b64encode(item).decode("ascii")
    if isinstance(item, float):
        return f"{item:.6f}".rstrip("0").rstrip(".")
    if isinstance(item, int) and kind == "UTC-OFFSET":
        return format_utc_offset(item)
    return str(item)


def stamp(name: str, now: float) -> Line:
    """A property that says when: DTSTAMP, CREATED, LAST-MODIFIED, COMPLETED, in UTC.

    Args:
        name: property name.
        now: seconds since 1970 UTC.
    """
    return prop(name, utc_moment(int(now)))
