"""The reports about principals (RFC 3744 §9.2 to §9.5)."""

from __future__ import annotations

import pytest
from dav_harness import DECLARED, Answer, Client, DavWorld
from reports_world import WORK

PRINCIPALS = "/dav/principals/"


def report(
    client: Client, name: str, inner: str, path: str = PRINCIPALS, attributes: str = "", **headers: str
) -> Answer:
    return client("REPORT", path, f"<D:{name}{DECLARED}{attributes}>{inner}</D:{name}>", **headers)


def search(*pairs: tuple[str, str], kind: str = "") -> str:
    said = f' match-type="{kind}"' if kind else ""
    return "".join(
        f"<D:property-search><D:prop><{name}/></D:prop><D:match{said}>{text}</D:match></D:property-search>"
        for name, text in pairs
    )


NAME = "<D:prop><D:displayname/></D:prop>"


class TestSearch:
    def test_what_can_be_searched_is_told(self, bill: Client) -> None:
        """RFC 3744 §9.5."""
        answer = report(bill, "principal-search-property-set", "")
        assert answer.status == 200
        assert "<D:displayname/>" in answer.text
        assert "<D:description" in answer.text

    def test_names_are_found_by_any_part_in_any_case(self, world: DavWorld, bill: Client) -> None:
        """RFC 3744 §9.4."""
        answer = report(bill, "principal-property-search", search(("D:displayname", "AR")) + NAME)
        assert answer.hrefs() == ["/dav/principals/mary/"]
        assert answer.prop("D:displayname")

    def test_addresses_are_searched_too(self, world: DavWorld, bill: Client) -> None:
        asked = search(("C:calendar-user-address-set", "mary@example.com")) + NAME
        assert report(bill, "principal-property-search", asked).hrefs() == ["/dav/principals/mary/"]

    def test_all_terms_or_any(self, world: DavWorld, bill: Client) -> None:
        both = search(("D:displayname", "mary"), ("D:displayname", "bill"))
        assert report(bill, "principal-property-search", both).hrefs() == []
        found = report(bill, "principal-property-search", both, attributes=' test="anyof"').hrefs()
        assert sorted(found) == ["/dav/principals/bill/", "/dav/principals/mary/"]

    def test_where_in_the_value(self, world: DavWorld, bill: Client) -> None:
        for kind, text, hit in (
            ("starts-with", "ma", True),
            ("ends-with", "ma", False),
            ("equals", "mary", True),
        ):
            asked = search(("D:displayname", text), kind=kind)
            assert bool(report(bill, "principal-property-search", asked).hrefs()) is hit, kind

    def test_what_cannot_be_searched_matches_nobody(self, world: DavWorld, bill: Client) -> None:
        for name in ("D:principal-URL", "D:nope"):
            assert report(bill, "principal-property-search", search((name, "a"))).hrefs() == []

    def test_from_anywhere_with_all_collections(self, world: DavWorld, bill: Client) -> None:
        asked = search(("D:displayname", "mary"))
        assert report(bill, "principal-property-search", asked, WORK).hrefs() == []
        asked += "<D:apply-to-principal-collection-set/>"
        assert report(bill, "principal-property-search", asked, WORK).hrefs() == ["/dav/principals/mary/"]

    @pytest.mark.parametrize(
        "inner",
        [
            search(*[("D:displayname", "x")] * 21),
            search(("D:displayname", "x" * 201)),
            search(("D:displayname", "x"), kind="regex"),
            "<D:property-search/>",
        ],
    )
    def test_a_search_that_is_none(self, bill: Client, inner: str) -> None:
        assert report(bill, "principal-property-search", inner).status == 400

    def test_the_depth_is_0(self, bill: Client) -> None:
        asked = search(("D:displayname", "mary"))
        assert report(bill, "principal-property-search", asked, depth="1").status == 400


class TestMatch:
    def test_who_am_i(self, world: DavWorld, bill: Client) -> None:
        """RFC 3744 §9.3."""
        assert report(bill, "principal-match", f"<D:self/>{NAME}").hrefs() == ["/dav/principals/bill/"]
        assert report(bill, "principal-match", "<D:self/>", "/dav/principals/mary/").hrefs() == []

    def test_what_is_mine(self, world: DavWorld, bill: Client) -> None:
        asked = "<D:principal-property><D:owner/></D:principal-property>"
        found = report(bill, "principal-match", asked, "/dav/calendars/bill/").hrefs()
        assert WORK in found

    @pytest.mark.parametrize(
        "inner", ["", "<D:self/><D:principal-property><D:owner/></D:principal-property>"]
    )
    def test_a_question_that_is_none(self, bill: Client, inner: str) -> None:
        assert report(bill, "principal-match", inner).status == 400

    def test_who_has_rights_by_owning(self, world: DavWorld, bill: Client) -> None:
        """RFC 3744 §9.2."""
        answer = report(bill, "acl-principal-prop-set", NAME, WORK)
        assert answer.hrefs() == ["/dav/principals/bill/"]
