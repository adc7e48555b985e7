"""HTTP/1.1 over real sockets: order, framing, streaming, what happens when somebody goes away."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from http_world import World, basic
from serve_client import PASSWORD

from kalends.serve import front
from kalends.serve.proxies import Seen


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        yield made


def test_one_connection_serves_many_requests(world: World) -> None:
    with world.connect() as peer:
        for number in range(5):
            peer.request("REPORT", f"/dav/{number}", b"<x/>")
            got = peer.read()
            assert (got.status, got.json["path"], got.json["text"]) == (200, f"/dav/{number}", "<x/>")
            assert "connection" not in got.headers


def test_pipelined_requests_are_answered_in_their_order_rfc_9112_9_3_2(world: World) -> None:
    with world.connect() as peer:
        for number in range(60):  # more than are read ahead; quick and slow ones mixed
            peer.request("PUT" if number % 3 == 0 else "GET", f"/dav/a/{number}", b"x" * (number % 3 == 0))
        for number in range(60):
            assert peer.read().json["path"] == f"/dav/a/{number}"


def test_a_request_cut_into_single_octets_is_one_request(world: World) -> None:
    with world.connect() as peer:
        for octet in b"PUT /dav/public HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc":
            peer.send(bytes([octet]))
        assert peer.read().json["text"] == "abc"


def test_chunked_bodies_with_extensions_and_trailers_are_read_rfc_9112_7_1(world: World) -> None:
    with world.connect() as peer:
        peer.send("PUT /dav/public HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        peer.send("3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nAuthorization: Basic xxx\r\n\r\n")
        got = peer.read()
        assert (got.status, got.json["text"], got.json["upn"]) == (200, "abcde", "@")
        peer.request("GET", "/dav/public")
        assert peer.read().status == 200


def test_a_small_answer_is_one_segment(world: World) -> None:
    with world.connect() as peer:
        peer.request("GET", "/dav/x")
        peer.read()
        for _ in range(20):
            peer.request("GET", "/dav/x")
            data = peer.sock.recv(65536)
            assert data.endswith(b"}"), "head and body come together"


def test_head_has_the_length_and_no_body(world: World) -> None:
    with world.connect() as peer:
        peer.request("HEAD", "/dav/body?n=900")
        head = peer.read("HEAD")
        peer.request("GET", "/dav/body?n=900")
        got = peer.read()
        assert head.headers["content-length"] == got.headers["content-length"] == "900"
        peer.request("HEAD", "/dav/stream?n=1000")
        assert peer.read("HEAD").status == 207
        peer.request("GET", "/dav/x")
        assert peer.read().status == 200


def test_http_1_0_is_closed_unless_it_asks_not_to_be(world: World) -> None:
    with world.connect() as peer:
        peer.send("GET /dav/public HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert peer.read().headers["connection"] == "keep-alive"
        peer.send("GET /dav/public HTTP/1.0\r\n\r\n")
        assert peer.read().headers["connection"] == "close"
        assert peer.is_closed()


def test_close_is_kept(world: World) -> None:
    with world.connect() as peer:
        peer.request("GET", "/dav/x", Connection="close")
        assert peer.read().headers["connection"] == "close"
        assert peer.is_closed()


def test_an_upgrade_is_not_taken_and_the_request_answered_as_it_is_rfc_9110_7_8(world: World) -> None:
    with world.connect() as peer:
        peer.request("GET", "/dav/x", Upgrade="h2c", Connection="Upgrade, HTTP2-Settings")
        peer.request("GET", "/dav/y")
        assert peer.read().json["path"] == "/dav/x"
        assert peer.read().json["path"] == "/dav/y"


def test_whole_urls_and_the_asterisk_are_targets_rfc_9112_3_2(world: World) -> None:
    with world.connect() as peer:
        peer.request("GET", "http://localhost/dav/public?a=b")
        got = peer.read()
        assert (got.json["path"], got.json["query"]) == ("/dav/public", "a=b")
        peer.request("OPTIONS", "*", user="")
        got = peer.read()
        assert (got.status, got.headers["dav"]) == (200, "1, 3, calendar-access")


def test_the_path_stays_as_it_was_sent(world: World) -> None:
    assert world.ask("GET", "/dav/%2F/%00/..//a%c3%a9").json["path"] == "/dav/%2F/%00/..//a%c3%a9"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PROPFIND", "/"),
        ("OPTIONS", "/"),
        ("PROPFIND", "/principals/"),
        ("GET", "/.well-known/caldav"),
        ("PUT", "/x"),
    ],
)
def test_apps_that_know_the_host_only_get_to_dav_rfc_6764_6(world: World, method: str, path: str) -> None:
    assert world.ask(method, path).status == 200
    assert world.room.noted == [f"{method} {path}"]


def test_the_front_page_and_ports_stay_pages(world: World) -> None:
    front = world.ask("GET", "/", user="")
    assert (front.status, b"/dav/" in front.body) == (200, True)
    assert world.ask("GET", "/port/1", user="").status == 200
    assert world.ask("POST", "/", user="").status == 405
    assert world.ask("GET", "/nothing", user="").status == 404
    assert world.room.noted == []


def test_the_front_page_tells_the_address_by_which_one_came_rfc_6764() -> None:
    seen = Seen("192.0.2.7", True, "https://cal.example.org", "cal.example.org", "/cal", "/")
    page = front.document(seen, "cal.example.org", 1026)
    assert "<code>https://cal.example.org/cal/</code>" in page
    assert "https://cal.example.org/cal/dav/calendars/<i>user</i>/<i>calendar</i>/" in page
    assert "--server cap://cal.example.org:1026 " in page
    links = re.findall(r'(?:href|action)="([^"]*)"', page)
    assert links
    assert all(link.startswith("/cal/port/") for link in links)
    odd = Seen("::1", True, "http://<b>", "<b>", "", "/")
    assert "<b>" not in front.document(odd, "<b>", 1026)


def test_an_expecting_client_is_told_to_go_on_rfc_9110_10_1_1(world: World) -> None:
    with world.connect() as peer:
        peer.request("PUT", "/dav/x", Content_Length="5", Expect="100-continue")
        assert peer.read().status == 100
        peer.send("hello")
        assert peer.read().json["text"] == "hello"
        peer.request("PUT", "/dav/x", b"early", Expect="100-continue")
        got = peer.read()
        assert (got if got.status != 100 else peer.read()).json["text"] == "early"


def test_an_expecting_client_with_a_wrong_password_sends_no_body(world: World) -> None:
    with world.connect() as peer:
        peer.request("PUT", "/dav/x", user="nobody", Content_Length="5000", Expect="100-continue")
        got = peer.read()
        assert (got.status, got.headers["connection"]) == (401, "close")
        assert peer.is_closed()
    assert world.room.noted == []


def test_an_expecting_client_with_too_much_sends_no_body(world: World) -> None:
    with world.connect() as peer:
        peer.request("PUT", "/dav/x", Content_Length="100001", Expect="100-continue")
        assert peer.read().status == 413
        assert peer.is_closed()


def test_long_answers_come_in_chunks_from_inside_the_transaction(world: World) -> None:
    got = world.ask("REPORT", "/dav/stream?n=3000&size=900")
    assert got.headers["transfer-encoding"] == "chunked"
    assert got.body == b"".join(f"{number:08d} ".encode() * 100 for number in range(3000))
    short = world.ask("REPORT", "/dav/stream?n=3&size=900")
    assert short.headers["content-length"] == "2700"


def test_http_1_0_gets_a_long_answer_that_ends_with_the_connection(world: World) -> None:
    with world.connect() as peer:
        login = basic("amira", PASSWORD)
        peer.send(
            f"GET /dav/stream?n=300 HTTP/1.0\r\nConnection: keep-alive\r\nAuthorization: {login}\r\n\r\n"
        )
        while peer.line():
            pass
        while peer.more():
            pass
        assert len(peer.rest) == 300 * 999


def test_who_reads_slowly_holds_no_snapshot_and_gets_everything(world: World) -> None:
    with world.connect() as peer:
        peer.request("REPORT", "/dav/stream?n=20000&size=900")
        assert world.room.ended.wait(15), "the transaction ended although nobody reads"
        got = peer.read()
        assert len(got.body) == 20000 * 900
        assert got.body.endswith(b"00019999 ")


def test_an_answer_that_breaks_off_is_seen_to_be_cut(world: World) -> None:
    with world.connect() as peer:
        peer.request("REPORT", "/dav/stream?n=3000&fail=2000")
        with pytest.raises((EOFError, ConnectionError)):
            peer.read()
    assert world.ask("REPORT", "/dav/stream?n=3000&fail=10").status == 409, (
        "an early failure still has a status"
    )


def test_a_client_that_goes_away_stops_its_work(world: World) -> None:
    with world.connect() as peer:
        peer.request("REPORT", "/dav/forever")
        assert world.room.begun.wait(15)
    assert world.room.ended.wait(5), "the query was interrupted"
    assert world.ask("GET", "/dav/x").status == 200


def test_a_client_that_goes_away_stops_an_answer_being_made(world: World) -> None:
    with world.connect() as peer:
        peer.request("REPORT", "/dav/stream?n=2000000")
        peer.more()
    assert world.room.ended.wait(10)


def test_every_request_has_a_deadline(tmp_path: Path) -> None:
    with World(tmp_path, command_timeout="0.3") as world:
        for method in ("REPORT", "PUT"):
            got = world.ask(method, "/dav/forever")
            assert (got.status, got.headers["retry-after"]) == (503, "5")
            assert b"longer than it may" in got.body
        assert world.ask("PUT", "/dav/x").status == 200


def test_a_long_read_tried_in_the_loop_goes_to_a_thread(world: World) -> None:
    with world.connect() as peer:
        peer.request("GET", "/dav/forever")
        assert world.room.begun.wait(15)
        assert world.ask("GET", "/dav/x").status == 200, "the loop is free"


@pytest.mark.parametrize(
    ("word", "status", "text"),
    [
        ("full", 507, b"no room"),
        ("busy", 503, b"busy"),
        ("bug", 500, b"in its log"),
        ("refuse", 409, b"refused"),
        ("split", 500, b"in its log"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "REPORT", "PUT"])
def test_what_goes_wrong_is_a_status_and_a_sentence_without_secrets(
    world: World, method: str, word: str, status: int, text: bytes
) -> None:
    got = world.ask(method, f"/dav/{word}")
    assert got.status == status
    assert text in got.body
    assert b"secret" not in got.body
    assert "set-cookie" not in got.headers


def test_a_large_body_is_read_beside_the_loop(world: World) -> None:
    assert world.ask("PUT", "/dav/x", b"x" * 1_000).json["octets"] == 1_000
    assert world.room.planned_in is world._thread
    assert world.ask("PUT", "/dav/x", b"x" * 90_000).json["octets"] == 90_000
    assert world.room.planned_in is not world._thread


def test_one_user_cannot_take_all_threads(tmp_path: Path) -> None:
    with World(tmp_path, read_threads=4) as world, ExitStack() as stack:
        peers = [stack.enter_context(world.connect()) for _ in range(10)]
        for peer in peers:
            peer.request("REPORT", "/dav/count")
        assert [peer.read().status for peer in peers] == [200] * 10
        assert world.room.most == 2


def test_another_site_changes_nothing_through_a_browser(world: World) -> None:
    assert world.ask("PUT", "/dav/x", b"x", Sec_Fetch_Site="cross-site").status == 403
    assert world.ask("PUT", "/dav/x", b"x", Sec_Fetch_Site="same-origin").status == 200
    assert world.ask("GET", "/dav/x", Sec_Fetch_Site="cross-site").status == 200


def test_ending_lets_what_was_asked_be_answered(world: World) -> None:
    with world.connect() as idle, world.connect() as peer:
        peer.request("REPORT", "/dav/stream?n=20000&size=900")
        assert world.room.ended.wait(15)
        world.stop()
        assert idle.is_closed()
        assert len(peer.read().body) == 20000 * 900
        assert peer.is_closed()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", world.port), timeout=5)


def test_long_answers_on_many_connections_are_all_whole(world: World) -> None:
    whole = b"".join(f"{number:08d} ".encode() * 100 for number in range(120))
    with ExitStack() as stack:
        peers = [stack.enter_context(world.connect()) for _ in range(16)]
        for _ in range(12):  # ends of work come back in batches, and overtake what was sent ahead
            for peer in peers:
                peer.request("REPORT", "/dav/stream?n=120&size=900")
            assert all(peer.read().body == whole for peer in peers)
