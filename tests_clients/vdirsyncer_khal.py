"""vdirsyncer keeps khal's folder and a Kalends calendar the same, in both directions, conflicts included."""

from __future__ import annotations

from pathlib import Path

from tests_clients.world import APPS, PASSWORD, AbsentError, World, check, kalends_world

VDIRSYNCER = """
[general]
status_path = "{folder}/status/"

[pair amira]
a = "here"
b = "there"
collections = ["from a", "from b"]
metadata = ["displayname", "color"]
{resolution}

[storage here]
type = "filesystem"
path = "{folder}/vdir/"
fileext = ".ics"

[storage there]
type = "caldav"
url = "{url}/"
username = "amira"
password = "{password}"
"""
KHAL = """
[calendars]
[[calendar]]
path = {folder}/vdir/calendar

[locale]
local_timezone = Europe/Berlin
default_timezone = Europe/Berlin
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M

[default]
default_calendar = calendar
"""
EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//tests//cap//EN
BEGIN:VEVENT
UID:{uid}
DTSTAMP:20260901T080000Z
DTSTART;TZID=Europe/Berlin:20260907T090000
DTEND;TZID=Europe/Berlin:20260907T100000
SUMMARY:{summary}
END:VEVENT
END:VCALENDAR
"""


def run(folder: Path) -> str:
    """Create, edit, delete on both sides; then change one event on both."""
    if not (APPS / "bin" / "vdirsyncer").exists():
        raise AbsentError("vdirsyncer is not installed: make test-clients")
    with kalends_world(folder) as world:
        _configure(world)
        _apps(world, "vdirsyncer", "discover", stdin="y\n" * 20)
        check((folder / "vdir" / "calendar").is_dir(), "the calendar was not discovered from the bare origin")
        check(
            (folder / "vdir" / "tasks").is_dir(), "the list of tasks was not discovered from the bare origin"
        )
        _from_khal(world)
        _from_cap(world)
        _conflict(world)
        _calendars(world)
        kept = world.kept_as_sent()
        check(kept >= 3, f"only {kept} objects compared")
        puts = sum(one.method == "PUT" for one in world.sent)
        _apps(world, "vdirsyncer", "sync")
        check(
            sum(one.method == "PUT" for one in world.sent) == puts, "a sync without changes wrote something"
        )
    return f"create, edit, delete on both sides, a conflict, a new calendar, colour; {kept} objects octet for octet over CAP"


def _configure(world: World, resolution: str = "") -> None:
    text = VDIRSYNCER.format(
        folder=world.folder, url=world.recorder, password=PASSWORD, resolution=resolution
    )
    (world.folder / "vdirsyncer.ini").write_text(text)
    (world.folder / "khal.ini").write_text(KHAL.format(folder=world.folder))


def _apps(world: World, name: str, *words: str, stdin: str | None = None, ok: tuple[int, ...] = (0,)) -> str:
    option = "--config"
    return world.run(
        str(APPS / "bin" / name), option, str(world.folder / f"{name}.ini"), *words, stdin=stdin, ok=ok
    )


def _sync(world: World) -> None:
    _apps(world, "vdirsyncer", "sync")


def _from_khal(world: World) -> None:
    _apps(world, "khal", "new", "2026-09-08", "10:00", "11:00", "Dentist")
    _apps(
        world,
        "khal",
        "new",
        "--repeat",
        "weekly",
        "--until",
        "2026-12-01",
        "2026-09-09",
        "12:00",
        "13:00",
        "Lunch",
    )
    _sync(world)
    seen = world.over_cap("amira/calendar")
    check("SUMMARY:Dentist" in seen and "SUMMARY:Lunch" in seen, f"CAP does not see what khal made:\n{seen}")
    _apps(world, "khal", "edit", "--show-past", "Dentist", stdin="s\nDentist again\nl\nMill Street 3\nn\n")
    _sync(world)
    seen = world.over_cap("amira/calendar")
    check(
        "SUMMARY:Dentist again" in seen and "Mill Street 3" in seen,
        f"CAP does not see khal's change:\n{seen}",
    )
    _apps(world, "khal", "edit", "--show-past", "Dentist", stdin="D\ny\n")
    _sync(world)
    check("Dentist" not in world.over_cap("amira/calendar"), "what khal deleted is still seen over CAP")


def _from_cap(world: World) -> None:
    world.create_over_cap("amira/calendar", EVENT.format(uid="cap-1@example.com", summary="Talk"))
    world.create_over_cap("amira/calendar", EVENT.format(uid="cap-2@example.com", summary="Both"))
    _sync(world)
    seen = _apps(world, "khal", "list", "2026-09-07", "2026-09-08")
    check("09:00-10:00 Talk" in seen, f"khal does not see what was made over CAP:\n{seen}")
    _modify(world, "cap-1@example.com", "Talk, moved")
    _sync(world)
    seen = _apps(world, "khal", "list", "2026-09-07", "2026-09-08")
    check("09:00-10:00 Talk, moved" in seen, f"khal does not see a change over CAP:\n{seen}")
    world.kalends("delete", "--uid", "cap-1@example.com", "--yes", "--target", "amira/calendar", "--no-tls")
    _sync(world)
    seen = _apps(world, "khal", "list", "2026-09-07", "2026-09-08")
    check("Talk" not in seen, f"khal still sees what was deleted over CAP:\n{seen}")


def _modify(world: World, uid: str, summary: str) -> None:
    world.kalends(
        "modify", "--uid", uid, "--set", f"SUMMARY={summary}", "--target", "amira/calendar", "--no-tls"
    )


def _conflict(world: World) -> None:
    _modify(world, "cap-2@example.com", "Changed there")
    _apps(world, "khal", "edit", "--show-past", "Both", stdin="s\nChanged here\nn\n")
    _apps(world, "vdirsyncer", "sync", ok=(1,))  # says that it cannot know, and changes nothing
    check("Changed there" in world.over_cap("amira/calendar"), "an unresolved conflict changed the store")
    _configure(world, 'conflict_resolution = "a wins"')
    _sync(world)
    check("Changed here" in world.over_cap("amira/calendar"), "the resolution of a conflict was not stored")


def _calendars(world: World) -> None:
    new = world.folder / "vdir" / "garden"
    new.mkdir()
    (new / "color").write_text("#228b22")
    (new / "displayname").write_text("Garden & Grün")
    _apps(world, "vdirsyncer", "discover", stdin="y\n" * 20)
    _apps(world, "vdirsyncer", "metasync")
    (new / "g1.ics").write_text(EVENT.format(uid="g1@example.com", summary="Weeding"))
    _sync(world)
    check("Weeding" in world.over_cap("amira/garden"), "a calendar made by vdirsyncer is not seen over CAP")
    listed = world.kalends("calendar", "list")
    check("Garden & Grün" in listed, f"the name of the new calendar is not kept:\n{listed}")
