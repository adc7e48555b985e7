"""tsdav (JavaScript): discovery, a new calendar, objects, sync, free/busy."""

from __future__ import annotations

import json
from pathlib import Path

from tests_clients.world import HERE, PASSWORD, AbsentError, check, kalends_world, tool


def run(folder: Path) -> str:
    """Run tsdav.mjs, and look at what it saw."""
    node = tool("node", "nodejs")
    if not (HERE / "node_modules" / "tsdav").is_dir():
        raise AbsentError("tsdav is not installed: make test-clients, with npm from Debian's package npm")
    with kalends_world(folder) as world:
        told = world.run(node, str(HERE / "tsdav.mjs"), f"{world.recorder}/", "amira", PASSWORD)
        saw = json.loads(told)
        home = f"{world.recorder}/dav/calendars/amira"
        made = f"{home}/tsdav-made"
        for step, expected in (
            ("principal", f"{world.recorder}/dav/principals/amira/"),
            ("home", f"{home}/"),
            ("addresses", ["mailto:amira@example.com", "/dav/principals/amira/"]),
            (
                "before",
                [["calendar", f"{home}/calendar/", ["VEVENT"]], ["tasks", f"{home}/tasks/", ["VTODO"]]],
            ),
            ("made", ["Made by tsdav", "a description"]),
            ("created", 201),
            ("fetched", [[f"{made}/one.ics", True], [f"{made}/two%20%26%202.ics", True]]),
            ("inRange", 2),
            ("outOfRange", 0),
            ("unchanged", [0, 0, 0]),
            ("updated", 204),
            ("stale", 412),
            ("deleted", 204),
            ("synced", {"created": ["three.ics"], "updated": ["one.ics"], "deleted": ["two%20%26%202.ics"]}),
        ):
            check(saw[step] == expected, f"{step}: {saw[step]}, not {expected}")
        check("syncCollection" in saw["reports"], f"reports: {saw['reports']}")
        check("20260907T090000Z/20260907T100000Z" in saw["busy"]["raw"], f"free/busy: {saw['busy']}")
        seen = world.over_cap("amira/tsdav-made")
        check(
            "SUMMARY:One\\, changed" in seen or "SUMMARY:One, changed" in seen,
            f"CAP sees something else:\n{seen}",
        )
        kept = world.kept_as_sent()
        check(kept == 2, f"{kept} objects compared")
    return (
        "discovery from the bare origin, a new calendar, objects created, changed, refused when stale, deleted; "
        f"ranges, sync-collection, free/busy; {kept} objects octet for octet over CAP"
    )
