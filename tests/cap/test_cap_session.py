"""The session: capability exchange, order, reply shapes, outcomes (RFC 4324 §10.7, §12.1, §12.2)."""

from __future__ import annotations

import pytest
from cap_harness import POLICY, UTC, Pair, command, event, query

from kalends.beep import events
from kalends.beep.security import Security
from kalends.beep.session import Role
from kalends.beep.session import Session as Wire
from kalends.cap.actions import Execute, Prepare
from kalends.cap.opening import URI
from kalends.cap.session import INLINE_OCTETS, Session
from kalends.core.model import Policy
from kalends.core.people import identity
from kalends.store.base import Store
from kalends.store.errors import DeadlineError, StoreFullError, StoreOutcomeUnknownError

CAPABILITY = command("CMD;ID=c1:GET-CAPABILITY")


def test_server_asks_for_capability_first_and_once(pair: Pair) -> None:
    """SES-11."""
    (asked,) = pair.asked
    assert b"CMD;ID=kalends-capability:GET-CAPABILITY\r\n" in asked.payload
    assert asked.channel == pair.channel
    pair.open()
    assert len(pair.asked) == 1


def test_capability_is_answered_with_all_thirteen_properties(pair: Pair) -> None:
    """CAP-02 to CAP-07."""
    answer = pair.ask(CAPABILITY)
    assert answer.kind == "RPY"
    text = answer.text.replace("\r\n ", "")
    names = {line.partition(":")[0] for line in text.splitlines()}
    assert names >= {
        "CAP-VERSION", "CAR-LEVEL", "COMPONENTS", "STORES-EXPANDED", "MAXDATE", "MINDATE", "ITIP-VERSION",
        "MAX-COMP-SIZE", "MULTIPART", "QUERY-LEVEL", "RECUR-ACCEPTED", "RECUR-EXPAND", "RECUR-LIMIT",
    }  # fmt: skip
    assert "CMD;ID=c1:REPLY\r\n" in answer.text
    assert "\r\nCAP-VERSION:4324\r\n" in answer.text
    assert f"MAX-COMP-SIZE:{POLICY.max_object}\r\n" in answer.text
    assert "TARGET" not in answer.text


def test_capability_is_answered_inside_start(calendars: Store) -> None:
    """SES-12: the exchange may ride in <start> and <profile>, at most 4096 octets."""
    content = command("CMD;ID=early:GET-CAPABILITY").encode()
    pair = Pair(calendars, content=content)
    (started,) = (e for e in pair.got if isinstance(e, events.ChannelStarted))
    assert b"CMD;ID=early:REPLY" in started.content
    assert len(started.content) <= 4096


@pytest.mark.parametrize("content", [b"hello", command("CMD:SEARCH").encode(), CAPABILITY.encode() * 2])
def test_other_content_of_start_is_refused_inside_profile(calendars: Store, content: bytes) -> None:
    """SES-12: nothing but one GET-CAPABILITY belongs there; the channel opens all the same."""
    pair = Pair(calendars, content=content)
    (started,) = (e for e in pair.got if isinstance(e, events.ChannelStarted))
    assert b"REQUEST-STATUS:6.3;" in started.content


def test_clients_capability_is_learnt(calendars: Store) -> None:
    """CAP-09, A-06: MAX-COMPONENT-SIZE is understood, too; what is missing has a default."""
    said = command("CMD:REPLY", "BEGIN:VREPLY", "MAX-COMPONENT-SIZE:4096", "MULTIPART:mixed", "END:VREPLY")
    pair = Pair(calendars, capability=said)
    pair.run()
    assert pair.cap.peer.max_size == 4096
    assert pair.cap.peer.multipart
    assert pair.cap.peer.default_tz is None


@pytest.mark.parametrize("said", ["nonsense", "Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n"])
def test_unreadable_capability_changes_nothing(calendars: Store, said: str) -> None:
    pair = Pair(calendars, capability=said)
    pair.run()
    assert pair.cap.peer.max_size == 0
    assert pair.ask(CAPABILITY).kind == "RPY"


def test_answer_larger_than_the_client_accepts_is_refused(calendars: Store) -> None:
    """SES-23: MAX-COMP-SIZE bounds what we send."""
    said = command("CMD:REPLY", "BEGIN:VREPLY", "MAX-COMP-SIZE:600", "END:VREPLY")
    pair = Pair(calendars, capability=said)
    create = command("CMD:CREATE", *event("big", "DESCRIPTION:" + "x" * 900), targets=("relcalz1",))
    assert "REQUEST-STATUS:2.0" in pair.ask(create).text
    answer = pair.ask(command("CMD;ID=q:SEARCH", *query("SELECT * FROM VEVENT"), targets=("relcalz1",)))
    assert "REQUEST-STATUS:8.2;" in answer.text.replace("\r\n ", "")
    assert "CMD;ID=q:REPLY" in answer.text
    assert len(answer.text) < 600


def test_strict_session_begins_with_capability(calendars: Store) -> None:
    """SES-10, A-42."""
    pair = Pair(calendars, strict=True)
    uid = command("CMD;OPTIONS=1:GENERATE-UID")
    assert "REQUEST-STATUS:6.3;" in pair.ask(uid).text
    assert pair.ask(CAPABILITY).kind == "RPY"
    assert pair.ask(uid).kind == "RPY"


def test_one_target_gives_rpy_and_several_give_ans_nul(pair: Pair) -> None:
    """SES-17, CRE-02."""
    one = pair.ask(command("CMD;ID=1:CREATE", *event("a"), targets=("relcalz1",)))
    assert (one.kind, len(one.bodies)) == ("RPY", 1)
    two = pair.ask(command("CMD;ID=2:CREATE", *event("b"), targets=("relcalz1", "relcalz2")))
    assert two.kind == "ANS"
    assert ["TARGET:relcalz1" in two.bodies[0], "TARGET:relcalz2" in two.bodies[1]] == [True, True]
    assert all(body.count("TARGET:") == 1 and "REQUEST-STATUS:2.0" in body for body in two.bodies)


def test_one_bad_target_does_not_spoil_the_others(pair: Pair) -> None:
    """SES-18, COD-04."""
    answer = pair.ask(command("CMD:CREATE", *event("c"), targets=("nope", "relcalz1")))
    assert answer.kind == "ANS"
    assert "REQUEST-STATUS:6.1;" in answer.bodies[0]
    assert "REQUEST-STATUS:2.0\r\n" in answer.bodies[1]


def test_err_when_nothing_ran(pair: Pair) -> None:
    """SES-19: CMD:REPLY and REQUEST-STATUS in an ERR."""
    answer = pair.ask(command("CMD;ID=e:CREATE", *event("d"), targets=("nope",)))
    assert answer.kind == "ERR"
    assert "CMD;ID=e:REPLY\r\n" in answer.text
    assert "REQUEST-STATUS:6.1;" in answer.text


def test_unknown_command_is_9_0_and_the_session_stays(pair: Pair) -> None:
    """COD-03."""
    answer = pair.ask(command("CMD:FROB", targets=("relcalz1",)))
    assert (answer.kind, "REQUEST-STATUS:9.0;" in answer.text) == ("ERR", True)
    assert pair.ask(CAPABILITY).kind == "RPY"


@pytest.mark.parametrize("payload", ["", "hello", "Content-Type: text/plain\n\nhello", "BEGIN:VCALENDAR\n"])
def test_unreadable_message_is_err_6_3(pair: Pair, payload: str) -> None:
    """A-71."""
    answer = pair.ask(payload)
    assert (answer.kind, "REQUEST-STATUS:6.3;" in answer.text) == ("ERR", True)
    assert "CMD:REPLY" in answer.text


def test_invalid_utf8_is_6_3_with_the_line(pair: Pair) -> None:
    answer = pair.ask(command("CMD:CREATE", *event("u", "SUMMARY:\udcff"), targets=("relcalz1",)))
    assert answer.kind == "ERR"
    assert "REQUEST-STATUS:6.3;The object cannot be read: line 11: not UTF-8" in answer.text


def test_objects_of_one_message_are_done_in_order(pair: Pair) -> None:
    """SES-15, A-72: concatenated objects, one reply with both."""
    first = command("CMD;ID=1:CREATE", *event("x1"), targets=("relcalz1",))
    second = command("CMD;ID=2:CREATE", *event("x1"), targets=("relcalz1",)).partition("\n\n")[2]
    answer = pair.ask(first + second)
    assert answer.kind == "RPY"
    assert answer.text.index("CMD;ID=1:REPLY") < answer.text.index("CMD;ID=2:REPLY")
    assert answer.text.index("REQUEST-STATUS:2.0") < answer.text.index("REQUEST-STATUS:8.5")


def test_objects_of_one_message_have_one_target(pair: Pair) -> None:
    """SES-15."""
    first = command("CMD:CREATE", *event("x2"), targets=("relcalz1",))
    second = command("CMD:CREATE", *event("x3"), targets=("relcalz2",)).partition("\n\n")[2]
    answer = pair.ask(first + second)
    assert (answer.kind, "REQUEST-STATUS:6.3;" in answer.text) == ("ERR", True)


def test_id_may_not_be_used_twice_at_the_same_time(calendars: Store) -> None:
    """PRM-01."""
    pair = Pair(calendars, lazy=True)
    first = pair.send(command("CMD;ID=same:CREATE", *event("p1"), targets=("relcalz1",)))
    second = pair.send(command("CMD;ID=same:CREATE", *event("p2"), targets=("relcalz1",)))
    pair.run()
    assert len(pair.actions) == 1
    pair.step()
    pair.run()
    assert "2.0" in pair.answer(first).text
    assert "REQUEST-STATUS:6.3;" in pair.answer(second).text
    third = pair.send(command("CMD;ID=same:CREATE", *event("p3"), targets=("relcalz1",)))
    pair.run()
    pair.step()
    pair.run()
    assert "REQUEST-STATUS:2.0" in pair.answer(third).text


def test_id_is_repeated_exactly(pair: Pair) -> None:
    """PRM-02: quotes and case."""
    for ident in ('"a; b:C"', "MiXeD", "42"):
        assert f"CMD;ID={ident}:REPLY\r\n" in pair.ask(command(f"CMD;ID={ident}:GET-CAPABILITY")).text
    assert "CMD:REPLY\r\n" in pair.ask(command("CMD:GET-CAPABILITY")).text


def test_reads_wait_for_earlier_writes_and_writes_go_together(calendars: Store) -> None:
    """BA-01: as if one after the other."""
    pair = Pair(calendars, lazy=True)
    for number in range(2):
        pair.send(command(f"CMD;ID=w{number}:CREATE", *event(f"w{number}"), targets=("relcalz1",)))
    search = pair.send(command("CMD:SEARCH", *query("SELECT UID FROM VEVENT"), targets=("relcalz1",)))
    pair.send(command("CMD:CREATE", *event("w3"), targets=("relcalz1",)))
    pair.run()
    kinds = [action.kind for action in pair.actions if isinstance(action, Execute)]
    assert kinds == ["write", "write"]
    pair.step(index=1)
    pair.step()
    kinds = [action.kind for action in pair.actions if isinstance(action, Execute)]
    assert kinds == ["read"]
    pair.step()
    assert [action.kind for action in pair.actions if isinstance(action, Execute)] == ["write"]
    pair.run()
    assert pair.answer(search).kind == "RPY"


def test_answers_keep_the_order_of_the_messages(calendars: Store) -> None:
    """BA-01: work that ends early waits for its turn on the wire."""
    pair = Pair(calendars, lazy=True)
    numbers = [
        pair.send(command("CMD:CREATE", *event(f"o{number}"), targets=("relcalz1",))) for number in range(3)
    ]
    pair.run()
    for _ in range(3):
        pair.step(index=len(pair.actions) - 1)
    pair.run()
    got = [e.msgno for e in pair.got if isinstance(e, events.ReplyReceived)]
    assert got == numbers


def test_channels_do_not_wait_for_each_other(calendars: Store) -> None:
    """BA-02."""
    pair = Pair(calendars, lazy=True)
    other = pair.open()
    search = command("CMD:SEARCH", *query("SELECT UID FROM VEVENT"), targets=("relcalz1",))
    pair.send(search)
    pair.send(command("CMD:CREATE", *event("z"), targets=("relcalz1",)), other)
    pair.run()
    assert [a.kind for a in pair.actions if isinstance(a, Execute)] == ["read", "write"]


def test_large_message_is_read_in_a_thread(calendars: Store) -> None:
    """A message beyond the inline limit becomes Prepare; what comes after it waits."""
    pair = Pair(calendars, lazy=True)
    large = event("large", "DESCRIPTION:" + "x" * INLINE_OCTETS)
    pair.send(command("CMD;ID=l:CREATE", *large, targets=("relcalz1",)))
    pair.send(command("CMD;ID=s:CREATE", *event("small"), targets=("relcalz1",)))
    pair.run()
    assert [type(action) for action in pair.actions] == [Prepare]
    pair.step()
    assert [type(action) for action in pair.actions] == [Execute, Execute]


def test_large_unreadable_message_is_refused(pair: Pair) -> None:
    answer = pair.ask("Content-Type: text/calendar\n\n" + "BEGIN:VCALENDAR\n" + "X:" + "x" * INLINE_OCTETS)
    assert (answer.kind, "REQUEST-STATUS:6.3;" in answer.text) == ("ERR", True)


def test_message_beyond_the_limit_is_8_2_with_its_id(calendars: Store) -> None:
    """SES-23: MessageTooLarge keeps the head, which holds the ID."""
    pair = Pair(calendars)
    prefix = command("CMD;ID=huge:CREATE").encode()
    msgno = pair.send(command("CMD;ID=later:GET-CAPABILITY"))
    event_ = events.MessageTooLarge(pair.channel, msgno, 99_000_000, prefix)
    data = pair.client.data_to_send()
    pair.wire.receive_data(data, 0.0)
    pair.cap.handle(event_, UTC, 0.0)
    pair.run()
    answer = pair.answer(msgno)
    assert answer.kind == "ERR"
    assert "CMD;ID=huge:REPLY" in answer.text
    assert "REQUEST-STATUS:8.2;" in answer.text


@pytest.mark.parametrize(
    ("cmd", "kind", "code"),
    [
        ("CMD;LATENCY=5;ACTION=ABORT:SEARCH", "read", "7.0"),
        ("CMD:SEARCH", "read", "8.1"),
        ("CMD:CREATE", "write", "8.0"),
    ],
)
def test_deadline_tells_whose_limit_it_was(calendars: Store, cmd: str, kind: str, code: str) -> None:
    """LAT-07, A-38: the client's limit is 7.0; ours is a query too complex, or a failure."""
    pair = Pair(calendars, lazy=True)
    body = event("t") if kind == "write" else query("SELECT UID FROM VEVENT")
    msgno = pair.send(command(cmd, *body, targets=("relcalz1",)))
    pair.run()
    (action,) = pair.actions
    assert isinstance(action, Execute)
    assert action.seconds == (5 if "LATENCY" in cmd else None)
    pair.step(DeadlineError("late"))
    pair.run()
    answer = pair.answer(msgno)
    assert (answer.kind, f"REQUEST-STATUS:{code};" in answer.text) == ("ERR", True)


def test_latency_never_extends_the_servers_limit(calendars: Store) -> None:
    """PRM-03."""
    pair = Pair(calendars, lazy=True, seconds=3.0)
    for latency, limit in ((2, 2), (9, 3)):
        cmd = f"CMD;LATENCY={latency};ACTION=ABORT:SEARCH"
        pair.send(command(cmd, *query("SELECT UID FROM VEVENT"), targets=("relcalz1",)))
        pair.run()
        action = pair.actions[-1]
        assert isinstance(action, Execute)
        assert action.seconds == limit


def test_store_failure_is_8_0_with_words(calendars: Store) -> None:
    pair = Pair(calendars, lazy=True)
    msgno = pair.send(command("CMD:CREATE", *event("f"), targets=("relcalz1",)))
    pair.run()
    pair.step(StoreFullError("/var/secret/path is full"))
    pair.run()
    text = pair.answer(msgno).text
    assert "REQUEST-STATUS:8.0;There is no room left" in text
    assert "secret" not in text


def test_unknown_outcome_is_no_err(calendars: Store) -> None:
    """SES-19: an ERR promises that nothing was changed, which nobody knows here."""
    pair = Pair(calendars, lazy=True)
    msgno = pair.send(command("CMD:CREATE", *event("u"), targets=("relcalz1",)))
    pair.run()
    pair.step(StoreOutcomeUnknownError("lost"))
    pair.run()
    answer = pair.answer(msgno)
    assert (answer.kind, "REQUEST-STATUS:8.0;" in answer.text) == ("RPY", True)
    assert "nothing was changed" not in answer.text


def test_defect_is_8_0_and_tells_nothing(calendars: Store) -> None:
    pair = Pair(calendars, lazy=True)
    msgno = pair.send(command("CMD:CREATE", *event("g"), targets=("relcalz1",)))
    pair.run()
    pair.step(ZeroDivisionError("inside"))
    pair.run()
    text = pair.answer(msgno).text
    assert "REQUEST-STATUS:8.0;" in text
    assert "inside" not in text


def test_removed_user_loses_access_with_the_next_command(pair: Pair, calendars: Store) -> None:
    """UPN-10: the identity is looked up for every command."""
    create = command("CMD:CREATE", *event("r"), targets=("relcalz1",))
    assert pair.ask(create).kind == "RPY"
    calendars.write(
        lambda tx: identity.remove_user(tx, "bob@example.com", now=UTC, with_calendars=True, policy=POLICY)
    )
    answer = pair.ask(create)
    assert (answer.kind, "REQUEST-STATUS:4.1;" in answer.text) == ("ERR", True)


def test_abort_stops_the_only_command(calendars: Store) -> None:
    """LAT-03, LAT-10, A-40."""
    pair = Pair(calendars, lazy=True)
    search = pair.send(command("CMD;ID=s:SEARCH", *query("SELECT UID FROM VEVENT"), targets=("relcalz1",)))
    abort = pair.send(command("CMD:ABORT"))
    pair.run()
    assert pair.cancelled == [pair.actions[0].number]
    pair.step(DeadlineError("cancelled"))
    pair.run()
    assert "REQUEST-STATUS:2.0.3;" in pair.answer(search).text
    assert pair.answer(search).kind == "RPY"
    assert "REQUEST-STATUS:2.0.3;" in pair.answer(abort).text


def test_abort_drops_a_command_that_waits(calendars: Store) -> None:
    """LAT-03: by its ID."""
    pair = Pair(calendars, lazy=True)
    pair.send(command("CMD;ID=s:SEARCH", *query("SELECT UID FROM VEVENT"), targets=("relcalz1",)))
    create = pair.send(command("CMD;ID=w:CREATE", *event("n"), targets=("relcalz1",)))
    pair.send(command("CMD;ID=w:ABORT"))
    pair.run()
    assert pair.cancelled == []
    pair.step()
    assert not pair.actions
    pair.run()
    assert "REQUEST-STATUS:2.0.3;" in pair.answer(create).text


def test_abort_too_late_is_told_by_the_answer(calendars: Store) -> None:
    """After the commit the reply says what was done."""
    pair = Pair(calendars, lazy=True)
    create = pair.send(command("CMD;ID=w:CREATE", *event("n"), targets=("relcalz1",)))
    pair.send(command("CMD;ID=w:ABORT"))
    pair.run()
    pair.step()
    pair.run()
    assert "REQUEST-STATUS:2.0\r\n" in pair.answer(create).text


def test_abort_without_id_needs_one_command(calendars: Store) -> None:
    """LAT-10: two running, or none."""
    pair = Pair(calendars, lazy=True)
    assert "REQUEST-STATUS:6.3;" in pair.ask(command("CMD:ABORT")).text
    assert "REQUEST-STATUS:6.3;" in pair.ask(command("CMD;ID=x:ABORT")).text
    other = pair.open()
    search = command("CMD:SEARCH", *query("SELECT UID FROM VEVENT"), targets=("relcalz1",))
    pair.send(search)
    pair.send(search)
    pair.run()
    assert "REQUEST-STATUS:6.3;" in pair.ask(command("CMD:ABORT"), other).text


def test_draining_session_finishes_and_refuses(calendars: Store) -> None:
    pair = Pair(calendars, lazy=True)
    create = pair.send(command("CMD:CREATE", *event("d"), targets=("relcalz1",)))
    pair.run()
    assert pair.cap.drain() == []
    assert pair.cap.busy
    late = pair.send(command("CMD:CREATE", *event("late"), targets=("relcalz1",)))
    pair.client.start_channel([events.ProfileOffer(URI)])
    pair.run()
    pair.step()
    pair.run()
    assert "REQUEST-STATUS:2.0\r\n" in pair.answer(create).text
    assert "REQUEST-STATUS:8.0;" in pair.answer(late).text
    assert not pair.cap.busy
    (refused,) = (e for e in pair.got if isinstance(e, events.StartRefused))
    assert refused.code == 421


def test_channel_needs_an_authenticated_session(calendars: Store) -> None:
    """SES-05."""
    wire = Wire(Role.LISTENER, profiles=(URI,), security=Security(private=True), now=0.0)
    client = Wire(Role.INITIATOR, security=Security(private=True), now=0.0)
    cap = Session(wire, POLICY)
    client.start_channel([events.ProfileOffer(URI)])
    told: list[events.Event] = []
    for _ in range(4):
        if data := client.data_to_send():
            for one in wire.receive_data(data, 0.0):
                cap.handle(one, UTC, 0.0)
        if data := wire.data_to_send():
            told += client.receive_data(data, 0.0)
    (refused,) = (e for e in told if isinstance(e, events.StartRefused))
    assert refused.code == 530


def test_closing_and_releasing_are_agreed_to(pair: Pair) -> None:
    """BC-07, BC-09."""
    other = pair.open()
    pair.client.close_channel(other)
    pair.run()
    assert any(isinstance(e, events.ChannelClosed) and e.channel == other for e in pair.got)
    pair.client.release()
    pair.run()
    assert any(isinstance(e, events.SessionReleased) for e in pair.got)


def test_outcome_after_the_end_is_ignored(calendars: Store) -> None:
    pair = Pair(calendars, lazy=True)
    pair.send(command("CMD:CREATE", *event("lost"), targets=("relcalz1",)))
    pair.run()
    pair.wire.receive_data(b"", 0.0)
    pair.step()
    assert not pair.cap.busy
    assert pair.cap.finish(12345, [], UTC, 0.0) == []


def test_own_limit_bounds_answers(calendars: Store) -> None:
    """SES-23: never more than our own MAX-COMP-SIZE."""
    policy = Policy(csid=POLICY.csid, realm=POLICY.realm, max_object=5_000)
    pair = Pair(calendars, policy=policy)
    for number in range(4):
        body = event(f"m{number}", "DESCRIPTION:" + "x" * 1500)
        assert pair.ask(command("CMD:CREATE", *body, targets=("relcalz1",))).kind == "RPY"
    answer = pair.ask(command("CMD:SEARCH", *query("SELECT * FROM VEVENT"), targets=("relcalz1",)))
    assert "REQUEST-STATUS:8.2;" in answer.text
