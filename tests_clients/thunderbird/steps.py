"""What a person does in Thunderbird with calendars of Kalends, and what must be true after each of it.

A step takes the desk and returns one sentence for the list; `STEPS` has them in their order, for each works on what the
ones before it left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from tests_clients.thunderbird.desk import HERE, WEEK, ZONE, Desk, holds, place
from tests_clients.thunderbird.marionette import RefusedError
from tests_clients.world import PASSWORD, REALM, check

MINE, TASKS, VAN, OTHERS = "amira/calendar", "amira/tasks", "amira/van", "bruno/calendar"
COLORS = {MINE: "#2F7D6B", TASKS: "#B4652A", VAN: "#8A4B9C", OTHERS: "#4A6FB5"}


def furnish(desk: Desk) -> str:
    """What is there before Thunderbird comes: events made over CAP, colours, a room."""
    for calendar in (MINE, TASKS):
        desk.cua(
            "amira",
            "create",
            str(HERE / "world" / f"{calendar.partition('/')[2]}.ics"),
            "-t",
            calendar,
            "--no-tls",
        )
    desk.world.kalends("calendar", "add", VAN, "--owner", f"amira@{REALM}", "--no-conflict")
    for calendar, color in COLORS.items():
        name = f"{calendar.partition('/')[0].title()}: {calendar.partition('/')[2]}"
        body = (
            '<D:propertyupdate xmlns:D="DAV:" xmlns:A="http://apple.com/ns/ical/"><D:set><D:prop>'
            f"<A:calendar-color>{color}FF</A:calendar-color><D:displayname>{name}</D:displayname>"
            "</D:prop></D:set></D:propertyupdate>"
        )
        owner = calendar.partition("/")[0]
        status, _, answer = desk.world.request(
            "PROPPATCH", f"/dav/calendars/{calendar}/", body, user=owner, Content_Type="application/xml"
        )
        check(status == 207, f"PROPPATCH: {status} {answer!r}")
    desk.world.kalends("user", "add", f"blue-room@{REALM}", "--kind", "room", "--name", "Blue room")
    return "events, a series, a task made over CAP"


def account(desk: Desk) -> str:
    """Thunderbird's own detection, told the bare origin, a name and a password."""
    found = desk.does("detect", "amira", PASSWORD, desk.world.recorder)
    check(
        [(one["uri"], one["color"], one["readOnly"], one["provider"]) for one in found]
        == [(place(desk, calendar), COLORS[calendar], False, "caldav") for calendar in (MINE, TASKS, VAN)],
        f"found {found}",
    )
    seen = desk.does("understood", place(desk, MINE))
    home = f"{desk.world.recorder}/dav/calendars/amira/"
    check(seen["inbox"] == home + "inbox/" and seen["outbox"] == home + "outbox/", f"boxes: {seen}")
    check(seen["addresses"] == [seen["organizer"]] == ["mailto:amira@example.com"], f"addresses: {seen}")
    check(seen["autoSchedule"] and seen["freeBusy"] and seen["sync"] and seen["token"], f"abilities: {seen}")
    check(seen["kinds"] == ["VEVENT"], f"kinds: {seen}")
    return "three calendars with names and colours; scheduling, free/busy and sync understood"


def seen(desk: Desk) -> str:
    """What was made over CAP."""
    week = desk.week(MINE)
    told = {title: (item["start"], item["end"]) for title, item in week.items()}
    expected = {
        "Call with Montréal": ("20270607T150000", "20270607T161500"),
        "Physiotherapy": ("20270608T140000", "20270608T150000"),
        "Team breakfast, with guests": ("20270609T103000", "20270609T120000"),
        "Midsummer market": ("20270610", "20270612"),
    }
    check(told == expected, f"the week: {told}")
    check(week["Physiotherapy"]["alarms"] == 1, "the alarm is missing")
    series = desk.does("items", place(desk, MINE), "VEVENT", "20270501T000000Z", "20270801T000000Z", ZONE)
    starts = [item["start"] for item in series if item["uid"] == "breakfast@example.com"]
    days = ["0504", "0511", "0518", "0525", "0601", "0622", "0629", "0706", "0713", "0720"]
    check(
        starts == sorted([*(f"2027{day}T090000" for day in days), "20270609T103000"]), f"the series: {starts}"
    )
    tasks = desk.does("items", place(desk, TASKS), "VTODO", None, None, ZONE)
    check(
        [(one["title"], one["end"]) for one in tasks] == [("Order flour", "20270609T180000")],
        f"tasks: {tasks}",
    )
    return "an event, an all-day event, a series of 12 with a moved and a missing instance, an alarm, a task"


def events(desk: Desk) -> str:
    """Made in Thunderbird, read over CAP, with what only Thunderbird understands."""
    text = (HERE / "world" / "interview.txt").read_text()
    desk.add(MINE, text)
    holds(desk.over_cap(MINE, "interview@example.com"), *text.splitlines())
    desk.change(MINE, "montreal@example.com", minutes=15)
    holds(
        desk.over_cap(MINE, "montreal@example.com"),
        "DTSTART:20270607T131500Z", "DTEND:20270607T143000Z", 'X-PROJECT;X-KIND="a:b":kept as it is',
        "X-MOZ-GENERATION:1",
    )  # fmt: skip
    desk.does("remove", place(desk, MINE), "market@example.com")
    gone = desk.over_cap(MINE, "market@example.com")
    check("market" not in gone, f"still there: {gone}")
    trash = desk.world.kalends("trash", MINE, "--json")
    check("market@example.com" in trash, f"not in the trash: {trash}")
    return "made, moved, deleted; X-MOZ-* and unknown properties kept; what was deleted lies in the trash"


def series(desk: Desk) -> str:
    """A series made in Thunderbird, and single instances changed."""
    desk.add(MINE, (HERE / "world" / "choir.txt").read_text())
    desk.change(MINE, "choir@example.com", "20270611T143000Z", title="Choir, in the hall", minutes=30)
    holds(
        desk.over_cap(MINE, "choir@example.com"),
        f"RECURRENCE-ID;TZID={ZONE}:20270611T163000", f"DTSTART;TZID={ZONE}:20270611T170000",
    )  # fmt: skip
    desk.change(MINE, "breakfast@example.com", "20270622T070000Z", title="Breakfast, late", minutes=60)
    holds(
        desk.over_cap(MINE, "breakfast@example.com"),
        f"RECURRENCE-ID;TZID={ZONE}:20270622T090000", f"DTSTART;TZID={ZONE}:20270622T100000",
        f"RECURRENCE-ID;TZID={ZONE}:20270608T090000", f"EXDATE;TZID={ZONE}:20270615T090000",
    )  # fmt: skip
    query = "SELECT DTSTART,SUMMARY FROM VEVENT WHERE SUMMARY LIKE 'Choir%' AND DTSTART < '20270615T000000Z'"
    lines = desk.cua(
        "amira", "query", query, "-t", MINE, "--expand", "--format", "csv", "--no-tls"
    ).splitlines()
    check(len(lines) == 4, f"instances over CAP: {lines}")
    return "a series made, an instance of it and of one made over CAP moved"


def alarm(desk: Desk) -> str:
    """An alarm dismissed: Thunderbird writes X-MOZ-LASTACK."""
    desk.does("dismiss", place(desk, MINE), "physio@example.com")
    text = desk.over_cap(MINE, "physio@example.com")
    check("\nX-MOZ-LASTACK:" in text and "\nTRIGGER:-PT30M" in text, f"the alarm: {text}")
    return "an alarm dismissed, so for every other device"


def tasks(desk: Desk) -> str:
    """A task made, another done."""
    text = "BEGIN:VTODO\nUID:plants@example.com\nSUMMARY:Water the plants\nDUE;TZID=Europe/Berlin:20270611T120000\nEND:VTODO"
    desk.add(TASKS, text)
    holds(desk.over_cap(TASKS, "plants@example.com", "VTODO"), *text.splitlines())
    desk.change(TASKS, "flour@example.com", completed=True)
    holds(desk.over_cap(TASKS, "flour@example.com", "VTODO"), "STATUS:COMPLETED", "PERCENT-COMPLETE:100")
    return "a task made, another done"


def other_side(desk: Desk) -> str:
    """Changes over CAP, seen after Synchronize."""
    desk.cua(
        "amira",
        "modify",
        "--uid",
        "interview@example.com",
        "--set",
        "LOCATION=Green room",
        "-t",
        MINE,
        "--no-tls",
    )
    desk.cua("amira", "delete", "--uid", "breakfast@example.com", "-t", MINE, "--no-tls")
    made = [
        "--set",
        "SUMMARY=Made over CAP",
        "--set",
        "DTSTART=20270608T083000Z",
        "--set",
        "DTEND=20270608T093000Z",
    ]
    desk.cua("amira", "create", *made, "-t", MINE, "--no-tls")
    before = len(desk.world.sent)
    desk.refresh(MINE)
    week = desk.week(MINE)
    check(week["Interview with Noor"]["place"] == "Green room", f"not changed: {week}")
    check(week["Made over CAP"]["start"] == "20270608T103000", f"not there: {week}")
    check("Team breakfast, with guests" not in week, f"not gone: {week}")
    asked = [one.method for one in desk.world.sent[before:]]
    check(asked == ["REPORT", "REPORT"], f"one sync and one multiget were enough: {asked}")
    return "made, changed and deleted over CAP: seen after one sync-collection and one multiget"


def invitation(desk: Desk) -> str:
    """Amira invites Bruno; both sit at this Thunderbird."""
    desk.does("detect", "bruno", PASSWORD, desk.world.recorder)
    desk.add(MINE, (HERE / "world" / "invitation.txt").read_text())
    desk.refresh(OTHERS)
    came = desk.week(OTHERS)["Plan the summer"]
    check(["mailto:bruno@example.com", "NEEDS-ACTION"] in came["attendees"], f"came: {came}")
    desk.change(OTHERS, "summer@example.com", answers={f"mailto:bruno@{REALM}": "ACCEPTED"})
    desk.refresh(MINE)
    told = desk.week(MINE)["Plan the summer"]["attendees"]
    check(["mailto:bruno@example.com", "ACCEPTED"] in told, f"the answer: {told}")
    desk.does("dismiss", place(desk, OTHERS), "summer@example.com")
    desk.change(
        OTHERS, "summer@example.com", "20270618T080000Z", answers={f"mailto:bruno@{REALM}": "DECLINED"}
    )
    text = desk.over_cap(MINE, "summer@example.com")
    check(text.count("PARTSTAT=DECLINED") == 1 and "RECURRENCE-ID" in text, f"one instance declined: {text}")
    desk.refresh(MINE)
    desk.change(MINE, "summer@example.com", minutes=30)
    desk.refresh(OTHERS)
    check(desk.week(OTHERS)["Plan the summer"]["start"] == "20270611T103000", "the move did not come")
    return "asked, accepted, one instance declined, moved by the organizer; seen on both sides"


def busy(desk: Desk) -> str:
    """When an invited person is busy, as the invitation window asks."""
    found = desk.does("busy", f"mailto:bruno@{REALM}", *WEEK)
    check([one[1:] for one in found] == [["20270611T083000Z", "20270611T093000Z"]], f"busy: {found}")
    return "free/busy of the invited person"


def room(desk: Desk) -> str:
    """A room answers by itself, and says no when it is taken."""
    text = (HERE / "world" / "room.txt").read_text()
    desk.add(MINE, text)
    holds_room = desk.over_cap(MINE, "board@example.com")
    check("PARTSTAT=ACCEPTED" in holds_room.partition("blue-room")[0].rpartition("ATTENDEE")[2], holds_room)
    desk.add(
        OTHERS, text.replace("board@", "board-2@").replace("amira", "bruno").replace("Amira Haddad", "Bruno")
    )
    refused = desk.over_cap(OTHERS, "board-2@example.com")
    check("PARTSTAT=DECLINED" in refused.partition("blue-room")[0].rpartition("ATTENDEE")[2], refused)
    return "a room says yes to the first and no to the second"


def taken(desk: Desk) -> str:
    """A calendar that lets nothing overlap refuses; Thunderbird shows nothing that is not there."""
    text = (HERE / "world" / "van.txt").read_text()
    desk.add(VAN, text)
    try:
        desk.add(VAN, text.replace("van@", "van-2@").replace("T08", "T09"))
    except RefusedError as error:
        check("403" in str(error), f"refused with other words: {error}")
    else:
        check(False, "booked twice")
    refused = desk.world.sent[-1]
    check(refused.status == 403, f"refused otherwise: {refused}")
    desk.refresh(VAN)
    shown = desk.does("items", place(desk, VAN), "VEVENT", *WEEK, ZONE)
    check([one["uid"] for one in shown] == ["van@example.com"], f"shown: {shown}")
    return "booking twice is refused (403), and not shown"


def stale(desk: Desk) -> str:
    """Changed over CAP and, without having seen that, in Thunderbird, which asks what to do."""
    for overwrite, place_then in ((False, "Roof"), (True, "Cellar")):
        desk.cua(
            "amira",
            "modify",
            "--uid",
            "van@example.com",
            "--set",
            f"LOCATION={place_then}",
            "-t",
            VAN,
            "--no-tls",
        )
        asked = desk.does(
            "answer", place(desk, VAN), "van@example.com", {"title": "The van, mine"}, overwrite
        )
        check(asked == 1, f"Thunderbird asked {asked} times")
        check([one.status for one in desk.world.sent if one.method == "PUT"][-1 - overwrite] == 412, "no 412")
        text = desk.over_cap(VAN, "van@example.com")
        check(("SUMMARY:The van\\, mine" in text) == overwrite, f"overwritten {overwrite}: {text}")
    return "a stale change is refused (412), and Thunderbird asks whose stays"


def shared(desk: Desk) -> str:
    """A calendar of somebody else, by its address: what is shared to be read cannot be written."""
    desk.world.kalends("calendar", "add", "bruno/club", "--owner", f"bruno@{REALM}")
    for title, kind in (("Open evening", "PUBLIC"), ("Only for the board", "PRIVATE")):
        times = ["--set", "DTSTART=20270607T180000Z", "--set", "DTEND=20270607T200000Z"]
        words = ["--set", f"SUMMARY={title}", "--set", f"CLASS={kind}", *times]
        desk.cua("bruno", "create", *words, "-t", "bruno/club", "--no-tls")
    desk.world.kalends("share", "bruno/club", f"amira@{REALM}", "--as", "read")
    found = desk.does("detect", "amira", PASSWORD, place(desk, "bruno/club"))
    check(
        [(one["uri"], one["readOnly"]) for one in found] == [(place(desk, "bruno/club"), True)],
        f"found {found}",
    )
    check(list(desk.week("bruno/club")) == ["Open evening"], f"shown: {desk.week('bruno/club')}")
    try:
        desk.add("bruno/club", (HERE / "world" / "van.txt").read_text().replace("van@", "club@"))
    except RefusedError:
        pass
    else:
        check(False, "written into what is shared to be read")
    return "shared to be read: found by its address, read-only, without what is private"


def calling_off(desk: Desk) -> str:
    """Deleted by the organizer, and told to whom was asked."""
    desk.does("remove", place(desk, MINE), "summer@example.com")
    desk.refresh(OTHERS)
    came = desk.week(OTHERS)["Plan the summer"]
    check(came["status"] == "CANCELLED", f"came: {came}")
    desk.does("remove", place(desk, OTHERS), "summer@example.com")
    return "called off by the organizer: struck out for the invited, who takes it away"


def octets(desk: Desk) -> str:
    """What Thunderbird PUT is what is stored."""
    return f"{desk.world.kept_as_sent()} objects kept octet for octet"


EXPECTED = {301, 401, 403, 405, 412}
"""A well-known address, a request before its password, one booking that is refused, the question whether a calendar can be
read as one file, stale changes."""


def quiet(desk: Desk) -> str:
    """Nothing else was refused, and Thunderbird complains of nothing else."""
    odd = [one for one in desk.world.sent if one.status >= 300 and one.status not in EXPECTED]
    check(not odd, f"refused: {[(one.method, one.path, one.status) for one in odd]}")
    counts = Counter(f"{one.method} {one.status}" for one in desk.world.sent)
    check(counts["PUT 403"] == 2 and counts["PUT 412"] == 2, f"refused: {counts}")
    check(
        all(one.method == "PUT" for one in desk.world.sent if one.status in {403, 412}), f"refused: {counts}"
    )
    complaints = [text for text in desk.does("complaints") if ": 403\n" not in text]
    check(not complaints, "Thunderbird complains: " + "\n".join(complaints))
    return ", ".join(f"{name}: {count}" for name, count in sorted(counts.items()))


STEPS: tuple[Callable[[Desk], str], ...] = (
    furnish, account, seen, events, series, alarm, tasks, octets, other_side, invitation, busy, room, calling_off,
    taken, stale, shared, quiet,
)  # fmt: skip
PICTURED = room
"""After it the week is at its fullest."""
