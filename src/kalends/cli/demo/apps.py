"""The demo's second face: what a calendar app does over CalDAV, with the same events seen over CAP."""

from __future__ import annotations

import base64
import http.client
import re
from datetime import datetime, timedelta
from html import unescape

from kalends.cli.demo.narrator import Narrator
from kalends.cli.demo.stage import Scene, Server
from kalends.cli.demo.village import REALM
from kalends.client.sync import connect

LUNCH = "demo-lunch@" + REALM
ROOM = "meeting-room"
"""Last segment of the room's path: its calendar is company/meeting-room, and Amira owns it."""
SECONDS = 10.0
"""How long the server may take over one request."""


def phone(scene: Scene, server: Server, tell: Narrator) -> None:
    """Put an event the way a phone does, look at it over CAP, and try to book a room twice."""
    tell.step("A phone’s calendar app: the same store over CalDAV")
    noon = datetime.combine(scene.today + timedelta(days=3), datetime.min.time()) + timedelta(hours=10)
    event = _event(LUNCH, "Lunch with Hugo", noon)
    status, _ = _put(scene, server, "/dav/calendars/amira/calendar/lunch.ics", event, tell)
    query = f"SELECT SUMMARY,DTSTART FROM VEVENT\nWHERE UID = '{LUNCH}'"
    tell.query(query)
    with connect(server.url, user=f"amira@{REALM}", password=scene.passwords["amira"], first_use=True) as cua:
        found = list(cua.search(" ".join(query.split("\n")), "amira/calendar"))
    if found:
        summary = found[0].component.value("SUMMARY")
        tell.say(f"→ {status} over HTTP, and over CAP it is there at once: “{summary}”.")
    tell.step("The meeting room is never booked twice, whichever way one comes")
    for which in ("first", "second"):
        night = noon + timedelta(hours=12)
        event = _event(f"demo-{which}@{REALM}", f"The {which} to ask", night)
        path = f"/dav/calendars/amira/{ROOM}/{which}.ics"
        status, said = _put(scene, server, path, event, tell)
        tell.say(f"→ {status} {said}".rstrip())


def _event(uid: str, summary: str, start: datetime) -> str:
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Kalends//Demo//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:{start:%Y%m%dT%H%M%SZ}\r\nDTSTART:{start:%Y%m%dT%H%M%SZ}\r\n"
        f"DURATION:PT1H\r\nSUMMARY:{summary}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def _put(scene: Scene, server: Server, path: str, event: str, tell: Narrator) -> tuple[int, str]:
    """PUT an object as Amira; answers the status and the sentence that came with it."""
    tell.wire("C", f"PUT {path} HTTP/1.1\nContent-Type: text/calendar\nIf-None-Match: *")
    token = base64.b64encode(f"amira@{REALM}:{scene.passwords['amira']}".encode()).decode()
    link = http.client.HTTPConnection(server.http, timeout=SECONDS)
    try:
        headers = {"Content-Type": "text/calendar", "If-None-Match": "*", "Authorization": f"Basic {token}"}
        link.request("PUT", path, event.encode(), headers)
        answer = link.getresponse()
        body = answer.read().decode("utf-8", "replace")
    finally:
        link.close()
    said = re.search(r"<D:responsedescription>(.*?)</D:responsedescription>", body, re.DOTALL)
    tell.wire("S", f"HTTP/1.1 {answer.status} {answer.reason}")
    return answer.status, unescape(said.group(1)) if said else ""
