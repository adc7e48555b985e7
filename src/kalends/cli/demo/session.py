"""The narrated session: greeting, TLS, SCRAM, CAL-QUERYs with their answers, then CalDAV and rights."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from kalends.cli.demo.apps import phone
from kalends.cli.demo.narrator import Narrator
from kalends.cli.demo.stage import Scene, Server, share
from kalends.cli.demo.village import REALM
from kalends.cli.output import table
from kalends.client.errors import RefusedError, StaleError
from kalends.client.results import Found
from kalends.client.sync import Client, connect
from kalends.ical.values import unescape_text

DINNER = "demo-dinner@" + REALM
SHOWN = 6
"""Rows of an answer that are shown."""


def tour(scene: Scene, server: Server, tell: Narrator) -> None:
    """Talk to the server as a CUA and tell what is said."""
    _greeting(server, tell)
    tell.step("TLS, then SCRAM-SHA-256, then the CAP channel")
    with connect(server.url, user=f"amira@{REALM}", password=scene.passwords["amira"], first_use=True) as cua:
        caps = cua.capabilities
        tell.say(
            f"Now private and authenticated: we are {cua.upn}. Both sides have asked GET-CAPABILITY. The "
            f"server speaks CAP {', '.join(sorted(caps.cap_versions))}, up to {caps.max_size:,} octets an "
            f"object, {caps.recur_limit:,} instances of a series, dates from {caps.min_date[:4]} to "
            f"{caps.max_date[:4]}."
        )
        _this_week(scene, cua, tell)
        _arbitrary(cua, tell)
        _free_busy(scene, cua, tell)
        _change(scene, cua, tell)
    phone(scene, server, tell)
    _somebody_else(scene, server, tell)


def _greeting(server: Server, tell: Narrator) -> None:
    tell.step("What port 1026 says first")
    tell.say(
        "RFC 3080: each peer greets at once. Before TLS the server offers nothing but TLS (RFC 4324 §12.3)."
    )
    with socket.create_connection((server.host, server.port), 10) as sock:
        data = b""
        while b"END\r\n" not in data:
            piece = sock.recv(4096)
            if not piece:
                break
            data += piece
    tell.wire("S", data.decode("utf-8", "replace"))


def _ask(cua: Client, tell: Narrator, query: str, *targets: str, expand: bool = False) -> list[Found]:
    tell.query(query)
    began = time.perf_counter()
    found = list(cua.search(" ".join(query.split("\n")), *targets, expand=expand))
    took = (time.perf_counter() - began) * 1000
    tell.say(f"→ {len(found)} found in {', '.join(targets)}, {took:.1f} ms over the wire")
    return found


def _rows(found: Iterable[Found], names: Sequence[str]) -> list[list[str]]:
    return [[_shown(one, name) for name in names] for one in found]


def _shown(one: Found, name: str) -> str:
    lines = one.component.all(name)
    if name in ("DTSTART", "DTEND", "RECURRENCE-ID", "DUE") and lines:
        return _when(lines[0].value)
    return ", ".join(unescape_text(line.value) for line in lines)


def _when(value: str) -> str:
    if len(value) == 8:
        return datetime.strptime(value, "%Y%m%d").strftime("%a %d %b")
    moment = datetime.strptime(value[:15], "%Y%m%dT%H%M%S")
    return moment.strftime("%a %d %b %H:%M") + ("Z" if value.endswith("Z") else "")


def _answer(tell: Narrator, found: list[Found], *names: str) -> None:
    table(names, _rows(found[:SHOWN], names))
    tell.more(len(found) - SHOWN)


def _utc(day: datetime) -> str:
    return day.strftime("%Y%m%dT%H%M%SZ")


def _this_week(scene: Scene, cua: Client, tell: Narrator) -> None:
    monday = datetime.combine(scene.today - timedelta(days=scene.today.weekday()), datetime.min.time())
    tell.step("This week at school, every lesson as an instance of its series (EXPAND:TRUE)")
    found = _ask(
        cua,
        tell,
        f"SELECT SUMMARY,DTSTART,DTEND FROM VEVENT\n"
        f"WHERE DTEND >= '{_utc(monday)}' AND DTSTART < '{_utc(monday + timedelta(days=7))}'",
        "school/timetable",
        expand=True,
    )
    _answer(tell, found, "SUMMARY", "DTSTART", "DTEND")


def _arbitrary(cua: Client, tell: Narrator) -> None:
    tell.step("Any property, any parameter: who has declined an invitation of Amira’s?")
    found = _ask(
        cua,
        tell,
        "SELECT SUMMARY,DTSTART,LOCATION FROM VEVENT\n"
        "WHERE PARAM(ATTENDEE,PARTSTAT) = 'DECLINED' AND LOCATION LIKE '%room%' AND STATE() = 'BOOKED'",
        "amira/calendar",
    )
    _answer(tell, found, "SUMMARY", "DTSTART", "LOCATION")
    tell.step("Alarms are components too")
    found = _ask(cua, tell, "SELECT VALARM FROM VEVENT WHERE VALARM.ACTION = 'DISPLAY'", "amira/calendar")
    for one in found[:1]:
        tell.wire("S", one.component.to_ics())


def _free_busy(scene: Scene, cua: Client, tell: Narrator) -> None:
    tell.step("Free/busy, computed when asked")
    day = datetime.combine(scene.today, datetime.min.time())
    found = _ask(
        cua,
        tell,
        "SELECT * FROM VFREEBUSY\n"
        f"WHERE DTSTART >= '{_utc(day)}' AND DTEND <= '{_utc(day + timedelta(days=3))}'",
        "company/meeting-room",
    )
    for one in found[:1]:
        tell.wire("S", "\n".join(line for line in one.component.to_ics().splitlines()[:10]))


def _change(scene: Scene, cua: Client, tell: Narrator) -> None:
    tell.step("CREATE, then MODIFY with the old values compared, MOVE, DELETE")
    evening = datetime.combine(scene.today + timedelta(days=2), datetime.min.time()) + timedelta(hours=19)
    event = (
        "BEGIN:VEVENT\r\n"
        f"UID:{DINNER}\r\nDTSTAMP:{_utc(evening)}\r\n"
        f"DTSTART;TZID=Europe/Berlin:{evening:%Y%m%dT%H%M%S}\r\nDURATION:PT2H\r\n"
        "SUMMARY:Dinner with the choir\r\nLOCATION:Da Bruno\r\n"
        "END:VEVENT\r\n"
    )
    tell.wire("C", event)
    for outcome in cua.create(event, "amira/calendar"):
        tell.say(
            f"→ {outcome.status.code} {outcome.status.text or outcome.status.meaning}: {outcome.id_value}"
        )
    this = f"SELECT * FROM VEVENT WHERE UID = '{DINNER}'"
    old, new = "LOCATION:Da Bruno", "LOCATION:Café am Markt"
    tell.query(f"{this}\n{old} → {new}")
    cua.modify(this, _event(old), _event(new), "amira/calendar")
    tell.say(
        "→ 2.0: everything else in the event is untouched, byte for byte. The same again must fail, for the "
        "old value is not there any more:"
    )
    try:
        cua.modify(this, _event(old), _event(new), "amira/calendar")
    except (StaleError, RefusedError) as refused:
        tell.say(f"→ {refused}")
    cua.move(this, "choir/rehearsals", source="amira/calendar")
    found = _ask(
        cua,
        tell,
        f"SELECT SUMMARY,DTSTART,DTEND,LOCATION FROM VEVENT\nWHERE UID = '{DINNER}'",
        "choir/rehearsals",
    )
    _answer(tell, found, "SUMMARY", "DTSTART", "DTEND", "LOCATION")
    gone = cua.delete(this, "choir/rehearsals")
    tell.say(f"→ deleted {len(gone)} object.")


def _event(line: str) -> str:
    return f"BEGIN:VEVENT\r\n{line}\r\nEND:VEVENT\r\n"


def _somebody_else(scene: Scene, server: Server, tell: Narrator) -> None:
    tell.step("Somebody else sees what rights let them see, and not a letter more")
    with connect(server.url, user=f"hugo@{REALM}", password=scene.passwords["hugo"], first_use=True) as cua:
        _as_hugo(cua, tell)
        share(scene, "amira/calendar", f"hugo@{REALM}", "titles", tell)
        _as_hugo(cua, tell)
    tell.say("The right counts at once, in the session that was open. It hides the places:")
    with connect(server.url, user=f"hugo@{REALM}", password=scene.passwords["hugo"], first_use=True) as cua:
        _answer(tell, _ask(cua, tell, _TITLES, "amira/calendar"), "SUMMARY", "DTSTART", "LOCATION")


_TITLES = "SELECT SUMMARY,DTSTART,LOCATION FROM VEVENT\nWHERE SUMMARY LIKE '%review%'"


def _as_hugo(cua: Client, tell: Narrator) -> None:
    try:
        found = list(cua.search("SELECT SUMMARY FROM VEVENT", "amira/calendar"))
        tell.say(f"→ Hugo searches Amira’s calendar: {len(found)} found.")
    except RefusedError as refused:
        tell.say(f"→ Hugo searches Amira’s calendar: {refused}")
