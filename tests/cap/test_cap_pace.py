"""Writing an answer looks at the deadline, and ends where the answer is too large (RFC 4324 §8.19, §10.1.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from cap_harness import POLICY, Pair, command, event, query

from kalends.calquery.parse import parse as parse_query
from kalends.cap import commands, replies
from kalends.cap.commands import VERBS, Circumstances
from kalends.cap.messages import read_message
from kalends.core.errors import TooLargeError
from kalends.core.model import Answer, Found, Policy
from kalends.core.people.acting import Standing
from kalends.ical.tree import Component, Line
from kalends.store.base import Deadline, Store
from kalends.store.errors import DeadlineError


def found(count: int) -> list[Answer]:
    """An answer with some bare lines of ten characters each."""
    lines = [Found((Line.make("UID", f"{number:04}"),)) for number in range(count)]
    return [Answer(parse_query("SELECT VALARM.* FROM VEVENT"), lines)]


def test_lat_03_writing_an_answer_stops_with_the_deadline(
    calendars: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LAT-03: also when the last statement is over."""
    pair = Pair(calendars)
    assert pair.ask(command("CMD:CREATE", *event("a"), targets=("relcalz1",))).kind == "RPY"
    text = command("CMD:SEARCH", *query("SELECT * FROM VEVENT"), targets=("relcalz1",))
    (request,) = read_message(text.replace("\n", "\r\n").encode())
    task = VERBS["SEARCH"].task(request, Circumstances(Standing("bob@example.com"), 0, POLICY))
    deadline, search = Deadline(), commands.search.search

    def over(*args: Any) -> list[Answer]:
        answers = search(*args)
        assert answers[0].found
        deadline.cancel()
        return answers

    assert calendars.read(task.work, Deadline())
    monkeypatch.setattr(commands.search, "search", over)
    with pytest.raises(DeadlineError):
        calendars.read(task.work, deadline)


def test_ses_23_an_answer_too_large_is_not_written_to_its_end() -> None:
    """SES-23: what is over MAX-COMP-SIZE costs neither time nor memory."""
    seen: list[Found] = []

    def counting(things: Iterable[Found]) -> Iterator[Found]:
        for thing in things:
            seen.append(thing)
            yield thing

    with pytest.raises(TooLargeError, match=r"more octets than MAX-COMP-SIZE \(25\) allows; ask for less"):
        replies.answers("1", "relcalz1", found(1_000), pace=counting, limit=25)
    assert len(seen) == 3
    assert replies.answers("1", "relcalz1", found(1_000)).text.count("UID:") == 1_000


def test_ses_23_it_is_told_as_8_2(calendars: Store) -> None:
    pair = Pair(calendars, policy=Policy(csid=POLICY.csid, realm=POLICY.realm, max_object=2_000))
    for number in range(4):
        body = event(f"m{number}", "DESCRIPTION:" + "x" * 900)
        assert pair.ask(command("CMD:CREATE", *body, targets=("relcalz1",))).kind == "RPY"
    answer = pair.ask(command("CMD;ID=q:SEARCH", *query("SELECT * FROM VEVENT"), targets=("relcalz1",)))
    assert answer.kind == "ERR"
    assert "REQUEST-STATUS:8.2;the answer has more octets than" in answer.text
    assert "TARGET:relcalz1\r\n" in answer.text


def test_a_wrapped_component_is_counted_too() -> None:
    one = Component("VEVENT")
    one.add("SUMMARY", "x" * 100)
    answer = [Answer(parse_query("SELECT * FROM VEVENT"), [Found((one,))])]
    with pytest.raises(TooLargeError):
        replies.answers(None, "a", answer, limit=100)
