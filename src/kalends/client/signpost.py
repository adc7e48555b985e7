"""Asking a signpost: one datagram that says what a CAP server can do and where it listens (A-46)."""

from __future__ import annotations

import re
import secrets
import socket
import time
from dataclasses import dataclass

from kalends.client.address import Address
from kalends.client.answers import read_replies
from kalends.client.commands import PRODID
from kalends.client.errors import ConnectError, ReplyError
from kalends.client.results import Capability, Reply

QUESTION_OCTETS = 1_200
"""Size of a question, padded: no answer is larger than its question, and this passes every network whole."""
TRIES = 3
"""Datagrams get lost."""
MAX_ANSWER = 65_535
_PLACE = re.compile(r"(\*|\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9.-]{1,253}):([0-9]{1,5})\Z")


@dataclass(frozen=True, slots=True)
class Signpost:
    """What a signpost told.

    Attributes:
        capability: what the server can do; empty of properties when only the place was told.
        tcp: where it speaks CAP; None when it did not say so in a way we understand.
    """

    capability: Capability
    tcp: Address | None


def question(command_id: str) -> bytes:
    """Write a GET-CAPABILITY, padded.

    Args:
        command_id: hard to guess, so that nobody else can answer.
    """
    head = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODID}\r\nCMD;ID={command_id}:GET-CAPABILITY\r\n"
    tail = "END:VCALENDAR\r\n"
    while (room := QUESTION_OCTETS - len(head) - len(tail) - len("X-PAD:\r\n")) > 0:
        head += f"X-PAD:{'x' * min(60, room)}\r\n"
    return (head + tail).encode()


def read(answer: bytes, command_id: str, asked: Address) -> Signpost | None:
    """Read an answer.

    Args:
        answer: a datagram, untrusted.
        command_id: the question's.
        asked: who was asked; stands in for `*`.

    Returns:
        None when it is no answer to that question.
    """
    try:
        replies = list(read_replies(answer))
    except ReplyError:
        return None
    if len(replies) != 1 or replies[0].command_id != command_id or not replies[0].results:
        return None
    return _told(replies[0], asked)


def _told(reply: Reply, asked: Address) -> Signpost:
    capability = Capability.read(reply.results[0].lines)
    said = dict(capability.properties)
    match = _PLACE.match(said.get("X-KALENDS-TCP", ""))
    tcp = None
    if match and int(match[2]) < 65_536:
        host = asked.host if match[1] == "*" else match[1].strip("[]")
        tcp = Address(host, int(match[2]))
    return Signpost(capability, tcp)


def ask(asked: Address, timeout: float = 1.0) -> Signpost:
    """Ask a signpost, and again when nothing comes.

    Args:
        asked: host and UDP port.
        timeout: seconds to wait after each of the three tries.

    Raises:
        ConnectError: nobody answers.
    """
    try:
        found = socket.getaddrinfo(asked.host, asked.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise ConnectError(f"{asked.host} cannot be found: {error}") from None
    for family, kind, protocol, _, where in found:
        with socket.socket(family, kind, protocol) as sock:
            try:
                sock.connect(where)  # only who was asked is heard
                told = _ask(sock, asked, timeout)
            except OSError:  # nobody there, or no way to go: the next address
                continue
            if told is not None:
                return told
    raise ConnectError(
        f"nobody answers on udp {asked}; a server does on loopback, elsewhere only if so configured"
    )


def _ask(sock: socket.socket, asked: Address, timeout: float) -> Signpost | None:
    command_id = secrets.token_hex(8)
    datagram = question(command_id)
    for _ in range(TRIES):
        sock.send(datagram)
        until = time.monotonic() + timeout
        while (left := until - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                answer = sock.recv(MAX_ANSWER)
            except TimeoutError:
                break
            told = read(answer, command_id, asked)
            if told is not None:
                return told
    return None
