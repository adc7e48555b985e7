"""caldav-server-tester: every feature it knows is full, but those whose reason stands here."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests_clients.world import APPS, PASSWORD, AbsentError, FailedError, kalends_world

REASONS = {
    "create-calendar.auto": ("unsupported", "to look at what is not there is 404, and makes nothing"),
    "url.encode-at.identity": (
        "unsupported",
        "@ and %40 name one resource here; telling them apart loses clients",
    ),
    "search.text.comp-type-optional": (
        "unsupported",
        "RFC 4791 §9.7.2: a filter of VCALENDAR's own properties",
    ),
    "search.time-range.comp-type-optional": ("unsupported", "RFC 4791 §9.7.1: VCALENDAR takes no time-range"),
    "scheduling.schedule-tag.stable-partstat": (
        "unsupported",
        "RFC 6638 §3.2.10: the tag of an attendee's copy MUST change when the attendee PUTs it",
    ),
}
"""Features that are not full: what the tester finds, and why that is right."""


def run(folder: Path) -> str:
    """Let it check everything, as a user whose path holds an @, with two more for scheduling.

    127.0.0.2 is a loopback address that the tester does not skip /.well-known/caldav for.
    """
    program = APPS / "bin" / "caldav-server-tester"
    if not program.exists():
        raise AbsentError("caldav-server-tester is not installed: make test-clients")
    first = "amira@other.example"  # amira is taken in example.com, so the whole address is the name
    with kalends_world(folder, host="127.0.0.2", more=(first,)) as world:
        sections = {
            section: {"caldav_url": f"{world.url}/", "caldav_username": user, "caldav_password": PASSWORD}
            for section, user in (("one", first), ("two", "bruno"), ("three", "chloe"))
        }
        config = folder / "caldav.json"
        config.write_text(json.dumps(sections))
        words = [word for section in sections for word in ("--config-section", section)]
        told = world.run(
            str(program), *words, "--verbose", "--format", "text", CALDAV_CONFIG_FILE=str(config)
        )
    found = dict(re.findall(r"^## (\S+)\nFeature support level found: (\S+)", told, re.MULTILINE))
    if "found: ?\nExtra check information:\n  value=True\n" in told:  # a fact about users, without a level
        found.pop("get-current-user-principal.has-calendar", None)
    expected = {name: level for name, (level, _) in REASONS.items()}
    other = {name: level for name, level in found.items() if level != "full"}
    if other != expected:
        wrong = sorted(set(other.items()) ^ set(expected.items()))
        raise FailedError(f"not as expected: {wrong}\n{told}")
    full = len(found) - len(other)
    return f"{full} features full; {len(other)} that RFCs have otherwise: {', '.join(sorted(other))}"
