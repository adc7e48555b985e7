"""LMTP: the server's side of one connection, fed with octets (RFC 2033, RFC 5321 §4.1, RFC 2034, RFC 1870).

A mail server hands in a mail for some recipients and is told of each what became of it. Lines end in CRLF and
in nothing else, so that no two programs see the end of a mail in different places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kalends.imip.outcomes import Outcome

MAX_LINE = 2_048
"""Octets of a command (RFC 5321 §4.5.3.1.4 demands 512, and extensions add to it)."""
MAX_RECIPIENTS = 100
"""Recipients of one mail (RFC 5321 §4.5.3.1.8)."""
MAX_MISTAKES = 20
"""Commands that are none, before the connection ends."""
_END = b"\r\n.\r\n"
_DOT = re.compile(rb"(\A|\r\n)\.")
_PATH = re.compile(r"(FROM|TO):\s*<([^<>\s]{0,500})>((?:\s+\S+)*)\s*\Z", re.IGNORECASE)
_SIZE = re.compile(r"\sSIZE=(\d{1,20})(?!\S)", re.IGNORECASE)

TAKEN = "250 2.0.0 taken"
_REPLIES = {
    Outcome.UNREADABLE: "550 5.6.0",
    Outcome.NOBODY: "550 5.1.1",
    Outcome.UNPROVEN: "550 5.7.1",
    Outcome.REFUSED: "554 5.6.0",
    Outcome.LATER: "451 4.3.0",
}


def reply(outcome: Outcome, words: str) -> str:
    """What a recipient's mail is answered with.

    Args:
        outcome: why it is not taken.
        words: the same for people; they are made one line.
    """
    shown = "".join(char if char.isascii() and char.isprintable() else " " for char in words)
    return f"{_REPLIES[outcome]} {' '.join(shown.split())[:400]}"


@dataclass(frozen=True, slots=True)
class Send:
    """Octets for the mail server."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Deliver:
    """A mail: nothing more is read before `Session.delivered` is told of each recipient what became of it."""

    recipients: tuple[str, ...]
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Close:
    """The connection ends."""


Action = Send | Deliver | Close


class Session:
    """One connection.

    Args:
        name: what this server is called.
        max_octets: of one mail.
    """

    def __init__(self, name: str, max_octets: int) -> None:
        self._name, self._max = name, max_octets
        self._buffer = bytearray()
        self._greeted = self._waiting = self._closed = self._in_data = False
        self._large, self._seen = False, 0
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._mistakes = 0

    def greeting(self) -> Send:
        """What is said first."""
        return _say(f"220 {self._name} LMTP")

    def refused(self, words: str) -> list[Action]:
        """End the connection for a reason that may pass: too many of them, long silence, a shutdown."""
        self._closed = True
        return [_say(f"421 4.3.2 {words}"), Close()]

    def receive(self, data: bytes) -> list[Action]:
        """Take octets of the mail server.

        Returns:
            What is to be done, in order.
        """
        self._buffer += data
        return list(self._go_on())

    def delivered(self, replies: Sequence[str]) -> list[Action]:
        """Go on after a Deliver.

        Args:
            replies: TAKEN or what `reply` made, one for each recipient, in order (RFC 2033 §4.2).
        """
        self._waiting = False
        return [*(_say(line) for line in replies), *self._go_on()]

    def _go_on(self) -> Iterator[Action]:
        while not self._closed and not self._waiting:
            if self._in_data:
                found = self._data()
                if found is None:
                    return
                yield from found
                continue
            end = self._buffer.find(b"\r\n", 0, MAX_LINE + 2)
            if end < 0:
                if len(self._buffer) > MAX_LINE:
                    yield from self.refused("a command is too long")
                return
            line = bytes(self._buffer[:end]).decode("utf-8", "replace")
            del self._buffer[: end + 2]
            yield from self._command(line)

    def _data(self) -> list[Action] | None:
        """Look for the end of a mail; None as long as it has not come. One that is too large is not kept."""
        empty = not self._large and self._buffer.startswith(_END[2:])
        end = 0 if empty else self._buffer.find(_END, max(0, self._seen - len(_END)))
        if end < 0:
            if len(self._buffer) > self._max + len(_END):
                self._large = True
                del self._buffer[: -len(_END)]
            self._seen = len(self._buffer)
            return None
        whole = bytes(self._buffer[:end])
        del self._buffer[: end + (len(_END[2:]) if empty else len(_END))]
        recipients, large = tuple(self._recipients), self._large or len(whole) > self._max
        self._reset()
        if large:
            return [_say(f"552 5.3.4 a mail has at most {self._max} octets") for _ in recipients]
        self._waiting = True
        return [Deliver(recipients, _DOT.sub(rb"\1", whole) + b"\r\n")]

    def _reset(self) -> None:
        self._in_data = self._large = False
        self._seen = 0
        self._sender, self._recipients = None, []

    def _command(self, line: str) -> Iterator[Action]:
        verb, _, rest = line.partition(" ")
        match verb.upper():
            case "LHLO" if rest.strip():
                self._greeted = True
                self._reset()
                offered = ("PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", f"SIZE {self._max}")
                lines = [self._name, *offered]
                yield Send(
                    "".join(f"250{'-' if one != lines[-1] else ' '}{one}\r\n" for one in lines).encode()
                )
            case "MAIL":
                yield self._mail(rest)
            case "RCPT":
                yield self._rcpt(rest)
            case "DATA":
                if self._recipients:
                    self._in_data = True
                    yield _say("354 the mail, and a dot")
                else:
                    yield _say("503 5.5.1 nobody to deliver to")
            case "RSET":
                self._reset()
                yield _say("250 2.0.0 forgotten")
            case "NOOP":
                yield _say("250 2.0.0 nothing done")
            case "VRFY":
                yield _say("252 2.1.5 send a mail and see")
            case "QUIT":
                self._closed = True
                yield _say("221 2.0.0 goodbye")
                yield Close()
            case _:
                self._mistakes += 1
                yield _say("500 5.5.2 no such command")
                if self._mistakes == MAX_MISTAKES:
                    yield from self.refused("too many mistakes")

    def _mail(self, rest: str) -> Send:
        match = _PATH.match(rest)
        if not self._greeted or self._sender is not None:
            return _say("503 5.5.1 not now")
        if match is None or match[1].upper() != "FROM":
            return _say("501 5.5.4 MAIL FROM:<address>")
        size = _SIZE.search(match[3])
        if size is not None and int(size[1]) > self._max:
            return _say(f"552 5.3.4 a mail has at most {self._max} octets")
        self._sender = match[2]
        return _say("250 2.1.0 go on")

    def _rcpt(self, rest: str) -> Send:
        match = _PATH.match(rest)
        if self._sender is None:
            return _say("503 5.5.1 MAIL comes first")
        if match is None or match[1].upper() != "TO" or not match[2]:
            return _say("501 5.5.4 RCPT TO:<address>")
        if len(self._recipients) == MAX_RECIPIENTS:
            return _say(f"452 4.5.3 {MAX_RECIPIENTS} recipients at once")
        self._recipients.append(match[2])
        return _say("250 2.1.5 go on")


def _say(line: str) -> Send:
    return Send(f"{line}\r\n".encode())
