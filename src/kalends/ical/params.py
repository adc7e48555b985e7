"""The registered parameters, and what a line says with its parameters, defaults included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from kalends.ical.properties import param_defaults
from kalends.ical.tree import Line


@dataclass(frozen=True, slots=True)
class Parameter:
    """What is registered about one parameter.

    Attributes:
        name: upper-case name.
        many: a comma separates several values; False: a comma belongs to the value or is an error.
        quoted: values are written in double quotes always (calendar addresses and URIs).
        source: where it is registered.
    """

    name: str
    many: bool
    quoted: bool
    source: str


def _rows() -> Iterator[Parameter]:
    p, rfc = Parameter, "RFC 5545 §3.2."
    yield p("ALTREP", many=False, quoted=True, source=rfc + "1")
    yield p("CN", many=False, quoted=False, source=rfc + "2")
    yield p("CUTYPE", many=False, quoted=False, source=rfc + "3")
    yield p("DELEGATED-FROM", many=True, quoted=True, source=rfc + "4")
    yield p("DELEGATED-TO", many=True, quoted=True, source=rfc + "5")
    yield p("DIR", many=False, quoted=True, source=rfc + "6")
    yield p("ENCODING", many=False, quoted=False, source=rfc + "7")
    yield p("FMTTYPE", many=False, quoted=False, source=rfc + "8")
    yield p("FBTYPE", many=False, quoted=False, source=rfc + "9")
    yield p("LANGUAGE", many=False, quoted=False, source=rfc + "10")
    yield p("MEMBER", many=True, quoted=True, source=rfc + "11")
    yield p("PARTSTAT", many=False, quoted=False, source=rfc + "12")
    yield p("RANGE", many=False, quoted=False, source=rfc + "13")
    yield p("RELATED", many=False, quoted=False, source=rfc + "14")
    yield p("RELTYPE", many=False, quoted=False, source=rfc + "15")
    yield p("ROLE", many=False, quoted=False, source=rfc + "16")
    yield p("RSVP", many=False, quoted=False, source=rfc + "17")
    yield p("SENT-BY", many=False, quoted=True, source=rfc + "18")
    yield p("TZID", many=False, quoted=False, source=rfc + "19")
    yield p("VALUE", many=False, quoted=False, source=rfc + "20")
    yield p("DISPLAY", many=True, quoted=False, source="RFC 7986 §6.1")
    yield p("EMAIL", many=False, quoted=False, source="RFC 7986 §6.2")
    yield p("FEATURE", many=True, quoted=False, source="RFC 7986 §6.3")
    yield p("LABEL", many=False, quoted=False, source="RFC 7986 §6.4")
    yield p("SCHEDULE-AGENT", many=False, quoted=False, source="RFC 6638 §7.1")
    yield p("SCHEDULE-FORCE-SEND", many=False, quoted=False, source="RFC 6638 §7.2")
    yield p("SCHEDULE-STATUS", many=True, quoted=True, source="RFC 6638 §7.3")
    yield p("MANAGED-ID", many=False, quoted=False, source="RFC 8607 §4.3")
    yield p("SIZE", many=False, quoted=False, source="RFC 8607 §4.1")
    yield p("FILENAME", many=False, quoted=False, source="RFC 8607 §4.2")
    yield p("ORDER", many=False, quoted=False, source="RFC 9073 §5.1")
    yield p("SCHEMA", many=False, quoted=True, source="RFC 9073 §5.2")
    yield p("DERIVED", many=False, quoted=False, source="RFC 9073 §5.3")
    yield p("LINKREL", many=False, quoted=True, source="RFC 9253 §6.1")
    yield p("GAP", many=False, quoted=False, source="RFC 9253 §6.2")
    yield p("ACTION", many=False, quoted=False, source="RFC 4324 §7.1")
    yield p("ENABLE", many=False, quoted=False, source="RFC 4324 §7.2")
    yield p("ID", many=False, quoted=False, source="RFC 4324 §7.3")
    yield p("LATENCY", many=False, quoted=False, source="RFC 4324 §7.4")
    yield p("LOCAL", many=False, quoted=False, source="RFC 4324 §7.5")
    yield p("LOCALIZE", many=False, quoted=False, source="RFC 4324 §7.6")
    yield p("OPTIONS", many=False, quoted=False, source="RFC 4324 §7.7")


PARAMETERS: Mapping[str, Parameter] = {row.name: row for row in _rows()}
"""All registered parameters by upper-case name."""


class Effective(NamedTuple):
    """One parameter as a query sees it.

    Attributes:
        name: upper-case name.
        values: decoded values.
        defaulted: True when nobody wrote it and the default stands in.
    """

    name: str
    values: tuple[str, ...]
    defaulted: bool


def effective(line: Line) -> list[Effective]:
    """The parameters of a line as a query must see them: those written, then the defaults of those missing.

    Args:
        line: any content line.

    Returns:
        One entry for each parameter occurrence; VALUE appears only when written.

    Source: RFC 4324 §6.1.1.3.1, §6.1.1.10.
    """
    defaults = param_defaults(line.name)
    written = [Effective(name, values, defaulted=False) for name, values in line.params]
    if not defaults:
        return written
    present = {entry.name for entry in written}
    return written + [
        Effective(name, (value,), defaulted=True) for name, value in defaults.items() if name not in present
    ]
