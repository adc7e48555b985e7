"""The signpost's answers: whole, hint or silence, never larger than the question (A-46)."""

from __future__ import annotations

import pytest
from cap_harness import POLICY
from hypothesis import given
from hypothesis import strategies as st

from kalends.cap.capability import own_capability
from kalends.cap.signpost import MAX_QUESTION, Signpost

SIGNPOST = Signpost(POLICY, "127.0.0.1:1026")
HEADER = "Content-Type: text/calendar\r\n\r\n"


def question(size: int = 0, cmd: str = "CMD;ID=q1:GET-CAPABILITY", *, header: str = "") -> bytes:
    """A question of at least that many octets."""
    head = f"{header}BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{cmd}\r\n"
    end = "END:VCALENDAR\r\n"
    pad = f"X-PAD:{'x' * (size - len(head + end) - 8)}\r\n" if size > len(head + end) + 8 else ""
    return f"{head}{pad}{end}".encode()


def unfolded(answer: bytes | None) -> str:
    assert answer is not None
    return answer.decode().replace("\r\n ", "")


@pytest.mark.parametrize("header", ["", HEADER])
def test_padded_question_is_answered_in_full(header: str) -> None:
    """The reply of GET-CAPABILITY, and where TCP listens; with or without entity headers."""
    answer = SIGNPOST.answer(question(1200, header=header))
    text = unfolded(answer)
    assert text.startswith(HEADER + "BEGIN:VCALENDAR\r\n")
    assert "CMD;ID=q1:REPLY\r\n" in text
    assert own_capability(POLICY).replace("\r\n ", "") in text
    assert "X-KALENDS-TCP:127.0.0.1:1026\r\n" in text


def test_short_question_gets_a_hint_and_a_shorter_one_silence() -> None:
    """What fits: the place with the size to ask with, the place alone, nothing."""
    whole = SIGNPOST.answer(question(1200))
    assert whole is not None
    sized = SIGNPOST.answer(question(len(whole) - 1))
    assert f"X-KALENDS-PAD:{len(whole)}\r\n" in unfolded(sized)
    assert "CAP-VERSION" not in unfolded(sized)
    assert sized is not None
    bare = SIGNPOST.answer(question(len(sized) - 1))
    assert "X-KALENDS-TCP:127.0.0.1:1026\r\n" in unfolded(bare)
    assert "X-KALENDS-PAD" not in unfolded(bare)
    assert bare is not None
    assert SIGNPOST.answer(question(len(bare) - 1)) is None
    assert SIGNPOST.answer(question()) is None
    assert SIGNPOST.answer(question(len(whole))) == whole


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"hello",
        b"\x00" * 1200,
        question(1200, "CMD:SEARCH"),
        question(1200, "CMD;ID=a:REPLY"),
        question(1200, "CMD:FROB"),
        question(1200, "CMD;LATENCY=1:GET-CAPABILITY"),
        question(1200, "CMD;OPTIONS=1:GET-CAPABILITY"),
        question(600) * 2,
        question(1200)[:-5],
        question(MAX_QUESTION + 1),
        question(1200).replace(b"xx", b"\xff\xfe"),
    ],
    ids=[
        "empty",
        "text",
        "zeros",
        "search",
        "reply",
        "unknown",
        "latency",
        "options",
        "two",
        "cut",
        "large",
        "utf8",
    ],
)
def test_all_else_gets_silence(datagram: bytes) -> None:
    """A signpost does not even say what is wrong; its own answers are none of its questions."""
    assert SIGNPOST.answer(datagram) is None
    answer = SIGNPOST.answer(question(1200))
    assert answer is not None
    assert SIGNPOST.answer(answer) is None


@given(st.one_of(st.binary(max_size=200), st.builds(question, st.integers(0, 2500))), st.integers(0, 60))
def test_answers_are_never_larger_than_questions(datagram: bytes, at: int) -> None:
    """A-46: whatever comes, one octet changed or not."""
    for sent in (datagram, datagram[:at] + b"\x80" + datagram[at + 1 :]):
        answer = SIGNPOST.answer(sent)
        assert answer is None or len(answer) <= len(sent)
