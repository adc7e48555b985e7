"""Reading messages: MIME, CMD in all its spellings, parameters (RFC 4324 §7, §10.1, §12.1)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.cap.messages import MAX_ID, read_id, read_message
from kalends.cap.mime import calendar_bodies, wrap
from kalends.cap.status import RefusalError


def body(cmd: str, *lines: str) -> bytes:
    return "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", cmd, *lines, "END:VCALENDAR", ""]
    ).encode()


def one(cmd: str, *lines: str, strict: bool = False):
    (request,) = read_message(wrap(body(cmd, *lines)), strict=strict)
    return request


# -- MIME ---------------------------------------------------------------------------------------------------

CALENDAR = body("CMD:SEARCH")


@pytest.mark.parametrize(
    "payload",
    [
        wrap(CALENDAR),
        CALENDAR,
        b"\r\n" + CALENDAR,
        b'content-type: TEXT/Calendar; method=x; charset="utf-8"\r\nX-Y: z\r\n\r\n' + CALENDAR,
        b"Content-Type: application/octet-stream\r\n\r\n" + CALENDAR,
        b"Content-Type: text/calendar\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.b64encode(CALENDAR),
    ],
)
def test_calendar_is_found(payload: bytes) -> None:
    """BF-09, A-18: headers are optional and sniffed."""
    assert calendar_bodies(payload) == [CALENDAR]


def test_quoted_printable_is_decoded() -> None:
    payload = (
        b"Content-Type: text/calendar\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nBEGIN=3AVCALENDAR"
    )
    assert calendar_bodies(payload) == [b"BEGIN:VCALENDAR"]


def multipart(*parts: bytes, boundary: str = "b=1", kind: str = "mixed") -> bytes:
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\npreamble'.encode()
    mark = f"\r\n--{boundary}".encode()
    return head + b"".join(mark + b"\r\n" + part for part in parts) + mark + b"--\r\nepilogue"


def test_multipart_is_taken_apart_and_other_parts_ignored() -> None:
    """SES-15: separate parts, nested ones, parts without headers."""
    nested = multipart(wrap(CALENDAR), boundary="inner", kind="alternative")
    payload = multipart(wrap(CALENDAR), b"Content-Type: text/html\r\n\r\n<p>", b"\r\n" + CALENDAR, nested)
    assert [found.strip() for found in calendar_bodies(payload)] == [CALENDAR.strip()] * 3


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"x",
        b"Content-Type: text/html\r\n\r\n" + CALENDAR,
        b"Content-Type: text/calendar\r\nContent-Transfer-Encoding: base64\r\n\r\n=====a",
        multipart(),
        multipart(b"Content-Type: text/html\r\n\r\n<p>"),
        b"Content-Type: multipart/mixed\r\n\r\n--\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + CALENDAR,
        multipart(*[b"\r\n"] * 1002),
        multipart(multipart(multipart(multipart(multipart(wrap(CALENDAR)))))),
    ],
)
def test_broken_mime_is_6_3(payload: bytes) -> None:
    with pytest.raises(RefusalError) as caught:
        calendar_bodies(payload)
    assert caught.value.status.code == "6.3"


@pytest.mark.parametrize(
    "header", ["text/calendar; charset=iso-8859-1", "text/calendar\r\nContent-Transfer-Encoding: x"]
)
def test_other_charsets_and_encodings_are_3_1_4(header: str) -> None:
    """LOC-07: UTF-8 is what the store has."""
    with pytest.raises(RefusalError) as caught:
        calendar_bodies(f"Content-Type: {header}\r\n\r\n".encode() + CALENDAR)
    assert caught.value.status.code == "3.1.4"


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_any_octets_are_read_or_refused(payload: bytes) -> None:
    """Whatever comes, the only exception is a refusal."""
    for data in (payload, wrap(payload), wrap(body("CMD:SEARCH", payload.decode("latin-1")))):
        assert _read_or_code(data) in {"read", "6.3", "3.1.4"}


def _read_or_code(data: bytes) -> str:
    try:
        assert read_message(data)
    except RefusalError as error:
        return error.status.code
    return "read"


# -- CMD ----------------------------------------------------------------------------------------------------


def test_parameters_are_read() -> None:
    request = one('CMD;ID="a:b;c";LATENCY=10;ACTION=ASK;LOCALIZE=fr_CA;OPTIONS=MARK;X-Y=z:DELETE')
    assert (request.verb, request.ident) == ("DELETE", '"a:b;c"')
    assert (request.latency, request.action, request.localize, request.options) == (
        10,
        "ASK",
        "fr_CA",
        "MARK",
    )
    assert (request.fault, request.liberties) == (None, ())


@pytest.mark.parametrize(
    ("cmd", "ident", "options", "verb", "liberty"),
    [
        ('CMD;ID:"random but unique per CUA":DELETE', '"random but unique per CUA"', None, "DELETE", "A-04"),
        ("CMD:ID=unique-mod:MODIFY", "unique-mod", None, "MODIFY", "A-04"),
        ("CMD:OPTIONS=en_US.UTF-8:SET-LOCALE", None, "en_US.UTF-8", "SET-LOCALE", "A-04"),
        ("CMD;UD=some-unique-value:CREATE", "some-unique-value", None, "CREATE", "A-41"),
        ("CMD;OPTION=5:GENERATE-UID", None, "5", "GENERATE-UID", "A-41"),
        ("CMD:CAPABILITY", None, None, "GET-CAPABILITY", "A-42"),
    ],
)
def test_spellings_of_the_rfcs_examples(
    cmd: str, ident: str | None, options: str | None, verb: str, liberty: str
) -> None:
    """A-04, A-41, A-42: read, noted, and refused in strict mode."""
    request = one(cmd)
    assert (request.ident, request.options, request.verb) == (ident, options, verb)
    assert liberty in request.liberties
    strict = one(cmd, strict=True)
    assert strict.fault is not None
    assert (strict.fault.status.code, strict.ident) == ("6.3", ident)


def test_folded_and_lower_case_cmd() -> None:
    assert one("cmd;id=ab\r\n c;latency=3;action=ask:get-capability").ident == "abc"
    request = one("CMD;LATENCY=3;ACTION=ask:GET-CAPABILITY")
    assert (request.verb, request.action) == ("GET-CAPABILITY", "ASK")
    assert one("CMD;LATENCY=3;ACTION=ask:GET-CAPABILITY", strict=True).fault is not None


@pytest.mark.parametrize(
    "cmd",
    [
        "CMD:", "CMD;ID:DELETE", "CMD;ID=x:", "CMD;=x:CREATE", "CMD;ID=x;ID=y:CREATE", "CMD;ID=x;UD=y:CREATE",
        "CMD;LATENCY=5:SEARCH", "CMD;ACTION=ASK:SEARCH", "CMD;LATENCY=5;ACTION=NAP:SEARCH",
        "CMD;LATENCY=x;ACTION=ASK:SEARCH", "CMD;LATENCY=-1;ACTION=ASK:SEARCH",
        "CMD;LATENCY=99999999;ACTION=ASK:SEARCH", "CMD;LATENCY=1;LATENCY=2;ACTION=ASK:SEARCH",
        "CMD;LOCALIZE=a;LOCALIZE=b:SEARCH", f"CMD;ID={'x' * (MAX_ID + 1)}:SEARCH", "CMD:SEARCH\r\nCMD:SEARCH",
        "CMD:SEARCH\r\nVERSION:2.0", "CMD:SEARCH\r\nMETHOD:ADD\r\nMETHOD:ADD", "CMD:SEARCH\r\nTARGET:",
        "CMD:SEARCH\r\nPRODID:x\r\nPRODID:y", "CMD:SEARCH\r\nCALSCALE:GREGORIAN\r\nCALSCALE:GREGORIAN",
    ],
)  # fmt: skip
def test_bad_parameters_are_6_3(cmd: str) -> None:
    """PRM-03, PRM-04, OBM-01."""
    request = one(cmd)
    assert request.fault is not None
    assert request.fault.status.code == "6.3"


def test_zero_latency_is_none() -> None:
    """RFC 4324 §7.4: the default, zero, means no timeout."""
    assert one("CMD;LATENCY=0;ACTION=ASK:SEARCH").latency is None
    assert one("CMD;LATENCY=0;ACTION=ASK:SEARCH", strict=True).fault is not None


def test_object_without_cmd_is_a_fault_of_that_object_alone() -> None:
    """SES-13."""
    data = wrap(b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n" + body("CMD:SEARCH"))
    first, second = read_message(data)
    assert first.fault is not None
    assert second.fault is None


def test_strict_wants_version_and_prodid() -> None:
    """OBM-01, A-18."""
    (request,) = read_message(wrap(b"BEGIN:VCALENDAR\r\nCMD:SEARCH\r\nEND:VCALENDAR\r\n"), strict=True)
    assert request.fault is not None
    (request,) = read_message(wrap(b"BEGIN:VCALENDAR\r\nCMD:SEARCH\r\nEND:VCALENDAR\r\n"))
    assert request.fault is None


def test_targets_are_in_order_and_each_once() -> None:
    assert one("CMD:SEARCH", "TARGET:b", "TARGET: a ", "TARGET:b").targets == ("b", "a")


def test_component_outside_of_vcalendar_is_refused() -> None:
    with pytest.raises(RefusalError, match="VEVENT outside"):
        read_message(wrap(b"BEGIN:VEVENT\r\nEND:VEVENT\r\n"))


def test_query_without_folds_and_vquery_closed_as_vcar_are_mended() -> None:
    """A-02, A-30: as RFC 4324's own text has them; strict mode refuses."""
    lines = ("BEGIN:VQUERY", "QUERY:SELECT * FROM VEVENT", "WHERE UID = 'x'", "END:VCAR")
    (vquery,) = one("CMD:SEARCH", *lines).vcalendar.children("VQUERY")
    assert vquery.value("QUERY") == "SELECT * FROM VEVENT WHERE UID = 'x'"
    with pytest.raises(RefusalError):
        one("CMD:SEARCH", *lines, strict=True)


def test_queries_broken_as_printed_in_s8_32_are_mended() -> None:
    """A-30: lines that are no content lines go on with the query before them; strict mode refuses."""
    lines = (
        "BEGIN:VCAR",
        "CARID:printed",
        "BEGIN:VRIGHT",
        "GRANT:*",
        "PERMISSION:CREATE",
        "RESTRICTION:SELECT * FROM VEVENT WHERE",
        "SELF() IN ORGANIZER",
        "RESTRICTION;X-A=b:SELECT * FROM VEVENT",
        " WHERE 'BUSINESS' IN",
        "CATEGORIES",
        "END:VRIGHT",
        "END:VCAR",
    )
    (vcar,) = one("CMD:CREATE", *lines).vcalendar.children("VCAR")
    first, second = vcar.children("VRIGHT")[0].all("RESTRICTION")
    assert first.value == "SELECT * FROM VEVENT WHERE SELF() IN ORGANIZER"
    assert second.value.endswith("WHERE 'BUSINESS' IN CATEGORIES")
    for broken in (("SUMMARY:a", "no line"), ("QUERY:SELECT * FROM VEVENT", "WHERE", "x:y:", "no line")):
        with pytest.raises(RefusalError):
            one("CMD:CREATE", *broken)
    with pytest.raises(RefusalError):
        one("CMD:CREATE", *lines, strict=True)


def test_id_is_found_in_a_prefix() -> None:
    assert read_id(wrap(body('CMD;ID="a b":CREATE'))[:120]) == '"a b"'
    assert read_id(wrap(body("CMD;ID=a\r\n b:CREATE"))) == "ab"
    for data in (b"", b"BEGIN:VCALENDAR\r\nCMD;ID=half", b"CMD;;;\r\n", b"CMD:CREATE\r\n"):
        assert read_id(data) is None


@settings(max_examples=100)
@given(
    ident=st.text(
        st.characters(exclude_characters='";:', exclude_categories=("C", "Z")), min_size=1, max_size=90
    ),
    quoted=st.booleans(),
)
def test_id_survives_exactly(ident: str, quoted: bool) -> None:
    """PRM-02."""
    written = f'"{ident}"' if quoted else ident
    assert one(f"CMD;ID={written}:CREATE").ident == written
