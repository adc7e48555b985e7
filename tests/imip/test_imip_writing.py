"""Messages as mail: RFC 6047 §2, and nothing that somebody wrote in an event gets into a header."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
import sentences
from hypothesis import given
from hypothesis import strategies as st
from letters import job, message

from kalends.ical.tree import Line, parse
from kalends.imip import letter, words, writing
from kalends.imip.errors import LetterError

OWN = "calendar@example.com"
SIZE = 5_000_000
CASES = sorted((Path(__file__).parent / "out").glob("*.txt"))
HEADERS = {
    "From", "Sender", "Reply-To", "To", "Subject", "Date", "Message-ID", "Auto-Submitted",
    "MIME-Version", "Content-Type",
}  # fmt: skip


def parsed(data: bytes) -> EmailMessage:
    found = message_from_bytes(data, policy=default)
    assert isinstance(found, EmailMessage)
    return found


def test_every_word_that_a_mail_says_is_in_every_catalogue() -> None:
    for tag in sentences.tags():
        assert [phrase for phrase in words.PHRASES if phrase not in sentences.read(tag)] == [], tag


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_rfc6047_2_a_message_becomes_this_very_mail(case: Path) -> None:
    """How mail programs show it stands beside each message."""
    head, _, ics = case.read_text("utf-8").partition("\n\n")
    told = dict(line.split(":", 1) for line in head.splitlines())
    one = job(ics, sender=told["from"].strip(), to=told["to"].strip(), language=told["language"].strip())
    mail = writing.write(letter.read(one), OWN, SIZE)
    assert mail.envelope_from == OWN
    sent = parsed(mail.data)
    assert shown(sent) == case.with_suffix(".mail").read_text("utf-8")
    assert [part.get_content_type() for part in sent.walk()] == [
        "multipart/mixed", "multipart/alternative", "text/plain", "text/calendar", "application/ics",
    ]  # fmt: skip
    calendar, attached = list(sent.walk())[3:]
    whole = ics.replace("\n", "\r\n").encode()
    assert calendar.get_payload(decode=True) == attached.get_payload(decode=True) == whole
    assert (calendar["Content-Type"].params["method"], calendar.get_content_charset()) == (
        told_method(ics),
        "utf-8",
    )
    assert max(map(len, mail.data.split(b"\r\n"))) <= 998
    assert mail.data.isascii()
    assert mail.data.count(b"\n") == mail.data.count(b"\r\n") == mail.data.count(b"\r")


def shown(sent: EmailMessage) -> str:
    """The headers and the text of a mail, decoded."""
    heads = [f"{name}: {value}" for name, value in sent.items() if name not in ("Content-Type", "Message-ID")]
    plain = list(sent.walk())[2]
    return "\n".join(
        [*heads, f"({plain['Content-Language']})", "", plain.get_content().replace("\r\n", "\n")]
    )


def told_method(ics: str) -> str:
    return str(parse(ics).value("METHOD"))


def test_rfc5322_364_a_letter_that_is_sent_twice_is_the_same_mail() -> None:
    first, again, other = (letter.read(job(message(), ident=n)) for n in (7, 7, 8))
    assert writing.write(first, OWN, SIZE) == writing.write(again, OWN, SIZE)
    assert writing.write(first, OWN, SIZE).message_id != writing.write(other, OWN, SIZE).message_id


def test_a_mail_over_the_limit_is_refused_before_it_is_sent() -> None:
    with pytest.raises(LetterError, match="the limit is 4096") as caught:
        writing.write(letter.read(job(message("REQUEST", "DESCRIPTION:" + "x" * 5000))), OWN, 4096)
    assert caught.value.status == "5.3"


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("mailto:jane", "3.7"), ("urn:uuid:1", "5.2"), ("mailto:a@b@c", "3.7"), ("mailto:a b@example.org", "3.7"),
        ("mailto:jane@example.org>\r\nBcc:x@y", "3.7"), ("mailto:jane%0d%0aBcc:x@example.org", "3.7"),
        ("mailto:jané@example.org", "3.7"), ("mailto:.a@example.org", "3.7"), ("mailto:a..b@example.org", "3.7"),
        ("mailto:a.@example.org", "3.7"), ("mailto:jane@", "3.7"), ("mailto:" + "a" * 65 + "@b", "3.7"),
        ("mailto:a@" + "é" * 80, "3.7"), ("mailto:jane@example.org,x@y", "3.7"), ("mailto:a@b\x00c", "3.7"),
    ],
)  # fmt: skip
def test_what_is_no_mailbox_is_never_mailed_to(uri: str, status: str) -> None:
    with pytest.raises(LetterError) as caught:
        letter.mailbox(uri)
    assert caught.value.status == status


def test_mailboxes_are_read_as_rfc6068_has_them() -> None:
    assert letter.mailbox("mailto:Jane%2Bcal@Example.org?subject=x") == "jane+cal@example.org"
    assert letter.mailbox("mailto:jane@bücher.example") == "jane@xn--bcher-kva.example"
    assert letter.mailbox("jane@example.org") == "jane@example.org"


HOSTILE = st.text(
    st.one_of(
        st.sampled_from('\r\n\t\x00\x0b\x0c\x1c\x85\u2028\u2029,;:<>@"\\=?_() éß漢'),
        st.characters(codec="utf-8"),
    ),
    max_size=120,
)


@given(title=HOSTILE, name=HOSTILE, place=HOSTILE, notes=HOSTILE)
def test_rfc5322_22_no_text_of_an_event_makes_a_header_or_a_part(
    title: str, name: str, place: str, notes: str
) -> None:
    """Header injection: whatever stands in an event, the mail has our headers, our parts and its recipient."""
    whole = parse(message().replace("\n", "\r\n"))
    event = whole.components[0]
    for prop, text in (("SUMMARY", title), ("LOCATION", place), ("DESCRIPTION", notes)):
        for line in event.all(prop):
            event.remove(line)
        raw = text.replace("\\", "\\\\").replace("\r", "").replace("\n", "\\n").replace("\x00", "")
        event.items.append(Line.make(prop, "".join(c for c in raw if c.isprintable())))
    plain = "".join(c for c in name if c.isprintable())
    for prop in ("ORGANIZER", "ATTENDEE"):
        line = event.all(prop)[0]
        event.replace(line, line.with_params((("CN", (plain,)),)))
    mail = writing.write(letter.read(job(whole.to_ics())), OWN, SIZE)
    sent = parsed(mail.data)
    assert set(sent.keys()) <= HEADERS
    assert len(sent.keys()) == len(set(sent.keys()))
    assert [one.addr_spec for one in sent["To"].addresses] == ["jane@example.org"]
    assert [one.addr_spec for one in sent["From"].addresses] == ["bill@example.com"]
    assert [one.addr_spec for one in sent["Reply-To"].addresses] == ["bill@example.com"]
    assert [part.get_content_type() for part in sent.walk()][1:] == [
        "multipart/alternative", "text/plain", "text/calendar", "application/ics",
    ]  # fmt: skip
    assert list(sent.walk())[3].get_payload(decode=True) == whole.to_bytes()


def test_a_damaged_job_says_so() -> None:
    from dataclasses import replace

    good = job(message())
    for payload in ("", "[]", "{}", '{"from": "a", "to": "b", "method": "x", "ics": "no"}'):
        with pytest.raises(LetterError):
            letter.read(replace(good, payload=payload))
    with pytest.raises(LetterError, match="no message"):
        letter.read(job("BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:REQUEST\nEND:VCALENDAR\n"))
