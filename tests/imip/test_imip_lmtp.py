"""Mail handed in over LMTP (RFC 2033): the engine by transcripts, the listener by Python's own client."""

from __future__ import annotations

import asyncio
import smtplib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from test_imip_receiving import mail, theirs

sys.path.insert(0, str(Path(__file__).parents[1] / "serve"))

from serve_client import add_people, config_for

from kalends.imip import intake, lmtp
from kalends.imip.lmtp import Action, Close, Deliver, Send, Session
from kalends.imip.outcomes import Outcome
from kalends.serve import lmtp as door
from kalends.serve.config import Config, ConfigError
from kalends.serve.server import Server
from kalends.store.base import Store
from kalends.store.errors import StoreBusyError

CASES = sorted((Path(__file__).parent / "lmtp").glob("*.txt"))
GOOD = b"LHLO mx\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"


class Played:
    """What a session did, as the lines of a transcript."""

    def __init__(self, limit: int = 10_000) -> None:
        self.session = Session("cal.example.com", limit)
        self.lines: list[str] = []
        self.mails: list[bytes] = []
        self.take([self.session.greeting()])

    def take(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(data):
                    self.lines += [f"S: {line}" for line in data.decode().split("\r\n")[:-1]]
                case Deliver(recipients, data):
                    self.mails.append(data)
                    shown = data.decode("utf-8", "replace").replace("\r\n", "|")
                    self.lines.append(f"D: {' '.join(recipients)}: {shown}")
                case Close():
                    self.lines.append("X:")


@pytest.mark.parametrize("size", [1, 7, 100_000], ids=lambda size: f"{size} at a time")
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_rfc2033_a_conversation_goes_as_written(case: Path, size: int) -> None:
    """C: the mail server, S: us, D: a mail for some, R: what becomes of it, X: the end."""
    played, answers = Played(), []
    expected: list[str] = []
    for line in case.read_text().splitlines():
        if line.startswith("C:"):
            octets = line[3:].encode() + b"\r\n"
            for at in range(0, len(octets), size):
                played.take(played.session.receive(octets[at : at + size]))
        elif line.startswith("R: "):
            answers.append(line[3:])
            if sum(one.startswith("D:") for one in played.lines) and _is_whole(played, answers):
                replies, answers = answers, []
                played.take(played.session.delivered(replies))
        elif not line.startswith("#"):
            expected.append(line)
    assert played.lines == expected


def _is_whole(played: Played, answers: list[str]) -> bool:
    last = next(line for line in reversed(played.lines) if line.startswith("D:"))
    return len(answers) == len(last.split(": ")[1].split())


def test_rfc1870_a_mail_that_is_too_large_is_read_to_its_end_and_not_kept() -> None:
    played = Played(100)
    played.take(played.session.receive(GOOD))
    for _ in range(1000):
        played.take(played.session.receive(b"x" * 98 + b"\r\n"))
        assert len(played.session._buffer) < 300
    played.take(played.session.receive(b".\r\nNOOP\r\n"))
    assert played.lines[-2:] == ["S: 552 5.3.4 a mail has at most 100 octets", "S: 250 2.0.0 nothing done"]
    assert played.mails == []


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r"])
def test_rfc5321_4114_only_crlf_dot_crlf_ends_a_mail(end: bytes) -> None:
    """What some programs take for the end of a mail, and others do not, smuggles commands."""
    played = Played()
    played.take(played.session.receive(GOOD + b"one" + end + b"MAIL FROM:<evil@b>\r\n"))
    assert played.mails == []
    played.take(played.session.receive(b"two\r\n.\r\n"))
    assert len(played.mails) == 1
    assert b"evil@b" in played.mails[0]


def test_endless_commands_and_mistakes_end_the_connection() -> None:
    long = Played()
    long.take(long.session.receive(b"x" * 5_000))
    assert long.lines[-2:] == ["S: 421 4.3.2 a command is too long", "X:"]
    wrong = Played()
    wrong.take(wrong.session.receive(b"GET / HTTP/1.1\r\n" * 100))
    assert wrong.lines[-2:] == ["S: 421 4.3.2 too many mistakes", "X:"]
    assert len(wrong.lines) == 1 + lmtp.MAX_MISTAKES + 2


def test_recipients_of_one_mail_are_counted() -> None:
    played = Played()
    played.take(played.session.receive(b"LHLO mx\r\nMAIL FROM:<a@b>\r\n" + b"RCPT TO:<c@d>\r\n" * 101))
    assert played.lines[-1] == "S: 452 4.5.3 100 recipients at once"


@given(st.lists(st.binary(max_size=60), max_size=10), st.integers(1, 50))
def test_rfc5321_452_what_a_client_stuffs_comes_out_as_it_was(lines: list[bytes], size: int) -> None:
    """The text of a mail, whatever it is, in whatever pieces it comes."""
    text = b"".join(line.replace(b"\r\n", b"") + b"\r\n" for line in lines)
    stuffed = b"".join(
        b"." + line if line.startswith(b".") else line for line in text.splitlines(keepends=True)
    )
    stuffed = lmtp._DOT.sub(rb"\1..", text)
    data = GOOD + stuffed + b".\r\n"
    played = Played()
    for at in range(0, len(data), size):
        played.take(played.session.receive(data[at : at + size]))
    assert played.mails == [text or b"\r\n"]


@given(
    st.lists(
        st.one_of(st.binary(max_size=30), st.sampled_from([GOOD, b"\r\n.\r\n", b"RSET\r\n", b"DATA\r\n"])),
        max_size=15,
    )
)
def test_any_octets_are_answered(pieces: list[bytes]) -> None:
    played = Played()
    for piece in pieces:
        played.take(played.session.receive(piece))
        if played.lines[-1].startswith("D:"):
            played.take(played.session.delivered([lmtp.TAKEN] * len(played.lines[-1].split(": ")[1].split())))
    assert all(line[:3] in ("S: ", "D: ", "X:") for line in played.lines)


def test_a_reply_is_one_line_whatever_it_says() -> None:
    assert lmtp.reply(Outcome.REFUSED, "no\r\n250 yes\x00é") == "554 5.6.0 no 250 yes"


# --- the listener ---


def served(
    store: Store,
    folder: Path,
    work: Callable[[smtplib.LMTP], None],
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
    **more: object,
) -> None:
    """Let a mail server's client talk to a server with Bill and Mary on it."""
    config = config_for(folder, mail_lmtp="127.0.0.1:0", mail_require_authentication_results="off", **more)
    add_people(store, config, "bill", "mary")

    async def scenario() -> None:
        async with Server(config, store) as server:
            assert server.lmtp_address is not None
            host, port = server.lmtp_address

            def talk() -> None:
                with smtplib.LMTP(host, port, timeout=20) as client:
                    work(client)

            await asyncio.to_thread(talk)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario())


def hand_in(client: smtplib.LMTP, data: bytes, *recipients: str) -> list[tuple[int, bytes]]:
    """Hand a mail in; the answer for each recipient, of which Python's client reads only one."""
    client.ehlo_or_helo_if_needed()
    assert client.mail("x@example.org", [f"size={len(data)}"])[0] == 250
    assert [client.rcpt(one)[0] for one in recipients] == [250] * len(recipients)
    return [client.data(data), *(client.getreply() for _ in recipients[1:])]


def booked(store: Store) -> list[tuple[Any, ...]]:
    return sorted(store.read(lambda tx: list(tx.rows("select uid, state from object where kind = 'VEVENT'"))))


@pytest.mark.parametrize("loop", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_rfc2033_a_mail_server_hands_in_an_invitation(
    store: Store, tmp_path: Path, loop: Callable[[], asyncio.AbstractEventLoop] | None
) -> None:
    def work(client: smtplib.LMTP) -> None:
        both = ("mary@example.com", "bill@example.com")
        nobody = (550, b"5.1.1 it invites nobody here whom the mail is for")
        assert hand_in(client, mail(theirs()), *both) == [(250, b"2.0.0 taken"), nobody]
        hello = b"From: jane@example.org\r\n\r\nhello\r\n"
        assert hand_in(client, hello, *both) == [(550, b"5.6.0 there is no calendar in the mail")] * 2
        ((code, words),) = hand_in(client, mail(theirs(), "mallory@example.org"), "mary@example.com")
        assert (code, words) == (550, b"5.7.1 mallory@example.org is not the ORGANIZER of this REQUEST")
        assert client.quit()[0] == 221

    served(store, tmp_path, work, loop)
    assert booked(store) == [("theirs", "BOOKED"), ("theirs", "UNPROCESSED")]


def test_rfc2033_what_is_wrong_here_is_tried_again(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [RuntimeError("a mistake of ours"), StoreBusyError("locked")]

    def fails(*_anything: object) -> list[str]:
        raise faults.pop()

    monkeypatch.setattr(intake, "deliver", fails)

    def work(client: smtplib.LMTP) -> None:
        for words in (b"4.3.0 the store is busy; try again", b"4.3.0 an error in Kalends"):
            assert hand_in(client, mail(theirs()), "mary@example.com") == [(451, words)]

    served(sqlite_store, tmp_path, work)
    assert "a mistake of ours" in caplog.text


def test_a_mail_over_the_limit_is_refused_before_it_is_sent(sqlite_store: Store, tmp_path: Path) -> None:
    def work(client: smtplib.LMTP) -> None:
        with pytest.raises(smtplib.SMTPSenderRefused) as caught:
            client.sendmail("x@example.org", ["mary@example.com"], mail(theirs()) + b"x" * 10_000)
        assert caught.value.smtp_code == 552

    served(sqlite_store, tmp_path, work, mail_size="4096")


def test_more_connections_than_a_mail_server_has_are_told_to_come_later(
    sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MAX_CONNECTIONS", 1)

    def work(client: smtplib.LMTP) -> None:
        with pytest.raises(smtplib.SMTPConnectError) as caught:
            smtplib.LMTP(client.sock.getpeername()[0], client.sock.getpeername()[1], timeout=20)
        assert caught.value.smtp_code == 421
        assert client.noop()[0] == 250

    served(sqlite_store, tmp_path, work)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"mail_lmtp": "0.0.0.0:24", "mail_require_authentication_results": "off"},
            "only a loopback address",
        ),
        ({"mail_lmtp": "127.0.0.1:24"}, "mail-require-authentication-results"),
        ({"mail_lmtp": "24"}, "expected an address and a port"),
        ({"mail_lmtp": "127.0.0.1:x"}, "whole number"),
    ],
)
def test_settings_of_lmtp_are_checked(tmp_path: Path, settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config_for(tmp_path, **settings)
    ok: Config = config_for(tmp_path, mail_lmtp="[::1]:24", mail_require_authentication_results="mx")
    assert ok.lmtp_address == ("::1", 24)
