"""What the installed tz database says of itself: its version, which names are aliases, leap seconds."""

from __future__ import annotations

import hashlib
import pkgutil
import re
from dataclasses import dataclass
from functools import cache

from kalends.ical.tzfile import iana_names

FIRST_TAI_OFFSET = 10
"""Seconds that TAI was ahead of UTC on 1972-01-01, when leap seconds began."""
_LEAP = re.compile(r"Leap\s+(\d{4})\s+([A-Z][a-z]{2})\s+(\d+)\s+\S+\s+([+-])")
_EXPIRES = re.compile(r"^#?\s*[Ee]xpires.*?(\d{4}-\d\d-\d\d)", re.MULTILINE)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class LeapSeconds:
    """The leap seconds so far.

    Attributes:
        expires: YYYY-MM-DD, up to when this is known to be all of them.
        onsets: YYYY-MM-DD, and how many seconds TAI is ahead of UTC from its 00:00 on; in order.
    """

    expires: str
    onsets: tuple[tuple[str, int], ...]


def _file(name: str) -> bytes:
    data = pkgutil.get_data("tzdata", f"zoneinfo/{name}")
    assert data is not None, f"a tz database without {name}"
    return data


@cache
def version() -> str:
    """Such as 2026a."""
    first = _file("tzdata.zi").split(b"\n", 1)[0].decode("ascii")
    return first.rpartition(" ")[2]


@cache
def aliases() -> dict[str, str]:
    """The names that stand for another one: alias to canonical name."""
    found: dict[str, str] = {}
    for line in _file("tzdata.zi").decode("ascii").splitlines():
        if line.startswith("L "):
            _, target, alias = line.split()
            found[alias] = target
    known = set(iana_names().values())
    return {alias: target for alias, target in found.items() if {alias, target} <= known}


@cache
def canonical() -> dict[str, tuple[str, ...]]:
    """The names that are no aliases, each with its aliases, in order."""
    others: dict[str, list[str]] = {
        name: [] for name in sorted(iana_names().values()) if name not in aliases()
    }
    for alias, target in sorted(aliases().items()):
        others.setdefault(target, []).append(alias)
    return {name: tuple(known) for name, known in others.items()}


@cache
def fingerprint(name: str) -> str:
    """What changes when the data of a zone does: a hash of its file, in hex."""
    return hashlib.blake2b(_file(name), digest_size=12).hexdigest()


@cache
def leap_seconds() -> LeapSeconds:
    """The leap seconds so far, from the tz database's list."""
    text = _file("leapseconds").decode("ascii")
    onsets = [("1972-01-01", FIRST_TAI_OFFSET)]
    for year, month, _, sign in _LEAP.findall(text):
        later = _MONTHS.index(month) + 2  # one is put in at the end of a month's last day
        day = f"{int(year) + later // 13:04}-{later % 12 or 12:02}-01"
        onsets.append((day, onsets[-1][1] + (1 if sign == "+" else -1)))
    expires = _EXPIRES.search(text)
    return LeapSeconds(expires[1] if expires else onsets[-1][0], tuple(onsets))
