"""What a client and a server tell each other of themselves, and what the server asks (RFC 4324 §10.7)."""

from __future__ import annotations

from collections import deque

from kalends.client import commands
from kalends.client.answers import read_replies
from kalends.client.errors import RefusedError, ReplyError
from kalends.client.options import Options
from kalends.client.results import Capability

OUR_COMPONENTS = (
    *("VCALSTORE", "VCALENDAR", "VTIMEZONE", "VREPLY", "VAGENDA", "STANDARD", "DAYLIGHT"),
    *("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM", "VCAR", "VRIGHT", "VQUERY"),
)
"""What this client understands (RFC 4324 §8.8)."""
OUR_LARGEST = 16 * 1024 * 1024
"""Octets of a message we read from the server of its own accord: its commands to us are tiny."""


def read_capability(answers: deque[bytes]) -> Capability:
    """Read the answer to GET-CAPABILITY.

    Raises:
        RefusedError: the server refused. ReplyError: it said nothing that can be read.
    """
    for payload in answers:
        for answer in read_replies(payload):
            bad = next((status for status in answer.statuses if not status.ok), None)
            if bad is not None:
                raise RefusedError(bad)
            if answer.results:
                return Capability.read(answer.results[0].lines)
    raise ReplyError("an empty answer")


def our_capability(options: Options) -> list[tuple[str, str]]:
    """What this client can do, for the server's GET-CAPABILITY (RFC 4324 §10.7; CAP-02)."""
    said = [
        ("CAP-VERSION", "4324"),
        ("PRODID", commands.PRODID),
        ("CAR-LEVEL", "CAR-FULL-1"),
        (
            "COMPONENTS",
            ",".join(OUR_COMPONENTS),
        ),
        ("ITIP-VERSION", "2446,5546"),
        ("MAX-COMP-SIZE", str(options.max_answer)),
        ("MAXDATE", "99991231T235959Z"),
        ("MINDATE", "00010101T000000Z"),
        ("MULTIPART", "mixed,alternative,related,parallel,digest"),
        ("QUERY-LEVEL", "CAL-QL-1"),
        ("RECUR-ACCEPTED", "TRUE"),
        ("RECUR-EXPAND", "FALSE"),
        ("RECUR-LIMIT", "0"),
        ("STORES-EXPANDED", "FALSE"),
    ]
    if options.default_tz is not None:
        said.append(("DEFAULT-TZID", commands.wire(options.default_tz, "a time zone")))
    return [*said, ("REQUEST-STATUS", "2.0")]


def answer(asked: bytes, options: Options) -> tuple[bytes, bool]:
    """Answer a command of the server: GET-CAPABILITY, TIMEOUT, else 9.0 (RFC 4324 §10.7, §10.1.1).

    Args:
        asked: its message.
        options: who we are and what we accept.

    Returns:
        The answer, and whether the command was obeyed; otherwise the answer is an error.
    """
    try:
        read = list(read_replies(asked)) if len(asked) <= OUR_LARGEST else []
    except ReplyError:
        read = []
    verb, command_id = (read[0].command, read[0].command_id) if read else ("", None)
    if verb in ("GET-CAPABILITY", "CAPABILITY"):
        return commands.reply("REPLY", command_id, our_capability(options)), True
    if verb == "TIMEOUT":
        decide = options.on_timeout
        goes_on = decide is not None and decide(command_id or "")
        return commands.reply("CONTINUE" if goes_on else "ABORT", command_id), True
    return refusal_of(command_id, "9.0;Unknown or unsupported command"), False


def refusal_of(command_id: str | None, status: str) -> bytes:
    """The answer that refuses a command of the server.

    Args:
        command_id: its ID; None when it has none, or could not be read.
        status: a REQUEST-STATUS as it stands on the wire.
    """
    return commands.reply("REPLY", command_id, [("REQUEST-STATUS", status)])
