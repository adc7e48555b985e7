"""A peer that asks for far more than it may have: refused each time, and nothing of it is kept."""

from __future__ import annotations

import re

from kalends.beep import events
from kalends.beep.limits import Limits
from kalends.beep.session import Role, Session

ASKED = 100_000
ALLOWED = 300
GREETING = b"RPY 0 0 . 0 %d\r\n%sEND\r\n"
BODY = b"Content-Type: application/beep+xml\r\n\r\n"


def _end(octets: bytes) -> int:
    """Where the payload of the last frame on channel 0 ends."""
    frames = re.findall(rb"(?:RPY|ERR) 0 \d+ \. (\d+) (\d+)\r\n", octets)
    return int(frames[-1][0]) + int(frames[-1][1]) if frames else 0


def test_BC12_100000_channels_are_asked_for_and_no_more_than_allowed_are_given() -> None:
    session = Session(Role.LISTENER, profiles=("urn:x-test",), limits=Limits(max_channels=ALLOWED))
    greeting = BODY + b"<greeting />"
    session.receive_data(GREETING % (len(greeting), greeting), 0.0)
    acknowledged = _end(session.data_to_send())
    sequence, given, refused = len(greeting), 0, 0
    for number in range(ASKED):
        body = BODY + b"<start number='%d'><profile uri='urn:x-test' /></start>" % (2 * number + 1)
        seq = b"SEQ 0 %d 100000\r\n" % acknowledged  # we read: only what we ask for is too much
        frame = seq + b"MSG 0 %d . %d %d\r\n%sEND\r\n" % (number, sequence % 2**32, len(body), body)
        sequence += len(body)
        for event in session.receive_data(frame, 0.0):
            assert isinstance(event, events.StartRequested), event
            session.accept_start(event.channel, "urn:x-test")
            given += 1
        answers = session.data_to_send()
        refused += answers.count(b"ERR 0 ")
        acknowledged = _end(answers) or acknowledged
    assert not session.terminated
    assert given + refused == ASKED
    assert given <= ALLOWED
    assert len(session.channels) <= ALLOWED + 1
    assert session.bytes_queued == 0
