"""`kalends mail receive`, as a mail server runs it; and two servers that speak by mail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from mail_world import Clock, MailWorld
from post_office import PostOffice
from test_imip_receiving import answer, arrive, mail, theirs

from kalends.cli import mailbox
from kalends.core import containers, ledger
from kalends.core.model import Caller, Target
from kalends.core.people import identity
from kalends.ical.tree import parse
from kalends.imip.queue import Tally
from kalends.serve.config import load_config
from kalends.serve.mailer import Mailer
from kalends.store import calendars, objects
from kalends.store.base import Store, Tx
from kalends.store.objects import ObjectRow
from kalends.store.open import open_store
from live_server import clean_environ, furnish

KALENDS = (sys.executable, "-m", "kalends.cli.entry")


class Gate:
    """A store behind a mail server."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.folder, self.store = folder, str(folder / "store.db")
        furnish(self.store, "bill", "mary")
        self.file = folder / "kalends.toml"
        self.file.write_text(
            f"store = '{self.store}'\ncsid = 'cal.example.com'\nrealm = 'example.com'\n[mail]\n"
            + "\n".join(lines)
        )

    def __call__(self, data: bytes, *words: str) -> tuple[int, str]:
        """Hand in a mail; the exit code, and what was said."""
        done = subprocess.run(
            [*KALENDS, "mail", "receive", "--config", str(self.file), *words],
            check=False, input=data, capture_output=True, env=clean_environ(self.folder), timeout=60,
        )  # fmt: skip
        assert done.stdout == b""
        return done.returncode, done.stderr.decode()

    def held(self) -> list[tuple[object, ...]]:
        store = open_store(self.store)
        try:
            return store.read(
                lambda tx: list(tx.rows("select uid, state, method from object where kind = 'VEVENT'"))
            )
        finally:
            store.close()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path, "require-authentication-results = 'mx.example.com'")


def proven(data: bytes) -> bytes:
    return b"Authentication-Results: mx.example.com; dmarc=pass header.from=example.org\r\n" + data


def test_sysexits_a_mail_server_is_told_in_its_own_codes(gate: Gate) -> None:
    data = mail(theirs())
    assert gate(data) == (77, "kalends: mx.example.com did not prove that the mail is from example.org\n")
    assert gate(proven(data), "--recipient", "bill@example.com")[0] == 67
    assert gate(b"From: jane@example.org\n\nhello") == (65, "kalends: there is no calendar in the mail\n")
    assert gate(proven(mail(answer()).replace(b"bill@", b"nobody@"))) == (
        67,
        "kalends: mailto:nobody@example.com is not here\n",
    )
    assert gate(proven(mail(answer()))) == (77, "kalends: the access rights here do not allow this\n")
    assert gate(proven(mail(theirs(extra="RRULE:FREQ=NEVER\n"))))[0] == 69
    assert gate(b"") == (65, "kalends: there is no calendar in the mail\n")
    assert gate(b"Auto-Submitted: auto-replied\n\naway") == (
        0,
        "kalends: an automatic answer without a calendar: dropped\n",
    )
    assert gate.held() == []
    assert gate(proven(data), "--recipient", "mary@example.com") == (0, "")
    assert ("theirs", "BOOKED", None) in gate.held()


def test_sysexits_a_store_in_trouble_lets_the_mail_be_tried_again(gate: Gate) -> None:
    Path(gate.store).write_bytes(b"no database at all" * 100)
    code, words = gate(proven(mail(theirs())))
    assert code == 75
    assert words.startswith("kalends: ")


def test_nothing_is_taken_as_long_as_nobody_says_who_proves_senders(tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    code, words = gate(mail(theirs()))
    assert code == 78
    assert "mail-require-authentication-results" in words
    assert gate.held() == []


def test_a_mail_over_the_limit_is_read_to_its_end_and_refused(tmp_path: Path) -> None:
    gate = Gate(tmp_path, "require-authentication-results = 'off'", "size = '10k'")
    assert gate(mail(theirs()) + b"x" * 50_000_000) == (65, "kalends: the mail has more than 10240 octets\n")
    assert gate.held() == []


def test_a_mail_that_must_not_be_lost_is_kept_by_the_mail_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_anything: object) -> str:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(mailbox, "_take", fails)
    assert mailbox._received((), None, None) == (75, "internal error: RuntimeError: a mistake of ours")


class Elsewhere:
    """Another server, example.net, with Zoe on it: its settings, its mailer, its `mail receive`."""

    def __init__(self, folder: Path, port: int, clock: Clock) -> None:
        folder.mkdir()
        url = str(folder / "store.db")
        self.file = folder / "kalends.toml"
        self.file.write_text(
            f"store = '{url}'\ncsid = 'cal.example.net'\nrealm = 'example.net'\n[mail]\nhost = '127.0.0.1'\n"
            f"port = {port}\ntls = 'none'\nrequire-authentication-results = 'mx.example.net'\n"
        )
        self.environ = clean_environ(folder)
        self.config = load_config({}, self.environ, self.file)
        self.store = open_store(url)
        self.clock = clock
        self.mailer = Mailer(self.config, self.store, clock)

        def furnish(tx: Tx) -> None:
            containers.ensure_store(tx, self.config.policy, int(clock()))
            identity.add_user(tx, self.config.policy, "zoe", now=int(clock()))

        self.store.write(furnish)

    def receive(self, data: bytes) -> None:
        """What the mail server of example.net does with a mail that it has looked at."""
        words = [*KALENDS, "mail", "receive", "--config", str(self.file), "--recipient", "zoe@example.net"]
        seen = b"Authentication-Results: mx.example.net; dmarc=pass header.from=example.com\r\n" + data
        subprocess.run(words, check=True, input=seen, env=self.environ, timeout=60)

    def row(self) -> ObjectRow:
        (row,) = self.store.read(lambda tx: objects.by_uid_anywhere(tx, "lunch", "BOOKED"))
        return row

    def accept(self) -> None:
        """Zoe's CalDAV client says yes."""
        row = self.row()
        text = row.ics.decode().replace("\r\n ", "")
        assert "ATTENDEE:mailto:zoe@example.net" in text
        answered = parse(text.replace("ATTENDEE:mailto:zoe@", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:zoe@"))

        def put(tx: Tx) -> None:
            who, calendar = identity.identify(tx, "zoe@example.net"), calendars.by_id(tx, row.calendar_id)
            assert who is not None
            assert calendar is not None
            caller = Caller(who, "dav", int(self.clock()), self.config.policy)
            place = Target(calendar.calid, calendar.id, calendar.calid)
            ledger.put_object(tx, caller, place, row.name, answered, check=lambda _row: None)

        self.store.write(put)


def test_rfc6047_two_servers_invite_and_answer_by_mail(
    store: Store, office: PostOffice, tmp_path: Path
) -> None:
    """Bill at A invites Zoe at B; B books it; Zoe accepts; A puts her answer in and lets Mary see it."""
    here = MailWorld(store, tmp_path, office.port)
    there = Elsewhere(tmp_path / "there", office.port, here.clock)

    def carried(whose: Mailer) -> bytes:
        assert whose.round() == Tally(sent=1)
        ((_, data),) = office.mails
        office.mails.clear()
        return data

    try:
        here.invite("zoe@example.net", "mary@example.com")
        there.receive(carried(here.mailer))
        held = there.store.read(
            lambda tx: list(tx.rows("select state, method from object where uid = 'lunch'"))
        )
        assert sorted(held) == [("BOOKED", None), ("UNPROCESSED", "REQUEST")]
        there.accept()
        reply = carried(there.mailer)
        assert (
            b"ORGANIZER:mailto:bill@example.com" in there.row().ics
            or b"SCHEDULE-STATUS=1.1" in there.row().ics
        )
        arrive(here.village, reply)
        shown = [here.village.text(who, "lunch").replace("\r\n ", "") for who in ("bill", "mary")]
        assert "PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0:mailto:zoe@example.net" in shown[0]
        assert "PARTSTAT=ACCEPTED:mailto:zoe@example.net" in shown[1]
        here.village.remove("bill", "lunch")
        here.clock.now += 3600
        there.receive(carried(here.mailer))
        assert b"STATUS:CANCELLED" in there.row().ics
    finally:
        there.store.close()


def test_the_invitation_of_a_stranger_needs_no_account(gate: Gate) -> None:
    assert gate(proven(mail(theirs(guests=("mary@example.com", "bill@example.com"))))) == (0, "")
    assert sorted(row[1] for row in gate.held()) == ["BOOKED", "BOOKED", "UNPROCESSED", "UNPROCESSED"]
