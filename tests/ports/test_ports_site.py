"""`/port/…` as a browser or a script asks for it."""

from __future__ import annotations

import json
import os
import socket

import pytest

from kalends.ports.registry import Registry
from kalends.ports.site import Answer, respond

REGISTRY = Registry.load()


def get(path: str, query: str = "", accept: str = "text/html", *, admin: bool = False) -> Answer:
    return respond(REGISTRY, path, query, accept, admin=admin)


def header(answer: Answer, name: str) -> str:
    return dict(answer.headers)[name]


def test_a_port_is_a_page_for_a_browser_and_data_for_a_script() -> None:
    assert header(get("/port/1026"), "content-type").startswith("text/html")
    for answer in (get("/port/1026", accept="application/json"), get("/port/1026.json")):
        value = json.loads(answer.body)
        assert (value["port"], value["verdict"]["registered_names"]) == (1026, ["cap"])


def test_nothing_foreign_may_be_loaded_or_run() -> None:
    assert header(get("/port/"), "content-security-policy").startswith("default-src 'none'")


def test_a_visitor_is_not_told_whose_socket_it_is() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        public = get(f"/port/{port}.json").body.decode()
        private = get(f"/port/{port}.json", admin=True).body.decode()
    assert json.loads(public)["verdict"]["state"] == "listening"
    assert f'"pid": {os.getpid()}' in private
    assert "pid" not in public
    assert "uid" not in public


@pytest.mark.parametrize(
    ("path", "query", "where"),
    [
        ("/port/cap", "", "/port/1026"),
        ("/port/", "q=1026", "/port/1026"),
        ("/port/HTTPS", "", "/port/443"),
        ("/port/1026/udp", "", "/port/1026?transport=udp"),
        ("/port/cap/tcp", "", "/port/cap?transport=tcp"),
        ("/port/cap", "transport=tcp", "/port/1026?transport=tcp"),
        ("/port/a/b/c/tcp.json", "", "/port/a/b/c.json?transport=tcp"),
    ],
)
def test_names_and_numbers_lead_to_the_port(path: str, query: str, where: str) -> None:
    answer = get(path, query)
    assert (answer.status, header(answer, "location")) == (303, where)


@pytest.mark.parametrize(
    "path", ["/port/65536", "/port/99999", "/port/%00", "/port/..%2f..%2fetc", "/port/-1", "/port/١٢٣"]
)
def test_what_is_no_port_is_a_page_that_says_so(path: str) -> None:
    answer = get(path)
    assert answer.status == 404
    assert b"0 records" in answer.body


def test_a_name_without_a_port_is_an_answer() -> None:
    answer = get("/port/caldav")
    assert answer.status == 200
    assert "caldav: a registered service name without a port" in answer.body.decode()
    value = json.loads(get("/port/caldav.json").body)
    assert (value["port"], value["official"]["records"][0]["status"]) == (None, "name-only")


def test_a_range_is_a_page_but_only_an_administrator_sees_what_listens_in_it() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        span = f"/port/{port}-{port}"
        public, private = get(span), get(span, admin=True)
        data, known = (json.loads(get(span + ".json", admin=admin).body) for admin in (False, True))
    assert (public.status, b"listens</a>" in public.body, b"listens</a>" in private.body) == (
        200,
        False,
        True,
    )
    assert ("listening" in data, known["listening"]) == (False, [port])
    assert b'<a href="/port/1002">1002\xe2\x80\x931007</a>' in get("/port/1000-1010").body


def test_the_whole_range_is_cut_and_a_backward_one_is_none() -> None:
    assert b"a smaller range shows all" in get("/port/0-65535").body
    assert [get(path).status for path in ("/port/5-1", "/port/1-65536", "/port/1-")] == [404] * 3


def test_search_results_can_be_taken_along() -> None:
    assert (
        get("/port/", "q=calendar+access+protocol&format=csv")
        .body.decode()
        .splitlines()[1]
        .startswith("1026,1026,tcp,cap")
    )
    assert len(json.loads(get("/port/", "q=calendar+access+protocol&format=json").body)["records"]) == 2


def test_an_unknown_name_is_404_with_the_nearest() -> None:
    answer = get("/port/caldva")
    assert answer.status == 404
    assert b"caldav" in answer.body
