"""Mail that goes out: at least once, to each recipient, and what became of it stands in the organizer's event."""

from __future__ import annotations

import logging
import smtplib
import ssl
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mail_world import MailWorld
from post_office import PostOffice

from kalends.core.past import history, undoing
from kalends.imip import queue, verdicts
from kalends.imip.queue import HOLD, Tally
from kalends.serve.certificate import server_identity
from kalends.serve.mailer import REST_SECONDS, work
from kalends.serve.relay import Relay
from kalends.store import jobs
from kalends.store.base import Store
from kalends.store.open import open_store

JANE, KARL, ZOE = "jane@example.org", "karl@example.org", "zoe@example.net"


@pytest.fixture
def world(store: Store, office: PostOffice, tmp_path: Path) -> MailWorld:
    return MailWorld(store, tmp_path, office.port)


def to_whom(office: PostOffice) -> list[str]:
    return sorted(to for to, _ in office.mails)


def test_rfc6638_329_a_mail_that_was_taken_is_sent_and_no_more_is_known(
    world: MailWorld, office: PostOffice
) -> None:
    world.invite(JANE, "mary@example.com")
    before = world.village.row("bill", "lunch")
    assert world.status(JANE) == "1.0"
    assert world.round() == Tally(sent=1)
    assert to_whom(office) == [JANE]
    assert (world.status(JANE), world.status("mary@example.com")) == ("1.1", "1.2")
    assert world.waiting() == []
    after = world.village.row("bill", "lunch")
    assert before is not None
    assert after is not None
    assert "SEQUENCE:0" in after.ics.decode(), "no change that anybody has to answer"
    assert after.schedule_tag == before.schedule_tag
    assert after.etag != before.etag, "clients see that there is something new"
    assert len(world.village.inbox("mary")) == 1, "nobody else is told"
    assert world.round() == Tally()


def test_rfc6638_329_an_answer_says_in_the_attendees_copy_what_became_of_it(
    world: MailWorld, office: PostOffice
) -> None:
    theirs = (
        "BEGIN:VEVENT\nUID:theirs\nDTSTART:20260311T120000Z\nSUMMARY:Theirs\n"
        f"ORGANIZER:mailto:{JANE}\nATTENDEE;PARTSTAT=TENTATIVE:mailto:mary@example.com\nEND:VEVENT"
    )
    from scheduling_world import wrapped

    world.village.put("mary", "theirs", wrapped(theirs))
    assert world.round() == Tally(sent=1)
    assert world.status(JANE, "theirs", "mary", "ORGANIZER") == "1.1"
    (mail,) = office.read()
    assert mail["From"].addresses[0].addr_spec == "mary@example.com"
    assert mail["Subject"] == "Tentatively accepted: Theirs"


def test_rfc5321_421_what_is_temporary_is_tried_again_after_growing_waits(
    world: MailWorld, office: PostOffice
) -> None:
    office.answers[JANE] = "451 4.7.1 greylisted"
    world.invite(JANE, KARL)
    assert world.round() == Tally(sent=1, waiting=1)
    assert (world.status(JANE), world.status(KARL)) == ("1.0", "1.1")
    waits = []
    for attempt in range(2, world.config.mail_attempts):
        (job,) = world.waiting()
        assert (job.attempts, job.last_error) == (attempt - 1, "451 4.7.1 greylisted")
        waits.append(job.due_at - world.clock.now)
        world.clock.now = job.due_at - 1
        assert world.round() == Tally(), "not before its time"
        world.clock.now = job.due_at
        assert world.round() == Tally(waiting=1)
    assert waits[:6] == [60, 240, 960, 3840, 14_400, 14_400]
    world.clock.now += 14_400
    assert world.round() == Tally(failed=1)
    assert world.status(JANE) == "5.1"
    assert world.waiting() == []
    assert to_whom(office) == [KARL]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("550 5.1.1 nobody of that name", "5.2"),
        ("550 no", "5.2"),
        ("550 5.7.1 not wanted", "5.3"),
        ("552 5.2.2 full", "5.2"),
    ],
)
def test_rfc6638_329_what_is_refused_for_good_ends_and_says_why(
    world: MailWorld, office: PostOffice, answer: str, status: str
) -> None:
    office.answers[JANE] = answer
    world.invite(JANE, KARL)
    assert world.round() == Tally(sent=1, failed=1)
    assert (world.status(JANE), world.status(KARL)) == (status, "1.1")
    assert world.waiting() == []


def test_a_mail_whose_text_is_refused_ends(world: MailWorld, office: PostOffice) -> None:
    office.at_end = "554 5.7.1 looks like spam"
    world.invite(JANE)
    assert world.round() == Tally(failed=1)
    assert world.status(JANE) == "5.3"


def test_rfc6638_329_an_answer_that_came_meanwhile_is_not_overwritten(
    world: MailWorld, office: PostOffice
) -> None:
    world.invite(JANE)
    text = world.village.text("bill", "lunch")
    answered = text.replace("SCHEDULE-STATUS=1.0", "PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0")
    world.village.put("bill", "lunch", answered)
    world.round()
    assert "PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0" in world.village.text("bill", "lunch")


def test_what_was_deleted_meanwhile_is_called_off_and_has_no_place_for_a_status(
    world: MailWorld, office: PostOffice
) -> None:
    world.invite(JANE)
    world.village.remove("bill", "lunch")
    assert world.round() == Tally(sent=2)
    assert [mail["Subject"] for mail in office.read()] == ["Invitation: Lunch", "Cancelled: Lunch"]


def test_an_address_that_mail_cannot_take_fails_alone(world: MailWorld, office: PostOffice) -> None:
    world.invite(JANE, "no mailbox@example.org")
    assert world.round() == Tally(sent=1, failed=1)
    assert (world.status(JANE), world.status("no mailbox@example.org")) == ("1.1", "3.7")


def test_a_mail_server_that_is_down_delays_everything_and_loses_nothing(
    world: MailWorld, office: PostOffice
) -> None:
    world.invite(JANE, KARL)
    office.shut()
    assert work(world.mailer) == REST_SECONDS
    assert [job.attempts for job in world.waiting()] == [1, 1]
    assert all("127.0.0.1: connection refused" in str(job.last_error).lower() for job in world.waiting())
    assert world.status(JANE) == "1.0"
    office.open()
    world.clock.now += 60
    assert world.round() == Tally(sent=2)


def test_rfc5322_364_who_dies_between_sending_and_noting_sends_the_same_mail_once_more(
    world: MailWorld, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.invite(JANE)

    def dies(*_anything: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("kalends.imip.queue.settle", dies)
        with pytest.raises(KeyboardInterrupt):
            world.round()
    assert world.another().round() == Tally(), "as long as it is held it is nobody else's"
    world.clock.now += HOLD + 1
    assert world.another().round() == Tally(sent=1)
    (_, first), (_, second) = office.mails
    assert first == second, "Message-ID and all"
    assert world.status(JANE) == "1.1"


def test_who_comes_too_late_to_note_leaves_it_to_who_has_it_now(world: MailWorld, office: PostOffice) -> None:
    """A server that was asleep for longer than it held a mail."""
    world.invite(JANE)

    taken = world.store.write(lambda tx: jobs.due(tx, int(world.clock.now), kind="imip", hold=HOLD))
    world.clock.now += HOLD + 1
    office.answers[JANE] = "451 later"
    assert world.another().round() == Tally(waiting=1)
    late, policy = [(taken[0], verdicts.sent("250"))], world.config.policy
    world.store.write(lambda tx: queue.settle(tx, policy, int(world.clock.now), world.mailer.limits, late))
    (job,) = world.waiting()
    assert (job.attempts, job.last_error) == (2, "451 later")
    assert world.status(JANE) == "1.0"


def test_two_servers_on_one_store_send_each_mail_once(
    postgres_store: Store, postgres_url: str, office: PostOffice, tmp_path: Path
) -> None:
    world = MailWorld(postgres_store, tmp_path, office.port)
    guests = [f"guest{n}@example.org" for n in range(30)]
    for n in range(3):
        world.invite(*guests, uid=f"meeting{n}")
    other_store = open_store(postgres_url)
    start = threading.Barrier(4)

    def serve(store: Store) -> None:
        one = world.another()
        one.store = store
        start.wait(10)
        while one.is_due():
            one.round()

    try:
        with ThreadPoolExecutor(4) as pool:
            for ended in [pool.submit(serve, one) for one in (postgres_store, other_store) * 2]:
                ended.result(60)
    finally:
        other_store.close()
    assert Counter(to_whom(office)) == dict.fromkeys(guests, 3)
    assert len({mail["Message-ID"] for mail in office.read()}) == 90
    assert {world.status(guest, f"meeting{n}") for guest in guests for n in range(3)} == {"1.1"}
    assert world.waiting() == []


def test_more_mails_of_one_organizer_than_an_hour_has_wait_for_the_next(
    store: Store, office: PostOffice, tmp_path: Path
) -> None:
    world = MailWorld(store, tmp_path, office.port, {"mail_per_hour": "2"})
    world.invite(JANE, KARL, ZOE)
    assert world.round() == Tally(sent=2)
    (job,) = world.waiting()
    assert job.due_at % 3600 == 0
    assert job.due_at > world.clock.now
    assert job.attempts == 0
    assert job.last_error == "more than 2 mails of bill@example.com in this hour"
    world.clock.now = job.due_at
    assert world.round() == Tally(sent=1)
    assert to_whom(office) == sorted([JANE, KARL, ZOE])


def test_people_elsewhere_beyond_the_limit_of_one_change_are_not_mailed_to(
    store: Store, office: PostOffice, tmp_path: Path
) -> None:
    world = MailWorld(store, tmp_path, office.port, {"mail_recipients": "2"})
    world.invite(JANE, KARL, ZOE)
    assert [world.status(who) for who in (JANE, KARL, ZOE)] == ["1.0", "1.0", "5.3"]
    assert world.round() == Tally(sent=2)


def test_a_mail_that_is_too_large_is_not_sent(store: Store, office: PostOffice, tmp_path: Path) -> None:
    world = MailWorld(store, tmp_path, office.port, {"mail_size": "4096"})
    world.invite(JANE, extra=f"DESCRIPTION:{'x' * 3000}\n")
    assert world.round() == Tally(failed=1)
    assert world.status(JANE) == "5.3"
    assert office.mails == []


def test_a_damaged_job_is_forgotten_and_blocks_nothing(world: MailWorld, office: PostOffice) -> None:
    world.store.write(lambda tx: jobs.add(tx, id=1, key="broken", kind="imip", due_at=0, payload="[1"))
    world.invite(JANE)
    assert world.round() == Tally(sent=1, failed=1)
    assert world.waiting() == []


def test_a_mail_with_which_a_server_died_each_time_is_given_up(world: MailWorld, office: PostOffice) -> None:
    world.invite(JANE)
    for _ in range(world.config.mail_attempts):
        world.store.write(lambda tx: jobs.due(tx, int(world.clock.now), kind="imip", hold=HOLD))
        world.clock.now += HOLD + 1
    assert world.round() == Tally(failed=1)
    assert office.mails == []
    assert world.status(JANE) == "5.1"


# --- TLS, logins, and what the log says ---


def tls_office(folder: Path, password: str = "") -> tuple[PostOffice, str]:
    from kalends.serve.config import load_config

    own = load_config({"store": str(folder / "x.db"), "csid": "localhost", "data_dir": str(folder)}, {})
    identity = server_identity(own)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.cert, identity.key)
    return PostOffice(tls=context, password=password, hostname="localhost"), str(identity.cert)


def test_rfc3207_a_login_goes_over_tls_to_a_server_that_is_known(
    sqlite_store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    office, authority = tls_office(tmp_path, "s3cret words")
    office.open()
    secret = tmp_path / "password"
    secret.write_text("s3cret words\n")
    settings = {"mail_tls": "starttls", "mail_ca": authority, "mail_host": "localhost", "mail_user": "kalends",
                "mail_password_file": str(secret)}  # fmt: skip
    caplog.set_level(logging.DEBUG)
    try:
        world = MailWorld(sqlite_store, tmp_path, office.port, settings)
        world.invite(JANE, extra="DESCRIPTION:between us\n")
        assert world.round() == Tally(sent=1)
        assert office.logins == [("kalends", "s3cret words")]
        secret.write_text("s3cret wörds\nmore lines")
        world.invite(ZOE, uid="first")
        assert world.round() == Tally(waiting=1)
        assert "beyond ASCII" in str(world.waiting()[0].last_error)
        assert "rds" not in str(world.waiting()[0].last_error)
        secret.unlink()
        world.clock.now += 60
        assert world.round() == Tally(waiting=1)
        assert world.waiting()[0].last_error == f"localhost: {secret}: No such file or directory"
        secret.write_text("wrong words\nmore lines")
        world.invite(KARL, uid="second")
        assert world.round() == Tally(waiting=1)
        assert world.mailer.troubled
        job = next(one for one in world.waiting() if KARL in one.payload)
        assert job.last_error == "localhost: the login as kalends was refused (535)"
    finally:
        office.shut()
    ours = "\n".join(one.getMessage() for one in caplog.records if one.name.startswith("kalends"))
    for hidden in ("s3cret words", "wrong words", "between us", "Lunch"):
        assert hidden not in ours
    assert f" to mailto:{JANE}, attempt 1: sent: 250 2.0.0 taken" in ours


def test_rfc3207_nothing_is_sent_to_a_server_that_is_not_known(sqlite_store: Store, tmp_path: Path) -> None:
    office, _ = tls_office(tmp_path)
    office.open()
    try:
        world = MailWorld(
            sqlite_store, tmp_path, office.port, {"mail_tls": "starttls", "mail_host": "localhost"}
        )
        world.invite(JANE)
        assert world.round() == Tally(waiting=1)
        assert "certificate verify failed" in str(world.waiting()[0].last_error)
        assert office.mails == []
    finally:
        office.shut()


def test_rfc3207_5_no_mail_goes_in_plain_text_where_tls_is_asked_for(
    sqlite_store: Store, office: PostOffice, tmp_path: Path
) -> None:
    world = MailWorld(sqlite_store, tmp_path, office.port, {"mail_tls": "starttls"})
    world.invite(JANE)
    assert world.round() == Tally(waiting=1)
    assert "STARTTLS" in str(world.waiting()[0].last_error)
    assert office.mails == []


@pytest.mark.parametrize(
    ("code", "text", "kind", "status"),
    [
        (250, b"ok", "sent", "1.1"), (421, b"closing", "later", "5.1"), (452, b"4.2.2 full", "later", "5.1"),
        (550, b"5.1.1 who", "never", "5.2"), (550, b"5.7.26 dmarc", "never", "5.3"), (553, b"", "never", "5.2"),
        (354, b"go on", "later", "5.1"), (999, b"\xff\x00\n odd", "later", "5.1"), (550, b"5.7", "never", "5.2"),
    ],
)  # fmt: skip
def test_rfc6638_329_what_a_reply_means(code: int, text: bytes, kind: str, status: str) -> None:
    verdict = verdicts.judged(code, text)
    assert (verdict.kind, verdict.status) == (kind, status)
    assert verdict.words.isprintable()


def test_a_relay_that_is_cut_off_fails_in_words(world: MailWorld, office: PostOffice) -> None:
    world.invite(JANE)
    office.on_mail = world.mailer.relay.cut_off
    assert world.round() == Tally(waiting=1)
    assert isinstance(world.mailer.relay, Relay)
    assert world.status(JANE) == "1.0"


def test_what_became_of_a_mail_is_not_what_an_undo_takes_back(world: MailWorld, office: PostOffice) -> None:
    world.invite(JANE)
    world.round()
    world.invite(JANE, extra="LOCATION:Canteen\n")
    world.round()
    assert world.status(JANE) == "1.1"
    place, caller = world.village.place("bill"), world.village.caller("bill")
    told = world.store.read(lambda tx: history.entries(tx, caller, place))
    assert [(one.via, one.action, one.undone) for one in told[:4]] == [
        ("job", "changed", False), ("dav", "changed", False), ("job", "changed", False), ("dav", "created", False),
    ]  # fmt: skip
    (back,) = world.store.write(lambda tx: undoing.undo(tx, caller, place, uid="lunch"))
    assert back.tick == told[1].tick
    assert "Canteen" not in world.village.text("bill", "lunch")
    assert world.status(JANE) == "1.0", "Jane is told"
    office.mails.clear()
    assert world.round() == Tally(sent=1)
    (back,) = world.store.write(lambda tx: undoing.undo(tx, caller, place, tick=told[3].tick))
    assert world.village.text("bill", "lunch") == ""


def test_rfc5321_42_a_mail_refused_before_its_text_is_sent_fails_alone(
    world: MailWorld, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = smtplib.SMTP.data
    answers = [smtplib.SMTPDataError(554, b"5.7.1 not now"), None]

    def refuses(self: smtplib.SMTP, text: bytes) -> tuple[int, bytes]:
        error = answers.pop(0)
        if error is not None:
            raise error
        return data(self, text)

    monkeypatch.setattr(smtplib.SMTP, "data", refuses)
    world.invite(JANE, KARL)
    assert world.round() == Tally(sent=1, failed=1)
    assert sorted([str(world.status(JANE)), str(world.status(KARL))]) == ["1.1", "5.3"]
