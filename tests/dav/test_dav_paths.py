"""Paths: whatever a client writes is a name of its own or refused (RFC 3986 §3.3; issue: bad input)."""

from __future__ import annotations

import unicodedata

import pytest
from core_world import event
from dav_harness import Client, ics
from hypothesis import assume, given
from hypothesis import strategies as st

from kalends.dav import paths
from kalends.dav.errors import DavError

CALENDAR = "/dav/calendars/bill/calendar/"
NAMES = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="/\x00"), min_size=1, max_size=50
)


@given(NAMES)
def test_a_name_survives_its_way_through_a_path(name: str) -> None:
    assume(name not in (".", ".."))
    segment = paths.encode(name)
    assert segment.isascii()
    assert "/" not in segment
    assert paths.decode(segment) == name
    assert paths.read(f"{CALENDAR}{segment}").member == name


@given(st.text(max_size=60))
def test_any_path_is_read_or_refused(text: str) -> None:
    try:
        found = paths.read(f"/{text}")
    except DavError as error:
        refused = error.status
    else:
        refused = 400
        for name in (found.principal, found.calendar, found.member):
            assert name is None or (name not in ("", ".", "..") and "/" not in name and "\x00" not in name)
    assert refused == 400


@pytest.mark.parametrize(
    "path",
    [
        "/dav/calendars/bill/calendar/../x.ics", "/dav/calendars/bill/./x.ics", "/dav/%2e%2e/x", "/dav/..%2Fx",
        "/dav/calendars/bill/calendar/a%2Fb.ics", "/dav/calendars/bill/calendar/a%00.ics", "//dav/", "/dav//",
        "/dav//calendars/", "/dav/calendars/bill/calendar/%", "/dav/calendars/bill/calendar/%zz",
        "/dav/calendars/bill/calendar/%ff.ics", "/dav/calendars/bill/calendar/%c0%af", "/dav/%ed%a0%80",
        "/dav/calendars/bill/calendar/" + "a" * 1001,
    ],
)  # fmt: skip
def test_tricks_are_refused_for_every_method(bill: Client, path: str) -> None:
    for method in ("GET", "PUT", "DELETE", "PROPFIND", "MKCALENDAR", "REPORT", "POST"):
        assert bill(method, path, b"", depth="0").status == 400
    bill.put(f"{CALENDAR}a.ics", ics(event("a")))
    assert bill("MOVE", f"{CALENDAR}a.ics", destination=path).status in (400, 502)
    assert bill("GET", f"{CALENDAR}a.ics").status == 200


def test_too_long_a_path_is_refused(bill: Client) -> None:
    assert bill("GET", "/dav/" + "a/" * 9000).status == 414


@pytest.mark.parametrize(
    "name",
    ["é.ics", unicodedata.normalize("NFD", "é.ics"), "日本.ics", "a b+c&d=e;f.ics", "100%.ics", "%2F.ics", "a?b#c",
     "x" * 1000, "\x01\x1f", "no-extension", "😀", "...", "<&>\"'", "a@b:c$d,e!f*g(h)~i"],
)  # fmt: skip
def test_any_name_a_client_chooses_is_kept(bill: Client, name: str) -> None:
    path = CALENDAR + paths.encode(name)
    assert bill.put(path, ics(event("a"))).status == 201
    assert bill.propfind(CALENDAR, "D:getetag", depth="1").hrefs() == [CALENDAR, path]
    assert bill("GET", path).status == 200
    everything_encoded = CALENDAR + "".join(f"%{octet:02x}" for octet in name.encode())
    assert bill("GET", everything_encoded).status == 200
    assert bill("DELETE", path).status == 204


def test_two_forms_of_one_text_are_two_names(bill: Client) -> None:
    composed, decomposed = (paths.encode(unicodedata.normalize(form, "é.ics")) for form in ("NFC", "NFD"))
    bill.put(CALENDAR + composed, ics(event("a")))
    assert bill("GET", CALENDAR + decomposed).status == 404
    assert bill.put(CALENDAR + decomposed, ics(event("b"))).status == 201


def test_a_collection_is_found_without_its_slash_and_an_object_not_with_one(bill: Client) -> None:
    bill.put(f"{CALENDAR}a.ics", ics(event("a")))
    assert bill.propfind(CALENDAR.rstrip("/"), "D:displayname").hrefs() == [CALENDAR]
    assert bill("GET", f"{CALENDAR}a.ics/").status == 404
    assert bill("GET", f"{CALENDAR}a.ics/b").status == 404


def test_paths_outside_of_the_tree_are_not_there(bill: Client) -> None:
    for path in (
        "/x",
        "/dav/x/",
        "/dav/principals/bill/y/",
        "/dav/principals/nobody/",
        "/dav/calendars/nobody/",
    ):
        assert bill.propfind(path, "D:displayname").status == 404
