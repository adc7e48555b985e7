"""The mail that carries a message: what people read, what programs read, an attachment (RFC 6047 §2).

A letter makes the same octets each time, Message-ID, Date and boundaries included: when it is sent twice,
because a server died in between, whoever gets both can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from kalends.core.scheduling.parties import address
from kalends.ical.tree import Line
from kalends.imip import words
from kalends.imip.errors import LetterError
from kalends.imip.letter import Letter, mailbox

_TOO_LARGE = "5.3"
_FROM_ATTENDEE = frozenset(("REPLY", "REFRESH", "COUNTER"))


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that is ready to be sent.

    Attributes:
        envelope_from, to: mailboxes for SMTP. message_id: with its angle brackets. data: the mail, with CRLF.
    """

    envelope_from: str
    to: str
    message_id: str
    data: bytes


def write(letter: Letter, own: str, max_octets: int) -> Mail:
    """Make the mail of a letter.

    Args:
        letter: what is to be said.
        own: the calendar's own mailbox. Who has an address in its domain writes in their own name, so that
            receivers find the organizer in From; for others the calendar does, or their domain's DMARC
            policy would have the mail refused.
        max_octets: what it may have.

    Raises:
        LetterError: it cannot be mailed at all.

    Source: RFC 6047 §2.2 to §2.6; RFC 5322 §3.6; RFC 3834 §5.
    """
    sender, to = mailbox(letter.sender), mailbox(letter.to)
    names = _names(letter)
    subject, text = words.describe(letter)
    domain = own.rpartition("@")[2]
    mail = EmailMessage(SMTP)
    themselves = sender.rpartition("@")[2].lower() == domain.lower()
    mail["From"] = _address(names.get(letter.sender, ""), sender if themselves else own)
    if sender != own:
        if themselves:
            mail["Sender"] = _address("", own)
        mail["Reply-To"] = _address(names.get(letter.sender, ""), sender)
    mail["To"] = _address(names.get(letter.to, ""), to)
    mail["Subject"] = subject
    mail["Date"] = datetime.fromtimestamp(letter.at, UTC)
    message_id = f"<{letter.mark}@{domain}>"
    mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"
    _fill(mail, letter, text)
    data = mail.as_bytes()
    if len(data) > max_octets:
        raise LetterError(f"the mail has {len(data)} octets; the limit is {max_octets}", _TOO_LARGE)
    return Mail(own, to, message_id, data)


def trial(own: str, to: str, at: int, mark: str) -> Mail:
    """A mail that says only that mail works.

    Args:
        own: the calendar's own mailbox.
        to: a mailbox.
        at: seconds UTC.
        mark: the left side of its Message-ID.

    Raises:
        LetterError: `to` is no mailbox.
    """
    to = mailbox(to)
    mail = EmailMessage(SMTP)
    mail["From"], mail["To"] = _address("", own), _address("", to)
    mail["Subject"] = "Kalends can send mail"
    mail["Date"] = datetime.fromtimestamp(at, UTC)
    message_id = f"<{mark}@{own.rpartition('@')[2]}>"
    mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("This calendar server can send mail: somebody who runs it asked for this one.\n")
    return Mail(own, to, message_id, mail.as_bytes())


def _fill(mail: EmailMessage, letter: Letter, text: str) -> None:
    """Put the three parts in: base64 keeps every line of the calendar as it is, whatever is on the way."""
    ics = letter.whole.to_bytes()
    method = letter.method
    mail.set_content(text, cte="quoted-printable")
    mail.add_alternative(ics, "text", "calendar", cte="base64", params={"method": method, "charset": "UTF-8"})
    mail.add_attachment(ics, "application", "ics", cte="base64", filename="invite.ics")
    alternative, attached = mail.iter_parts()
    assert isinstance(alternative, EmailMessage)
    plain, calendar = alternative.iter_parts()
    plain["Content-Language"] = words.language_of(letter)
    for part in (calendar, attached):
        del part["MIME-Version"]  # of the mail, not of its parts (RFC 2045 §4)
    # No boundary of this form can stand in base64 or quoted-printable (RFC 2045 §6.7)
    mail.set_boundary(f"=_mixed_{letter.mark}")
    alternative.set_boundary(f"=_alternative_{letter.mark}")


def _names(letter: Letter) -> dict[str, str]:
    """What people in a message are called, by address."""
    lines: list[Line] = []
    for part in letter.parts:
        lines += [*part.all("ORGANIZER"), *part.all("ATTENDEE")]
    return {address(line): words.name_of(line) for line in reversed(lines)}


def _address(name: str, box: str) -> Address:
    user, _, domain = box.rpartition("@")
    return Address(name if name != box else "", user, domain)
