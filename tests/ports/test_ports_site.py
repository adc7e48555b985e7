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
