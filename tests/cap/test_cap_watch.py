"""A SEARCH that waits until something changes (RFC 4324 §10.1.1, §10.12; docs/watch.md)."""

from __future__ import annotations

import pytest
from cap_harness import Pair, command, event, query

from kalends.store.base import Store

CAL = ("relcalz1",)
CHANGES = "SELECT * FROM X-KALENDS-CHANGE WHERE X-KALENDS-TICK > '{}'"


def tick(pair: Pair) -> int:
    answer = pair.ask(command("CMD:SEARCH", *query("SELECT X-KALENDS-TICK FROM VAGENDA"), targets=CAL))
    (line,) = [line for line in answer.text.splitlines() if line.startswith("X-KALENDS-TICK:")]
    return int(line.partition(":")[2])


def poll(since: int, action: str = "ABORT", ident: str = "w", what: str = CHANGES) -> str:
    cmd = f"CMD;ID={ident};LATENCY=30;ACTION={action}:SEARCH"
    return command(cmd, *query(what.format(since)), targets=CAL)


def create(uid: str) -> str:
    return command("CMD:CREATE", *event(uid, "SUMMARY:Tea"), targets=CAL)


def wait_for(pair: Pair, since: int, action: str = "ABORT", what: str = CHANGES) -> int:
    msgno = pair.send(poll(since, action, what=what))
    pair.run()
    assert len(pair.awaiting) == 1
    return msgno


def answered(pair: Pair, msgno: int) -> bool:
    return any(getattr(e, "msgno", None) == msgno and hasattr(e, "payload") for e in pair.got[1:])


def test_what_changed_already_is_told_at_once(pair: Pair) -> None:
    since = tick(pair)
    pair.ask(create("one"))
    text = pair.ask(poll(since)).text
    assert not pair.awaiting
    for line in (
        "BEGIN:X-KALENDS-CHANGE", "UID:one", "X-KALENDS-KIND:VEVENT", "X-KALENDS-ACTION:created",
        "X-KALENDS-ACTOR:bob@example.com", "X-KALENDS-VIA:cap", "SUMMARY:Tea", f"X-KALENDS-TICK:{since + 1}",
    ):  # fmt: skip
        assert f"{line}\r\n" in text


def test_it_waits_and_is_answered_when_something_changes(pair: Pair, calendars: Store) -> None:
    """The change comes through another session."""
    msgno = wait_for(pair, since := tick(pair))
    assert next(iter(pair.awaiting.values())).popitem()[1] == since
    pair.wake()
    assert len(pair.awaiting) == 1, "nothing has changed: it waits on"
    Pair(calendars).ask(create("two"))
    pair.wake()
    answer = pair.answer(msgno)
    assert answer.kind == "RPY"
    assert "UID:two\r\n" in answer.text


def test_without_a_change_the_answer_is_empty_and_in_time(pair: Pair) -> None:
    """RFC 4324 §10.12: a success that found nothing, before LATENCY can be said to be over (LAT-07)."""
    msgno = wait_for(pair, tick(pair))
    pair.wait(29)
    assert pair.awaiting
    pair.wait(1)
    pair.run()
    answer = pair.answer(msgno)
    assert answer.kind == "RPY"
    assert "REQUEST-STATUS:2.0\r\n" in answer.text
    assert "X-KALENDS-CHANGE" not in answer.text
    assert not pair.awaiting
    assert not pair.cap.busy


def test_ask_sends_timeout_and_continue_waits_on(pair: Pair) -> None:
    """RFC 4324 §10.14, §10.3: LAT-01, LAT-06."""
    msgno = wait_for(pair, tick(pair), "ASK")
    pair.wait(30)
    pair.run()
    timeout = pair.asked[-1]
    assert b"TIMEOUT" in timeout.payload
    pair.send(command("CMD;ID=w;LATENCY=20;ACTION=ABORT:CONTINUE"))
    pair.run()
    assert pair.awaiting
    pair.wait(20)
    pair.run()
    assert "REQUEST-STATUS:2.0\r\n" in pair.answer(msgno).text


def test_abort_ends_the_wait(pair: Pair) -> None:
    """RFC 4324 §10.2, A-40: 2.0.3 for both."""
    msgno = wait_for(pair, tick(pair))
    abort = pair.send(command("CMD;ID=w:ABORT"))
    pair.run()
    assert "REQUEST-STATUS:2.0.3" in pair.answer(msgno).text
    assert "REQUEST-STATUS:2.0.3" in pair.answer(abort).text
    assert not pair.awaiting


def test_a_change_that_comes_while_it_looks_again_is_answered_once(pair: Pair) -> None:
    msgno = wait_for(pair, tick(pair))
    pair.ask(create("x"), pair.open())
    pair.wake()
    pair.wake()
    pair.wait(60)
    pair.run()
    assert pair.answer(msgno).bodies


def test_what_comes_behind_it_on_the_channel_is_done_at_once(pair: Pair) -> None:
    """RFC 3080 §2.6.1: only the answers keep their order; and a write of one's own ends the wait."""
    msgno = wait_for(pair, tick(pair))
    write = pair.send(create("mine"))
    pair.run()
    assert not answered(pair, write)
    pair.wake()
    assert "UID:mine" in pair.answer(msgno).text
    assert "REQUEST-STATUS:2.0" in pair.answer(write).text


def test_other_channels_go_on(pair: Pair) -> None:
    wait_for(pair, tick(pair))
    other = pair.open()
    for number in range(5):
        assert "2.0" in pair.ask(create(f"n{number}"), other).text


@pytest.mark.parametrize("what", ["VEVENT", "VAGENDA"])
def test_components_and_the_calendar_itself_can_be_waited_for(pair: Pair, what: str) -> None:
    text = f"SELECT X-KALENDS-TICK,UID,CALID FROM {what} WHERE X-KALENDS-TICK > '{{}}'"
    msgno = wait_for(pair, since := tick(pair), what=text)
    pair.ask(create("e"), pair.open())
    pair.wake()
    assert f"X-KALENDS-TICK:{since + 1}\r\n" in pair.answer(msgno).text


def test_without_latency_nothing_waits(pair: Pair) -> None:
    text = command("CMD:SEARCH", *query(CHANGES.format(tick(pair))), targets=CAL)
    assert "REQUEST-STATUS:2.0" in pair.ask(text).text
    assert not pair.awaiting


def test_a_refused_target_does_not_wait(pair: Pair) -> None:
    text = poll(0).replace("relcalz1", "nowhere")
    assert "REQUEST-STATUS:6.1" in pair.ask(text).text
    assert "REQUEST-STATUS:6.3" in pair.ask(poll(0).replace("'0'", "'soon'")).text


def test_a_server_that_stops_answers_what_waits(pair: Pair) -> None:
    msgno = wait_for(pair, tick(pair))
    pair._note(pair.cap.drain())
    pair.run()
    assert "REQUEST-STATUS:2.0" in pair.answer(msgno).text
    assert not pair.cap.busy


def test_removed_moved_marked_and_private_changes(pair: Pair, calendars: Store) -> None:
    since = tick(pair)
    for uid in ("a", "b", "c"):
        pair.ask(create(uid))
    seen = tick(pair)
    one = "SELECT * FROM VEVENT WHERE UID = '{}'"
    pair.ask(command("CMD:DELETE", *query(one.format("a")), targets=CAL))
    pair.ask(command("CMD;OPTIONS=MARK:DELETE", *query(one.format("b")), targets=CAL))
    text = pair.ask(poll(seen)).text
    told = [line for line in text.split("\r\n") if line.startswith(("UID", "X-KALENDS-ACTION"))]
    assert told == ["UID:a", "X-KALENDS-ACTION:removed", "UID:b", "X-KALENDS-ACTION:marked"]
    everything = pair.ask(poll(since)).text
    assert everything.count("BEGIN:X-KALENDS-CHANGE") == 3
    mary = Pair(calendars, "mary@example.com")
    mary.send(poll(0))
    mary.run()
    assert mary.awaiting, "there is nothing she may hear of"
