"""CalDAV through a reverse proxy that shows it below a path: every path leads back through the proxy (issue 4)."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from http_world import World, basic
from lxml import etree
from serve_client import PASSWORD

from kalends.dav import app

EVENT = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20260101T000000Z\r\n"
    b"DTSTART:20260310T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@contextmanager
def proxy(upstream: int, *, strip: bool) -> Iterator[int]:
    """A proxy that shows a server below /cal, with or without taking that off the path. Yields its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.removeprefix("/cal") if strip else self.path
            fields = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            fields |= {"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https"}
            fields |= {"X-Forwarded-Host": "cal.example.org", "X-Forwarded-Prefix": "/cal"}
            behind = http.client.HTTPConnection("127.0.0.1", upstream, timeout=10)
            behind.request(self.command, path, body or None, fields)
            answer = behind.getresponse()
            data = answer.read()
            behind.close()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Quiet."""

        do_PUT = do_PROPFIND = do_MOVE = do_GET = do_REPORT = do_OPTIONS = forward  # noqa: N815

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("strip", [True, False])
def test_a_client_behind_a_proxy_under_a_path_finds_writes_and_moves(tmp_path: Path, strip: bool) -> None:
    with (
        World(tmp_path, room=app, trusted_proxies="127.0.0.1") as world,
        proxy(world.port, strip=strip) as port,
    ):

        def ask(
            method: str, path: str, body: bytes = b"", **headers: str
        ) -> tuple[int, dict[str, str], bytes]:
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            link.request(method, path, body or None, {"Authorization": basic("amira", PASSWORD), **fields})
            got = link.getresponse()
            told = got.status, {name.lower(): value for name, value in got.getheaders()}, got.read()
            link.close()
            return told

        def find(path: str, name: str, depth: str = "0") -> list[str]:
            body = (
                f'<D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><{name}/></D:prop>'
                "</D:propfind>"
            )
            status, _, data = ask("PROPFIND", path, body.encode(), Depth=depth)
            assert status == 207, data
            return [one.text or "" for one in etree.fromstring(data).iter("{DAV:}href")]

        status, headers, _ = ask("PROPFIND", "/cal/.well-known/caldav", Depth="0")
        assert (status, headers["location"].removeprefix("https://cal.example.org")) == (301, "/cal/dav/")
        principal = find("/cal/dav/", "D:current-user-principal")[-1]
        assert principal == "/cal/dav/principals/amira/"
        home = find(principal, "C:calendar-home-set")[-1]
        assert f"{home}calendar/" in find(home, "D:resourcetype", "1")
        at = f"{home}calendar/a.ics"
        status, headers, _ = ask("PUT", at, EVENT, Content_Type="text/calendar")
        assert (status, headers["location"]) == (201, f"https://cal.example.org{at}")
        for destination in (f"{home}calendar/b.ics", f"https://cal.example.org{home}calendar/c.ics"):
            status, headers, data = ask("MOVE", at, Destination=destination)
            assert (status, headers.get("location", "").endswith(destination)) == (201, True), data
            at = destination.removeprefix("https://cal.example.org")
        assert ask("GET", at)[2] == EVENT
        assert ask("MOVE", at, Destination="/dav/calendars/amira/calendar/x.ics")[0] == 502, (
            "outside of the prefix"
        )
        multiget = (
            '<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/></D:prop>'
            f"<D:href>{at}</D:href></C:calendar-multiget>"
        )
        status, _, data = ask("REPORT", f"{home}calendar/", multiget.encode())
        assert (status, b"404" in data, at.encode() in data) == (207, False, True)
