"""RFC 4324 taken at its word, over the wire: addresses, values of the new properties, odd places of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cap_harness import POLICY, Answer, Pair, command, event, furnish, query

from kalends.beep import events
from kalends.store.base import Store
from kalends.store.open import open_store

STORE = "cap://cal.example.com"


def modify(
    pair: Pair, kind: str, old: tuple[str, ...], new: tuple[str, ...], target: str = "relcalz1"
) -> Answer:
    """MODIFY a container's properties."""
    parts = (f"BEGIN:{kind}", *old, f"END:{kind}", f"BEGIN:{kind}", *new, f"END:{kind}")
    return pair.ask(command("CMD:MODIFY", *query(f"SELECT * FROM {kind}"), *parts, targets=(target,)))


@pytest.mark.parametrize(
    "given", ["/relcalz1", "//cal.example.com/relcalz1", "//CAL.example.com:1026/relcalz1"]
)
def test_a_target_is_resolved_against_the_store_s5(pair: Pair, given: str) -> None:
    pair.ask(command("CMD:CREATE", *event("e1"), targets=(given,)))
    said = pair.ask(command("CMD:SEARCH", *query("SELECT UID FROM VEVENT"), targets=("relcalz1",)))
    assert "UID:e1\r\n" in said.text


def test_a_root_names_the_store_and_another_host_nothing_s5(pair: Pair) -> None:
    store = pair.ask(command("CMD:SEARCH", *query("SELECT CSID FROM VCALSTORE"), targets=("/",)))
    assert "CSID:cap://cal.example.com\r\n" in store.text
    other = pair.ask(
        command("CMD:SEARCH", *query("SELECT * FROM VAGENDA"), targets=("//x.example.com/relcalz1",))
    )
    assert "REQUEST-STATUS:6.1" in other.text


@pytest.mark.parametrize(
    "given", ["relcalz1", "cap:cal.example.com/relcalz1", "cap://Cal.Example.com:1026/relcalz1"]
)
def test_old_values_may_name_a_calendar_in_any_form_s8_3(pair: Pair, given: str) -> None:
    said = modify(pair, "VAGENDA", (f"CALID:{given}",), (f"CALID:{given}", "X-NOTE:seen"))
    assert said.kind == "RPY", said.text
    assert "REQUEST-STATUS:2.0\r\n" in said.text
    said = modify(pair, "VAGENDA", (f"CALID:{given}",), ("CALID:other",))
    assert "REQUEST-STATUS:6.3;CALID of a VAGENDA cannot be changed" in said.text
    found = pair.ask(command("CMD:SEARCH", *query("SELECT CALID,X-NOTE FROM VAGENDA"), targets=("relcalz1",)))
    assert "CALID:cap://cal.example.com/relcalz1\r\nX-NOTE:seen\r\n" in found.text


def test_old_values_of_another_calendar_are_not_there_s8_3(pair: Pair) -> None:
    said = modify(pair, "VAGENDA", ("CALID:relcalz2",), ("CALID:relcalz2", "X-NOTE:seen"))
    assert "REQUEST-STATUS:6.1" in said.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEFAULT-CHARSET", "no-such-charset"),
        ("DEFAULT-CHARSET", "rot13"),
        ("DEFAULT-CHARSET", "UTF-8,foo"),
        ("DEFAULT-CHARSET", "utf 8"),
        ("DEFAULT-LOCALE", "not a locale"),
        ("DEFAULT-LOCALE", "en;us"),
        ("DEFAULT-LOCALE", "POSIX,?"),
    ],
)
def test_charsets_are_known_and_locales_are_locales_s8_11_s8_12(pair: Pair, name: str, value: str) -> None:
    was = {"DEFAULT-CHARSET": "UTF-8", "DEFAULT-LOCALE": "POSIX"}[name]
    said = modify(pair, "VAGENDA", (f"{name}:{was}",), (f"{name}:{value}",))
    assert (said.kind, "REQUEST-STATUS:6.3;" in said.text) == ("ERR", True)
    made = pair.ask(
        command(
            "CMD:CREATE", "BEGIN:VAGENDA", "CALID:odd", f"{name}:{value}", "END:VAGENDA", targets=(STORE,)
        )
    )
    assert "REQUEST-STATUS:6.3;" in made.text
    found = pair.ask(command("CMD:SEARCH", *query(f"SELECT {name} FROM VAGENDA"), targets=("relcalz1",)))
    assert f"{name}:{was}\r\n" in found.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEFAULT-CHARSET", "Shift_JIS,UTF-8"),
        ("DEFAULT-CHARSET", "ISO_8859-1:1987"),
        ("DEFAULT-LOCALE", "en-US.iso-8859-1,POSIX"),
        ("DEFAULT-LOCALE", "de_CH.UTF-8@euro"),
        ("DEFAULT-LOCALE", "zh-Hant-TW"),
    ],
)
def test_charsets_and_locales_as_the_rfc_writes_them_s8_11_s8_12(pair: Pair, name: str, value: str) -> None:
    was = {"DEFAULT-CHARSET": "UTF-8", "DEFAULT-LOCALE": "POSIX"}[name]
    said = modify(pair, "VAGENDA", (f"{name}:{was}",), (f"{name}:{value}",))
    assert "REQUEST-STATUS:2.0\r\n" in said.text


def test_the_store_announces_no_charset_that_it_cannot_serve_s8_11(calendars: Store) -> None:
    root = Pair(calendars, "root@example.com")
    said = modify(root, "VCALSTORE", ("DEFAULT-CHARSET:UTF-8",), ("DEFAULT-CHARSET:UTF-8,Shift_JIS",), STORE)
    assert "REQUEST-STATUS:6.3;the charset Shift_JIS of DEFAULT-CHARSET" in said.text


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("VCAR", ("CARID:mine", "BEGIN:VRIGHT", "GRANT:mary@example.com", "PERMISSION:SEARCH", "END:VRIGHT")),
        ("VQUERY", ("QUERYID:mine", "QUERY:SELECT * FROM VEVENT")),
        ("VAGENDA", ("CALID:mine",)),
    ],
)
def test_a_message_holds_no_rights_queries_or_calendars_s2_2(
    pair: Pair, kind: str, lines: tuple[str, ...]
) -> None:
    target = STORE if kind == "VAGENDA" else "relcalz1"
    part = (f"BEGIN:{kind}", *lines, f"END:{kind}")
    message = ("METHOD:PUBLISH", *event("e1", "ORGANIZER:mailto:bob@example.com"), *part)
    said = pair.ask(command("CMD:CREATE", *message, targets=(target,)))
    assert said.kind == "ERR"
    assert f"REQUEST-STATUS:6.3;line 14: a {kind} cannot stand in a message with METHOD" in said.text
    found = pair.ask(command("CMD:SEARCH", *query("SELECT * FROM VEVENT"), targets=("relcalz1",)))
    assert "UID:e1" not in found.text


def test_an_x_component_is_found_by_the_id_of_its_reply_s10_4(pair: Pair) -> None:
    made = pair.ask(
        command("CMD:CREATE", "BEGIN:X-THING", "X-COLOR:red", "END:X-THING", targets=("relcalz1", "relcalz2"))
    )
    names = [body.partition("X-ID:")[2].partition("\r\n")[0] for body in made.bodies]
    assert all(names)
    for target, name in zip(("relcalz1", "relcalz2"), names, strict=True):
        by_id = f"SELECT * FROM X-THING WHERE X-ID = '{name}'"
        found = pair.ask(command("CMD:SEARCH", *query(by_id), targets=(target,)))
        assert f"X-ID:{name}\r\nX-COLOR:red\r\n" in found.text
        gone = pair.ask(command("CMD:DELETE", *query(by_id), targets=(target,)))
        assert f"X-ID:{name}\r\nREQUEST-STATUS:2.0\r\n" in gone.text


@pytest.mark.parametrize(
    "kind", ["VREPLY", "VRIGHT", "STANDARD", "VCALSTORE", "VEVENT", "VCAR", "VQUERY", "X"]
)
def test_what_is_not_created_is_given_no_id_s10_4(pair: Pair, kind: str) -> None:
    said = pair.ask(command("CMD:CREATE", f"BEGIN:{kind}", f"END:{kind}", targets=("relcalz1",)))
    assert "BEGIN:VREPLY\r\nREQUEST-STATUS:" in said.text


@pytest.mark.parametrize(
    ("condition", "wrong"),
    [
        ("VTODO.SUMMERY = 'Fix typo in CAP'", "VEVENT contains no VTODO"),
        ("alarm.TRIGGER < '20020201T000000'", "VALARM.TRIGGER cannot be compared with this"),
    ],
)
def test_a_query_folded_as_in_the_rfc_is_told_its_own_mistake_s6_1_1(
    pair: Pair, condition: str, wrong: str
) -> None:
    folded = f"SELECT DTSTART,UID FROM VEVENT\n WHERE {condition}"
    said = pair.ask(command("CMD:SEARCH", *query(folded), targets=("relcalz1",)))
    assert wrong in said.text.replace("\r\n ", "")


def test_a_folded_query_can_be_too_complex_s10_15(pair: Pair) -> None:
    many = " OR ".join(f"UID = 'u{number}'" for number in range(1_100))
    said = pair.ask(
        command("CMD:SEARCH", *query(f"SELECT UID FROM VEVENT\n WHERE {many}"), targets=("relcalz1",))
    )
    assert "REQUEST-STATUS:8.1;" in said.text


def test_cal_owners_of_the_store_is_its_calmaster_s6_1_1_1(pair: Pair) -> None:
    asked = query("SELECT CAL-OWNERS(cap://cal.example.com) FROM VAGENDA", "SELECT CAL-OWNERS() FROM VAGENDA")
    said = pair.ask(command("CMD:SEARCH", *asked, targets=("relcalz1",)))
    assert "REQUEST-STATUS:2.0\r\nCALMASTER:mailto:calmaster@example.com\r\nEND:VAGENDA" in said.text
    assert "REQUEST-STATUS:2.0\r\nOWNER:bob@example.com\r\nEND:VAGENDA" in said.text
    of_store = query("SELECT CAL-OWNERS(relcalz1) FROM VCALSTORE", "SELECT CAL-OWNERS() FROM VCALSTORE")
    said = pair.ask(command("CMD:SEARCH", *of_store, targets=(STORE,)))
    assert "OWNER:bob@example.com\r\nEND:VCALSTORE" in said.text
    assert "CALMASTER:mailto:calmaster@example.com\r\nEND:VCALSTORE" in said.text


@pytest.mark.parametrize("where", ["VEVENT", "VALARM"])
def test_names_in_one_language_are_refused_in_any_component_s8_23(pair: Pair, where: str) -> None:
    names = ("NAME:One", "NAME:Two")
    if where == "VALARM":
        names = ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", "TRIGGER:PT5M", *names, "END:VALARM")
    said = pair.ask(command("CMD:CREATE", *event("e1", *names), targets=("relcalz1",)))
    assert f"{where}: two NAMEs of one language" in said.text.replace("\r\n ", "")
    different = [line.replace("NAME:One", "NAME;LANGUAGE=fr:Un") for line in names]
    said = pair.ask(command("CMD:CREATE", *event("e1", *different), targets=("relcalz1",)))
    assert "UID:e1\r\nREQUEST-STATUS:2.0" in said.text


def alarmed(uid: str) -> tuple[str, ...]:
    """An event with two alarms."""
    alarms = [
        ("BEGIN:VALARM", f"SEQUENCE:{n}", "ACTION:DISPLAY", "DESCRIPTION:x", f"TRIGGER:-PT{n}M", "END:VALARM")
        for n in (1, 2)
    ]
    return event(uid, *alarms[0], *alarms[1])


def test_alarms_selected_in_an_event_are_modified_s10_9(pair: Pair) -> None:
    pair.ask(command("CMD:CREATE", *alarmed("a"), *alarmed("b"), targets=("relcalz1",)))
    old = ("BEGIN:VALARM", "TRIGGER:-PT2M", "END:VALARM")
    new = ("BEGIN:VALARM", "TRIGGER;ENABLE=FALSE:-PT2M", "END:VALARM")
    chosen = query("SELECT VALARM FROM VEVENT WHERE UID = 'a'")
    said = pair.ask(command("CMD:MODIFY", *chosen, *old, *new, targets=("relcalz1",)))
    assert "BEGIN:VEVENT\r\nUID:a\r\nREQUEST-STATUS:2.0\r\n" in said.text
    found = pair.ask(
        command("CMD:SEARCH", *query("SELECT VALARM.TRIGGER FROM VEVENT"), targets=("relcalz1",))
    )
    lines = [line for line in found.text.splitlines() if line.startswith("TRIGGER")]
    assert lines == ["TRIGGER:-PT1M", "TRIGGER;ENABLE=FALSE:-PT2M", "TRIGGER:-PT1M", "TRIGGER:-PT2M"]


@pytest.mark.parametrize(
    "chosen",
    [
        "VALARM.TRIGGER FROM VEVENT",
        "SUMMARY FROM VEVENT",
        "UID,PARAM(DTSTART,TZID) FROM VEVENT",
        "CAL-OWNERS() FROM VEVENT",
        "X-NOTE FROM VEVENT",
        "NAME FROM VAGENDA",
    ],
)
def test_properties_are_no_reason_to_delete_what_holds_them_s10_5(pair: Pair, chosen: str) -> None:
    pair.ask(command("CMD:CREATE", *alarmed("a"), *event("b", "X-NOTE:1"), targets=("relcalz1",)))
    said = pair.ask(command("CMD:DELETE", *query(f"SELECT {chosen}"), targets=("relcalz1",))).text
    assert "REQUEST-STATUS:6.3;DELETE removes components" in said or "BEGIN:VREPLY" not in said
    found = pair.ask(command("CMD:SEARCH", *query("SELECT UID FROM VEVENT"), targets=("relcalz1",)))
    assert ["UID:a\r\n" in found.text, "UID:b\r\n" in found.text] == [True, True]


@pytest.mark.parametrize("chosen", ["*", "UID", "UID,RECURRENCE-ID", "*,SUMMARY"])
def test_what_names_an_object_selects_it_s10_5(pair: Pair, chosen: str) -> None:
    pair.ask(command("CMD:CREATE", *event("a"), targets=("relcalz1",)))
    said = pair.ask(command("CMD:DELETE", *query(f"SELECT {chosen} FROM VEVENT"), targets=("relcalz1",)))
    assert ("UID:a\r\nREQUEST-STATUS:2.0" in said.text) == (chosen != "*,SUMMARY")


def moved(pair: Pair, source: str, chosen: str, target: str, *, expand: bool = False) -> str:
    """MOVE what a query selects."""
    vquery = list(query(chosen, expand=expand))
    vquery.insert(1, f"TARGET:{source}")
    return pair.ask(command("CMD:MOVE", *vquery, targets=(target,))).text


def test_nothing_is_moved_into_a_calendar_that_is_full_s10_15() -> None:
    policy = replace(POLICY, quota=1)
    store = open_store("sqlite:///:memory:")
    furnish(store, policy)
    pair = Pair(store, policy=policy)
    for uid, target in (("a", "relcalz1"), ("b", "relcalz2")):
        pair.ask(command("CMD:CREATE", *event(uid, "RRULE:FREQ=DAILY;COUNT=3"), targets=(target,)))
    assert "UID:b\r\nREQUEST-STATUS:10.4;" in moved(pair, "relcalz2", "SELECT * FROM VEVENT", "relcalz1")
    day = "SELECT * FROM VEVENT WHERE RECURRENCE-ID = '20260106T100000Z'"
    assert "REQUEST-STATUS:10.4;" in moved(pair, "relcalz2", day, "relcalz1", expand=True)
    for target, uid in (("relcalz1", "a"), ("relcalz2", "b")):
        found = pair.ask(command("CMD:SEARCH", *query("SELECT UID FROM VEVENT"), targets=(target,)))
        assert found.text.count("BEGIN:VEVENT") == found.text.count(f"UID:{uid}\r\n") == 1
    store.close()


def test_what_a_container_promises_is_not_moved_away_s8_13_s8_14(calendars: Store) -> None:
    bob, root = Pair(calendars), Pair(calendars, "root@example.com")
    modify(bob, "VAGENDA", ("DEFAULT-TZID:UTC",), ("DEFAULT-TZID:Europe/Berlin",), "relcalz2")
    for chosen in ("VTIMEZONE WHERE TZID = 'UTC'", "VCAR WHERE CARID = 'REQUESTONLY'"):
        bob.ask(command("CMD:DELETE", *query(f"SELECT * FROM {chosen}"), targets=("relcalz2",)))
    zone = moved(bob, "relcalz1", "SELECT * FROM VTIMEZONE", "relcalz2")
    assert "TZID:UTC\r\nREQUEST-STATUS:6.3;UTC stands in DEFAULT-TZID" in zone
    rights = moved(root, STORE, "SELECT * FROM VCAR WHERE CARID = 'REQUESTONLY'", "relcalz2")
    assert "CARID:REQUESTONLY\r\nREQUEST-STATUS:6.3;REQUESTONLY stands in DEFAULT-VCARS" in rights


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_is_done_does_not_look_refused_when_its_answer_is_too_large_s8_19(
    calendars: Store, language: str
) -> None:
    small = command("CMD:REPLY", "BEGIN:VREPLY", "MAX-COMP-SIZE:500", "END:VREPLY")
    pair = Pair(calendars, capability=small, localize=(language,))
    many = [line for number in range(20) for line in event(f"e{number}")]
    everything = query("SELECT * FROM VEVENT")
    values = ("BEGIN:VEVENT", "END:VEVENT", "BEGIN:VEVENT", "COMMENT:x", "END:VEVENT")
    for verb, parts, done in (
        ("CREATE", many, True),
        ("CREATE", many, False),  # the UIDs are taken now
        ("MODIFY", (*everything, *values), True),
        ("DELETE", everything, True),
    ):
        said = pair.ask(command(f"CMD:{verb}", *parts, targets=("relcalz1",))).text.replace("\r\n ", "")
        assert ("REQUEST-STATUS:2.0;It is done" in said) == (done and language == "en")
        assert ("REQUEST-STATUS:8.2;Not all of it is done" in said) == (not done and language == "en")
        assert ("REQUEST-STATUS;LANGUAGE=de:2.0;Es ist getan" in said) == (done and language == "de")
        assert len(said) < 500


ENDLESS = "\n".join(command("CMD;ID=my-17:SEARCH", *query("SELECT * FROM VEVENT")).split("\n")[:-2])


@pytest.mark.parametrize(
    "text",
    [
        ENDLESS,  # END:VCALENDAR is missing
        ENDLESS + "\nX-LONG:" + "x" * 70_000,  # and is read in a thread
        command("CMD;ID=my-17:SEARCH:x"),
        command("CMD;ID=my-17:"),
        command("CMD;ID=my-17;=:SEARCH"),
        command("CMD;ID=my-17:SEARCH", "no content line"),
        command("CMD;ID=my-17:SEARCH").replace("text/calendar", "text/calendar; charset=ISO-8859-1"),
    ],
)
def test_what_cannot_be_read_is_answered_with_its_id_s10_11(pair: Pair, text: str) -> None:
    said = pair.ask(text)
    assert said.kind == "ERR"
    assert "CMD;ID=my-17:REPLY\r\n" in said.text


def test_of_several_ids_none_is_told_s10_11(pair: Pair) -> None:
    one = command("CMD;ID=1:SEARCH", *query("SELECT * FROM VEVENT"), targets=("relcalz1",))
    two = one.replace("ID=1", "ID=2").replace("relcalz1", "relcalz2").partition("\n\n")[2]
    assert "CMD:REPLY\r\n" in pair.ask(one + two).text


def test_a_refused_piggyback_is_answered_with_its_id_s10_11(calendars: Store) -> None:
    asked = command("CMD;ID=my-17:SEARCH", *query("SELECT * FROM VEVENT")).replace("\n", "\r\n")
    pair = Pair(calendars, content=asked.encode())
    (started,) = [one for one in pair.got if isinstance(one, events.ChannelStarted)]
    assert b"CMD;ID=my-17:REPLY\r\n" in started.content


def test_an_owner_goes_by_the_name_they_came_with_s8_24(pair: Pair) -> None:
    assert "REQUEST-STATUS:2.0\r\n" in modify(pair, "VAGENDA", (), ("OWNER:mary",)).text
    owners = command("CMD:SEARCH", *query("SELECT OWNER FROM VAGENDA"), targets=("relcalz1",))
    assert "OWNER:mary@example.com\r\n" in pair.ask(owners).text
    same = modify(pair, "VAGENDA", ("OWNER:Mary@EXAMPLE.com",), ("OWNER:mary", "X-NOTE:stays"))
    assert "REQUEST-STATUS:2.0\r\n" in same.text
    assert "OWNER:mary@example.com\r\n" in pair.ask(owners).text
    for odd in ("OWNER:*", "OWNER:mary@", "OWNER:"):
        assert "REQUEST-STATUS:6.1" in modify(pair, "VAGENDA", (odd,), ()).text
        assert "REQUEST-STATUS:6.3" in modify(pair, "VAGENDA", (), (odd,)).text
    assert "REQUEST-STATUS:2.0\r\n" in modify(pair, "VAGENDA", ("OWNER:mary",), ()).text
    assert "mary" not in pair.ask(owners).text


INNER = ("BEGIN:X-INNER", "X-A:b", "END:X-INNER")


def test_x_components_selected_in_an_event_are_modified_and_deleted_without_it_s10_5(pair: Pair) -> None:
    pair.ask(command("CMD:CREATE", *event("a", *INNER), *event("b", "X-INNER:1"), targets=("relcalz1",)))
    chosen = query("SELECT X-INNER FROM VEVENT WHERE UID = 'a'")
    changed = ("BEGIN:X-INNER", "X-A:c", "END:X-INNER")
    said = pair.ask(command("CMD:MODIFY", *chosen, *INNER, *changed, targets=("relcalz1",)))
    assert "UID:a\r\nREQUEST-STATUS:2.0" in said.text
    said = pair.ask(command("CMD:DELETE", *chosen, targets=("relcalz1",)))
    assert "BEGIN:VREPLY\r\nREQUEST-STATUS:2.0\r\nEND:VREPLY" in said.text
    found = pair.ask(command("CMD:SEARCH", *query("SELECT * FROM VEVENT"), targets=("relcalz1",)))
    assert ["UID:a\r\n" in found.text, "X-A" in found.text] == [True, False]


def test_an_alarm_without_a_sequence_has_no_empty_one_in_a_reply_s10_5(pair: Pair) -> None:
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", "TRIGGER:PT5M", "END:VALARM")
    pair.ask(command("CMD:CREATE", *event("a", *alarm), targets=("relcalz1",)))
    said = pair.ask(command("CMD:DELETE", *query("SELECT * FROM VALARM"), targets=("relcalz1",)))
    assert "BEGIN:VREPLY\r\nREQUEST-STATUS:2.0\r\nEND:VREPLY" in said.text
