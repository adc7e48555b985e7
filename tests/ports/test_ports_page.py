"""The browser's page: the same story, escaped, without scripts, process names for administrators only."""

from __future__ import annotations

import os
import socket

from lxml import html

from kalends.ports import page, report
from kalends.ports.registry import Registry

REGISTRY = Registry.load()


def test_the_page_is_well_formed_and_has_every_section_and_no_script() -> None:
    text = page.render(report.make(REGISTRY, 1026, probe=False))
    tree = html.fromstring(text)
    assert [h.text for h in tree.iter("h2")] == [
        "What you are looking at",
        "The official story",
        "The reality here",
        "The reality elsewhere",
        "Check it yourself",
        "Why registered but unused ports matter",
        "Related ports, and the registry itself",
    ]
    assert not list(tree.iter("script"))
    assert "not given" in text
    assert "snapshot 2026-03-02" in text


def test_processes_are_shown_to_administrators_only() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        seen = report.make(REGISTRY, sock.getsockname()[1], probe=False)
    public, private = page.render(seen), page.render(seen, admin=True)
    assert f"pid {os.getpid()}" in private
    assert f"pid {os.getpid()}" not in public
    assert "127.0.0.1</dd>" not in public
    assert "for administrators only" in public


def test_what_a_visitor_searched_for_comes_back_escaped() -> None:
    text = page.search_page(REGISTRY, "<script>alert(1)</script>\x1b", [])
    assert "<script" not in text
    assert "\x1b" not in text


def test_a_search_lists_ports_as_links_below_the_base_path() -> None:
    found = REGISTRY.search("calendar access protocol")
    text = page.search_page(REGISTRY, "calendar access protocol", found, "/cal")
    assert '<a href="/cal/port/1026">1026</a>' in text
    assert "2 records" in text


def test_a_search_without_result_offers_the_nearest_names() -> None:
    assert 'q=caldav"' in page.search_page(REGISTRY, "caldva", [])
