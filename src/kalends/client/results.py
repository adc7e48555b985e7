"""What answers are made of: statuses, replies, found components, outcomes, capabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kalends.ical.tree import Component, Line, parse
from kalends.ical.values import split_values, unescape_text

MEANINGS = {
    "2.0": "done",
    "2.0.3": "stopped or continued as asked",
    "3.1.4": "not supported by this server",
    "4.1": "access to the calendar store denied",
    "6.1": "container not found",
    "6.2": "overlaps with something that must not be double-booked",
    "6.3": "wrong arguments",
    "6.4": "permission denied",
    "7.0": "took longer than allowed",
    "8.0": "the server could not do it",
    "8.1": "the query is too complex",
    "8.2": "larger than the server accepts",
    "8.3": "a date too far in the future",
    "8.4": "a date too far in the past",
    "8.5": "the identifier is taken",
    "9.0": "the server does not know this command",
    "10.4": "would exceed a quota",
}
"""What the codes of RFC 4324 §10.15 say, for statuses without a text."""

ID_NAMES = ("UID", "CALID", "CARID", "QUERYID", "TZID", "SEQUENCE")
"""Properties that name a component in a reply (RFC 4324 §10.4)."""


@dataclass(frozen=True, slots=True)
class Status:
    """One REQUEST-STATUS.

    Attributes:
        code: dotted digits, e.g. "2.0". text: the server's words, untrusted, may be empty.
        data: exception data, untrusted, may be empty.
    """

    code: str
    text: str = ""
    data: str = ""

    @classmethod
    def read(cls, line: Line) -> Status:
        """Read a REQUEST-STATUS line; text and data are optional (RFC 4324 §10.15)."""
        parts = split_values(line.value.strip(), ";")
        code, text, data = (*parts, "", "")[:3]
        return cls(code.strip(), unescape_text(text).strip(), unescape_text(data))

    @property
    def ok(self) -> bool:
        """Whether this is a success; 2.0.3 says that a command was aborted (RFC 4324 §10.1.1; A-40)."""
        return self.code == "2" or (self.code.startswith("2.") and self.code != "2.0.3")

    @property
    def meaning(self) -> str:
        """What the code stands for, in our words."""
        return MEANINGS.get(self.code, "done" if self.ok else "refused")


@dataclass(frozen=True, slots=True)
class Result:
    """One VREPLY: its own properties, and its components, parsed only when they are looked at.

    Attributes:
        lines: the properties that stand in the VREPLY itself.
        text: the whole message; spans: where in it the components stand.
    """

    lines: tuple[Line, ...]
    text: str = field(repr=False)
    spans: tuple[tuple[int, int], ...] = field(repr=False)

    @property
    def statuses(self) -> tuple[Status, ...]:
        """The REQUEST-STATUS properties of the VREPLY itself."""
        return tuple(Status.read(line) for line in self.lines if line.name == "REQUEST-STATUS")

    @property
    def properties(self) -> list[Line]:
        """The other properties of the VREPLY: identifiers, capabilities, or what `VALARM.*` selected."""
        return [line for line in self.lines if line.name != "REQUEST-STATUS"]

    def __len__(self) -> int:
        return len(self.spans)

    def components(self) -> Iterator[Component]:
        """Parse the components one by one; at no time is more than one of them held here.

        Raises:
            ICalError: one of them is no component.
        """
        for start, end in self.spans:
            yield parse(self.text[start:end])


@dataclass(frozen=True, slots=True)
class Reply:
    """One iCalendar object of an answer: what one TARGET has to say.

    Attributes:
        target: the container, as the server names it; '' when there is none.
        command_id: the ID of the command answered, or None.
        method: METHOD of the objects in it, or None.
        results: one entry for each VREPLY.
        command: value of CMD, "REPLY" for an answer; "" when the server left it out (A-18).
    """

    target: str
    command_id: str | None
    method: str | None
    results: tuple[Result, ...]
    command: str = "REPLY"

    @property
    def statuses(self) -> tuple[Status, ...]:
        """All statuses that do not concern a single component."""
        return tuple(status for result in self.results for status in result.statuses)

    def components(self) -> Iterator[Component]:
        """All components of all VREPLYs, parsed one by one."""
        for result in self.results:
            yield from result.components()


@dataclass(frozen=True, slots=True)
class Found:
    """One thing a SEARCH found.

    Attributes:
        target: the container it is in.
        component: what was selected; for `VALARM.*` and the like, where the server sends properties without
            a component around them, a component named VREPLY that holds them.
        status: what the server says about this component, if anything: 4.1 when all that was asked is hidden.
        method: the METHOD of the object it came from; None for booked ones.
        query: which QUERY of the command found it, from 0, counted over the whole command.
    """

    target: str
    component: Component
    status: Status | None = None
    method: str | None = None
    query: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed in a calendar; all of it is untrusted.

    Attributes:
        tick: the calendar's counter then; what to go on from.
        action: created, changed, marked, restored, removed, moved here, moved away.
        kind, uid: of the object. title: its SUMMARY or NAME, or ''.
        who: UPN of who did it, or ''. via: by which face. at: when, as `YYYYMMDDTHHMMSSZ`, or ''.
    """

    tick: int
    action: str
    kind: str
    uid: str
    title: str
    who: str
    via: str
    at: str

    @classmethod
    def read(cls, component: Component) -> Change | None:
        """Read an X-KALENDS-CHANGE; None for what is none."""
        tick = _number(component.value("X-KALENDS-TICK"))
        if component.name != "X-KALENDS-CHANGE" or not tick:
            return None

        def text(name: str) -> str:
            return unescape_text(component.value(name) or "")

        return cls(
            tick,
            text("X-KALENDS-ACTION"),
            text("X-KALENDS-KIND"),
            text("UID"),
            text("SUMMARY"),
            text("X-KALENDS-ACTOR"),
            text("X-KALENDS-VIA"),
            text("LAST-MODIFIED"),
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object.

    Attributes:
        target: the container.
        id_name: UID, CALID, CARID, QUERYID, TZID, SEQUENCE, or '' when the server named nothing.
        id_value: the identifier.
        status: REQUEST-STATUS; recurrence: the RECURRENCE-ID line when one instance is meant.
        method: METHOD of the object, or None.
    """

    target: str
    id_name: str
    id_value: str
    status: Status
    recurrence: Line | None = None
    method: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return self.status.ok

    @classmethod
    def of(cls, reply: Reply, lines: Sequence[Line], status: Status) -> Outcome:
        """Read the identifying properties among `lines`."""
        name = value = ""
        recurrence = None
        for line in lines:
            if not name and line.name in ID_NAMES:
                name, value = line.name, line.value
            elif line.name == "RECURRENCE-ID":
                recurrence = line
        return cls(reply.target, name, value.strip(), status, recurrence, reply.method)


@dataclass(frozen=True, slots=True)
class Capability:
    """What the server can do; where it is silent, the mildest assumption (A-09).

    Attributes:
        cap_versions: RFC numbers; "1.0" of old examples counts as 4324 (A-07).
        itip_versions: RFC numbers. components: names of the components it stores or speaks.
        max_size: octets of the largest object it accepts; 0 for no limit (A-06: both spellings are read).
        car_level, query_level: as announced. multipart: MIME multipart types it reads.
        min_date, max_date: earliest and latest date, as announced.
        recur_accepted, recur_expand, stores_expanded: what it does with recurrences.
        recur_limit: instances of one object ever expanded; 0 for no limit (A-08).
        properties: everything it said, in order, extensions included.
    """

    cap_versions: frozenset[str] = frozenset(("4324",))
    itip_versions: frozenset[str] = frozenset(("2446",))
    components: frozenset[str] = frozenset(("VEVENT", "VTODO", "VJOURNAL"))
    max_size: int = 0
    car_level: str = "CAR-NONE"
    query_level: str = "CAL-QL-1"
    multipart: frozenset[str] = frozenset()
    min_date: str = ""
    max_date: str = ""
    recur_accepted: bool = False
    recur_expand: bool = False
    stores_expanded: bool = False
    recur_limit: int = 0
    properties: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, lines: Sequence[Line]) -> Capability:
        """Read the VREPLY of GET-CAPABILITY (RFC 4324 §10.7)."""
        said = {line.name: line.value.strip() for line in lines}
        plain = cls()
        versions = _names(said, "CAP-VERSION", plain.cap_versions)
        return cls(
            cap_versions=frozenset("4324" if version == "1.0" else version for version in versions),
            itip_versions=_names(said, "ITIP-VERSION", plain.itip_versions),
            components=_names(said, "COMPONENTS", plain.components),
            max_size=_number(said.get("MAX-COMP-SIZE") or said.get("MAX-COMPONENT-SIZE")),
            car_level=said.get("CAR-LEVEL", plain.car_level).upper(),
            query_level=said.get("QUERY-LEVEL", plain.query_level).upper(),
            multipart=frozenset(name.lower() for name in _names(said, "MULTIPART", frozenset())),
            min_date=said.get("MINDATE", ""),
            max_date=said.get("MAXDATE", ""),
            recur_accepted=_true(said.get("RECUR-ACCEPTED")),
            recur_expand=_true(said.get("RECUR-EXPAND")),
            stores_expanded=_true(said.get("STORES-EXPANDED")),
            recur_limit=_number(said.get("RECUR-LIMIT")),
            properties=tuple((line.name, line.value.strip()) for line in lines),
        )


def _names(said: dict[str, str], name: str, default: frozenset[str]) -> frozenset[str]:
    names = frozenset(part.strip().upper() for part in said.get(name, "").split(",") if part.strip())
    return names or default


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0


def _true(text: str | None) -> bool:
    return text is not None and text.upper() == "TRUE"
