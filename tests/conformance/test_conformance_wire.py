"""What no other room's tests show by themselves: replies, codes and rules that hold over all verbs (RFC 4324)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cap.cap_harness import POLICY, Pair, command, event, furnish, query
from kalends.beep import events
from kalends.cap.commands import VERBS
from kalends.cap.opening import URI
from kalends.core.capability import COMPONENTS
from kalends.core.people import identity
from kalends.store import changes
from kalends.store.base import Store
from kalends.store.errors import DeadlineError, StoreFullError
from kalends.store.open import open_store

CAL = ("relcalz1",)
BOTH = ("relcalz1", "relcalz2")
STORE = ("cal.example.com",)
ALL = query("SELECT * FROM VEVENT")
ONE = query("SELECT * FROM VEVENT WHERE UID = 'one'")
RIGHT = (
    "BEGIN:VRIGHT",
    "GRANT:mary@example.com",
    "PERMISSION:SEARCH",
    "SCOPE:SELECT * FROM VEVENT",
    "END:VRIGHT",
)
STORED_QUERY = ("BEGIN:VQUERY", "QUERYID:q", "QUERY:SELECT * FROM VEVENT", "END:VQUERY")
REPLY = re.compile(r"CMD(;ID=[^;:]+)?:REPLY\r\n")


@pytest.fixture
def calendars() -> Iterator[Store]:
    store = open_store("sqlite:///:memory:")
    furnish(store)
    yield store
    store.close()


@pytest.fixture
def pair(calendars: Store) -> Pair:
    return Pair(calendars)


@pytest.fixture
def root(calendars: Store) -> Pair:
    return Pair(calendars, "root@example.com")


def modify(old: str, new: str) -> tuple[str, ...]:
    return (*ONE, "BEGIN:VEVENT", old, "END:VEVENT", "BEGIN:VEVENT", new, "END:VEVENT")


EVERYTHING = [
    ("CMD;ID=1:GET-CAPABILITY", (), ()),
    ("CMD;ID=2;OPTIONS=3:GENERATE-UID", (), ()),
    ("CMD;ID=3:CREATE", event("one"), BOTH),
    ("CMD;ID=4:CREATE", event("one"), BOTH),
    ("CMD:CREATE\nMETHOD:REQUEST", event("two", "ORGANIZER:mailto:o@x.org", "ATTENDEE:mailto:bob@example.com"), CAL),
    ("CMD;ID=5:SEARCH", ALL, BOTH),
    ("CMD;ID=6:SEARCH", query("SELECT", "FROM"), CAL),
    ("CMD;ID=7:MODIFY", modify("DTEND:20260105T110000Z", "DTEND:20260105T120000Z"), CAL),
    ("CMD;ID=8:MODIFY", modify("DTEND:20260105T110000Z", "DTEND:20260105T120000Z"), CAL),
    ("CMD;ID=9:MOVE", ("BEGIN:VQUERY", "TARGET:relcalz1", "QUERY:SELECT * FROM VEVENT", "END:VQUERY"), ("relcalz2",)),
    ("CMD;ID=10;OPTIONS=MARK:DELETE", ALL, BOTH),
    ("CMD;ID=11:DELETE", ALL, ("nowhere", "relcalz1")),
    ("CMD;ID=12:FROB", (), CAL),
    ("CMD;ID=13;OPTIONS=mary:IDENTIFY", (), ()),
    ("CMD;ID=14:SET-LOCALE", (), ()),
    ("CMD;ID=15:ABORT", (), ()),
    ("CMD;ID=16:CONTINUE", (), ()),
]  # fmt: skip


def test_every_reply_has_the_form_of_the_profile(pair: Pair) -> None:
    """SES-14, SES-16, PRM-02, REP-01, REP-02: CMD:REPLY with the ID alone, one TARGET, never multipart."""
    for cmd, lines, targets in EVERYTHING:
        answer = pair.ask(command(cmd, *lines, targets=targets))  # asserts that the type is text/calendar
        ident = re.search(r";ID=([0-9]+)", cmd)
        for body in answer.bodies:
            objects = body.split("BEGIN:VCALENDAR\r\n")[1:]
            assert objects
            for text in objects:
                found = REPLY.findall(text)
                assert found == [f";ID={ident[1]}" if ident else ""], cmd
                assert text.count("\r\nCMD") == 1
                assert len(re.findall(r"\r\nTARGET:", text)) == bool(targets)
                assert "PRODID:-//Kalends//" in text
            assert len({re.findall(r"\r\nTARGET:(.*)\r\n", text)[0] for text in objects if targets}) <= 1
        assert (answer.kind == "ANS") == (len(targets) > 1)


def test_the_server_asks_nothing_but_capability_and_time(pair: Pair) -> None:
    """CRE-01, DEL-01, GUI-01, IDN-01, MDF-01, MOV-01, SEA-01, LOC-02: commands that a server never sends."""
    for cmd, lines, targets in EVERYTHING:
        pair.ask(command(cmd, *lines, targets=targets))
    sent = {re.search(rb"\r\nCMD[^\r]*:([A-Z-]+)\r\n", asked.payload)[1] for asked in pair.asked}
    assert sent <= {b"GET-CAPABILITY", b"TIMEOUT"}


def test_a_message_that_ran_nowhere_changed_nothing(calendars: Store) -> None:
    """SES-19: an ERR is the promise that the store is as it was."""
    pair = Pair(calendars)
    pair.ask(command("CMD:CREATE", *event("one"), targets=CAL))

    def log() -> list[list[changes.Change]]:
        return [calendars.read(lambda tx, at=at: changes.history(tx, at)) for at in range(10)]

    before = log()
    for cmd, lines in (
        ("CMD:CREATE", event("new")),
        ("CMD:DELETE", ALL),
        ("CMD:MODIFY", modify("DTEND:20260105T110000Z", "DTEND:20260105T120000Z")),
        ("CMD:MOVE", ("BEGIN:VQUERY", "TARGET:relcalz1", "QUERY:SELECT * FROM VEVENT", "END:VQUERY")),
    ):
        answer = pair.ask(command(cmd, *lines, targets=("nowhere",)))
        assert answer.kind == "ERR", cmd
    assert log() == before


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_parameters_stand_once_and_latency_with_action(pair: Pair, verb: str) -> None:
    """PRM-03, PRM-04, IDN-06, LAT-05, LOC-04: for every verb alike."""
    for params in (
        ";ID=a;ID=b", ";LOCALIZE=en;LOCALIZE=en", ";LATENCY=5", ";ACTION=ASK", ";LATENCY=5;ACTION=WAIT",
        ";LATENCY=5;LATENCY=6;ACTION=ASK", ";LATENCY=5;ACTION=ASK;ACTION=ASK",
    ):  # fmt: skip
        answer = pair.ask(command(f"CMD{params}:{verb}", *ALL, targets=CAL))
        assert answer.kind == "ERR", params
        assert "REQUEST-STATUS:6.3;" in answer.text, params
    if verb in {"ABORT", "TIMEOUT", "REPLY"}:
        answer = pair.ask(command(f"CMD;ID=x;LATENCY=5;ACTION=ASK:{verb}"))
        assert "REQUEST-STATUS:6.3;" in answer.text


# -- one test that provokes each code of §10.15 (COD-02) ------------------------------------------------------


def test_2_0_and_6_1_and_6_3_and_9_0(pair: Pair) -> None:
    """COD-02, COD-03, COD-04."""
    assert "REQUEST-STATUS:2.0\r\n" in pair.ask(command("CMD:CREATE", *event("one"), targets=CAL)).text
    assert "REQUEST-STATUS:6.1;" in pair.ask(command("CMD:SEARCH", *ALL, targets=("nope",))).text
    assert "REQUEST-STATUS:6.3;" in pair.ask(command("CMD:SEARCH", *ALL)).text
    assert "REQUEST-STATUS:9.0;" in pair.ask(command("CMD:FROB", targets=CAL)).text


def test_3_1_4(pair: Pair) -> None:
    """COD-02, CAP-06: a component that GET-CAPABILITY does not name."""
    assert "VPOLL" not in COMPONENTS
    answer = pair.ask(command("CMD:CREATE", "BEGIN:VPOLL", "UID:p", "END:VPOLL", targets=CAL))
    assert "REQUEST-STATUS:3.1.4;" in answer.text


def test_4_1(pair: Pair, calendars: Store) -> None:
    """COD-02: the store is closed to somebody who is no user any more."""
    calendars.write(
        lambda tx: identity.remove_user(tx, "bob@example.com", now=0, with_calendars=True, policy=POLICY)
    )
    assert "REQUEST-STATUS:4.1;" in pair.ask(command("CMD:SEARCH", *ALL, targets=CAL)).text


def test_6_2(root: Pair, pair: Pair) -> None:
    """COD-02, CON-01."""
    agenda = ("BEGIN:VAGENDA", "CALID:room", "OWNER:bob", "ALLOW-CONFLICT:FALSE", "END:VAGENDA")
    assert "REQUEST-STATUS:2.0" in root.ask(command("CMD:CREATE", *agenda, targets=STORE)).text
    assert "REQUEST-STATUS:2.0" in pair.ask(command("CMD:CREATE", *event("one"), targets=("room",))).text
    assert "REQUEST-STATUS:6.2;" in pair.ask(command("CMD:CREATE", *event("two"), targets=("room",))).text


def test_6_4(pair: Pair) -> None:
    """COD-02."""
    stored = command("CMD:CREATE", *STORED_QUERY, targets=STORE)
    assert "REQUEST-STATUS:6.4;" in pair.ask(stored).text


@pytest.mark.parametrize(
    ("cmd", "outcome", "code"),
    [
        ("CMD;LATENCY=5;ACTION=ABORT:SEARCH", DeadlineError("late"), "7.0"),
        ("CMD:SEARCH", DeadlineError("late"), "8.1"),
        ("CMD:SEARCH", StoreFullError("full"), "8.0"),
    ],
)
def test_7_0_and_8_0_and_8_1(calendars: Store, cmd: str, outcome: Exception, code: str) -> None:
    """COD-02."""
    pair = Pair(calendars, lazy=True)
    msgno = pair.send(command(cmd, *ALL, targets=CAL))
    pair.run()
    pair.step(outcome)
    pair.run()
    assert f"REQUEST-STATUS:{code};" in pair.answer(msgno).text


def test_2_0_3(calendars: Store) -> None:
    """COD-02, A-38, A-40: what answers an aborted command, and the ABORT."""
    pair = Pair(calendars, lazy=True)
    search = pair.send(command("CMD;ID=s:SEARCH", *ALL, targets=CAL))
    abort = pair.send(command("CMD;ID=s:ABORT"))
    pair.run()
    pair.step(DeadlineError("cancelled"))
    pair.run()
    for msgno in (search, abort):
        assert "REQUEST-STATUS:2.0.3;" in pair.answer(msgno).text


@pytest.mark.parametrize("verb", ["CREATE", "SEARCH", "MODIFY", "DELETE", "MOVE"])
def test_no_target_is_guessed(pair: Pair, verb: str) -> None:
    """A-20: 6.3, and nothing was done anywhere."""
    pair.ask(command("CMD:CREATE", *event("one"), targets=CAL))
    change = ("BEGIN:VEVENT", "END:VEVENT", "BEGIN:VEVENT", "COMMENT:x", "END:VEVENT")
    body = {"CREATE": event("two"), "MODIFY": (*ALL, *change)}.get(verb, ALL)
    assert "REQUEST-STATUS:6.3;" in pair.ask(command(f"CMD:{verb}", *body)).text
    text = pair.ask(command("CMD:SEARCH", *ALL, targets=CAL)).text
    assert text.count("UID:one") == text.count("BEGIN:VEVENT") == 1
    assert "COMMENT" not in text


def test_a_modify_has_old_and_new_values_of_one_kind(pair: Pair) -> None:
    """MDF-02: one component alone, three, or two kinds are 6.3, and nothing changes."""
    pair.ask(command("CMD:CREATE", *event("one"), targets=CAL))
    old, new = ("BEGIN:VEVENT", "END:VEVENT"), ("BEGIN:VEVENT", "COMMENT:x", "END:VEVENT")
    other = tuple(line.replace("VEVENT", "VTODO") for line in new)
    for sides in ((), new, (*old, *new, *new), (*old, *other)):
        assert "REQUEST-STATUS:6.3;" in pair.ask(command("CMD:MODIFY", *ALL, *sides, targets=CAL)).text
    assert "REQUEST-STATUS:6.3;" in pair.ask(command("CMD:MODIFY", *old, *new, targets=CAL)).text
    assert "COMMENT" not in pair.ask(command("CMD:SEARCH", *ALL, targets=CAL)).text


def test_the_server_leaves_messages_to_the_client(pair: Pair) -> None:
    """A-63: booking what a message says removes no message."""
    asked = ("ORGANIZER:mailto:o@x.org", "ATTENDEE:mailto:bob@example.com", "SUMMARY:x")
    pair.ask(command("CMD:CREATE\nMETHOD:REQUEST", *event("one", *asked), targets=CAL))
    assert "REQUEST-STATUS:2.0" in pair.ask(command("CMD:CREATE", *event("one", *asked), targets=CAL)).text
    waiting = query("SELECT UID FROM VEVENT WHERE STATE() = 'UNPROCESSED'")
    assert "UID:one" in pair.ask(command("CMD:SEARCH", *waiting, targets=CAL)).text


def test_8_2_to_8_5_and_10_4(calendars: Store) -> None:
    """COD-02, CRE-11, CRE-12, CRE-13: and the refused objects are not there."""
    policy = replace(POLICY, max_object=2_000, min_date=0, max_date=2_000_000_000, quota=1)
    pair = Pair(calendars, policy=policy)
    base = ("DTSTAMP:20260101T000000Z", "END:VEVENT")

    def make(uid: str, *lines: str) -> str:
        body = ("BEGIN:VEVENT", f"UID:{uid}", *lines, *base)
        return pair.ask(command("CMD:CREATE", *body, targets=CAL)).text

    assert "REQUEST-STATUS:8.2;" in make("big", "DTSTART:20260105T100000Z", *["COMMENT:" + "x" * 900] * 3)
    assert "REQUEST-STATUS:8.3;" in make("late", "DTSTART:20400105T100000Z")
    assert "REQUEST-STATUS:8.4;" in make("early", "DTSTART:19600105T100000Z")
    assert "REQUEST-STATUS:2.0\r\n" in make("one", "DTSTART:20260105T100000Z")
    assert "REQUEST-STATUS:10.4;" in make("more", "DTSTART:20260105T100000Z")
    wider = Pair(calendars)
    assert "REQUEST-STATUS:8.5;" in wider.ask(command("CMD:CREATE", *event("one"), targets=CAL)).text
    found = pair.ask(command("CMD:SEARCH", *query("SELECT UID FROM VEVENT"), targets=CAL)).text
    assert re.findall(r"\r\nUID:(.*)\r\n", found) == ["one"]


# -- particular rules -------------------------------------------------------------------------------------------


def test_a_store_without_virtual_hosts_answers_to_any_server_name(pair: Pair) -> None:
    """SES-09: and its CSID stays what it is."""
    channel = pair.client.start_channel([events.ProfileOffer(URI)], "elsewhere.example.org")
    pair.run()
    answer = pair.ask(command("CMD:SEARCH", *query("SELECT CSID FROM VCALSTORE"), targets=STORE), channel)
    assert "CSID:cap://cal.example.com\r\n" in answer.text


def test_a_lenient_session_may_begin_with_any_command(pair: Pair) -> None:
    """SES-10, A-42: with the defaults of a client that has told nothing."""
    assert "REQUEST-STATUS:2.0\r\n" in pair.ask(command("CMD:SEARCH", *ALL, targets=CAL)).text


def test_a_language_that_is_not_offered(calendars: Store) -> None:
    """LOC-05: the default language answers; strict mode refuses."""
    asked = command("CMD;LOCALIZE=xx-unknown;OPTIONS=1:GENERATE-UID")
    assert "REQUEST-STATUS:2.0\r\n" in Pair(calendars).ask(asked).text
    strict = Pair(calendars, strict=True)
    strict.ask(command("CMD:GET-CAPABILITY"))
    assert "REQUEST-STATUS:6.3;" in strict.ask(asked).text


def test_generate_uid_needs_its_count_in_strict_mode(calendars: Store) -> None:
    """GUI-02, A-08: one UID without OPTIONS; counts begin with 1 to 9."""
    lenient, strict = Pair(calendars), Pair(calendars, strict=True)
    strict.ask(command("CMD:GET-CAPABILITY"))
    assert lenient.ask(command("CMD:GENERATE-UID")).text.count("\r\nUID:") == 1
    assert "REQUEST-STATUS:6.3;" in strict.ask(command("CMD:GENERATE-UID")).text
    for count in ("0", "05", "-1", "five", ""):
        assert "REQUEST-STATUS:6.3;" in lenient.ask(command(f"CMD;OPTIONS={count}:GENERATE-UID")).text


def test_capabilities_are_the_components_and_limits_that_rule(pair: Pair) -> None:
    """CAP-03 to CAP-05, CAP-07, CAP-08, A-07, A-10, A-11, A-59, A-69."""
    text = pair.ask(command("CMD:GET-CAPABILITY")).text.replace("\r\n ", "")
    told = dict(line.partition(":")[::2] for line in text.splitlines())
    components = told["COMPONENTS"].split(",")
    assert len(components) == len(set(components))
    required = {"VCALSTORE", "VCALENDAR", "VTIMEZONE", "VREPLY", "VAGENDA", "STANDARD", "DAYLIGHT"}
    assert {*required, "VEVENT", "VTODO", "VJOURNAL", "VCAR", "VRIGHT"} <= set(components)
    assert "4324" in told["CAP-VERSION"].split(",")
    assert told["ITIP-VERSION"].split(",") == ["2446", "5546"]
    assert "mixed" in told["MULTIPART"].split(",")
    assert told["CAR-LEVEL"] == "CAR-FULL-1"
    for name in ("MAXDATE", "MINDATE"):
        assert re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", told[name])


def test_recurrence_is_accepted_kept_and_expanded_as_announced(pair: Pair) -> None:
    """CAP-11: RECUR-ACCEPTED and RECUR-EXPAND are TRUE, STORES-EXPANDED is FALSE."""
    rule = "RRULE:FREQ=DAILY;COUNT=3"
    pair.ask(command("CMD:CREATE", *event("one", rule), targets=CAL))
    stored = pair.ask(command("CMD:SEARCH", *ALL, targets=CAL)).text
    assert (stored.count("BEGIN:VEVENT"), stored.count(rule)) == (1, 1)
    expanded = pair.ask(command("CMD:SEARCH", *query("SELECT * FROM VEVENT", expand=True), targets=CAL)).text
    assert (expanded.count("BEGIN:VEVENT"), expanded.count("RRULE"), expanded.count("RECURRENCE-ID")) == (
        3,
        0,
        3,
    )


def test_create_puts_the_same_into_each_target(pair: Pair) -> None:
    """CRE-02, CRE-08."""
    pair.ask(command("CMD:CREATE", *event("one", "X-MINE;X-P=a:kept"), targets=BOTH))
    answer = pair.ask(command("CMD:SEARCH", *ALL, targets=BOTH))
    first, second = (body.partition("BEGIN:VREPLY")[2] for body in answer.bodies)
    assert first == second
    assert "X-MINE;X-P=a:kept\r\n" in first  # OBM-03


def test_nothing_is_created_in_state_deleted(pair: Pair) -> None:
    """CRE-06: there is no METHOD or property for it."""
    for extra in ("CMD:CREATE\nMETHOD:DELETED", "CMD;OPTIONS=MARK:CREATE"):
        assert "REQUEST-STATUS:6.3;" in pair.ask(command(extra, *event("one"), targets=CAL)).text
    pair.ask(command("CMD:CREATE\nSTATE:DELETED", *event("one", "STATE:DELETED"), targets=CAL))
    deleted = query("SELECT UID FROM VEVENT WHERE STATE() = 'DELETED'")
    assert "UID:one" not in pair.ask(command("CMD:SEARCH", *deleted, targets=CAL)).text


def test_a_calendar_store_is_not_created(pair: Pair, root: Pair) -> None:
    """CRE-07."""
    made = command("CMD:CREATE", "BEGIN:VCALSTORE", "CSID:cap://x", "END:VCALSTORE", targets=STORE)
    assert "REQUEST-STATUS:6.4;" in pair.ask(made).text
    assert "REQUEST-STATUS:6.3;" in root.ask(made).text


def test_rights_and_data_travel_together(calendars: Store, pair: Pair) -> None:
    """ACL-24: one CREATE with a VCAR and the events that it governs from then on; those to come, too."""
    vcar = ("BEGIN:VCAR", "CARID:mary-reads", *RIGHT, "END:VCAR")
    answer = pair.ask(command("CMD:CREATE", *vcar, *event("one"), targets=CAL))
    assert answer.text.count("REQUEST-STATUS:2.0\r\n") == 2
    found = pair.ask(
        command("CMD:SEARCH", *query("SELECT CARID FROM VCAR", "SELECT UID FROM VEVENT"), targets=CAL)
    )
    assert "CARID:mary-reads" in found.text
    assert "UID:one" in found.text
    mary = Pair(calendars, "mary@example.com")
    assert "UID:one" in mary.ask(command("CMD:SEARCH", *ALL, targets=CAL)).text
    pair.ask(command("CMD:CREATE", *event("two"), targets=CAL))
    assert "UID:two" in mary.ask(command("CMD:SEARCH", *ALL, targets=CAL)).text


def test_several_queries_are_as_several_vqueries(pair: Pair) -> None:
    """QRY-03: the same octets."""
    pair.ask(command("CMD:CREATE", *event("one"), *event("two"), targets=CAL))
    texts = (
        "SELECT UID FROM VEVENT WHERE UID = 'one'",
        "SELECT DTSTART FROM VEVENT",
        "SELECT UID FROM VTODO",
    )
    together = pair.ask(command("CMD:SEARCH", *query(*texts), targets=CAL))
    apart = pair.ask(command("CMD:SEARCH", *(line for text in texts for line in query(text)), targets=CAL))
    assert together.text == apart.text
    assert together.text.count("BEGIN:VREPLY") == 3


def test_properties_may_stand_in_any_order(pair: Pair) -> None:
    """A-03: TARGET behind the component, EXPAND behind the QUERY, CMD last."""
    lines = (
        "BEGIN:VCALENDAR", "BEGIN:VQUERY", "QUERY:SELECT UID FROM VEVENT", "EXPAND:TRUE", "END:VQUERY",
        "TARGET:relcalz1", "PRODID:x", "CMD;ID=last:SEARCH", "VERSION:2.0", "END:VCALENDAR", "",
    )  # fmt: skip
    assert "CMD;ID=last:REPLY" in pair.ask("\n".join(lines)).text
    assert "REQUEST-STATUS:2.0\r\n" in pair.ask("\n".join(lines)).text


def test_allow_conflict_inside_an_event_means_nothing(pair: Pair) -> None:
    """A-13: kept, and no event excludes another by it."""
    for uid in ("one", "two"):
        made = pair.ask(command("CMD:CREATE", *event(uid, "ALLOW-CONFLICT:FALSE"), targets=CAL))
        assert "REQUEST-STATUS:2.0\r\n" in made.text
    assert pair.ask(command("CMD:SEARCH", *ALL, targets=CAL)).text.count("ALLOW-CONFLICT:FALSE") == 2


def test_everything_of_the_store(root: Pair) -> None:
    """A-25, OBM-05: *.* FROM VCALSTORE, with the calendars in it; CALIDs begin with cap:."""
    root.ask(command("CMD:CREATE", *event("one"), targets=CAL))
    text = root.ask(command("CMD:SEARCH", *query("SELECT *.* FROM VCALSTORE"), targets=STORE)).text
    assert text.index("BEGIN:VCALSTORE") < text.index("BEGIN:VAGENDA") < text.index("UID:one")
    calids = re.findall(r"\r\nCALID:(.*)\r\n", text)
    assert len(calids) == 8
    assert all(calid.startswith("cap://cal.example.com/") for calid in calids)


def test_a_calendar_without_its_own_command_is_no_command(pair: Pair) -> None:
    """OBM-02: a VCALENDAR without component needs CMD; GET-CAPABILITY is all CMD."""
    empty = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nEND:VCALENDAR\n"
    assert "REQUEST-STATUS:6.3;" in pair.ask(empty).text
    assert "CAP-VERSION" in pair.ask(empty.replace("PRODID:x", "PRODID:x\nCMD:GET-CAPABILITY")).text


def test_modify_tells_every_component_it_changed(pair: Pair) -> None:
    """MDF-11: UIDs inside the components of the reply."""
    pair.ask(command("CMD:CREATE", *event("one"), *event("two"), targets=CAL))
    parts = (
        *ALL, "BEGIN:VEVENT", "DTEND:20260105T110000Z", "END:VEVENT", "BEGIN:VEVENT",
        "DTEND:20260105T130000Z", "END:VEVENT",
    )  # fmt: skip
    text = pair.ask(command("CMD:MODIFY", *parts, targets=CAL)).text
    assert re.findall(r"BEGIN:VEVENT\r\nUID:(.*)\r\nREQUEST-STATUS:2.0\r\n", text) == ["one", "two"]


def test_unprocessed_free_busy_is_empty(pair: Pair) -> None:
    """FBY-02: a VREPLY of success without components."""
    pair.ask(command("CMD:CREATE", *event("one"), targets=CAL))
    asked = query("SELECT * FROM VFREEBUSY WHERE STATE() = 'UNPROCESSED'")
    text = pair.ask(command("CMD:SEARCH", *asked, targets=CAL)).text
    assert "BEGIN:VREPLY\r\nREQUEST-STATUS:2.0\r\nEND:VREPLY\r\n" in text


def test_methods_are_those_of_itip(pair: Pair) -> None:
    """OBM-12, CRE-04: each is taken, any other is 6.3."""
    methods = ("PUBLISH", "REQUEST", "REPLY", "ADD", "CANCEL", "REFRESH", "COUNTER", "DECLINECOUNTER")
    for method in methods:
        lines = ["ORGANIZER:mailto:o@x.org", "ATTENDEE:mailto:bob@example.com", "SUMMARY:x", "SEQUENCE:1"]
        if method == "PUBLISH":
            del lines[1]
        if method == "REFRESH":
            body = ("BEGIN:VEVENT", "UID:REFRESH", "DTSTAMP:20260101T000000Z", *lines[:2], "END:VEVENT")
        else:
            body = event(method, *lines)
        answer = pair.ask(command(f"CMD:CREATE\nMETHOD:{method}", *body, targets=CAL))
        assert "REQUEST-STATUS:2.0\r\n" in answer.text, (method, answer.text)
    assert (
        "REQUEST-STATUS:6.3;" in pair.ask(command("CMD:CREATE\nMETHOD:FROB", *event("f"), targets=CAL)).text
    )
