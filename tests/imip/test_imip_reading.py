"""Mails that come in: what they say, and who is believed (RFC 6047 §2, §3). The mails are files beside this one."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from letters import message

from kalends.imip import errors, intake, proof, reading, splitting
from kalends.imip.errors import BadMailError, MailError, UnprovenError

CASES = sorted((Path(__file__).parent / "in").glob("*.txt"))


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_mail_is_read_as_its_file_says(case: Path, ends: str) -> None:
    """`> METHOD UID from SENDER`, lines that the message has (`! text` it has not), or how it is refused."""
    head, _, mail = case.read_text("utf-8").partition("\n\n")
    expected = [line[2:] for line in head.splitlines() if line.startswith("> ")]
    data = mail.replace("\n", ends).encode()
    if expected[0].startswith("refused"):
        _, kind, words = expected[0].split(" ", 2)
        with pytest.raises(getattr(errors, kind)) as caught:
            intake.read(data, "off")
        assert words in str(caught.value)
        return
    found = intake.read(data, "off")
    told = [
        f"{one.method} {part.value('UID')} from {one.sender}"
        for one in found
        for part in one.whole.components
        if part.name != "VTIMEZONE"
    ]
    told = told or ["nothing"]
    assert expected[: len(told)] == told
    text = "".join(one.whole.to_ics() for one in found)
    for line in expected[len(told) :]:
        assert (line[2:] not in text) if line.startswith("! ") else (line in text.splitlines()), text


# --- hostile mails ---

HEAD = b"From: jane@example.org\n"


def test_a_hundred_multiparts_in_one_another_are_refused() -> None:
    data = HEAD + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(100)
    )
    with pytest.raises(BadMailError, match="more than 8 levels deep"):
        intake.read(data, "off")


def test_ten_thousand_parts_are_refused() -> None:
    data = HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 10_000
    with pytest.raises(BadMailError, match="more than 100 parts"):
        intake.read(data, "off")


def test_many_calendars_are_refused() -> None:
    parts = b"".join(
        b"--b\nContent-Type: text/calendar; method=REQUEST\n\n%s\n"
        % message().replace("lunch", f"u{n}").encode()
        for n in range(11)
    )
    with pytest.raises(BadMailError, match="more than 10 calendars"):
        intake.read(HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + parts, "off")


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"X: " + b"y" * 300_000,
        HEAD + b"X: y\n" * 2_000 + b"\n",
        HEAD + b"X: y\n z" * 100_000,
    ],
    ids=["one long field", "many fields", "one field of many lines"],
)
def test_a_head_that_no_honest_mail_has_is_refused(data: bytes) -> None:
    with pytest.raises(BadMailError):
        intake.read(data, "off")


@pytest.mark.parametrize(
    ("charset", "octets", "text"),
    [
        ("utf-8", "Käse".encode(), "Käse"),
        ("us-ascii", "Käse".encode(), "Käse"),
        ("iso-8859-1", "Käse".encode(), "Käse"),
        ("iso-8859-1", "Käse".encode("latin-1"), "Käse"),
        ("utf-8", "Käse".encode("cp1252"), "Käse"),
        ("utf-16", "Käse".encode("utf-16"), "Käse"),
        ("iso-2022-jp", "漢字".encode("iso-2022-jp"), "漢字"),
        ("shift_jis", "漢字".encode("shift_jis"), "漢字"),
        ("utf-16", b"abc", "abc"),
        ("punycode", b"abc-" * 3, "abc-abc-abc-"),
        ("zip", b"abc", "abc"),
        ("no such", b"abc", "abc"),
        ("x" * 3000, b"abc", "abc"),
        ("", b"\xef\xbb\xbfabc", "abc"),
    ],
)
def test_rfc6047_24_a_charset_counts_where_it_fits(charset: str, octets: bytes, text: str) -> None:
    part = splitting.Part({"content-type": (f'text/calendar; method=REQUEST; charset="{charset}"',)}, octets)
    mail = reading.read(
        HEAD
        + b'Content-Type: text/calendar; method=REQUEST; charset="'
        + charset.encode()
        + b'"\nContent-Transfer-Encoding: base64\n\n'
        + base64.b64encode(octets)
    )
    assert mail is not None
    assert mail.calendars[0].text == text
    assert part.kind == "text/calendar"


@given(st.binary(max_size=400))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    for before in (b"", HEAD, HEAD + b"Content-Type: text/calendar; method=REQUEST\n\n"):
        try:
            intake.read(before + data, "mx.example.com")
        except MailError:
            continue


PIECES = st.lists(
    st.sampled_from(
        [b"\n", b"\r\n", b"--b", b"--b--", b"--c", b" ", b"Content-Type: multipart/mixed; boundary=b",
         b"Content-Type: multipart/alternative; boundary=c", b"Content-Type: text/calendar; method=REQUEST",
         b"Content-Transfer-Encoding: base64", b"From: jane@example.org", b"QkVHSU46", b"\x00", b"\xff",
         b"BEGIN:VCALENDAR", b"METHOD:REQUEST", b"END:VCALENDAR", b"BEGIN:VEVENT", b"END:VEVENT", b"UID:1",
         b"ORGANIZER:mailto:jane@example.org", b"ATTENDEE:mailto:jane@example.org", b'"', b"(", b";", b"="]
    ),
    max_size=60,
)  # fmt: skip


@given(PIECES)
def test_any_pieces_of_mails_are_read_or_refused(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    try:
        found = intake.read(data, "off")
    except MailError:
        return
    assert all(one.sender == "mailto:jane@example.org" for one in found)


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=6), st.sampled_from([b"\n", b"\r\n"]))
def test_rfc2046_51_what_is_put_together_is_taken_apart_again(bodies: list[bytes], end: bytes) -> None:
    boundary = b"=_q7"
    whole = [body for body in bodies if b"--" + boundary not in body]
    data = b'Content-Type: multipart/mixed; boundary="=_q7"' + end * 2
    data += (
        b"".join(b"--" + boundary + end + b"X: 1" + end * 2 + body + end for body in whole)
        + b"--"
        + boundary
        + b"--"
        + end
    )
    found = splitting.leaves(splitting.split(data))
    if whole:
        # a lone CR at the end of a body cannot be told from the end of its last line
        assert [part.body.rstrip(b"\r") for part in found] == [body.rstrip(b"\r") for body in whole]


def test_fifty_megabytes_are_read_to_their_end() -> None:
    """It is far over the limit of `mail-size`; the parser has to end all the same."""
    line = b"x" * 70 + b"\n--b\n"
    data = HEAD + b"Content-Type: multipart/mixed; boundary=bb\n\n" + line * (50_000_000 // len(line))
    with pytest.raises(BadMailError):
        intake.read(data, "off")


# --- who is believed ---

MX = "mx.example.com"


@pytest.mark.parametrize(
    "results",
    [
        ["mx.example.com; dmarc=pass header.from=example.org"],
        ["MX.example.com 1; dkim=pass (2048-bit) header.d=example.org header.i=@example.org"],
        ["mx.example.com; dkim=pass header.i=jane@example.org; spf=fail smtp.mailfrom=other.example"],
        ["mx.example.com; spf=pass (sender is ok) smtp.mailfrom=jane@example.org"],
        ["mx.example.com; spf=pass smtp.mailfrom=example.org"],
        ["other.example; dmarc=fail header.from=example.org", "mx.example.com; dmarc=pass header.from=example.org"],
        ["mx.example.com; dmarc = pass ( p=none ( nested ; ) ) header.from = example.org"],
        ['mx.example.com; dkim=pass reason="good; signature" header.d=example.org'],
        ["mx.example.com; dkim=fail header.d=example.org; dkim=pass header.d=example.org"],
        ['mx.example.com; spf=pass (a 5" nail \\) ) smtp.mailfrom=example.org'],
        [*["other.example; none"] * 100, "mx.example.com; spf=pass smtp.mailfrom=example.org"],
    ],
)  # fmt: skip
def test_rfc8601_what_the_trusted_server_found_out_proves_a_sender(results: list[str]) -> None:
    proof.require("jane@example.org", results, MX)


def test_rfc8601_a_signature_of_a_domain_above_proves_the_one_below() -> None:
    proof.require("jane@mail.example.org", ["mx.example.com; dkim=pass header.d=example.org"], MX)
    with pytest.raises(UnprovenError):
        proof.require("jane@example.org", ["mx.example.com; dkim=pass header.d=org"], MX)
    with pytest.raises(UnprovenError):
        proof.require("jane@evilexample.org", ["mx.example.com; dkim=pass header.d=example.org"], MX)


@pytest.mark.parametrize(
    "results",
    [
        [],
        ["other.example; dmarc=pass header.from=example.org"],
        ["mx.example.com.evil.example; dmarc=pass header.from=example.org"],
        ["mx.example.com"],
        ["mx.example.com; none"],
        ["mx.example.com; dmarc=pass header.from=evil.example"],
        ["mx.example.com; dmarc=pass"],
        ["mx.example.com; dmarc=fail header.from=example.org; spf=pass smtp.mailfrom=example.org"],
        ["mx.example.com; dkim=pass header.d=evil.example; spf=pass smtp.mailfrom=evil.example"],
        ["mx.example.com; dkim=fail header.d=example.org"],
        ["mx.example.com; dkim=passed header.d=example.org"],
        ["mx.example.com; spf=softfail smtp.mailfrom=jane@example.org"],
        ['mx.example.com; spf=pass smtp.mailfrom="jane@example.org"@evil.example'],
        ['mx.example.com; spf=pass smtp.mailfrom="x; dmarc=pass header.from=example.org"@evil.example'],
        ["mx.example.com; spf=pass smtp.mailfrom=evil.example (; dmarc=pass header.from=example.org)"],
        ['mx.example.com; dkim=pass reason="x header.d=example.org" header.d=evil.example'],
        ["mx.example.com; dkim=pass header.d=evil.example header.d=example.org"],
        ["(mx.example.com;) other.example; dmarc=pass header.from=example.org"],
        ["mx.example.com; (dmarc=pass header.from=example.org"],
        ['mx.example.com; dkim=pass reason="' + "x" * 400 + ' header.d=example.org" header.d=evil.example'],
        [
            'mx.example.com; spf=pass (5" of) smtp.mailfrom=evil.example; (6") dmarc=pass header.from="example.org'
        ],
        ['mx.example.com; dmarc=pass \\" header.from=example.org'],
        ["mx.example.com; dmarc=pass ) header.from=example.org"],
    ],
)
def test_rfc8601_nothing_else_proves_it(results: list[str]) -> None:
    with pytest.raises(UnprovenError):
        proof.require("jane@example.org", results, MX)


@given(st.text(st.sampled_from('mx.example.com;dkim=passheader.d=example.org"()\\ \t'), max_size=300))
def test_any_result_is_read(text: str) -> None:
    try:
        proof.require("jane@example.org", [f"mx.example.com;{text}"], MX)
    except UnprovenError:
        return


def test_a_mail_without_proof_is_refused() -> None:
    data = (
        HEAD
        + b"Content-Type: text/calendar; method=REQUEST\n\n"
        + message().replace("bill@example.com", "jane@example.org").encode()
    )
    with pytest.raises(UnprovenError, match=r"mx\.example\.com did not prove"):
        intake.read(data, MX)
    proven = b"Authentication-Results: mx.example.com;\n\tdmarc=pass header.from=example.org\n" + data
    assert len(intake.read(proven, MX)) == 1
