"""What became of an attempt to send, and what follows (RFC 5321 §4.2; RFC 3463; RFC 6638 §3.2.9)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from kalends.core.scheduling import NOT_DELIVERED, SENT

NO_WAY, NOT_ALLOWED = "5.2", "5.3"
WAITS = (60, 240, 960, 3_840)
"""Seconds before the next attempt, after the first, the second and so on."""
LONGEST_WAIT = 4 * 3_600
MAX_WORDS = 200
"""Characters of a server's reply that are kept."""
_ENHANCED = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})(?:\s|\Z)")
_POLICY = 7
"""The subject of enhanced status codes that speak of security or policy (RFC 3463 §3.8)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one attempt.

    Attributes:
        kind: sent; later: it can be tried again; never; unasked: it was not tried.
        status: SCHEDULE-STATUS, if nothing more comes of it.
        words: why, on one line.
    """

    kind: Literal["sent", "later", "never", "unasked"]
    status: str
    words: str


UNASKED = Verdict("unasked", NOT_DELIVERED, "")


def sent(words: str) -> Verdict:
    """A server took it: it is on its way, and no more is known (RFC 6638 §3.2.9)."""
    return Verdict("sent", SENT, words)


def later(why: str) -> Verdict:
    """Something stands in the way that may go away."""
    return Verdict("later", NOT_DELIVERED, shown(why))


def judged(code: int, reply: bytes | str) -> Verdict:
    """What a server's reply about a recipient, or about a mail, means.

    Args:
        code: its three digits.
        reply: the text behind them.

    Source: RFC 5321 §4.2.1: 4yz is temporary, 5yz is not.
    """
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    words = shown(f"{code} {text}")
    if 200 <= code < 300:
        return sent(words)
    if not 500 <= code < 600:
        return Verdict("later", NOT_DELIVERED, words)
    enhanced = _ENHANCED.match(text)
    policy = enhanced is not None and int(enhanced[2]) == _POLICY
    return Verdict("never", NOT_ALLOWED if policy else NO_WAY, words)


def shown(text: str) -> str:
    """A reply on one line, without what does not show."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:MAX_WORDS]


def wait(attempt: int) -> int:
    """Seconds to wait after an attempt; the first is 1."""
    return WAITS[attempt - 1] if 0 < attempt <= len(WAITS) else LONGEST_WAIT
