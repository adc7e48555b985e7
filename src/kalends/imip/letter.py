"""One message on its way out, read from its job (`core.scheduling.delivery.Post.mail` writes it)."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from urllib.parse import unquote

from kalends.core.scheduling import Delivery
from kalends.ical.errors import ICalError
from kalends.ical.tree import Component, parse
from kalends.ical.values import normal_address
from kalends.imip.errors import LetterError
from kalends.store.jobs import JobRow

KINDS = ("VEVENT", "VTODO")
"""What people are invited to."""
_ADDRESS = re.compile(
    r"(?!\.|.*\.[.@])[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@([^\s@<>()\[\],;:\\\"]{1,253})\Z"
)
_UNKNOWN, _NO_WAY = "3.7", "5.2"


def mailbox(uri: str) -> str:
    """The mailbox that a calendar user address names.

    Args:
        uri: mailto:…, perhaps with percent-encoding and header fields (RFC 6068), or a bare mailbox.

    Returns:
        local-part@domain, the domain in its ASCII form: nothing in it ends a line, a header or a command.

    Raises:
        LetterError: it is none, or none that mail takes without SMTPUTF8.
    """
    address = normal_address(uri)
    if not address.startswith("mailto:"):
        raise LetterError("the address is no mailbox", _NO_WAY)
    text = unquote(address.removeprefix("mailto:").partition("?")[0])
    match = _ADDRESS.match(text)
    if match is None or not text.isprintable():
        raise LetterError("the address is no mailbox that mail can be sent to", _UNKNOWN)
    try:
        domain = match[1] if match[1].isascii() else match[1].encode("idna").decode("ascii")
    except UnicodeError:
        raise LetterError("the address has no proper domain", _UNKNOWN) from None
    return f"{text.rpartition('@')[0]}@{domain}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A scheduling message and whom it is for.

    Attributes:
        mark: what it is known by, the same however often it is sent.
        sender, to: normalised addresses, as the object has them. method: METHOD, in upper case.
        whole: the VCALENDAR. kind, uid: of what it is about.
        at: when it was written, seconds UTC. language: tag of the sender's calendar; '' for none.
    """

    mark: str
    sender: str
    to: str
    method: str
    whole: Component
    kind: str
    uid: str
    at: int
    language: str

    @property
    def parts(self) -> list[Component]:
        """The components it is about."""
        return self.whole.children(self.kind)

    def became(self, status: str) -> Delivery:
        """What is to be noted about it."""
        return Delivery(self.sender, self.to, self.method, self.kind, self.uid, status)


def read(job: JobRow) -> Letter:
    """Read the letter that a job holds.

    Raises:
        LetterError: the job is damaged. It never gets better, so that it can be forgotten.
    """
    try:
        payload = json.loads(job.payload)
        sender, to, method = str(payload["from"]), str(payload["to"]), str(payload["method"]).upper()
        whole = parse(str(payload["ics"]))
        found = next((part for part in whole.components if part.name in KINDS), None)
        at, language = int(payload.get("at") or job.due_at), str(payload.get("language") or "")
    except (ValueError, KeyError, TypeError, AttributeError, ICalError) as error:
        raise LetterError(f"the job cannot be read: {type(error).__name__}", _NO_WAY) from None
    if found is None:
        raise LetterError("the job holds no message", _NO_WAY)
    mark = hashlib.blake2b(job.key.encode(), digest_size=16).hexdigest()
    uid = found.value("UID") or ""
    return Letter(mark, sender, to, method, whole, found.name, uid.strip(), at, language)
