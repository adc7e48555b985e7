"""What comes in, read: who sent it, and the calendars in it (RFC 6047 §2.4; RFC 5322 §3.6.2)."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from kalends.imip import splitting
from kalends.imip.errors import BadMailError, UnprovenError
from kalends.imip.splitting import Part

MAX_CALENDARS = 10
"""Different messages in one mail."""
MAX_SENDER = 1_000
"""Characters of From."""

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_SPEC = rf"{_ATOM}(?:\.{_ATOM})*@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
_ANGLE = re.compile(
    rf'(?:"(?:[^"\\]|\\.)*"|[^"<>(),;:\\\[\]])*<[ \t]*({_SPEC})[ \t]*>[ \t]*(?:\([^()]*\))?[ \t]*\Z'
)
_BARE = re.compile(rf"[ \t]*({_SPEC})[ \t]*(?:\([^()]*\))?[ \t]*\Z")
_MEANT = (
    "utf-16",
    "utf-32",
    "iso8859-",
    "cp125",
    "koi8",
    "gb",
    "big5",
    "shift_jis",
    "euc_",
    "iso2022",
    "tis",
)
"""How the names of charsets begin that count when they are said. Others of Python's take very long."""
_LOOSE = frozenset(("iso8859-1", "cp1252"))
"""Those that are often said and not meant."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar in a mail.

    Attributes:
        method: the method that Content-Type says, in upper case; None for none.
        text: it, decoded.
    """

    method: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Received:
    """A mail that came in.

    Attributes:
        sender: the mailbox in From, in lower case.
        results: Authentication-Results, each as it stands there (RFC 8601).
        calendars: the messages in it, each once.
    """

    sender: str
    results: tuple[str, ...]
    calendars: tuple[Calendar, ...]


def read(data: bytes) -> Received | None:
    """Read a mail.

    Args:
        data: RFC 5322, lines ending in LF or CRLF.

    Returns:
        None for what a program sent by itself and holds no calendar: a bounce, an absence. Refusing such a
        mail would make another one.

    Raises:
        BadMailError: it holds no calendar, or cannot be read.
        UnprovenError: it does not say in one mailbox who sent it.
    """
    mail = splitting.split(data)
    calendars = _calendars(splitting.leaves(mail))
    if not calendars:
        if _is_automatic(mail):
            return None
        raise BadMailError("there is no calendar in the mail")
    if len(calendars) > MAX_CALENDARS:
        raise BadMailError(f"there are more than {MAX_CALENDARS} calendars in the mail")
    return Received(_sender(mail), mail.fields.get("authentication-results", ()), calendars)


def _is_automatic(mail: Part) -> bool:
    """Whether a program answered or reported (RFC 3834 §5; RFC 3464; RFC 5321 §4.5.5)."""
    said = mail.first("auto-submitted").strip().lower()
    return (
        said not in ("", "no") or mail.kind == "multipart/report" or mail.first("return-path").strip() == "<>"
    )


def _sender(mail: Part) -> str:
    """The one mailbox in From. Anything that two readers might read differently is none."""
    fields = mail.fields.get("from", ())
    text = fields[0] if len(fields) == 1 else ""
    match = (_ANGLE.match(text) or _BARE.match(text)) if len(text) <= MAX_SENDER else None
    if match is None:
        raise UnprovenError("From has to hold one mailbox")
    return match[1].lower()


def _calendars(parts: list[Part]) -> tuple[Calendar, ...]:
    """The messages: what says its method counts before what does not, and that before an attachment."""
    messages = [part for part in parts if part.kind == "text/calendar" and part.param("method")]
    plain = [part for part in parts if part.kind == "text/calendar"]
    attached = [part for part in parts if part.kind in ("application/ics", "application/calendar")]
    found: dict[Calendar, None] = {}
    for part in messages or plain or attached:
        method = part.param("method")
        one = Calendar(
            method.strip().upper() if method else None, _text(part.decoded(), part.param("charset"))
        )
        found.setdefault(one)
    return tuple(found)


def _text(octets: bytes, charset: str | None) -> str:
    """Decode a calendar: as its charset says, unless it is one that is often wrong and UTF-8 fits.

    Source: RFC 6047 §2.4: it is UTF-8.
    """
    name = ""
    try:
        name = codecs.lookup(charset).name if charset else ""
        if name.startswith(_MEANT) and name not in _LOOSE:
            return octets.decode(name)
    except (LookupError, UnicodeError, ValueError):
        name = ""  # nobody knows it, it is no charset, or it does not fit
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")
