"""Headers that a client may write in any way: read, or refused with words (RFC 7240, RFC 4918 §10)."""

from __future__ import annotations

import pytest
from core_world import NOW, POLICY
from dav_harness import DECLARED, Client
from hypothesis import given
from hypothesis import strategies as st

from kalends.core.model import Caller, Identity
from kalends.dav import conditions, dates
from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.messages import Request

CALENDAR = "/dav/calendars/bill/calendar/"


def context(prefix: str = "", origin: str = "https://cal.example.com", **headers: str) -> Context:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    caller = Caller(Identity("bill@example.com", 1), "dav", NOW, POLICY)
    return Context(Request("GET", "/dav/", "", named, b"", prefix, origin), caller)


@given(st.text(max_size=60))
def test_any_if_header_is_read_or_refused(text: str) -> None:
    try:
        lists = conditions.read_if(text)
    except DavError as error:
        assert error.status == 400  # noqa: PT017 - either outcome is right
    else:
        assert all(one.terms for one in lists)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_other_header_is_read(text: str, other: str) -> None:
    asked = context(prefer=text, if_match=other, brief=text)
    assert isinstance(asked.preferences, dict)
    assert all(tag.startswith('"') and tag.endswith('"') for tag in conditions.etags(other))
    assert dates.read_http_date(text) is None


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("return=minimal", {"return": "minimal"}),
        ('Return="Minimal" ; foo=bar, depth-noroot', {"return": "minimal", "depth-noroot": ""}),
        ("respond-async, wait=100, return=representation", {"respond-async": "", "wait": "100", "return": "representation"}),
        ("return=minimal, return=representation", {"return": "minimal"}),
        ("", {}),
    ],
)  # fmt: skip
def test_preferences(header: str, found: dict[str, str]) -> None:  # RFC 7240 §2
    assert context(prefer=header).preferences == found


def test_brief_is_the_older_form_of_minimal() -> None:  # RFC 8144 §A
    assert context(brief="t").minimal
    assert not context(brief="f").minimal


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/dav/x", "/dav/x"), ("https://cal.example.com/dav/x", "/dav/x"), ("https://CAL.example.com:443/dav/x", "/dav/x"),
        ("https://cal.example.com", "/"), ("http://cal.example.com/dav/x", None), ("https://other.example.com/dav/x", None),
        ("ftp://cal.example.com/x", None), ("//other.example.com/x", None),
    ],
)  # fmt: skip
def test_only_uris_of_this_server_are_local(uri: str, path: str | None) -> None:  # RFC 4918 §10.3
    assert context().local_path(uri) == path


def test_behind_a_proxy_the_prefix_is_part_of_what_is_local() -> None:
    behind = context(prefix="/cal")
    assert behind.local_path("/cal/dav/x") == "/dav/x"
    assert behind.local_path("/cal") == "/"
    assert behind.local_path("/calendar/dav/x") is None
    assert behind.local_path("/dav/x") is None
    with pytest.raises(DavError, match="400"):
        behind.local_path("http://[bad/x")


def test_dates_of_http_come_back() -> None:  # RFC 9110 §5.6.7
    assert dates.http_date(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert dates.read_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777
    assert dates.read_http_date("Sun, 31 Feb 1994 08:49:37 GMT") is None
    assert dates.iso_date(784_111_777) == "1994-11-06T08:49:37Z"


@pytest.mark.parametrize(
    ("setting", "status"),
    [
        ("<D:displayname/>", 207),
        ("<C:calendar-description/>", 207),
        ("<A:calendar-color/>", 207),
        ("<D:displayname>a&#9;b&#13;&#10;c&#x7f;</D:displayname>", 207),
        ("<x xmlns='urn:^&quot;;,:&#10;x'>y</x>", 400),
        ("<x xmlns='urn:x;,:=(y)' a:b=\"&quot;^'\" xmlns:a='urn:a'>^n</x>", 207),
        ("<x xmlns='urn:x'>" + "y" * 100_001 + "</x>", 207),
        (f"<C:calendar-description>{'y' * 10_001}</C:calendar-description>", 207),
    ],
)
def test_odd_values_of_properties_are_kept_or_refused(bill: Client, setting: str, status: int) -> None:
    body = f"<D:propertyupdate{DECLARED}><D:set><D:prop>{setting}</D:prop></D:set></D:propertyupdate>"
    answer = bill("PROPPATCH", CALENDAR, body)
    assert answer.status == status, answer.text
    after = bill("PROPFIND", CALENDAR, depth="0")
    assert after.status == 207
    assert len(after.body) < 10_000
    assert after.xml is not None
