"""Bounded latency: TIMEOUT, CONTINUE, ABORT in transcripts and as a table (RFC 4324 §10.1.1; LAT-01 to LAT-12)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cap_harness import Pair, command, event, query
from hypothesis import given
from hypothesis import strategies as st
from test_cap_transcripts import fits, unfolded

from kalends.beep import events
from kalends.beep.mime import split_entity
from kalends.cap import session, stopping
from kalends.cap.actions import Execute
from kalends.cap.latency import STEPS, Clock, Happening, Order, Phase, Timers
from kalends.store.base import Store
from kalends.store.errors import DeadlineError

FOLDER = Path(__file__).parent / "transcripts" / "latency"
FILES = sorted(path for path in FOLDER.glob("*.txt") if path.name != "README.txt")
SEARCH = ("TARGET:relcalz1", *query("SELECT UID FROM VEVENT"))
KINDS: dict[type[events.Event], str] = {
    events.MessageReceived: "MSG",
    events.ReplyReceived: "RPY",
    events.ErrorReceived: "ERR",
}


@dataclass
class Step:
    """A line of a transcript and the lines under it."""

    where: str
    words: list[str]
    lines: list[str] = field(default_factory=list)


def steps(path: Path) -> Iterator[Step]:
    step: Step | None = None
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.startswith("|"):
            assert step is not None
            step.lines += SEARCH if line == "| (search)" else (line[2:],)
        elif line and not line.startswith("#"):
            if step is not None:
                yield step
            step = Step(f"{path.name}:{number}", line.split())
    assert step is not None
    yield step


class Play:
    """A session of two channels to which a transcript happens."""

    def __init__(self, store: Store) -> None:
        self.pair = Pair(store, lazy=True)
        self.channels = {"1": self.pair.channel, "2": self.pair.open()}
        (asked,) = self.pair.asked
        self.owed: dict[str, list[int]] = {"1": [asked.msgno], "2": []}
        self.seen = len(self.pair.got)
        self.pair.now = 1_000_000.0

    def news(self) -> list[events.Event]:
        return [e for e in self.pair.got[self.seen :] if type(e) in KINDS]

    def client(self, name: str, kind: str, lines: list[str]) -> None:
        text = command(*lines)
        if kind == "MSG":
            self.pair.send(text, self.channels[name])
        else:
            send = self.pair.client.send_reply if kind == "RPY" else self.pair.client.send_error
            send(self.channels[name], self.owed[name].pop(0), text.replace("\n", "\r\n").encode())
        self.pair.run()

    def server(self, step: Step) -> None:
        _, name, kind = step.words
        news = self.news()
        assert news, f"{step.where}: the server said nothing"
        one = news[0]
        assert isinstance(one, events.MessageReceived | events.ReplyReceived | events.ErrorReceived)
        self.seen = next(i for i, e in enumerate(self.pair.got) if e is one) + 1
        lines = unfolded(split_entity(one.payload).body.decode())
        assert (one.channel, KINDS[type(one)]) == (self.channels[name], kind), f"{step.where}: {lines}"
        assert fits(lines, step.lines), f"{step.where}: {lines}"
        if kind == "MSG":
            self.owed[name].append(one.msgno)

    def work(self, how: str, where: str) -> None:
        if how == "none":
            assert not self.pair.actions, where
        elif how == "done":
            self.pair.step()
        else:
            number = self.pair.cancelled.pop()
            running = [action.number for action in self.pair.actions if isinstance(action, Execute)]
            self.pair.step(DeadlineError("stopped"), running.index(number))
        self.pair.run()


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_latency_transcript(path: Path, calendars: Store) -> None:
    play = Play(calendars)
    script = list(steps(path))
    if script[0].words == ["@silent"]:
        del script[0]
    else:
        play.client("1", "RPY", ["CMD;ID=kalends-capability:REPLY"])
    for step in script:
        match step.words:
            case ["C", name, kind]:
                play.client(name, kind, step.lines)
            case ["S", _, _]:
                play.server(step)
            case ["T", seconds]:
                assert not play.news(), step.where
                play.pair.wait(float(seconds))
            case ["W", how]:
                play.work(how, step.where)
            case _:
                pytest.fail(f"{step.where}: {step.words}")
    assert not play.news()
    assert not play.pair.actions
    assert not play.pair.cap.busy
    assert play.pair.cap.next_timer() is None


def test_lat_03_aborted_work_is_dropped_and_what_waited_for_it_begins(calendars: Store) -> None:
    """An ABORT from another channel lets the commands behind the dropped one go on."""
    pair = Pair(calendars, lazy=True)
    other = pair.open()
    search = command("CMD;ID=r:SEARCH", *query("SELECT UID FROM VEVENT"), targets=("relcalz1",))
    pair.send(search)
    dropped = pair.send(command("CMD;ID=w:CREATE", *event("n"), targets=("relcalz1",)))
    pair.send(search.replace("ID=r", "ID=s"))
    pair.run()
    assert len(pair.actions) == 1
    pair.send(command("CMD;ID=w:ABORT"), other)
    pair.run()
    assert len(pair.actions) == 2
    pair.step()
    pair.step()
    pair.run()
    assert "REQUEST-STATUS:2.0.3;" in pair.answer(dropped).text


def test_abort_of_a_command_of_the_same_message_is_refused(calendars: Store) -> None:
    """LAT-10: its neighbours are one piece with it."""
    pair = Pair(calendars, lazy=True)
    both = command("CMD;ID=s:SEARCH", *SEARCH) + command("CMD;ID=s:ABORT").partition("\n\n")[2]
    msgno = pair.send(both)
    pair.run()
    pair.step()
    pair.run()
    assert "REQUEST-STATUS:6.3;" in pair.answer(msgno).bodies[-1]


def test_unanswered_questions_are_bounded(calendars: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """LAT-02: who answers no TIMEOUT gets no more of them."""
    monkeypatch.setattr(stopping, "MAX_QUESTIONS", 3)
    pair = Pair(calendars, lazy=True)
    for number in range(5):
        pair.send(command(f"CMD;ID=q{number};LATENCY=1;ACTION=ASK:SEARCH", *SEARCH))
    pair.run()
    asked = len(pair.asked)
    pair.wait(1)
    assert len(pair.asked) - asked == 3
    for _ in range(5):
        pair.step()
    pair.run()
    assert not pair.cap.busy


def test_answer_to_a_timeout_may_be_anything(calendars: Store) -> None:
    """LAT-02: octets that are no calendar, or far too many, count as silence."""
    for payload in (
        b"",
        b"hello",
        b"Content-Type: text/calendar\r\n\r\n" + b"X:y\r\n" * session.INLINE_OCTETS,
    ):
        pair = Pair(calendars, lazy=True)
        msgno = pair.send(command("CMD;ID=s;LATENCY=1;ACTION=ASK:SEARCH", *SEARCH))
        pair.run()
        pair.wait(1)
        for asked in pair.asked:
            pair.client.send_reply(asked.channel, asked.msgno, payload)
        pair.run()
        pair.step()
        pair.run()
        assert "REQUEST-STATUS:2.0\r\n" in pair.answer(msgno).text


def test_latency_of_a_large_message_runs_since_it_came(calendars: Store) -> None:
    """LAT-01: reading it takes part of the time."""
    pair = Pair(calendars, lazy=True)
    big = event("b", "DESCRIPTION:" + "x" * session.INLINE_OCTETS)
    pair.send(command("CMD;ID=b;LATENCY=3;ACTION=ASK:CREATE", *big, targets=("relcalz1",)))
    pair.run()
    pair.wait(2)
    pair.step()
    pair.run()
    assert pair.cap.next_timer() == 3.0


def test_what_is_left_of_latency_bounds_the_work(calendars: Store) -> None:
    """LAT-07: time spent waiting for its turn counts."""
    pair = Pair(calendars, lazy=True)
    pair.send(command("CMD;ID=r:SEARCH", *SEARCH))
    pair.send(command("CMD;ID=w;LATENCY=5;ACTION=ABORT:CREATE", *event("n"), targets=("relcalz1",)))
    pair.run()
    pair.wait(3)
    pair.step()
    (action,) = pair.actions
    assert isinstance(action, Execute)
    assert action.seconds == pytest.approx(2.0)


def test_channel_that_is_gone_is_not_asked(calendars: Store) -> None:
    pair = Pair(calendars, lazy=True)
    pair.send(command("CMD;ID=s;LATENCY=1;ACTION=ASK:SEARCH", *SEARCH))
    pair.run()
    pair.wire.receive_data(b"", 0.0)
    pair.wait(2)
    pair.step()
    assert not pair.cap.busy


def test_table_lets_nothing_out_of_its_last_phases() -> None:
    """LAT-04, LAT-09: what is being stopped is neither continued nor stopped again."""
    for phase in (Phase.ABORTED, Phase.EXPIRED):
        assert not any(was is phase for was, _ in STEPS)
    assert {phase for phase, what in STEPS if what is Happening.CONTINUE} == {Phase.ASKED}
    assert all(order is Order.STOP for (_, what), (_, order) in STEPS.items() if what is Happening.ABORT)


def test_clock_refuses_what_the_table_does_not_have() -> None:
    clock = Clock()
    assert clock.step(Happening.CONTINUE) is None
    assert clock.step(Happening.ABORT) is Order.STOP
    assert clock.step(Happening.ABORT) is None
    assert clock.phase is Phase.ABORTED


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["set", "clear", "take"]), st.integers(1, 8), st.floats(0, 100, allow_nan=False)
        ),
        max_size=60,
    )
)
def test_timers_give_what_a_plain_dictionary_gives(happened: list[tuple[str, int, float]]) -> None:
    timers, plain = Timers(), dict[int, float]()
    for what, number, at in happened:
        if what == "set":
            timers.set(number, at)
            plain[number] = at
        elif what == "clear":
            timers.clear(number)
            plain.pop(number, None)
        else:
            due = sorted((when, n) for n, when in plain.items() if when <= at)
            assert timers.take(at) == [n for _, n in due]
            for _, n in due:
                del plain[n]
        assert timers.next() == min(plain.values(), default=None)


def test_timers_do_not_grow_with_commands_that_ended() -> None:
    timers = Timers()
    for number in range(10_000):
        timers.set(number, 86_400.0 + number)
        timers.clear(number)
    assert len(timers._heap) < 200
