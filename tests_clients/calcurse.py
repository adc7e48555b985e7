"""calcurse-caldav carries appointments and to-dos between calcurse and a Kalends calendar."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from tests_clients.world import PASSWORD, AbsentError, FailedError, World, check, kalends_world, tool

CONFIG = """[General]
Hostname = {host}
Path = /dav/calendars/amira/both/
HTTPS = No
DryRun = No
AuthMethod = basic

[Auth]
Username = amira
Password = {password}
"""
EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//tests//calcurse//EN
BEGIN:VEVENT
UID:{uid}
DTSTAMP:20260901T080000Z
DTSTART:20260907T090000Z
DTEND:20260907T100000Z
SUMMARY:{summary}
{more}END:VEVENT
END:VCALENDAR
"""


def run(folder: Path) -> str:
    """Create, change, delete on both sides."""
    calcurse, script = tool("calcurse", "calcurse"), tool("calcurse-caldav", "calcurse")
    with kalends_world(folder) as world:
        world.kalends(
            "calendar", "add", "amira/both", "--owner", "amira@example.com"
        )  # calcurse keeps appointments and to-dos in one
        _configure(world)
        world.create_over_cap("amira/both", EVENT.format(uid="cap-1@example.com", summary="Talk", more=""))
        try:
            _sync(world, script, "--init=two-way")
        except FailedError as error:
            if "No module named 'httplib2'" in str(error):
                raise AbsentError(
                    "calcurse-caldav has no httplib2: apt-get install python3-httplib2"
                ) from error
            raise
        check("Talk" in _seen(world, calcurse), "calcurse does not see what was made over CAP")
        _from_calcurse(world, calcurse, script)
        _from_cap(world, calcurse, script)
        kept = world.kept_as_sent()
        check(kept == 2, f"{kept} objects compared")
        told = _sync(world, script)
        check("0 items imported, 0 items removed locally." in told, f"a sync without changes: {told}")
        check("0 items exported, 0 items removed from the server." in told, f"a sync without changes: {told}")
    return f"two-way start; appointments, a series, a to-do; create and delete on both sides; a change over CAP; {kept} objects octet for octet over CAP"


def _configure(world: World) -> None:
    place = world.folder / "config" / "calcurse" / "caldav"
    place.mkdir(parents=True)
    (place / "config").write_text(CONFIG.format(host=urlsplit(world.recorder).netloc, password=PASSWORD))
    (world.folder / "data" / "calcurse" / "caldav").mkdir(parents=True)


def _sync(world: World, script: str, *words: str) -> str:
    # Debian's Python has the script's modules; the first python3 of the PATH may be another one.
    return world.run("/usr/bin/python3", script, *words)


def _seen(world: World, calcurse: str) -> str:
    return world.run(calcurse, "-Q", "--input-datefmt", "4", "--from", "2026-09-01", "--days", "30")


def _from_calcurse(world: World, calcurse: str, script: str) -> None:
    weekly, todo = "RRULE:FREQ=WEEKLY;COUNT=3\n", "PRIORITY:3\n"
    for number, (summary, more) in enumerate((("Dentist", ""), ("Lunch", weekly), ("Tax", todo))):
        text = EVENT.format(uid=f"local-{number}", summary=summary, more=more)
        if more == todo:
            text = text.replace("VEVENT", "VTODO").replace("DTEND", "DUE")
        (world.folder / "in.ics").write_text(text)
        world.run(calcurse, "-q", "-i", "in.ics")
    told = _sync(world, script)
    check("3 items exported" in told, f"calcurse exported something else: {told}")
    check("SUMMARY:Tax" in world.over_cap("amira/both", "VTODO"), "CAP does not see calcurse's to-do")
    seen = world.over_cap("amira/both")
    check("Dentist" in seen and "FREQ=WEEKLY" in seen, f"CAP does not see what calcurse made:\n{seen}")
    world.run(calcurse, "-P", "--filter-pattern", "Dentist", "--filter-type", "cal")
    told = _sync(world, script)
    check("1 items removed from the server" in told, f"calcurse removed something else: {told}")
    check("Dentist" not in world.over_cap("amira/both"), "what calcurse deleted is still seen over CAP")


def _from_cap(world: World, calcurse: str, script: str) -> None:
    uid = ("--uid", "cap-1@example.com", "--target", "amira/both", "--no-tls")
    world.kalends("modify", *uid, "--set", "SUMMARY=Talk, moved")
    told = _sync(world, script)
    check("1 items imported" in told, f"calcurse imported something else: {told}")
    check("Talk, moved" in _seen(world, calcurse), "calcurse does not see a change over CAP")
    world.kalends("delete", *uid, "--yes")
    told = _sync(world, script)
    check("1 items removed locally" in told, f"calcurse removed something else: {told}")
    check("Talk" not in _seen(world, calcurse), "calcurse still sees what was deleted over CAP")
