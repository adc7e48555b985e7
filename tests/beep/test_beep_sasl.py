"""SASL tuning and its mechanisms, both sides (RFC 3080 §4, checklist BT-06 … BT-11)."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
import scramp
from beep_pair import CAP, ECHO, XML, Pair, Raw, one
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.beep import (
    SASL_PREFIX,
    Anonymous,
    External,
    LocalProtocolError,
    Plain,
    ProfileOffer,
    ReplyCode,
    Role,
    ScramSha256,
    Security,
)
from kalends.beep.events import (
    Authenticated,
    AuthenticationFailed,
    CredentialsWanted,
    SessionTerminated,
    StartRefused,
    VerifyPlain,
)
from kalends.beep.mechanisms import ClientMechanism
from kalends.beep.scram import (
    ScramClient,
    ScramError,
    ScramServer,
    fake_verifier,
    make_verifier,
    read_verifier,
)

ITERATIONS = 4096
VERIFIER = make_verifier("pencil", salt=b"0123456789abcdef", iterations=ITERATIONS)
PASSWORDS = Security(
    mechanisms=("SCRAM-SHA-256", "PLAIN", "EXTERNAL", "ANONYMOUS"),
    private=True,
    require_authentication=True,
    external_identity="cert@example.com",
    iterations=ITERATIONS,
    secret=b"only the server knows",
)


class Login:
    """A pair whose listener answers credential questions from a table of users."""

    def __init__(self, security: Security = PASSWORDS, **users: str) -> None:
        self.users = users or {"bob": VERIFIER}
        self.may_act_as = False
        self.pair = Pair(
            listener={"security": security},
            initiator={"security": Security(private=security.private)},
        )
        self.events: list[Any] = []

    def authenticate(self, mechanism: ClientMechanism) -> None:
        pair = self.pair
        pair.initiator.authenticate(mechanism)
        self.events = []
        self.client_events: list[Any] = []
        for _ in range(6):
            pair.run()
            self.events += pair.at_listener
            self.client_events += pair.at_initiator
            for event in pair.at_listener:
                if isinstance(event, CredentialsWanted):
                    pair.listener.provide_credentials(
                        event.channel, self.users.get(event.authcid), may_act_as=self.may_act_as
                    )
                elif isinstance(event, VerifyPlain):
                    pair.listener.finish_verify(event.channel, event.work.run())

    def outcome(self) -> tuple[Any, Any]:
        kinds = (Authenticated, AuthenticationFailed)
        (server,) = [e for e in self.events if isinstance(e, kinds)]
        (client,) = [e for e in self.client_events if isinstance(e, kinds)]
        return server, client


MECHANISMS: list[Callable[..., ClientMechanism]] = [ScramSha256, Plain]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_bt08_right_password(mechanism: Callable[..., ClientMechanism]) -> None:
    login = Login()
    login.authenticate(mechanism("bob", "pencil"))
    server, client = login.outcome()
    assert (server.authcid, server.authzid) == (client.authcid, client.authzid) == ("bob", "bob")
    assert login.pair.listener.authenticated == login.pair.initiator.authenticated == "bob"
    assert login.pair.channel(CAP) > 0


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("user", ["bob", "nobody"])
def test_bt08_wrong_password_and_unknown_user_fail_alike_with_535(
    mechanism: Callable[..., ClientMechanism], user: str
) -> None:
    login = Login()
    login.authenticate(mechanism(user, "wrong"))
    server, client = login.outcome()
    assert server == client == AuthenticationFailed(server.mechanism, 535, "wrong user name or password")
    assert login.pair.listener.authenticated is None
    assert any(isinstance(e, VerifyPlain) for e in login.events) is (mechanism is Plain)
    login.authenticate(mechanism("bob", "pencil"))
    assert isinstance(login.outcome()[0], Authenticated)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_acting_as_somebody_else_needs_permission(mechanism: Callable[..., ClientMechanism]) -> None:
    login = Login()
    login.authenticate(mechanism("bob", "pencil", "alice"))
    wanted = one(login.events, CredentialsWanted)
    assert (wanted.authcid, wanted.authzid) == ("bob", "alice")
    assert login.outcome()[1].code == ReplyCode.NOT_AUTHORIZED
    login.may_act_as = True
    login.authenticate(mechanism("bob", "pencil", "alice"))
    assert login.outcome()[0].authzid == "alice"
    assert login.pair.listener.authenticated == "alice"


def test_bt08_the_initial_response_rides_in_start_and_failure_is_a_reply_with_an_error_inside() -> None:
    raw = Raw(security=PASSWORDS)
    blob = base64.b64encode(b"\0bob\0wrong").decode()
    raw.control(
        1, f"<start number='1'><profile uri='{SASL_PREFIX}PLAIN'>&lt;blob>{blob}&lt;/blob></profile></start>"
    )
    raw.session.provide_credentials(1, VERIFIER)
    raw.session.finish_verify(1, one(raw.session.take_events(), VerifyPlain).work.run())
    answer = raw.session.data_to_send()
    assert answer.startswith(b"RPY 0 1 . ")
    assert b"<![CDATA[<error code='535'>" in answer


def test_secrets_do_not_show_in_reprs() -> None:
    login = Login()
    login.authenticate(Plain("bob", "pencil"))
    shown = repr([login.events, PASSWORDS, Plain("bob", "pencil"), ScramSha256("bob", "pencil")])
    assert "pencil" not in shown
    assert "only the server" not in shown
    assert VERIFIER.split("$")[2] not in repr(read_verifier(VERIFIER))


def test_bt06_one_success_a_session() -> None:
    login = Login()
    login.authenticate(ScramSha256("bob", "pencil"))
    with pytest.raises(LocalProtocolError):
        login.pair.initiator.authenticate(ScramSha256("bob", "pencil"))
    number = login.pair.initiator.start_channel([ProfileOffer(SASL_PREFIX + "ANONYMOUS", b"<blob/>")])
    login.pair.run()
    assert login.pair.at_initiator == [StartRefused(number, 550, "the session is already authenticated")]


def test_bt06_a_blob_after_success_is_refused() -> None:
    raw = anonymous(b"<blob/>")
    assert b"status='complete'" in raw.sent
    raw.send("MSG", 1, 0, ".", XML + b"<blob/>")
    assert raw.sent.startswith(b"ERR 1 0 . ")
    assert b"code='550'" in raw.sent


def anonymous(blob: bytes, name: str = "ANONYMOUS") -> Raw:
    raw = Raw(security=PASSWORDS)
    content = base64.b64encode(blob).decode()
    raw.control(
        1,
        f"<start number='1'><profile uri='{SASL_PREFIX}{name}' encoding='base64'>{content}</profile></start>",
    )
    return raw


def test_bt09_the_client_may_abort_and_try_again() -> None:
    raw = Raw(security=PASSWORDS)
    raw.control(1, f"<start number='1'><profile uri='{SASL_PREFIX}SCRAM-SHA-256'/></start>")
    assert raw.sent.startswith(b"RPY 0 1 . ")
    for attempt in range(2):
        first = base64.b64encode(b"n,,n=bob,r=abcdef")
        raw.send("MSG", 1, 2 * attempt, ".", XML + b"<blob>" + first + b"</blob>")
        raw.session.provide_credentials(1, VERIFIER)
        assert raw.session.data_to_send().startswith(b"RPY 1 %d . " % (2 * attempt))
        raw.send("MSG", 1, 2 * attempt + 1, ".", XML + b"<blob status='abort'/>")
        assert raw.sent.startswith(b"ERR 1 ")
        assert b"code='451'" in raw.sent
    raw.control(2, f"<start number='3'><profile uri='{SASL_PREFIX}ANONYMOUS'>&lt;blob/></profile></start>")
    assert b"status='complete'" in raw.sent


@pytest.mark.parametrize(
    "blob",
    [
        b"<blob>####</blob>",
        b"<blob status='maybe'/>",
        b"<blob status='complete'/>",
        b"<blob><x/></blob>",
        b"<club/>",
        b"x",
    ],
)
def test_bt09_malformed_blobs_are_refused_and_another_try_is_possible(blob: bytes) -> None:
    raw = anonymous(blob)
    assert raw.sent.startswith(b"RPY 0 1 . ")
    assert b"<error code='50" in raw.sent
    raw.send("MSG", 1, 0, ".", XML + blob)
    assert raw.sent.startswith(b"ERR 1 0 . ")
    raw.send("MSG", 1, 1, ".", b"\r\n<blob>Ym9i</blob>")
    assert b"status='complete'" in raw.sent
    assert one(raw.events, Authenticated).trace == "bob"


@pytest.mark.parametrize(
    ("name", "response", "code"),
    [
        ("PLAIN", b"no separators", 501),
        ("PLAIN", b"a\0b\0c\0d", 501),
        ("PLAIN", b"\0bob\0", 501),
        ("PLAIN", b"\0\0pencil", 501),
        ("PLAIN", b"\0b\xffb\0pencil", 501),
        ("PLAIN", b"\0bob\0a\x01b", 501),
        ("ANONYMOUS", b"x" * 256, 501),
        ("ANONYMOUS", b"a\nb", 501),
        ("ANONYMOUS", b"\xff", 501),
        ("EXTERNAL", b"\xff", 501),
        ("SCRAM-SHA-256", b"p=tls-unique,,n=bob,r=abc", 501),
        ("SCRAM-SHA-256", b"n,,m=x,n=bob,r=abc", 501),
        ("SCRAM-SHA-256", b"n,,n=bo=b,r=abc", 501),
        ("SCRAM-SHA-256", b"n,,n=bob,r=a b", 501),
        ("SCRAM-SHA-256", b"n,,n=bob", 501),
        ("SCRAM-SHA-256", b"n,,n=,r=abc", 501),
        ("SCRAM-SHA-256", b"\xff", 501),
        ("SCRAM-SHA-256", b"", 501),
    ],
)
def test_responses_that_do_not_fit_their_mechanism(name: str, response: bytes, code: int) -> None:
    blob = b"<blob>" + base64.b64encode(response) + b"</blob>"
    raw = anonymous(blob, name)
    assert f"<error code='{code}'>".encode() in raw.sent
    assert one(raw.events, AuthenticationFailed).code == code
    assert raw.session.authenticated is None


def test_bt10_external_with_certificate() -> None:
    login = Login()
    login.authenticate(External())
    assert login.outcome()[0] == Authenticated("EXTERNAL", "cert@example.com", "cert@example.com")
    login = Login()
    login.authenticate(External("cert@example.com"))
    assert login.outcome()[0].authzid == "cert@example.com"


@pytest.mark.parametrize("allowed", [False, True])
def test_bt10_external_acts_as_somebody_else_only_where_that_is_allowed(allowed: bool) -> None:
    """RFC 4422 §2: the shell is asked whether who the certificate names may be the authzid."""
    login = Login()
    login.may_act_as = allowed
    login.authenticate(External("somebody@else"))
    wanted = [e for e in login.events if isinstance(e, CredentialsWanted)]
    assert [(e.authcid, e.authzid) for e in wanted] == [("cert@example.com", "somebody@else")]
    told = login.outcome()[0]
    if allowed:
        assert told == Authenticated("EXTERNAL", "cert@example.com", "somebody@else")
    else:
        assert told == AuthenticationFailed(
            "EXTERNAL", 535, "the certificate does not vouch for that identity"
        )


def test_bt10_external_without_certificate_is_not_offered() -> None:
    login = Login(Security(mechanisms=("EXTERNAL",), private=True))
    greeting = login.pair.initiator.peer_greeting
    assert greeting is not None
    assert SASL_PREFIX + "EXTERNAL" not in greeting.profiles
    login.authenticate(External())
    assert login.client_events == [AuthenticationFailed("EXTERNAL", 550, "no certificate vouches for you")]


def test_anonymous_with_a_trace() -> None:
    login = Login()
    login.authenticate(Anonymous("bob@example.com"))
    server, client = login.outcome()
    assert server == Authenticated("ANONYMOUS", "", "", "bob@example.com")
    assert client.authzid == ""
    assert login.pair.listener.authenticated == ""


def test_bt11_application_profiles_need_authentication_530() -> None:
    pair = Pair(listener={"security": PASSWORDS})
    number = pair.initiator.start_channel([ProfileOffer(CAP)])
    pair.run()
    assert pair.at_initiator == [StartRefused(number, 530, "authenticate first")]


def test_plain_needs_privacy_on_both_sides() -> None:
    clear = Security(mechanisms=("PLAIN", "ANONYMOUS"), secret=b"x" * 16)
    pair = Pair(listener={"security": clear})
    with pytest.raises(LocalProtocolError):
        pair.initiator.authenticate(Plain("bob", "pencil"))
    assert pair.initiator.peer_greeting is not None
    assert SASL_PREFIX + "PLAIN" not in pair.initiator.peer_greeting.profiles
    number = pair.initiator.start_channel([ProfileOffer(SASL_PREFIX + "PLAIN", b"<blob/>")])
    pair.run()
    assert pair.at_initiator == [StartRefused(number, 538, "start TLS first")]


def test_password_mechanisms_need_a_server_secret() -> None:
    with pytest.raises(ValueError, match="secret"):
        Security(mechanisms=("SCRAM-SHA-256",))


def test_a_store_that_is_away_is_a_temporary_failure() -> None:
    pair = Pair(listener={"security": PASSWORDS})
    channel = pair.initiator.authenticate(ScramSha256("bob", "pencil"))
    pair.run()
    with pytest.raises(ValueError, match="verifier"):
        pair.listener.provide_credentials(channel, "not a verifier")
    pair.listener.refuse_credentials(channel, text="try later")
    with pytest.raises(LocalProtocolError):
        pair.listener.refuse_credentials(channel)
    pair.run()
    assert pair.at_initiator[0] == AuthenticationFailed("SCRAM-SHA-256", 454, "try later")


def test_attempts_are_bounded() -> None:
    login = Login(
        Security(mechanisms=("PLAIN",), private=True, max_attempts=2, iterations=ITERATIONS, secret=b"x" * 16)
    )
    for _ in range(2):
        login.authenticate(Plain("bob", "wrong"))
        assert login.outcome()[1].code == 535
    login.authenticate(Plain("bob", "pencil"))
    assert login.outcome()[1].code == 550


def test_only_one_tuning_exchange_at_a_time() -> None:
    raw = Raw(security=PASSWORDS)
    first = base64.b64encode(b"n,,n=bob,r=abcdef").decode()
    content = f"&lt;blob>{first}&lt;/blob>"
    raw.control(1, f"<start number='1'><profile uri='{SASL_PREFIX}SCRAM-SHA-256'>{content}</profile></start>")
    raw.session.provide_credentials(1, VERIFIER)
    raw.session.data_to_send()
    answer = raw.control(2, f"<start number='3'><profile uri='{SASL_PREFIX}ANONYMOUS'/></start>")
    assert b"<error code='550'>" in answer
    raw.control(3, "<close number='1' code='200'/>")
    assert b"<ok />" in raw.sent
    raw.control(4, f"<start number='3'><profile uri='{SASL_PREFIX}ANONYMOUS'>&lt;blob/></profile></start>")
    assert b"status='complete'" in raw.sent


# -- the client's view ----------------------------------------------------------------------------------


def scram_client_meets(*replies: bytes) -> Raw:
    """A client whose server answers with these blobs, raw."""
    raw = Raw(Role.INITIATOR)
    raw.session.authenticate(ScramSha256("bob", "pencil"))
    raw.session.data_to_send()
    xml = f"<profile uri='{SASL_PREFIX}SCRAM-SHA-256'><![CDATA[{replies[0].decode()}]]></profile>"
    raw.send("RPY", 0, 1, ".", XML + xml.encode())
    for msgno, reply in enumerate(replies[1:]):
        raw.send("RPY", 1, msgno, ".", XML + reply)
    return raw


def blob(text: str, status: str = "continue") -> bytes:
    return f"<blob status='{status}'>{base64.b64encode(text.encode()).decode()}</blob>".encode()


@pytest.mark.parametrize(
    "challenge",
    [
        "r=other,s=QQ==,i=4096",
        "r=%s,s=QQ==,i=4096",
        "r=%sx,s=QQ==,i=1",
        "r=%sx,s=QQ==,i=99999999",
        "r=%sx",
        "e=no",
    ],
)
def test_client_leaves_a_server_that_weakens_or_garbles_scram(challenge: str) -> None:
    raw = Raw(Role.INITIATOR)
    raw.session.authenticate(ScramSha256("bob", "pencil"))
    sent = raw.session.data_to_send()
    first = base64.b64decode(sent.split(b"<blob>")[1].split(b"</blob>")[0]).decode()
    text = challenge.replace("%s", first.rpartition("r=")[2])
    xml = f"<profile uri='{SASL_PREFIX}SCRAM-SHA-256'><![CDATA[{blob(text).decode()}]]></profile>"
    raw.send("RPY", 0, 1, ".", XML + xml.encode())
    assert one(raw.events, AuthenticationFailed).code == 535
    assert raw.dead


def test_client_leaves_a_server_that_cannot_prove_itself() -> None:
    raw = scram_client_meets(b"<blob status='complete'/>")
    assert one(raw.events, AuthenticationFailed)
    assert raw.dead
    assert raw.session.authenticated is None


def test_bf10_a_garbled_reply_closes_the_sasl_channel_only() -> None:
    raw = scram_client_meets(b"<what/>")
    assert one(raw.events, AuthenticationFailed).code == 501
    assert b"<close number='1'" in raw.sent
    assert not raw.session.terminated


def test_client_is_told_when_its_start_is_refused() -> None:
    login = Login(Security(private=True))
    login.authenticate(Anonymous())
    assert login.client_events == [
        AuthenticationFailed("ANONYMOUS", 550, "this SASL mechanism is not served here")
    ]


def test_client_sends_its_initial_response_later_if_the_profile_came_back_empty() -> None:
    raw = Raw(Role.INITIATOR)
    raw.session.authenticate(Anonymous("bob"))
    raw.session.data_to_send()
    raw.send("RPY", 0, 1, ".", XML + f"<profile uri='{SASL_PREFIX}ANONYMOUS'/>".encode())
    assert b"<blob>Ym9i</blob>" in raw.sent
    raw.send("RPY", 1, 0, ".", b"\r\n<blob status='complete'/>")
    assert one(raw.events, Authenticated).mechanism == "ANONYMOUS"


def test_client_leaves_a_server_that_asks_on_and_on() -> None:
    raw = Raw(Role.INITIATOR)
    raw.session.authenticate(Anonymous("bob"))
    raw.session.data_to_send()
    raw.send("RPY", 0, 1, ".", XML + f"<profile uri='{SASL_PREFIX}ANONYMOUS'>&lt;blob/></profile>".encode())
    for msgno in range(3):
        assert not raw.session.terminated
        raw.send("RPY", 1, msgno, ".", XML + b"<blob/>")
    assert raw.dead


def test_client_takes_the_servers_proof_as_a_last_challenge_too() -> None:
    pair = Pair(listener={"security": PASSWORDS}, initiator={"security": Security(private=True)})
    channel = pair.initiator.authenticate(ScramSha256("bob", "pencil"))
    pair.run()
    pair.listener.provide_credentials(channel, VERIFIER)
    pair.initiator.receive_data(pair.listener.data_to_send(), 0.0)
    pair.listener.receive_data(pair.initiator.data_to_send(), 0.0)
    data = pair.listener.data_to_send().replace(b"status='complete'", b"status='continue'")
    pair.initiator.receive_data(data, 0.0)
    assert b"<blob />" in pair.initiator.data_to_send()
    assert pair.initiator.authenticated is None
    seqno = pair.initiator._link.channels[channel].receiving.received
    done = b"Content-Type: application/beep+xml\r\n\r\n<blob status='complete'/>"
    events = pair.initiator.receive_data(b"RPY 1 1 . %d %d\r\n%bEND\r\n" % (seqno, len(done), done), 0.0)
    assert events == [Authenticated("SCRAM-SHA-256", "bob", "bob")]


def test_client_refuses_names_it_cannot_prepare() -> None:
    pair = Pair()
    for mechanism in (ScramSha256("", "x"), ScramSha256("bob", "\x01"), Anonymous("x" * 256)):
        with pytest.raises(LocalProtocolError):
            pair.initiator.authenticate(mechanism)


# -- SCRAM against the standard and against another implementation ---------------------------------------


def test_rfc7677_example_exchange() -> None:
    client = ScramClient("user", "pencil", "", "rOprNGfwEbeRWgbNEkqO")
    assert client.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    server = ScramServer("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    server.take_first(client.first())
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    challenge = server.challenge(read_verifier(make_verifier("pencil", salt=salt, iterations=4096)))
    assert (
        challenge == b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    final = client.respond(challenge)
    assert final.endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    verdict = server.take_final(final)
    assert verdict == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    client.check(verdict)


NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=12)


def scramp_can(text: str) -> bool:
    from kalends.beep.saslprep import saslprep

    try:
        saslprep(text)
        scramp.ScramClient(["SCRAM-SHA-256"], text, text)
    except (ValueError, scramp.ScramException):
        return False
    return True


@settings(max_examples=15, deadline=None)
@given(NAMES.filter(scramp_can), NAMES.filter(scramp_can))
def test_our_server_agrees_with_scramps_client(name: str, password: str) -> None:
    oracle = scramp.ScramClient(["SCRAM-SHA-256"], name, password)
    server = ScramServer("servernonce")
    server.take_first(oracle.get_client_first().encode())
    verifier = read_verifier(make_verifier(password, iterations=ITERATIONS))
    oracle.set_server_first(server.challenge(verifier).decode())
    oracle.set_server_final(server.take_final(oracle.get_client_final().encode()).decode())
    assert server.authcid


@settings(max_examples=15, deadline=None)
@given(NAMES.filter(scramp_can), NAMES.filter(scramp_can))
def test_our_client_agrees_with_scramps_server(name: str, password: str) -> None:
    mechanism = scramp.ScramMechanism("SCRAM-SHA-256")
    auth = mechanism.make_auth_info(password, iteration_count=ITERATIONS)
    oracle = mechanism.make_server(lambda _: auth)
    client = ScramClient(name, password, "", "clientnonce")
    oracle.set_client_first(client.first().decode())
    oracle.set_client_final(client.respond(oracle.get_server_first().encode()).decode())
    client.check(oracle.get_server_final().encode())


def test_our_verifier_is_what_scramp_computes() -> None:
    salt = b"0123456789abcdef"
    _, stored, server, _ = scramp.ScramMechanism("SCRAM-SHA-256").make_auth_info("pencil", ITERATIONS, salt)
    ours = read_verifier(VERIFIER)
    assert (ours.stored_key, ours.server_key, ours.salt) == (stored, server, salt)


@pytest.mark.parametrize(
    "final",
    [
        b"c=biws,r=abcxyz",
        b"c=biws,r=other,p=AAAA",
        b"c=eSws,r=abcxyz,p=AAAA",
        b"c=biws,r=abcxyz,p=####",
        b"c=biws,r=abcxyz,p=AAAA",
        b"c=biws,r=abcxyz,p=" + base64.b64encode(bytes(32)),
        b"c=biws,p=AAAA",
        b"\xff",
        b"",
    ],
)
def test_server_refuses_wrong_final_messages(final: bytes) -> None:
    server = ScramServer("xyz")
    server.take_first(b"n,,n=bob,r=abc")
    server.challenge(read_verifier(VERIFIER))
    with pytest.raises(ScramError):
        server.take_final(final)


def test_names_with_commas_equal_signs_and_authzid_survive() -> None:
    client = ScramClient("a,b=c", "pencil", "d,e", "abc")
    server = ScramServer("xyz")
    server.take_first(client.first())
    assert (server.authcid, server.authzid) == ("a,b=c", "d,e")


def test_unknown_users_always_get_the_same_salt_and_different_ones_different_salts() -> None:
    salts = {name: fake_verifier(b"k" * 16, name, ITERATIONS).salt for name in ("a", "b", "c")}
    assert len(set(salts.values())) == 3
    assert fake_verifier(b"k" * 16, "a", ITERATIONS).salt == salts["a"]
    assert fake_verifier(b"K" * 16, "a", ITERATIONS).salt != salts["a"]


@pytest.mark.parametrize(
    "text",
    ["", "SCRAM-SHA-1$4096:QQ==$QQ==:QQ==", "SCRAM-SHA-256$x:QQ==$QQ==:QQ==", "SCRAM-SHA-256$4096:Q$Q:Q",
     "SCRAM-SHA-256$4096:QQ==$QQ==:QQ=="],
)  # fmt: skip
def test_what_is_no_verifier_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="verifier"):
        read_verifier(text)


@pytest.mark.parametrize(("salt", "iterations"), [(b"short", 4096), (None, 4095)])
def test_weak_verifiers_are_not_made(salt: bytes | None, iterations: int) -> None:
    with pytest.raises(ValueError, match="4096"):
        make_verifier("x", salt=salt, iterations=iterations)


def test_a_session_ended_while_a_password_is_checked_takes_no_result() -> None:
    raw = Raw(security=PASSWORDS)
    plain = base64.b64encode(b"\0bob\0pencil").decode()
    raw.control(
        1, f"<start number='1'><profile uri='{SASL_PREFIX}PLAIN'>&lt;blob>{plain}&lt;/blob></profile></start>"
    )
    raw.session.provide_credentials(1, VERIFIER)
    work = one(raw.session.take_events(), VerifyPlain).work
    assert one(raw.session.receive_data(b"", 0.0), SessionTerminated)
    with pytest.raises(LocalProtocolError):
        raw.session.finish_verify(1, work.run())


def test_echo_is_not_hidden_by_tuning() -> None:
    login = Login()
    login.authenticate(ScramSha256("bob", "pencil"))
    number = login.pair.channel(ECHO)
    assert login.pair.initiator.channels == {number: ECHO}
