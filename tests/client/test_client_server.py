"""The client against the real server, over its port: every verb, both shells, the examples of the manual."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_peer import make_certificate

from kalends.client import (
    AuthError,
    Client,
    ConnectError,
    DeniedError,
    DuplicateError,
    NotFoundError,
    RefusedError,
    StaleError,
    Trust,
    connect,
    connect_async,
)
from kalends.client import errors as errors_module
from kalends.client.options import Settings
from live_server import PASSWORD, Live, live_server

MANUAL = Path(__file__).parents[2] / "docs" / "client.md"
CAL = "amira/calendar"


def event(uid: str, summary: str = "One", *more: str, day: int = 1) -> str:
    lines = [
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260101T000000Z",
        f"DTSTART:202603{day:02}T100000Z",
        f"DTEND:202603{day:02}T110000Z",
        f"SUMMARY:{summary}",
        *more,
        "END:VEVENT",
    ]
    return "".join(line + "\r\n" for line in lines)


def changed(summary: str) -> str:
    return f"BEGIN:VEVENT\r\nSUMMARY:{summary}\r\nEND:VEVENT\r\n"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_server(tmp_path_factory.mktemp("live"), users=("amira", "bruno")) as server:
        yield server


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def client(live: Live, tmp_path: Path) -> Iterator[Client]:
    trust = Trust(known_servers=tmp_path / "known")
    with connect(live.url, user="amira", password=PASSWORD, trust=trust) as client:
        yield client


def test_every_verb(client: Client) -> None:
    """RFC 4324 §10.4 to §10.12."""
    assert "VEVENT" in client.capability().components
    [uid] = client.generate_uids(1)
    assert [outcome.id_value for outcome in client.create(event(uid), CAL)] == [uid]
    query = f"SELECT * FROM VEVENT WHERE UID = '{uid}'"
    [found] = client.search(query, CAL)
    assert found.component.to_ics() == event(uid)
    [outcome] = client.modify(query, changed("One"), changed("Two"), CAL)
    assert outcome.ok
    [found] = client.find_uid(uid, CAL)
    assert found.component.value("SUMMARY") == "Two"
    [outcome] = client.delete(query, CAL)
    assert (outcome.id_value, outcome.ok) == (uid, True)
    assert list(client.search(query, CAL)) == []


def test_refusals_have_their_classes(client: Client) -> None:
    """A-61; RFC 4324 §10.15."""
    client.create(event("taken"), CAL)
    with pytest.raises(DuplicateError) as caught:
        client.create(event("taken") + event("fresh"), CAL)
    assert [outcome.ok for outcome in caught.value.outcomes] == [False, True]
    with pytest.raises(NotFoundError):
        list(client.search("SELECT * FROM VEVENT", "no/such"))
    with pytest.raises(StaleError):
        client.modify("SELECT * FROM VEVENT WHERE UID = 'taken'", changed("Never"), changed("New"), CAL)
    with pytest.raises(RefusedError, match=r"6\.3"):
        list(client.search("SELECT FROM WHERE", CAL))


def test_foreign_calendars_are_closed(client: Client) -> None:
    with pytest.raises((DeniedError, NotFoundError)):
        client.create(event("intruder"), "bruno/calendar")


def test_move_between_calendars(client: Client) -> None:
    """MOV-02, A-55; RFC 4324 §10.10."""
    agenda = "BEGIN:VAGENDA\r\nCALID:amira/archive\r\nOWNER:amira@example.com\r\nEND:VAGENDA\r\n"
    client.create(agenda, "cap://cal.example.com")
    client.create(event("mover", day=2), CAL)
    query = "SELECT * FROM VEVENT WHERE UID = 'mover'"
    [outcome] = client.move(query, "amira/archive", source=CAL)
    assert outcome.ok
    assert [found.target for found in client.find_uid("mover", CAL, "amira/archive")] == ["amira/archive"]


def test_booking_clears_away_the_messages_of_the_uid(client: Client) -> None:
    """OBM-10; RFC 4324 §2.2."""
    invitation = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:REQUEST\r\n" + event(
        "party", "Party", "ORGANIZER:mailto:bruno@example.com", "ATTENDEE:mailto:amira@example.com", day=3
    ) + "END:VCALENDAR\r\n"  # fmt: skip
    client.create(invitation, CAL)
    client.create(invitation, CAL)
    waiting = "SELECT * FROM VEVENT WHERE UID = 'party' AND STATE() = 'UNPROCESSED'"
    assert len(list(client.search(waiting, CAL))) == 2
    client.book(invitation, CAL)
    assert list(client.search(waiting, CAL)) == []
    [booked] = client.find_uid("party", CAL)
    assert (booked.method, booked.component.value("SUMMARY")) == (None, "Party")
    client.create(invitation, CAL)
    client.book(invitation.replace("SUMMARY:Party", "SUMMARY:Feast"), CAL, mark=True)
    [booked] = client.find_uid("party", CAL)
    assert booked.component.value("SUMMARY") == "Feast"
    assert len(list(client.search(waiting.replace("UNPROCESSED", "DELETED"), CAL))) == 1


def test_thousands_of_events_stream_through_both_shells(live: Live, client: Client) -> None:
    many = "".join(event(f"many-{n}", f"Number {n}", day=4) for n in range(2000))
    assert len(client.create(many, CAL)) == 2000
    query = "SELECT UID FROM VEVENT WHERE UID LIKE 'many-%'"
    assert sum(1 for _ in client.search(query, CAL)) == 2000
    first = next(iter(client.search(query, CAL)))
    assert first.component.value("UID") is not None
    assert client.generate_uids(1) != []

    async def count() -> int:
        async with connect_async(live.url, user="amira", password=PASSWORD) as other:
            return len([found async for found in other.search(query, CAL)])

    assert asyncio.run(count()) == 2000


def test_a_wrong_password_and_an_unknown_user_look_alike(live: Live) -> None:
    told: list[str] = []
    for user, password in (("amira", "wrong"), ("nobody", PASSWORD)):
        with pytest.raises(AuthError) as caught:
            connect(live.url, user=user, password=password)
        told.append(str(caught.value).replace(user, "USER"))
    assert told[0] == told[1]


EXAMPLES = re.findall(r"^```python\n(.*?)^```", MANUAL.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_examples_of_the_manual_run(live: Live, capsys: pytest.CaptureFixture[str]) -> None:
    """They run as printed, one after the other; only the server's address and the password are put in."""
    assert len(EXAMPLES) == 4
    for number, written in enumerate(EXAMPLES, 1):
        source = written.replace('"cap://cal.example.com"', f'"{live.url}"').replace(
            '"secret"', f'"{PASSWORD}"'
        )
        exec(compile(source, f"docs/client.md example {number}", "exec"), {"__name__": "example"})
        assert capsys.readouterr().out.splitlines() == re.findall(r"#> (.*)", written)


def test_a_certificate_speaks_for_its_owner(tmp_path: Path) -> None:
    """BT-10, UPN-06: SASL EXTERNAL with a client certificate that names the user."""
    cert, key = make_certificate(tmp_path / "tls", email="amira@example.com")
    with live_server(tmp_path, "--client-ca", str(cert), users=("amira",)) as server:
        with connect(server.url, certificate=str(cert), key=str(key)) as client:
            assert client.create(event("by-certificate"), CAL)[0].ok
            assert client.upn is None  # the server knows, and there is no way to ask it
        with pytest.raises(AuthError):
            connect(server.url, certificate=str(cert), key=str(key), act_as="bruno@example.com")
        with pytest.raises(AuthError):
            connect(server.url, user="amira")


def test_plain_text_only_where_the_server_allows_it(live: Live, tmp_path: Path) -> None:
    with pytest.raises((ConnectError, AuthError)):
        connect(live.url, user="amira", password=PASSWORD, tls=False)
    with (
        live_server(tmp_path, "--plaintext", users=("amira",)) as server,
        connect(server.url, user="amira", password=PASSWORD, tls=False) as client,
    ):
        assert client.upn == "amira"


def test_the_manual_names_every_setting_error_and_method() -> None:
    page = MANUAL.read_text("utf-8")
    errors = [name for name in dir(errors_module) if name.endswith("Error")]
    methods = [
        name for name in vars(Client) if not name.startswith("_") and name not in ("open", "abandon", "close")
    ]
    missing = [name for name in (*Settings.__annotations__, *errors, *methods) if f"{name}" not in page]
    assert missing == []
