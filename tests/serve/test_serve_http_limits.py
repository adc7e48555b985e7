"""What a peer may cost over HTTP: every bound of `HttpLimits`, over real sockets."""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import Any

import pytest
from http_world import LIMIT, World, until


def limits(folder: Path, **given: Any) -> World:
    return World(folder, limits={"tick": 0.05, "linger_seconds": 1.0, **given})


def test_a_body_above_the_limit_is_413_before_it_is_read_rfc_9110_15_5_14(tmp_path: Path) -> None:
    with limits(tmp_path) as world, world.connect() as peer:
        peer.request("PUT", "/dav/x", Content_Length=str(100_000_000))
        got = peer.read()
        assert (got.status, got.body, got.headers["connection"]) == (413, b"<too-large/>", "close")
        assert world.room.noted == []


def test_a_client_that_sends_without_asking_still_reads_the_413(tmp_path: Path) -> None:
    with limits(tmp_path) as world, world.connect() as peer:
        peer.request("PUT", "/dav/x", Content_Length=str(3_000_000))
        peer.send(b"x" * 3_000_000)
        assert peer.read().status == 413


def test_who_goes_on_sending_after_a_refusal_is_cut_off(tmp_path: Path) -> None:
    with limits(tmp_path, linger_octets=200_000) as world, world.connect() as peer:
        peer.request("PUT", "/dav/x", Content_Length=str(100_000_000))
        with pytest.raises(ConnectionError):
            peer.send(b"x" * 60_000_000)


def test_a_chunked_body_is_413_as_soon_as_it_passes_the_limit(tmp_path: Path) -> None:
    with limits(tmp_path) as world, world.connect() as peer:
        peer.request("PUT", "/dav/x", Transfer_Encoding="chunked")
        for _ in range(9):
            peer.send(b"2c00\r\n" + b"x" * 0x2C00 + b"\r\n")
        assert peer.read().status == 413
        assert world.room.noted == []


@pytest.mark.parametrize("octets", [LIMIT - 1, LIMIT])
def test_a_body_up_to_the_limit_is_taken(tmp_path: Path, octets: int) -> None:
    with limits(tmp_path) as world:
        assert world.ask("PUT", "/dav/x", b"x" * octets).json["octets"] == octets


def test_who_did_not_sign_in_may_send_little(tmp_path: Path) -> None:
    with limits(tmp_path) as world:
        got = world.ask("PUT", "/dav/x", user="", Content_Length="90000")
        assert (got.status, b"Sign in" in got.body) == (401, True)
        assert got.headers["www-authenticate"].startswith("Basic")


def test_a_gzip_body_is_unpacked_and_a_bomb_is_not(tmp_path: Path) -> None:
    with limits(tmp_path) as world:
        got = world.ask("PUT", "/dav/x", gzip.compress(b"hello " * 1000), Content_Encoding="gzip")
        assert (got.json["octets"], got.json["text"][:5]) == (6000, "hello")
        exact = world.ask("PUT", "/dav/x", gzip.compress(b"x" * LIMIT), Content_Encoding="gzip")
        assert exact.json["octets"] == LIMIT
        bomb = gzip.compress(b"\0" * 50_000_000)
        assert len(bomb) < LIMIT
        assert world.ask("PUT", "/dav/x", bomb, Content_Encoding="gzip").status == 413
        assert world.ask("PUT", "/dav/x", b"no gzip", Content_Encoding="gzip").status == 400
        cut = gzip.compress(b"hello")[:-3]
        assert world.ask("PUT", "/dav/x", cut, Content_Encoding="gzip").status == 400
        more = gzip.compress(b"hello") + b"?"
        assert world.ask("PUT", "/dav/x", more, Content_Encoding="gzip").status == 400


def test_other_codings_of_a_body_are_415_rfc_9110_15_5_16(tmp_path: Path) -> None:
    with limits(tmp_path) as world:
        got = world.ask("PUT", "/dav/x", b"x", Content_Encoding="br")
        assert (got.status, got.headers["accept-encoding"]) == (415, "gzip")


def test_a_body_of_a_get_means_nothing_rfc_9110_9_3_1(tmp_path: Path) -> None:
    with limits(tmp_path) as world, world.connect() as peer:
        peer.request("GET", "/dav/x", b"GET /dav/smuggled HTTP/1.1\r\n\r\n")
        assert peer.read().json["octets"] == 0
        peer.request("GET", "/dav/y")
        assert peer.read().json["path"] == "/dav/y"
        assert world.ask("GET", "/dav/x", Content_Length="70000").status == 413


def test_all_bodies_together_have_a_bound(tmp_path: Path) -> None:
    with limits(tmp_path, bodies_in_memory=150_000) as world, world.connect() as first:
        first.request("PUT", "/dav/x", Content_Length="90000")
        first.send(b"x" * 80_000)
        until(lambda: world.ask("PUT", "/dav/x", b"x" * 90_000).status == 503)
        first.send(b"x" * 10_000)
        assert first.read().json["octets"] == 90_000
        assert world.ask("PUT", "/dav/x", b"x" * 90_000).status == 200, "the room is given back"


def test_who_goes_away_gives_the_room_back(tmp_path: Path) -> None:
    with limits(tmp_path, bodies_in_memory=100_000) as world:
        with world.connect() as peer:
            peer.request("PUT", "/dav/x", Content_Length="90000")
            peer.send(b"x" * 80_000)
        until(lambda: world.ask("PUT", "/dav/x", b"x" * 90_000).status == 200)


def test_a_head_that_comes_too_slowly_is_408(tmp_path: Path) -> None:
    with limits(tmp_path, head_seconds=0.5) as world, world.connect() as peer:
        peer.send("GET /dav/x HTTP/1.1\r\nHost: a\r\n")
        number = 0
        while not _has_data(peer):  # each line is activity, and none of it helps
            peer.send(f"X-{(number := number + 1)}: a\r\n")
            time.sleep(0.05)
        assert peer.read().status == 408


def _has_data(peer: Any) -> bool:
    peer.sock.setblocking(False)
    try:
        return bool(peer.more())
    except BlockingIOError:
        return False
    finally:
        peer.sock.settimeout(15)


def test_blank_lines_before_a_request_do_not_hold_a_connection(tmp_path: Path) -> None:
    with limits(tmp_path, head_seconds=0.5) as world, world.connect() as peer:
        while not _has_data(peer):
            peer.send("\r\n")
            time.sleep(0.05)
        assert peer.read().status == 408


def test_who_connects_and_says_nothing_is_closed(tmp_path: Path) -> None:
    with limits(tmp_path, head_seconds=0.3) as world, world.connect() as peer:
        assert peer.is_closed(5)


def test_an_idle_connection_is_closed(tmp_path: Path) -> None:
    with limits(tmp_path, idle_seconds=0.3) as world, world.connect() as peer:
        peer.request("GET", "/dav/x")
        assert peer.read().status == 200
        assert peer.is_closed(5)


def test_a_body_that_trickles_is_408(tmp_path: Path) -> None:
    with limits(tmp_path, body_grace=0.4) as world, world.connect() as peer:
        peer.request("PUT", "/dav/x", Content_Length="1000")
        for _ in range(100):
            peer.send("x")
            time.sleep(0.03)
            if _has_data(peer):
                break
        assert peer.read().status == 408
        assert world.room.noted == []


def test_a_slow_but_honest_body_is_read(tmp_path: Path) -> None:
    with limits(tmp_path, body_grace=0.5, body_rate=10) as world, world.connect() as peer:
        peer.request("PUT", "/dav/x", Content_Length="100")
        for _ in range(10):
            peer.send("x" * 10)
            time.sleep(0.1)
        assert peer.read().json["octets"] == 100


def test_who_does_not_read_an_answer_is_cut_off(tmp_path: Path) -> None:
    with limits(tmp_path, stall_seconds=0.5) as world, world.connect() as peer:
        peer.request("REPORT", "/dav/stream?n=20000&size=900")
        assert world.room.ended.wait(15)
        time.sleep(1.5)
        with pytest.raises((EOFError, ConnectionError)):
            peer.read()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /dav/x HTTP/1.1\r\n" + "".join(f"X-{n}: a\r\n" for n in range(101)) + "\r\n", 431),
        ("GET /dav/x HTTP/1.1\r\nX-Long: " + "a" * 40_000 + "\r\n\r\n", 431),
        ("GET /dav/x HTTP/1.1\r\nX-Endless: " + "a" * 40_000, 431),
        ("GET /dav/" + "x" * 9_000 + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ("GET /dav/x HTTP/1.1\r\n\r\n", 400),
        ("GET /dav/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET /dav/x HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET /dav/x HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", 400),
        ("GET dav/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /dav/x#y HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /dav\0x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /dav/x HTTP/9.9\r\nHost: a\r\n\r\n", 400),
        ("FLY /dav/x HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        ("greeting\r\n", 400),
        (
            "PUT /dav/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("PUT /dav/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        ("PUT /dav/x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        ("PUT /dav/x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
        ("PUT /dav/public HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        ("PUT /dav/public HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        ("GET /dav/x HTTP/1.1\r\nHost: a\r\n X-Folded: b\r\n\r\n", 400),
        ("GET /dav/x HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    ],
    ids=lambda value: repr(value)[:60] if isinstance(value, str) else value,
)
def test_what_is_no_proper_request_is_refused_and_the_connection_ended(
    tmp_path: Path, head: str, status: int
) -> None:
    with limits(tmp_path) as world:
        with world.connect() as peer:
            peer.send(head)
            got = peer.read()
            assert (got.status, got.headers["connection"]) == (status, "close")
            assert got.body
            assert peer.is_closed(5)
        assert world.room.noted == []
        assert world.ask("GET", "/dav/x").status == 200


def test_chunks_of_nothing_but_extensions_are_refused(tmp_path: Path) -> None:
    with limits(tmp_path) as world, world.connect() as peer:
        peer.send("PUT /dav/public HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(150):
            peer.send("1;" + "x" * 16_000 + "\r\na\r\n")
            if _has_data(peer):
                break
        assert peer.read().status == 400


def test_a_valid_request_before_a_broken_one_is_answered(tmp_path: Path) -> None:
    with limits(tmp_path) as world, world.connect() as peer:
        peer.send("GET /dav/public HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n")
        assert peer.read().status == 200
        assert peer.read().status in (400, 501)


def test_connections_are_counted(tmp_path: Path) -> None:
    with limits(tmp_path, connections=2) as world, world.connect() as one, world.connect() as two:
        for peer in (one, two):
            peer.request("GET", "/dav/x")
            assert peer.read().status == 200
        with world.connect() as three:
            got = three.read()
            assert (got.status, got.headers["retry-after"]) == (503, "5")
        one.sock.close()
        until(lambda: world.ask("GET", "/dav/x").status == 200)


def test_connections_of_one_address_are_counted_but_not_those_of_a_trusted_proxy(tmp_path: Path) -> None:
    for proxies, status in (("", 503), ("127.0.0.0/8", 200)):
        (folder := tmp_path / str(status)).mkdir()
        with (
            World(folder, limits={"per_address": 1}, trusted_proxies=proxies) as world,
            world.connect() as one,
        ):
            one.request("GET", "/dav/public", user="")
            assert one.read().status == 200
            with world.connect() as two:
                two.request("GET", "/dav/public", user="")
                assert two.read().status == status


def test_connections_are_refused_in_words_while_there_are_open_files_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scarce = False
    monkeypatch.setattr(
        "kalends.serve.http.listener.is_scarce", lambda descriptor: descriptor >= 0 and scarce
    )
    with limits(tmp_path) as world:
        assert world.ask("GET", "/dav/x").status == 200
        scarce = True
        with world.connect() as peer:
            assert peer.read().status == 503
        scarce = False
        assert world.ask("GET", "/dav/x").status == 200
