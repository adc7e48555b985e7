"""Requests that two readers could take for different ones are refused, and nothing of them is done (RFC 9112 §11.2)."""

from __future__ import annotations

from pathlib import Path

import pytest
from http_world import World, basic
from serve_client import PASSWORD

LOGIN = f"Host: localhost\r\nAuthorization: {basic('amira', PASSWORD)}\r\n"
SECOND = f"DELETE /dav/victim HTTP/1.1\r\n{LOGIN}\r\n"
BODY = f"{len(SECOND):x}\r\n{SECOND}\r\n0\r\n\r\n"

REQUESTS = {
    "an upgrade with a body": (
        (
            f"PUT /dav/x HTTP/1.1\r\n{LOGIN}Connection: Upgrade\r\nUpgrade: h2c\r\n"
            f"Content-Length: {len(SECOND)}\r\n\r\n{SECOND}"
        ),
        501,
    ),
    "an upgrade with chunks": (
        (
            f"PUT /dav/x HTTP/1.1\r\n{LOGIN}Connection: Upgrade\r\nUpgrade: h2c\r\n"
            f"Transfer-Encoding: chunked\r\n\r\n{BODY}"
        ),
        501,
    ),
    "CONNECT with a body": (
        f"CONNECT localhost:80 HTTP/1.1\r\n{LOGIN}Content-Length: {len(SECOND)}\r\n\r\n{SECOND}",
        400,
    ),
    "both lengths": (
        (
            f"PUT /dav/x HTTP/1.1\r\n{LOGIN}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
            f"0\r\n\r\n{SECOND}"
        ),
        400,
    ),
    "chunks in HTTP/1.0": (
        (
            f"PUT /dav/x HTTP/1.0\r\n{LOGIN}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
            f"0\r\n\r\n{SECOND}"
        ),
        400,
    ),
    "another coding before chunked": (
        (
            f"PUT /dav/x HTTP/1.1\r\n{LOGIN}Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n"
            f"0\r\n\r\n{SECOND}"
        ),
        501,
    ),
    "bare line feeds": (f"GET /dav/x HTTP/1.1\n{LOGIN}\n{SECOND}", 400),
    "a folded field": (f"PUT /dav/x HTTP/1.1\r\n{LOGIN}X: a\r\n Content-Length: 0\r\n\r\n{SECOND}", 400),
    "another version": (f"GET /dav/x HTTP/2.0\r\n{LOGIN}\r\n{SECOND}", 505),
}


@pytest.mark.parametrize(("octets", "status"), REQUESTS.values(), ids=REQUESTS.keys())
def test_what_could_be_read_in_two_ways_is_refused_and_ends_the_connection_rfc_9112_6_3(
    tmp_path: Path, octets: str, status: int
) -> None:
    with World(tmp_path) as world, world.connect() as peer:
        peer.send(octets)
        got = peer.read()
        assert (got.status, got.headers["connection"]) == (status, "close")
        assert peer.is_closed()
        assert world.room.noted == []


def test_many_wishes_for_another_protocol_at_once_are_answered_one_by_one(tmp_path: Path) -> None:
    """Each of them is a parser of its own: that must not be a call inside of a call."""
    count = 1_500
    one = "GET /dav/public HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    with World(tmp_path) as world, world.connect() as peer:
        peer.send(one * count)
        assert {peer.read().status for _ in range(count)} == {200}


def test_the_host_of_a_whole_address_counts_and_not_the_field_rfc_9112_3_2_2(tmp_path: Path) -> None:
    with World(tmp_path) as world, world.connect() as peer:
        peer.request("GET", "http://named.example/dav/public", Host="other.example")
        assert peer.read().json["origin"] == "http://named.example"
        peer.request("GET", "http:///dav/public")
        assert peer.read().status == 400
