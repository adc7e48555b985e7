"""Entity headers of messages (RFC 3080 §2.2, checklist BF-09, A-18)."""

from hypothesis import given
from hypothesis import strategies as st

from kalends.beep.mime import build_entity, split_entity

CALENDAR = b"BEGIN:VCALENDAR\r\nCMD:GET-CAPABILITY\r\nEND:VCALENDAR\r\n"


def test_bf09_headers_and_body() -> None:
    entity = split_entity(b'Content-Type: Text/Calendar; charset="UTF-8";\r\n method=x\r\n\r\n' + CALENDAR)
    assert entity.content_type == "text/calendar"
    assert entity.parameters == {"charset": "UTF-8", "method": "x"}
    assert entity.encoding == "binary"
    assert entity.body == CALENDAR


def test_bf09_bare_line_end_means_no_headers() -> None:
    entity = split_entity(b"\r\nhello: world\r\n\r\nbody")
    assert entity.headers == ()
    assert entity.content_type == "application/octet-stream"
    assert entity.body == b"hello: world\r\n\r\nbody"


def test_a18_no_headers_at_all() -> None:
    entity = split_entity(CALENDAR)
    assert entity.headers == ()
    assert entity.body == CALENDAR


def test_a18_calendar_followed_by_a_blank_line_is_no_header_block() -> None:
    payload = CALENDAR + b"\r\n" + CALENDAR
    assert split_entity(payload).body == payload


def test_a18_header_block_after_a_bare_line_end() -> None:
    entity = split_entity(b"\r\nContent-Type: text/calendar\r\n\r\n" + CALENDAR)
    assert entity.content_type == "text/calendar"
    assert entity.body == CALENDAR


def test_only_some_headers_leave_the_other_defaults() -> None:
    entity = split_entity(b"Content-Transfer-Encoding: BASE64\r\n\r\nAAAA")
    assert (entity.content_type, entity.encoding, entity.body) == (
        "application/octet-stream",
        "base64",
        b"AAAA",
    )


def test_bare_lf_is_forgiven() -> None:
    assert split_entity(b"Content-Type: text/calendar\n\nx").body == b"x"


@given(st.binary(max_size=300))
def test_splitting_never_fails(payload: bytes) -> None:
    entity = split_entity(payload)
    assert payload.endswith(entity.body)


@given(st.binary(max_size=300))
def test_build_then_split(body: bytes) -> None:
    entity = split_entity(build_entity("text/calendar; charset=utf-8", body))
    assert (entity.content_type, entity.body) == ("text/calendar", body)
