"""gzip for answers (RFC 9110 §8.4, §12.5.3): where it is understood, worth it, and harms no ETag."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from http_world import World

from kalends.serve.http.packing import accepts_gzip


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    "kind", ["text/xml", "application/xml; charset=utf-8", "text/calendar", "application/json"]
)
def test_what_is_large_enough_is_packed(world: World, kind: str) -> None:
    got = world.ask(
        "GET", f"/dav/body?n=9000&type={kind.replace(' ', '%20')}", Accept_Encoding="gzip, deflate"
    )
    assert (got.headers["content-encoding"], got.headers["vary"]) == ("gzip", "accept-encoding")
    assert len(got.body) < 500
    assert gzip.decompress(got.body) == b"calendar " * 1000


@pytest.mark.parametrize(
    "query",
    [
        "n=900",
        "n=9000&type=image/png",
        "n=9000&type=text/html",
        "n=9000&ETag=%22abc%22",
        "n=9000&Cache-Control=no-transform",
    ],
)
def test_what_is_small_or_packed_already_or_has_a_strong_etag_is_sent_as_it_is(
    world: World, query: str
) -> None:
    got = world.ask("GET", f"/dav/body?{query}", Accept_Encoding="gzip")
    assert "content-encoding" not in got.headers
    assert got.body.startswith(b"calendar ")


def test_a_weak_etag_stays_as_it_is_beside_packed_octets_rfc_9110_8_8_3(world: World) -> None:
    got = world.ask("GET", "/dav/body?n=9000&ETag=W/%22abc%22", Accept_Encoding="gzip")
    assert (got.headers["etag"], got.headers["content-encoding"]) == ('W/"abc"', "gzip")


def test_who_does_not_accept_it_gets_it_as_it_is(world: World) -> None:
    assert "content-encoding" not in world.ask("GET", "/dav/body?n=9000").headers


def test_a_long_answer_is_packed_while_it_is_made(world: World) -> None:
    got = world.ask("REPORT", "/dav/stream?n=3000&size=900", Accept_Encoding="gzip")
    assert got.headers["transfer-encoding"] == "chunked"
    assert gzip.decompress(got.body) == b"".join(f"{n:08d} ".encode() * 100 for n in range(3000))
    assert len(got.body) < 3000 * 90


@pytest.mark.parametrize(
    ("field", "accepted"),
    [
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("x-gzip", True),
        ("br, zstd", False),
        ("identity", False),
        ("", False),
        ("GZIP ; q=1.0", True),
        ("gzip;q=abc", False),
    ],
)
def test_accept_encoding_is_read_rfc_9110_12_5_3(field: str, accepted: bool) -> None:
    assert accepts_gzip(field) is accepted
