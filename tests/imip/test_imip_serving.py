"""`kalends serve` sends by itself what waits, and `kalends mail` shows it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest
from post_office import PostOffice

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from cli_tools import apart

from kalends.core import ledger
from kalends.core.model import Caller, Target
from kalends.ical.tree import parse
from kalends.serve import mailer as mailing
from kalends.serve.config import ConfigError, load_config
from kalends.serve.server import Server
from kalends.store import calendars, jobs
from kalends.store.base import Store, Tx
from kalends.store.open import open_store
from live_server import clean_environ, furnish

EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//T//EN\r\nBEGIN:VEVENT\r\nUID:tea\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART:20360310T120000Z\r\nSUMMARY:Tea\r\nORGANIZER:mailto:amira@example.com\r\n"
    "ATTENDEE:mailto:jane@example.org\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


class Place:
    """A store with Amira in it, and the settings of its server."""

    def __init__(self, folder: Path, port: int) -> None:
        self.store = str(folder / "store.db")
        furnish(self.store, "amira")
        self.file = folder / "kalends.toml"
        self.file.write_text(
            f"store = '{self.store}'\ncsid = 'cal.example.com'\nrealm = 'example.com'\ncap-port = 0\n"
            f"http-port = 'off'\n[mail]\nhost = '127.0.0.1'\nport = {port}\ntls = 'none'\n"
        )
        self.environ = clean_environ(folder)
        self.config = load_config({}, self.environ, self.file)

    def invite(self, store: Store) -> None:
        from kalends.core.people import identity

        def put(tx: Tx) -> None:
            who = identity.identify(tx, "amira@example.com")
            assert who is not None
            assert who.principal_id is not None
            home = calendars.every(tx, who.principal_id)[0]
            caller = Caller(who, "dav", int(time.time()), self.config.policy)
            ledger.put_object(tx, caller, Target(home.calid, home.id, home.calid), "tea.ics", parse(EVENT))

        store.write(put)


@pytest.fixture
def place(tmp_path: Path, office: PostOffice) -> Place:
    return Place(tmp_path, office.port)


def test_a_server_sends_what_waits_and_what_comes(
    place: Place, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailing, "POLL_SECONDS", 0.05)
    came = asyncio.Event()
    store = open_store(place.store)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        office.on_mail = lambda: loop.call_soon_threadsafe(came.set)  # type: ignore[assignment]
        async with Server(place.config, store):
            await asyncio.to_thread(place.invite, store)
            await asyncio.wait_for(came.wait(), 30)

    try:
        asyncio.run(scenario())
        assert store.read(lambda tx: jobs.count(tx, "imip")) == 0, "what was begun was finished at the end"
    finally:
        store.close()
    (mail,) = office.read()
    assert mail["Subject"] == "Invitation: Tea"
    assert mail["Sender"] == "calendar@example.com"


def test_the_queue_is_shown_and_flushed(place: Place, office: PostOffice) -> None:
    words = ("--config", str(place.file))
    assert apart(place.environ, "mail", "status", *words).out == "no mail waits\n"
    store = open_store(place.store)
    place.invite(store)
    store.close()
    office.answers["jane@example.org"] = "451 4.7.1 come back"
    assert apart(place.environ, "mail", "send-now", *words).out == "0 sent, 0 failed, 1 waiting\n"
    shown = apart(place.environ, "mail", "status", *words)
    assert "jane@example.org " in shown.out
    assert "come back" in shown.out
    told = json.loads(apart(place.environ, "mail", "status", "--json", *words).out)
    assert (told["server"], told["waiting"]) == ("127.0.0.1", 1)
    (one,) = told["mails"]
    assert (one["method"], one["tried"], one["held_until"]) == ("REQUEST", 1, None)
    assert "Tea" not in str(told)
    store = open_store(place.store)
    store.write(lambda tx: jobs.hasten(tx, "imip", int(time.time())))
    assert len(store.write(lambda tx: jobs.due(tx, int(time.time()) + 1, kind="imip", hold=300))) == 1
    store.close()
    assert "held until" in apart(place.environ, "mail", "status", *words).out
    assert apart(place.environ, "mail", "send-now", *words).out == "0 sent, 0 failed, 1 waiting\n"
    store = open_store(place.store)
    (held,) = store.read(lambda tx: jobs.waiting(tx, "imip", 2))
    store.write(lambda tx: jobs.failed(tx, held.id, "451", int(time.time())))
    store.close()
    office.answers.clear()
    assert apart(place.environ, "mail", "send-now", *words).out == "1 sent, 0 failed, 0 waiting\n"
    assert len(office.mails) == 1
    assert apart(place.environ, "mail", "send-now", *words).out == "0 sent, 0 failed, 0 waiting\n"


def test_a_mail_server_in_trouble_is_told(place: Place, office: PostOffice) -> None:
    store = open_store(place.store)
    place.invite(store)
    store.close()
    office.shut()
    ended = apart(place.environ, "mail", "send-now", "--config", str(place.file))
    assert (ended.code, ended.out) == (1, "0 sent, 0 failed, 1 waiting\n")
    assert "could not be used" in ended.err
    ended = apart(place.environ, "mail", "test", "jane@example.org", "--config", str(place.file))
    assert (ended.code, ended.err.strip()) == (1, "kalends: 127.0.0.1: Connection refused")


def test_a_trial_says_what_the_server_answered(place: Place, office: PostOffice) -> None:
    words = ("mail", "test", "jane@example.org", "--config", str(place.file))
    assert apart(place.environ, *words).out == "127.0.0.1 took it: 250 2.0.0 taken\n"
    (mail,) = office.read()
    assert mail["Subject"] == "Kalends can send mail"
    office.answers["jane@example.org"] = "550 5.1.1 who?"
    ended = apart(place.environ, *words)
    assert (ended.code, ended.err) == (1, "kalends: 127.0.0.1 refused it: 550 5.1.1 who?\n")
    ended = apart(place.environ, "mail", "test", "jane", "--config", str(place.file))
    assert (ended.code, ended.err) == (1, "kalends: the address is no mailbox\n")


def test_without_a_mail_server_the_commands_say_what_is_missing(tmp_path: Path) -> None:
    furnish(str(tmp_path / "store.db"))
    ended = apart(clean_environ(tmp_path), "mail", "test", "a@b", "--store", str(tmp_path / "store.db"))
    assert ended.code == 2
    assert "mail-host" in ended.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[mail]\nhots = 'x'", "[mail]: there is no setting 'hots'"),
        ("mail-host = 'a'\n[mail]\nhost = 'b'", "[mail]: 'host' is said twice"),
        ("mail = 3", "expected a table [mail]"),
        ("[mail]\nhost = 'mx.example.com'\nuser = 'a'", "a user name needs mail-password-file"),
        (
            "[mail]\nhost = 'mx'\nuser = 'a'\npassword-file = '/x'\ntls = 'none'",
            "a password is sent over TLS only",
        ),
        ("[mail]\nfrom = 'nobody'", "expected a mailbox"),
        ("[mail]\nfrom = 'a\\nb@example.com'", "expected a mailbox"),
        ("[mail]\ntls = 'maybe'", "expected one of starttls, tls, none"),
    ],
)
def test_settings_of_mail_are_checked(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "k.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config({}, {"HOME": "/home/bob"}, file)
    assert words in str(caught.value)


def test_a_table_of_mail_is_the_settings_that_begin_with_mail(tmp_path: Path) -> None:
    file = tmp_path / "k.toml"
    file.write_text(
        "realm = 'example.com'\n[mail]\nhost = 'mx.example.com'\n[[virtual-host]]\ncsid = 'b.example'\n"
        "store = '/b.db'\nmail-from = 'post@b.example'\n[[virtual-host]]\ncsid = 'c.example'\nstore = '/c.db'\n"
    )
    config = load_config({}, {"HOME": "/home/bob", "KALENDS_MAIL_PORT": "2525"}, file)
    assert (config.mail_host, config.mail_port, config.policy.imip) == ("mx.example.com", 2525, True)
    assert [config.mailbox, *(one.mailbox for one in config.virtual_hosts)] == [
        "calendar@example.com", "post@b.example", "calendar@c.example",
    ]  # fmt: skip
    assert not load_config({}, {"HOME": "/home/bob"}).policy.imip
