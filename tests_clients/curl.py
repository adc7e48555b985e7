"""curl and wget: the bare origin leads to the calendars, and plain requests do what they say."""

from __future__ import annotations

import json
from pathlib import Path

from tests_clients.world import PASSWORD, FailedError, World, check, kalends_world, tool

EVENT = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//tests//curl//EN\r
BEGIN:VEVENT\r
UID:curl-1@example.com\r
DTSTAMP:20260901T080000Z\r
DTSTART:20260901T090000Z\r
DTEND:20260901T100000Z\r
SUMMARY:Käse und Öl\\, geschnitten\r
X-ODD;X-P="a;b":kept\r
  as it is\r
END:VEVENT\r
END:VCALENDAR\r
"""
FIND = (
    '<propfind xmlns="DAV:"><prop><current-user-principal/>'
    '<C:calendar-home-set xmlns:C="urn:ietf:params:xml:ns:caldav"/></prop></propfind>'
)


def run(folder: Path) -> str:
    """Discover, put, get, delete."""
    curl, wget = tool("curl", "curl"), tool("wget", "wget")
    with kalends_world(folder) as world:
        _discover(world, curl)
        _store(world, curl, wget)
        _app_password(world, curl)
        kept = world.kept_as_sent()
        check(kept == 2, f"two objects were PUT, {kept} compared")
    return f"/.well-known/caldav found from the bare origin; PUT, GET, If-Match, DELETE, app passwords; {kept} objects octet for octet over CAP"


def _curl(world: World, curl: str, *words: str, user: str = "amira") -> str:
    return world.run(curl, "--silent", "--show-error", "--user", f"{user}:{PASSWORD}", *words)


def _discover(world: World, curl: str) -> None:
    ask = (
        "--post301",
        "--request",
        "PROPFIND",
        "--header",
        "Depth: 0",
        "--header",
        "Content-Type: application/xml",
        "--data",
        FIND,
    )
    # RFC 6764 §5: from a bare origin, without credentials on the first step.
    code = world.run(
        curl, "--silent", "--output", "/dev/null", "--write-out", "%{http_code} %{redirect_url}",
        f"{world.url}/.well-known/caldav",
    )  # fmt: skip
    check(code == f"301 {world.url}/dav/", f".well-known: {code}")
    for start in ("/.well-known/caldav", "/", "/dav/"):
        told = _curl(world, curl, "--location", *ask, f"{world.url}{start}")
        check("/dav/principals/amira/" in told, f"no principal at {start}: {told}")
    told = _curl(world, curl, *ask, f"{world.url}/dav/principals/amira/")
    check("/dav/calendars/amira/" in told, f"no home: {told}")
    code = world.run(
        curl, "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", f"{world.url}/dav/"
    )
    check(code == "401", f"without a password: {code}")


def _store(world: World, curl: str, wget: str) -> None:
    (world.folder / "event.ics").write_bytes(EVENT.encode())
    place = f"{world.recorder}/dav/calendars/amira/calendar"
    code = ("--output", "/dev/null", "--write-out", "%{http_code}")
    put = ("--upload-file", "event.ics", "--header", "Content-Type: text/calendar; charset=utf-8")
    for name, words, expected in (
        ("one.ics", ("--header", "If-None-Match: *"), "201"),
        ("one.ics", ("--header", "If-None-Match: *"), "412"),
        ("one.ics", ("--header", 'If-Match: "stale"'), "412"),
        ("two.ics", (), "403"),  # RFC 4791 §5.3.2.1: no-uid-conflict
        ("one.ics", (), "204"),
    ):
        told = _curl(world, curl, *put, *words, *code, f"{place}/{name}")
        check(told == expected, f"PUT {name} {words}: {told}, not {expected}")
    (world.folder / "event.ics").write_bytes(EVENT.replace("curl-1", "curl-2").encode())
    told = _curl(world, curl, *put, *code, f"{place}/K%C3%A4se%20%26%20%C3%96l.ics")
    check(told == "201", f"PUT under a name with umlauts: {told}")
    fetched = world.run(
        wget, "--quiet", "--auth-no-challenge", "--user=amira@example.com", f"--password={PASSWORD}",
        "--output-document=-", f"{place}/one.ics",
    )  # fmt: skip
    if fetched.replace("\r\n", "\n") != EVENT.replace("\r\n", "\n"):
        raise FailedError(f"wget got something else: {fetched}")
    (world.folder / "event.ics").write_bytes(EVENT.replace("curl-1", "curl-3").encode())
    told = _curl(world, curl, *put, *code, f"{place}/gone.ics")
    check(told == "201", f"PUT gone.ics: {told}")
    told = _curl(world, curl, "--request", "DELETE", *code, f"{place}/gone.ics")
    check(told == "204", f"DELETE: {told}")
    check("curl-3" not in world.over_cap("amira/calendar"), "a deleted object is still seen over CAP")
    told = _curl(world, curl, "--request", "DELETE", *code, f"{place}/one.ics", user="bruno")
    check(told == "404", f"somebody without rights deleted it: {told}")


def _app_password(world: World, curl: str) -> None:
    made = json.loads(
        world.kalends("user", "app-password", "add", "amira@example.com", "--label", "phone", "--json")
    )

    def status() -> str:
        user = ("--user", f"amira:{made['password']}")
        words = ("--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--request", "PROPFIND")
        return world.run(curl, *words, *user, "--header", "Depth: 0", f"{world.url}/dav/calendars/amira/")

    check(status() == "207", f"an app password: {status()}")
    world.kalends("user", "app-password", "revoke", "amira@example.com", "--label", "phone")
    check(status() == "401", f"a revoked app password: {status()}")
