"""Words for people: untrusted text made harmless, dates as one reads them, colour only on a terminal."""

from __future__ import annotations

import os
import sys
from datetime import date, datetime
from typing import TextIO

from kalends.ports.clean import clean

__all__ = ["clean", "colour", "day", "harmless", "moment"]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def harmless(text: str) -> str:
    """Text of one line that can do nothing to a terminal; spaces stay where they are.

    Args:
        text: untrusted text.

    Returns:
        Text of the same length: control and format characters (bidi overrides among them) are dots.
    """
    return "".join([char if char.isprintable() else "·" for char in text])


def colour(stream: TextIO | None = None) -> bool:
    """Whether colours are welcome: on a terminal, and nobody said NO_COLOR."""
    stream = sys.stdout if stream is None else stream
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def day(when: date) -> str:
    """A date as one reads it: `Mon 9 Mar 2026`."""
    return f"{_DAYS[when.weekday()]} {when.day} {_MONTHS[when.month - 1]} {when.year:04d}"


def moment(when: datetime) -> str:
    """A date and a time as one reads them: `Mon 9 Mar 2026 10:30`, seconds only where they count."""
    clock = f"{when:%H:%M:%S}" if when.second else f"{when:%H:%M}"
    return f"{day(when)} {clock}"
