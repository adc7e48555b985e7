"""Channel management (RFC 3080 §2.3, §2.4, §6.4, §8, checklist BC-01 … BC-14)."""

import base64

import pytest
from beep_pair import CAP, ECHO, GREETING, XML, Pair, Raw, one

from kalends.beep import (
    Limits,
    LocalProtocolError,
    ProfileOffer,
    ReplyCode,
    Role,
    Security,
    Session,
)
from kalends.beep.events import (
    ChannelClosed,
    ChannelStarted,
    CloseRefused,
    CloseRequested,
    GreetingReceived,
    MessageReceived,
    ReleaseRefused,
    ReleaseRequested,
    SessionRefused,
    SessionReleased,
    SessionTerminated,
    StartRefused,
    StartRequested,
)


def start(number: object = 1, uri: str = ECHO, content: str = "", attributes: str = "") -> str:
    return f"<start number='{number}'{attributes}><profile uri='{uri}'>{content}</profile></start>"


# -- greeting -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
def test_bc01_greeting_is_sent_without_waiting(role: Role) -> None:
    data = Session(role, profiles=[CAP], features=["x-one", "x-two"], localize=["fr", "en"]).data_to_send()
    assert data.startswith(b"RPY 0 0 . 0 ")
    assert b"<greeting features='x-one x-two' localize='fr en'>" in data
    assert f"<profile uri='{CAP}' />".encode() in data


def test_bc01_greeting_tells_profiles_features_and_languages() -> None:
    pair = Pair(listener={"features": ["x-one"], "localize": ["de", "en"]})
    assert pair.initiator.peer_greeting == GreetingReceived((ECHO, CAP), ("x-one",), ("de", "en"))
    assert pair.listener.peer_greeting == GreetingReceived((), (), ("i-default", "en"))


def test_bc01_a_silent_peer_is_greeted_and_its_greeting_defaults_to_i_default() -> None:
    raw = Raw(greet=False)
    assert b"<greeting" in raw.sent
    raw.send("RPY", 0, 0, ".", GREETING)
    assert one(raw.events, GreetingReceived).localize == ("i-default",)


def test_bc01_start_may_be_pipelined_behind_the_greeting() -> None:
    raw = Raw(greet=False)
    data = raw.make("RPY", 0, 0, ".", GREETING)
    raw.deliver(data + raw.make("MSG", 0, 1, ".", XML + start().encode()))
    assert one(raw.events, StartRequested).channel == 1


def test_bc01_a_msg_before_the_greeting_ends_the_session() -> None:
    raw = Raw(greet=False)
    raw.send("MSG", 0, 1, ".", XML + start().encode())
    assert raw.dead


@pytest.mark.parametrize("xml", ["<ok/>", "<greeting>x</greeting>", "<greeting><profile/></greeting>"])
def test_bc01_a_wrong_greeting_ends_the_session(xml: str) -> None:
    raw = Raw(greet=False)
    raw.send("RPY", 0, 0, ".", XML + xml.encode())
    assert raw.dead


def test_bc02_unavailable_listener_sends_421_instead_of_a_greeting() -> None:
    listener = Session.refusing("come back later", now=0.0)
    data = listener.data_to_send()
    assert data.startswith(b"ERR 0 0 . 0 ")
    assert b"<error code='421'>come back later</error>" in data
    assert listener.take_events() == [SessionTerminated(None)]
    assert listener.receive_data(b"RPY 0 0", 0.0) == []
    initiator = Session(Role.INITIATOR)
    events = initiator.receive_data(data, 0.0)
    assert events[0] == SessionRefused(421, "come back later")
    assert isinstance(events[-1], SessionTerminated)
    assert initiator.terminated


# -- start ----------------------------------------------------------------------------------------------


def test_bc03_initiator_counts_odd_and_listener_even() -> None:
    pair = Pair(initiator={"profiles": [ECHO]})
    assert [pair.initiator.start_channel([ProfileOffer(ECHO)]) for _ in range(3)] == [1, 3, 5]
    assert [pair.listener.start_channel([ProfileOffer(ECHO)]) for _ in range(3)] == [2, 4, 6]


@pytest.mark.parametrize(
    ("number", "code"),
    [(2, 501), (0, 501), (-1, 501), (2147483649, 501), ("x", 501), ("", 501), ("1 ", 501), (2147483647, 0)],
)
def test_bc03_channel_number_must_be_odd_and_in_range(number: object, code: int) -> None:
    raw = Raw()
    answer = raw.control(1, start(number))
    if code:
        assert f"<error code='{code}'".encode() in answer
        assert answer.startswith(b"ERR 0 1 . ")
    else:
        assert one(raw.events, StartRequested).channel == number


def test_bc03_number_in_use_is_refused() -> None:
    raw = Raw()
    raw.open(1)
    assert b"<error code='550'>" in raw.control(2, start(1))
    raw.control(3, start(3))
    raw.send("MSG", 0, 4, ".", XML + start(3).encode())
    raw.session.accept_start(3, ECHO)
    assert raw.session.data_to_send().count(b"RPY 0 3 ") == 1


def test_bc04_first_acceptable_profile_is_chosen_and_echoed() -> None:
    raw = Raw()
    raw.control(1, f"<start number='1'><profile uri='urn:unknown'/><profile uri='{CAP}'/></start>")
    event = one(raw.events, StartRequested)
    assert event.profiles == (ProfileOffer(CAP),)
    raw.session.accept_start(1, CAP)
    assert f"<profile uri='{CAP}' />".encode() in raw.session.data_to_send()


def test_bc04_no_acceptable_profile_is_550() -> None:
    raw = Raw()
    assert b"<error code='550'>" in raw.control(1, start(uri="urn:unknown"))


def test_bc04_only_an_offered_profile_may_be_accepted() -> None:
    raw = Raw()
    raw.control(1, start())
    with pytest.raises(LocalProtocolError):
        raw.session.accept_start(1, CAP)
    with pytest.raises(LocalProtocolError):
        raw.session.accept_start(3, ECHO)


def test_bc04_refused_start_is_told_to_the_asker() -> None:
    pair = Pair()
    number = pair.initiator.start_channel([ProfileOffer(ECHO)])
    pair.run()
    pair.listener.refuse_start(number, 450, "not < now & here")
    pair.run()
    assert pair.at_initiator == [StartRefused(number, 450, "not < now & here")]
    assert pair.initiator.channels == pair.listener.channels == {}


@pytest.mark.parametrize(
    "content", [b"plain", "käse".encode(), b"a\r\nb", b"\x00\xff", b"]]>", b"<&'\">", b"x" * 3072]
)
def test_bc05_initialisation_content_travels_both_ways(content: bytes) -> None:
    pair = Pair()
    number = pair.initiator.start_channel([ProfileOffer(CAP, content)])
    pair.run()
    assert one(pair.at_listener, StartRequested).profiles == (ProfileOffer(CAP, content),)
    pair.listener.accept_start(number, CAP, content[::-1] if content.isascii() else content)
    pair.run()
    started = one(pair.at_initiator, ChannelStarted)
    assert started.content == (content[::-1] if content.isascii() else content)


def test_bc05_content_of_4096_octets_is_taken_and_of_4097_refused() -> None:
    raw = Raw()
    raw.session._link.channels[0].receiving.edge += 10000
    raw.control(1, start(1, content="x" * 4096))
    assert one(raw.events, StartRequested).profiles[0].content == b"x" * 4096
    raw.session.accept_start(1, ECHO)
    raw.session.data_to_send()
    assert b"<error code='501'>" in raw.control(2, start(3, content="x" * 4097))


def test_bc05_base64_content() -> None:
    raw = Raw()
    text = base64.b64encode(bytes(range(256))).decode()
    xml = f"<start number='1'><profile uri='{CAP}' encoding='base64'>\n{text[:70]}\n{text[70:]}</profile></start>"
    raw.control(1, xml)
    assert one(raw.events, StartRequested).profiles[0].content == bytes(range(256))


@pytest.mark.parametrize(
    "profile", ["encoding='base64'>####", "encoding='base64'>ä", "encoding='rot13'>abc", "encoding=''>abc"]
)
def test_bc05_bad_encoding_is_501(profile: str) -> None:
    raw = Raw()
    answer = raw.control(1, f"<start number='1'><profile uri='{CAP}' {profile}</profile></start>")
    assert b"<error code='501'>" in answer


def test_bc05_our_own_content_is_checked_before_anything_is_sent() -> None:
    pair = Pair()
    with pytest.raises(LocalProtocolError):
        pair.initiator.start_channel([ProfileOffer(CAP, b"x" * 4097)])
    with pytest.raises(LocalProtocolError):
        pair.initiator.start_channel([])
    assert pair.initiator.data_to_send() == b""
    assert pair.channel() == 1


def test_bc06_server_name_of_the_first_successful_start_rules() -> None:
    raw = Raw()
    raw.control(1, start(1, attributes=" serverName='refused.test'"))
    raw.session.refuse_start(1, 550, "no")
    raw.session.data_to_send()
    assert raw.session.server_name is None
    raw.control(2, start(1, attributes=" serverName='a.test'"))
    assert one(raw.events, StartRequested).server_name == "a.test"
    raw.session.accept_start(1, ECHO)
    raw.session.data_to_send()
    raw.control(3, start(3, attributes=" serverName='b.test'"))
    assert one(raw.events, StartRequested).server_name == "a.test"
    assert raw.session.server_name == "a.test"


def test_bc06_unknown_server_name_is_refused_by_policy() -> None:
    raw = Raw(security=Security(server_names=("a.test",)))
    assert b"<error code='550'>" in raw.control(1, start(1, attributes=" serverName='b.test'"))
    raw.control(2, start(1, attributes=" serverName='A.Test'"))
    assert one(raw.events, StartRequested).server_name == "A.Test"


# -- close ----------------------------------------------------------------------------------------------


def close(number: int | None, code: object = 200) -> str:
    return f"<close code='{code}'/>" if number is None else f"<close number='{number}' code='{code}'/>"


def test_bc07_ok_waits_for_all_replies_in_both_directions() -> None:
    pair = Pair(initiator={"profiles": [ECHO]})
    number = pair.channel()
    theirs = pair.initiator.send_message(number, b"slow search")
    ours = pair.listener.send_message(number, b"question of the listener")
    pair.run()
    pair.initiator.send_reply(number, ours, b"a", more=True)
    pair.run()
    raw_close = pair.listener
    pair.listener.send_reply(number, theirs, b"f", more=True)
    pair.run()
    pair.initiator.close_channel(number, 200, "done")
    pair.run()
    assert one(pair.at_listener, CloseRequested) == CloseRequested(number, 200, "done")
    raw_close.accept_close(number)
    pair.run()
    assert not any(isinstance(e, ChannelClosed) for e in pair.at_initiator)
    pair.listener.continue_reply(number, theirs, b"ound")
    pair.run()
    assert not any(isinstance(e, ChannelClosed) for e in pair.at_initiator)
    pair.initiator.continue_reply(number, ours, b"nswer")
    pair.run()
    assert one(pair.at_initiator, ChannelClosed) == ChannelClosed(number)
    assert one(pair.at_listener, ChannelClosed) == ChannelClosed(number)
    assert pair.initiator.channels == pair.listener.channels == {}


def test_bc07_close_may_be_refused_and_the_channel_lives_on() -> None:
    pair = Pair()
    number = pair.channel()
    pair.initiator.close_channel(number)
    pair.run()
    pair.listener.refuse_close(number, 550, "still working")
    pair.run()
    assert pair.at_initiator == [CloseRefused(number, 550, "still working")]
    msgno = pair.initiator.send_message(number, b"on we go")
    pair.run()
    assert one(pair.at_listener, MessageReceived).payload == b"on we go"
    pair.listener.send_reply(number, msgno, b"ok")
    pair.run()
    pair.initiator.close_channel(number)
    pair.run()
    pair.listener.accept_close(number)
    pair.run()
    assert one(pair.at_initiator, ChannelClosed)


def test_bc07_our_close_waits_until_our_msgs_are_acknowledged() -> None:
    pair = Pair()
    number = pair.channel()
    msgno = pair.initiator.send_message(number, b"?")
    pair.initiator.close_channel(number)
    pair.run()
    assert [type(e) for e in pair.at_listener] == [MessageReceived]
    pair.listener.send_reply(number, msgno, b"!")
    pair.run()
    assert one(pair.at_listener, CloseRequested)


def test_bc07_unknown_channel_and_second_close_are_refused() -> None:
    raw = Raw()
    assert b"<error code='550'>" in raw.control(1, close(9))
    raw.open(1, msgno=2)
    raw.control(3, close(1))
    raw.control(4, close(1))
    raw.session.refuse_close(1)
    assert raw.session.data_to_send().count(b"ERR 0 ") == 2


@pytest.mark.parametrize(
    "xml",
    [
        close(1, "abc"),
        close(1, "0200"),
        close(1, 999),
        "<close number='1'/>",
        "<close number='1' code='200'><x/></close>",
    ],
)
def test_bc07_malformed_close_is_501(xml: str) -> None:
    raw = Raw()
    raw.open()
    assert b"<error code='501'>" in raw.control(2, xml)


def test_bc07_close_of_both_sides_at_once() -> None:
    pair = Pair(initiator={"profiles": [ECHO]})
    number = pair.channel()
    pair.initiator.close_channel(number)
    pair.listener.close_channel(number)
    pair.run()
    assert pair.at_initiator == pair.at_listener == [ChannelClosed(number)]
    assert pair.channel() != number


def test_bc07_crossing_closes_with_replies_still_owed() -> None:
    pair = Pair(initiator={"profiles": [ECHO]})
    number = pair.channel()
    up = pair.initiator.send_message(number, b"up")
    down = pair.listener.send_message(number, b"down")
    pair.run()
    pair.listener.send_reply(number, up, b"1", more=True)
    pair.initiator.send_reply(number, down, b"1", more=True)
    pair.run()
    pair.initiator.close_channel(number)
    pair.listener.close_channel(number)
    pair.run()
    assert pair.at_initiator == pair.at_listener == []
    pair.listener.continue_reply(number, up, b"2")
    pair.run()
    pair.initiator.continue_reply(number, down, b"2")
    pair.run()
    assert ChannelClosed(number) in pair.at_initiator
    assert ChannelClosed(number) in pair.at_listener


def test_bc08_no_new_msg_after_close_but_incoming_msg_is_served() -> None:
    pair = Pair(initiator={"profiles": [ECHO]})
    number = pair.channel()
    pair.initiator.close_channel(number)
    with pytest.raises(LocalProtocolError):
        pair.initiator.send_message(number, b"too late")
    pair.run()
    msgno = pair.listener.send_message(number, b"one more thing")
    pair.listener.accept_close(number)
    pair.run()
    pair.initiator.send_reply(number, one(pair.at_initiator, MessageReceived).msgno, b"fine")
    pair.run()
    assert msgno == 0
    assert one(pair.at_initiator, ChannelClosed)


def test_bc08_a_seq_for_a_channel_just_closed_is_forgiven() -> None:
    raw = Raw()
    raw.open()
    raw.control(2, close(1))
    raw.session.accept_close(1)
    assert b"<ok />" in raw.session.data_to_send()
    assert raw.session.take_events() == [ChannelClosed(1)]
    assert raw.deliver(b"SEQ 1 0 4096\r\n") == []
    assert not raw.session.terminated
    raw.deliver(b"SEQ 5 0 4096\r\n")
    assert raw.dead


def test_bc07_ok_while_replies_are_owed_ends_the_session() -> None:
    raw = Raw()
    raw.open()
    raw.send("MSG", 1, 0, ".", b"?")
    raw.session.close_channel(1)
    assert b"<close number='1'" in raw.session.data_to_send()
    raw.send("RPY", 0, 1, ".", XML + b"<ok/>")
    assert raw.dead


# -- release --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, None])
def test_bc09_release_ends_the_session_on_both_sides(number: int | None) -> None:
    raw = Raw()
    raw.control(1, close(number))
    assert one(raw.events, ReleaseRequested) == ReleaseRequested(200, "")
    raw.session.accept_release()
    assert b"<ok />" in raw.session.data_to_send()
    assert raw.session.take_events() == [SessionReleased()]
    assert raw.session.terminated
    assert raw.deliver(b"") == []


def test_bc09_release_waits_for_replies() -> None:
    pair = Pair()
    number = pair.channel()
    msgno = pair.initiator.send_message(number, b"?")
    pair.run()
    pair.initiator.release()
    pair.run()
    pair.listener.accept_release()
    pair.run()
    assert pair.at_initiator == []
    pair.listener.send_reply(number, msgno, b"!")
    pair.run()
    assert pair.at_initiator[-1] == SessionReleased()
    assert pair.at_listener == [SessionReleased()]


def test_bc09_release_may_be_refused() -> None:
    pair = Pair()
    pair.initiator.release()
    pair.run()
    pair.listener.refuse_release(550, "still working")
    pair.run()
    assert pair.at_initiator == [ReleaseRefused(550, "still working")]
    assert pair.channel() == 1


def test_bc09_both_release_at_once() -> None:
    pair = Pair()
    pair.initiator.release()
    pair.listener.release()
    pair.run()
    assert pair.at_initiator == pair.at_listener == [SessionReleased()]


def test_bc09_nothing_new_begins_while_we_release() -> None:
    pair = Pair()
    number = pair.channel()
    pair.initiator.release()
    for call in (
        lambda: pair.initiator.start_channel([ProfileOffer(ECHO)]),
        lambda: pair.initiator.send_message(number, b"x"),
        pair.initiator.release,
    ):
        with pytest.raises(LocalProtocolError):
            call()


# -- errors and XML -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        ("<foo/>", 501),
        ("<ok/>", 501),
        ("<greeting/>", 501),
        ("<start number='1'/>", 501),
        ("<start number='1'>text</start>", 501),
        ("<start number='1'><x/></start>", 501),
        ("<start number='1'><profile/></start>", 501),
        ("<start number='1'><profile uri=''/></start>", 501),
        ("<start><profile uri='x'/></start>", 501),
        ("<start", 500),
        ("", 500),
        ("no xml", 500),
        ("<start number='1'></close>", 500),
        ("<a/><b/>", 500),
        ("<start number='1'><profile uri='x'><deep><deeper/></deep></profile></start>", 500),
        ("\x00", 500),
        ("<start number='1'>" + "<profile uri='x'/>" * 1025 + "</start>", 500),
    ],
)
def test_bc10_poorly_formed_msg_on_channel_0_is_answered_with_an_error(xml: str, code: int) -> None:
    raw = Raw()
    raw.session._link.channels[0].receiving.edge += 50000
    answer = raw.control(1, xml)
    assert answer.startswith((b"ERR 0 1 . ", b"SEQ "))
    assert f"<error code='{code}'".encode() in answer
    assert not raw.session.terminated
    raw.control(2, start())
    assert one(raw.events, StartRequested)


BOMB = (
    "<!DOCTYPE lolz [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;'>]>"
    "<start number='1'><profile uri='&c;'/></start>"
)


@pytest.mark.parametrize(
    "xml",
    [
        BOMB,
        "<!DOCTYPE start SYSTEM 'file:///etc/passwd'><start number='1'><profile uri='x'/></start>",
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><start number='1'><profile uri='&x;'/></start>",
        "<?xml version='1.0'?><start number='1'><profile uri='x'/></start>",
        "<start number='1'><profile uri='&nbsp;'/></start>",
    ],
)
def test_bc11_doctype_declaration_and_foreign_entities_are_500(xml: str) -> None:
    raw = Raw()
    assert b"<error code='500'>" in raw.control(1, xml)


def test_bc11_predefined_and_numeric_entities_cdata_comments_and_instructions_are_legal() -> None:
    raw = Raw()
    xml = (
        "<!-- hello --><?pi any?><start number='&#49;'>\n"
        f"<profile uri='{ECHO}'>&amp;&lt;&gt;&apos;&quot;&#x41;<![CDATA[<x>]]></profile></start>"
    )
    raw.control(1, xml)
    assert one(raw.events, StartRequested).profiles[0].content == b"&<>'\"A<x>"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ("Content-Type: text/plain", 501),
        ("Content-Type: application/beep+xml; charset=utf-16", 504),
        ("Content-Type: application/beep+xml\r\nContent-Transfer-Encoding: base64", 504),
    ],
)
def test_bc11_other_media_types_are_refused(headers: str, code: int) -> None:
    raw = Raw()
    raw.send("MSG", 0, 1, ".", f"{headers}\r\n\r\n{start()}".encode())
    assert f"<error code='{code}'>".encode() in raw.sent


def test_bc12_257_channels_at_once() -> None:
    pair = Pair()
    numbers = [pair.channel() for _ in range(257)]
    assert len(pair.listener.channels) == 257
    for number in numbers:
        pair.initiator.send_message(number, b"%d" % number)
    pair.run()
    assert [e.payload for e in pair.at_listener if isinstance(e, MessageReceived)] == [
        b"%d" % number for number in numbers
    ]


def test_bc12_policy_cap_on_channels() -> None:
    raw = Raw(limits=Limits(max_channels=2))
    raw.open(1, msgno=1)
    raw.open(3, msgno=2)
    assert b"<error code='450'>" in raw.control(3, start(5))
    with pytest.raises(LocalProtocolError):
        raw.session.start_channel([ProfileOffer(ECHO)])


@pytest.mark.parametrize(
    ("localize", "lang", "marked"),
    [
        ("", "en", False),
        ("en", "en", False),
        ("EN", "en", False),
        ("de en", "en", True),
        ("de", "de", False),
        ("", "fr", True),
    ],
)
def test_bc13_language_is_named_unless_it_is_the_peers_first_choice(
    localize: str, lang: str, marked: bool
) -> None:
    raw = Raw(greet=False)
    raw.send("RPY", 0, 0, ".", XML + f"<greeting localize='{localize}'/>".encode())
    raw.control(1, start())
    raw.session.refuse_start(1, 550, "nein", lang)
    assert (f"xml:lang='{lang}'".encode() in raw.session.data_to_send()) is marked


def test_bc14_reply_codes() -> None:
    assert {int(c) for c in ReplyCode} == {
        200, 421, 450, 451, 454, 500, 501, 504, 530, 534, 535, 537, 538, 550, 553, 554,
    }  # fmt: skip


def test_calls_on_channels_that_are_not_ours_are_local_errors() -> None:
    pair = Pair()
    for number in (0, 1, 77):
        with pytest.raises(LocalProtocolError):
            pair.initiator.send_message(number, b"x")
        with pytest.raises(LocalProtocolError):
            pair.initiator.close_channel(number)
    with pytest.raises(LocalProtocolError):
        pair.initiator.accept_release()
    pair.run()
    assert pair.at_listener == []


def test_bc06_names_may_be_narrowed_once_a_host_is_chosen() -> None:
    """RFC 3080 §2.3.1.2: a session that is one virtual host's is no other one's."""
    raw = Raw(security=Security(server_names=("a.test", "b.test")))
    raw.session.answer_to(lambda name: name.lower() == "a.test")
    assert b"<error code='550'>" in raw.control(1, start(1, attributes=" serverName='b.test'"))
    raw.control(2, start(1, attributes=" serverName='A.Test'"))
    assert one(raw.events, StartRequested).server_name == "A.Test"
