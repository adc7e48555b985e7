"""Writing replies: a VCALENDAR with CMD:REPLY, one TARGET, and VREPLYs in the shape of the verb's example."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kalends import __version__
from kalends.cap.status import ACCESS_DENIED, OK, SUCCESS, Status, status_of
from kalends.core.errors import TooLargeError
from kalends.core.languages import ENGLISH
from kalends.core.model import Answer, Found, Receipt
from kalends.ical.folds import fold
from kalends.ical.tree import Component, Line

PRODID = f"-//Kalends//Kalends {__version__}//EN"

_HEAD = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODID}\r\n"
_TAIL = "END:VCALENDAR\r\n"
_BEGIN, _END = "BEGIN:VREPLY\r\n", "END:VREPLY\r\n"
_SUCCESS = "REQUEST-STATUS:2.0\r\n"
_HIDDEN = f"REQUEST-STATUS:{ACCESS_DENIED}\r\n"
"""In a component of which something may be seen, but nothing that was asked for (RFC 4324 §10.12; ACL-21)."""

Pace = Callable[[Iterable[Found]], Iterable[Found]]
"""Hands things on, one by one, as long as there is time."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command says about one TARGET.

    Attributes:
        target: the TARGET as the client wrote it; None for commands without one.
        text: one or more VCALENDARs, folded.
        ran: whether the command was executed there; False means that nothing was done.
        wrote: it is about objects that were written, or refused one by one.
    """

    target: str | None
    text: str
    ran: bool = True
    wrote: bool = False


class NothingYet(list[Reply]):
    """The replies of a SEARCH for what changes, when nothing has.

    Attributes:
        ticks: by calendar, the tick up to which nothing has; 0 is the store, which means every calendar.
    """

    def __init__(self, replies: Iterable[Reply], ticks: Mapping[int, int]) -> None:
        super().__init__(replies)
        self.ticks = dict(ticks)


def envelope(
    ident: str | None, target: str | None, content: str, *, method: str | None = None, verb: str = "REPLY"
) -> str:
    """Wrap VREPLYs into a VCALENDAR.

    Args:
        ident: the ID parameter exactly as the command had it (PRM-02); None for none.
        target: the one TARGET; None for none.
        content: folded lines.
        method: METHOD, when the objects spoken of have one (DEL-05).
        verb: REPLY, or the command that we send.

    Source: RFC 4324 §10.11.
    """
    param = f";ID={ident}" if ident is not None else ""
    lines = fold(f"CMD{param}:{verb}")
    if target is not None:
        lines += fold(f"TARGET:{target}")
    if method is not None:
        lines += fold(f"METHOD:{method}")
    return f"{_HEAD}{lines}{content}{_TAIL}"


def vreply(*parts: str) -> str:
    """One VREPLY around folded lines."""
    return f"{_BEGIN}{''.join(parts)}{_END}"


def status_line(status: Status, language: str = ENGLISH) -> str:
    """A folded REQUEST-STATUS line.

    Args:
        status: with an English text.
        language: the language the text is wanted in. Which one it is in is said where it is not English.

    Source: RFC 4324 §10.15; RFC 5545 §3.2.10, §3.8.8.3.
    """
    if status is OK:
        return _SUCCESS
    param = ""
    if language != ENGLISH:
        status = status.said_in(language)
        param = "" if status.language == ENGLISH else f";LANGUAGE={status.language}"
    return fold(f"REQUEST-STATUS{param}:{status.line}")


def refused(
    ident: str | None, target: str | None, status: Status, *, ran: bool = False, language: str = ENGLISH
) -> Reply:
    """The reply for a command that was not executed on a target, or (`ran`) perhaps was."""
    return Reply(target, envelope(ident, target, vreply(status_line(status, language))), ran=ran)


def done(ident: str | None, target: str | None, *lines: str) -> Reply:
    """A reply of one VREPLY: the lines, then success."""
    return Reply(target, envelope(ident, target, vreply(*lines, _SUCCESS)))


def _status_line(receipt: Receipt, language: str) -> str:
    if receipt.unreachable:
        told = ", ".join(receipt.unreachable)
        return status_line(
            Status(SUCCESS, f"done, but may be unable to answer from elsewhere: {told}"), language
        )
    if receipt.error is None:
        return _SUCCESS
    status = status_of(receipt.error)
    assert status is not None  # a KalendsError always has one
    return status_line(status, language)


def _id_lines(receipt: Receipt) -> str:
    text = ""
    if receipt.id_name and receipt.id_value:
        text = fold(f"{receipt.id_name}:{receipt.id_value}")
    if receipt.recurrence is not None:
        text += receipt.recurrence.raw
    return text


def flat_receipts(
    ident: str | None, target: str, receipts: Sequence[Receipt], language: str = ENGLISH
) -> Reply:
    """Receipts as CREATE and MOVE tell them: a VREPLY each, id and status side by side (A-22).

    Source: RFC 4324 §10.4, §10.10.
    """
    replies = (vreply(_id_lines(receipt), _status_line(receipt, language)) for receipt in receipts)
    return Reply(target, envelope(ident, target, "".join(replies)), wrote=True)


def receipts_by_method(
    ident: str | None, target: str, receipts: Sequence[Receipt], language: str = ENGLISH
) -> Reply:
    """Receipts as DELETE tells them: objects of different METHOD in separate VCALENDARs (DEL-05).

    Source: RFC 4324 §10.5.
    """
    groups: dict[str | None, list[Receipt]] = {}
    for receipt in receipts:
        groups.setdefault(receipt.method, []).append(receipt)
    texts = [
        envelope(
            ident,
            target,
            "".join(vreply(_id_lines(r), _status_line(r, language)) for r in group),
            method=method,
        )
        for method, group in (groups or {None: []}).items()
    ]
    return Reply(target, "".join(texts), wrote=True)


def nested_receipts(
    ident: str | None, target: str, receipts: Sequence[Receipt], language: str = ENGLISH
) -> Reply:
    """Receipts as MODIFY tells them: status inside the component, with what identifies it (MDF-11).

    Source: RFC 4324 §10.9.
    """
    replies = (
        vreply(f"BEGIN:{r.kind}\r\n{_id_lines(r)}{_status_line(r, language)}END:{r.kind}\r\n")
        for r in receipts
    )
    return Reply(target, envelope(ident, target, "".join(replies)), wrote=True)


def answers(
    ident: str | None, target: str, found: Sequence[Answer], *, pace: Pace = iter, limit: int = 0
) -> Reply:
    """The results of SEARCH: one VREPLY a QUERY, scheduling objects in a VCALENDAR of their METHOD.

    A wrapped component holds its own REQUEST-STATUS, as in the RFC's example; bare contents (`VALARM.*`)
    and empty results have it beside them.

    Args:
        ident: the ID parameter of the command.
        target: the TARGET as the client wrote it.
        found: what was found.
        pace: hands the results on; what it raises ends the work.
        limit: octets an answer may have at most, 0 for any number: no more is written.

    Raises:
        TooLargeError: it would have more.

    Source: RFC 4324 §10.12; SEA-02, SEA-04, A-22.
    """
    methods: dict[str | None, None] = {None: None}
    room = _Room(limit)
    for answer in found:
        for item in answer.found:
            methods.setdefault(item.method)
    texts = []
    for method in methods:
        replies = "".join(_answer(answer, method, pace, room) for answer in found)
        if replies:
            texts.append(envelope(ident, target, replies, method=method))
    return Reply(target, "".join(texts))


class _Room:
    """What may still be written of an answer.

    Args:
        limit: octets; 0 for any number.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self._left = limit, limit

    def take(self, text: str) -> None:
        """Write some more. A character has an octet at least. Raises TooLargeError."""
        self._left -= len(text)
        if self.limit and self._left < 0:
            raise TooLargeError(
                f"the answer has more octets than MAX-COMP-SIZE ({self.limit}) allows; ask for less"
            )


def _answer(answer: Answer, method: str | None, pace: Pace, room: _Room) -> str:
    """One QUERY's VREPLY for the objects of one METHOD; without METHOD also the empty one."""
    chosen = [item for item in answer.found if item.method == method]
    if not chosen:
        return vreply(_SUCCESS) if method is None and not answer.found else ""
    parts: list[str] = []
    for item in pace(chosen):
        bare = False
        for thing in item.items:
            parts.append(_shown(thing, _HIDDEN if item.hidden else _SUCCESS))
            room.take(parts[-1])
            bare = bare or isinstance(thing, Line)
        if bare:
            parts.append(_SUCCESS)
    if answer.truncated:
        parts.append(fold("X-KALENDS-TRUNCATED:TRUE"))
    return vreply(*parts)


def _shown(thing: Component | Line, status: str) -> str:
    if isinstance(thing, Line):
        return thing.raw if thing.raw.endswith("\n") else thing.raw + "\r\n"
    text = thing.to_ics()
    cut = len(thing.begin)
    end = "" if text.endswith("\n") else "\r\n"
    return f"{text[:cut]}{status}{text[cut:]}{end}"


def encode(texts: Iterable[str]) -> bytes:
    """The octets of a body."""
    return "".join(texts).encode("utf-8", "surrogateescape")
