"""What comes by mail reaches calendars, when its sender is who it speaks for (RFC 6047 §2.2.1; RFC 5546 §1.4)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from scheduling_world import Village, wrapped

from kalends.core.errors import DeniedError, InvalidError
from kalends.core.model import Policy
from kalends.imip import intake
from kalends.imip.errors import NobodyError, UnprovenError
from kalends.store.base import Store

JANE = "jane@example.org"


@pytest.fixture
def village(store: Store) -> Village:
    policy = Policy(csid="cal.example.com", realm="example.com", imip=True)
    return Village(store, policy)


def theirs(method: str = "REQUEST", *, sequence: int = 0, hour: int = 12, uid: str = "theirs", organizer: str = JANE,
           guests: tuple[str, ...] = ("mary@example.com",), partstat: str = "NEEDS-ACTION", extra: str = "",
           stamp: str = "20260101T000000Z", kind: str = "VEVENT") -> str:  # fmt: skip
    lines = "".join(f"ATTENDEE;PARTSTAT={partstat}:mailto:{guest}\n" for guest in guests)
    return wrapped(
        f"BEGIN:{kind}\nUID:{uid}\nDTSTAMP:{stamp}\nDTSTART:20260310T{hour}0000Z\nSUMMARY:Tea\n"
        f"SEQUENCE:{sequence}\nORGANIZER:mailto:{organizer}\n{lines}{extra}END:{kind}",
        method,
    )


def mail(ics: str, sender: str = JANE, method: str | None = None) -> bytes:
    said = method or ics.partition("METHOD:")[2].split()[0]
    return (
        f"From: {sender}\r\nContent-Type: text/calendar; method={said}; charset=utf-8\r\n\r\n{ics}".encode()
    )


def arrive(village: Village, data: bytes, *recipients: str, trusted: str = "off") -> list[str]:
    village.clock += 60
    messages = intake.read(data, trusted)
    now = village.clock
    return village.store.write(lambda tx: intake.deliver(tx, village.policy, now, messages, recipients))


def everything(village: Village) -> list[tuple[object, ...]]:
    """All that calendars hold."""
    return village.store.read(lambda tx: list(tx.rows("select id, state, etag from object order by id")))


def test_rfc6047_an_invitation_from_elsewhere_is_booked_and_lies_in_the_inbox(village: Village) -> None:
    assert arrive(village, mail(theirs())) == ["mary@example.com"]
    assert [(row.method, row.uid) for row in village.inbox("mary")] == [("REQUEST", "theirs")]
    assert "SUMMARY:Tea" in village.text("mary", "theirs")
    arrive(village, mail(theirs(sequence=1, hour=15)))
    assert "DTSTART:20260310T150000Z" in village.text("mary", "theirs")
    arrive(village, mail(theirs("CANCEL", sequence=2)))
    assert "STATUS:CANCELLED" in village.text("mary", "theirs")


def test_rfc6638_an_answer_goes_back_by_mail(village: Village) -> None:
    arrive(village, mail(theirs()))
    text = village.text("mary", "theirs").replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")
    village.put("mary", "theirs", text)
    (job,) = village.jobs()
    assert (job["from"], job["to"], job["method"]) == ("mailto:mary@example.com", f"mailto:{JANE}", "REPLY")


def test_the_same_mail_twice_is_one_message(village: Village) -> None:
    assert arrive(village, mail(theirs())) == ["mary@example.com"]
    before = everything(village)
    assert arrive(village, mail(theirs())) == []
    assert everything(village) == before


def test_rfc4791_an_invitation_reaches_who_the_mail_came_to(village: Village) -> None:
    both = ("mary@example.com", "bill@example.com", "karl@example.net")
    assert arrive(village, mail(theirs(guests=both)), "Mary@Example.com") == ["mary@example.com"]
    assert village.text("bill", "theirs") == ""
    assert arrive(village, mail(theirs(guests=both)), "calendar@example.com") == ["bill@example.com"]
    assert "Tea" in village.text("bill", "theirs")


def test_who_is_not_invited_gets_nothing_by_a_mail_that_is_passed_on(village: Village) -> None:
    with pytest.raises(NobodyError):
        arrive(village, mail(theirs()), "bill@example.com")
    assert village.text("bill", "theirs") == village.text("mary", "theirs") == ""


def invite(village: Village) -> None:
    """Bill invites Jane and Mary."""
    village.put(
        "bill", "lunch",
        wrapped(
            "BEGIN:VEVENT\nUID:lunch\nDTSTART:20260310T120000Z\nSEQUENCE:0\nSUMMARY:Lunch\n"
            f"ORGANIZER:mailto:bill@example.com\nATTENDEE:mailto:{JANE}\nATTENDEE:mailto:mary@example.com\nEND:VEVENT"
        ),
    )  # fmt: skip


def answer(partstat: str = "ACCEPTED", guest: str = JANE, uid: str = "lunch") -> str:
    return theirs("REPLY", uid=uid, organizer="bill@example.com", guests=(guest,), partstat=partstat)


def test_rfc5546_323_an_answer_from_elsewhere_is_put_in_and_shown_to_the_others(village: Village) -> None:
    invite(village)
    assert arrive(village, mail(answer())) == ["bill@example.com"]
    line = f"PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0:mailto:{JANE}"
    assert line in village.text("bill", "lunch")
    assert f"PARTSTAT=ACCEPTED:mailto:{JANE}" in village.text("mary", "lunch")


@pytest.mark.parametrize(
    "sender",
    [
        "mallory@example.org",
        '"jane@example.org" <mallory@example.org>',
        "jane@example.org.evil.example",
        "jane@example.or",
    ],
)
def test_UPN11_a_reply_whose_From_is_not_the_ATTENDEE_is_not_applied(village: Village, sender: str) -> None:
    """RFC 4324 §4.1.1, RFC 6047 §2.2.1: who sent it has to be whom it speaks for, whatever name stands there."""
    invite(village)
    before = everything(village)
    with pytest.raises(UnprovenError, match="is not the ATTENDEE of this REPLY"):
        arrive(village, mail(answer(), sender))
    assert everything(village) == before
    assert arrive(village, mail(answer(), f"Mallory <{JANE.upper()}>")) == ["bill@example.com"], (
        "CN is irrelevant"
    )


def test_UPN11_a_reply_whose_From_is_not_proven_is_not_applied(village: Village) -> None:
    invite(village)
    before = everything(village)
    with pytest.raises(UnprovenError, match="did not prove"):
        arrive(village, mail(answer()), trusted="mx.example.com")
    assert everything(village) == before
    proven = b"Authentication-Results: mx.example.com; dmarc=pass header.from=example.org\r\n" + mail(
        answer()
    )
    assert arrive(village, proven, trusted="mx.example.com") == ["bill@example.com"]


def test_an_answer_of_somebody_who_was_not_asked_is_refused(village: Village) -> None:
    invite(village)
    before = everything(village)
    with pytest.raises(DeniedError):
        arrive(village, mail(answer(guest="karl@example.net"), "karl@example.net"))
    with pytest.raises(DeniedError):
        arrive(village, mail(answer(uid="nothing")))
    assert everything(village) == before


def test_a_delegate_answers_when_who_was_asked_sent_them(village: Village) -> None:
    """RFC 5546 §3.2.2.3."""
    invite(village)
    delegated = answer("DELEGATED").replace(
        "PARTSTAT=DELEGATED", 'PARTSTAT=DELEGATED;DELEGATED-TO="mailto:karl@example.net"'
    )
    arrive(village, mail(delegated))
    assert "mailto:karl@example.net" in village.text("bill", "lunch")
    arrive(village, mail(answer(guest="karl@example.net"), "karl@example.net"))
    held = village.text("bill", "lunch").replace("\r\n ", "")
    assert any(
        "PARTSTAT=ACCEPTED" in line and line.endswith("karl@example.net") for line in held.splitlines()
    )


@pytest.mark.parametrize("method", ["CANCEL", "REQUEST"])
def test_rfc6047_221_another_organizer_changes_nothing(village: Village, method: str) -> None:
    """Mallory, proven to be Mallory, names herself as organizer of Jane's event."""
    arrive(village, mail(theirs()))
    text = village.text("mary", "theirs")
    forged = mail(theirs(method, sequence=9, organizer="mallory@example.org"), "mallory@example.org")
    if method == "CANCEL":
        with pytest.raises(DeniedError):
            arrive(village, forged)
    else:
        arrive(village, forged)  # it lies in the inbox, for a person
    assert village.text("mary", "theirs") == text


def test_who_has_a_calendar_here_does_not_come_by_mail(village: Village) -> None:
    invite(village)
    before = everything(village)
    for sender in ("mary@example.com", "bill@example.com"):
        with pytest.raises(UnprovenError, match="has a calendar here"):
            arrive(village, mail(answer(guest="mary@example.com"), "mary@example.com"))
        forged = theirs(organizer=sender, guests=("cyrus@example.com",))
        with pytest.raises(UnprovenError, match="has a calendar here"):
            arrive(village, mail(forged, sender))
    assert everything(village) == before


def test_rfc4324_422_who_takes_no_requests_gets_none_by_mail_either(village: Village) -> None:
    place = village.place("mary")
    owner = village.caller("root")
    village.delete("SELECT * FROM VCAR WHERE CARID = 'REQUESTONLY'", place, owner)
    before = everything(village)
    with pytest.raises(DeniedError):
        arrive(village, mail(theirs()))
    assert everything(village) == before


def test_rfc6638_what_follows_an_invitation_needs_no_right(village: Village) -> None:
    arrive(village, mail(theirs()))
    village.delete(
        "SELECT * FROM VCAR WHERE CARID = 'REQUESTONLY'", village.place("mary"), village.caller("root")
    )
    arrive(village, mail(theirs(sequence=1, hour=16)))
    assert "T160000Z" in village.text("mary", "theirs")
    arrive(village, mail(theirs("CANCEL", sequence=2)))
    assert "STATUS:CANCELLED" in village.text("mary", "theirs")


def test_one_refused_message_of_a_mail_leaves_nothing_of_the_others(village: Village) -> None:
    bad = theirs(uid="bad", extra="RRULE:FREQ=NEVER\n")
    both = (
        f"From: {JANE}\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/calendar; method=REQUEST\n\n"
        f"{theirs()}\n--b\nContent-Type: text/calendar; method=REQUEST\n\n{bad}\n--b--\n"
    )
    before = everything(village)
    with pytest.raises(InvalidError):
        arrive(village, both.encode())
    assert everything(village) == before


@pytest.mark.parametrize("method", ["COUNTER", "REFRESH", "ADD", "DECLINECOUNTER"])
def test_rfc5546_the_other_methods_reach_the_inbox(village: Village, method: str) -> None:
    invite(village)
    arrive(village, mail(theirs(uid="theirs")))
    village.empty_inbox("mary")
    if method in ("COUNTER", "REFRESH"):
        ics = theirs(method, uid="lunch", organizer="bill@example.com", guests=(JANE,))
        if method == "REFRESH":
            for line in ("DTSTART:20260310T120000Z\r\n", "SUMMARY:Tea\r\n", "SEQUENCE:0\r\n"):
                ics = ics.replace(line, "")
        assert arrive(village, mail(ics)) == ["bill@example.com"]
        assert method in [row.method for row in village.inbox("bill")]
        jobs = [job["method"] for job in village.jobs()]
        assert jobs == (["REQUEST", "REQUEST"] if method == "REFRESH" else ["REQUEST"])
    else:
        assert arrive(village, mail(theirs(method, sequence=1))) == ["mary@example.com"]
        assert [row.method for row in village.inbox("mary")] == [method]


def test_a_task_is_taken_too(village: Village) -> None:
    assert arrive(village, mail(theirs(kind="VTODO"))) == ["mary@example.com"]


def test_a_room_answers_a_mail_by_mail(village: Village) -> None:
    arrive(village, mail(theirs(guests=("room@example.com",))))
    (job,) = village.jobs()
    assert (job["method"], job["to"]) == ("REPLY", f"mailto:{JANE}")
    assert "PARTSTAT=ACCEPTED" in job["ics"].replace("\r\n ", "")


def test_the_log_says_that_it_came_by_mail(village: Village) -> None:
    arrive(village, mail(theirs()))
    ways = village.store.read(
        lambda tx: {str(row[0]) for row in tx.rows("select via from change where uid = 'theirs'")}
    )
    assert ways == {"imip"}


def test_rfc4324_deny_holds_against_what_follows_an_invitation(village: Village) -> None:
    arrive(village, mail(theirs()))
    deny = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//T//EN\r\nBEGIN:VCAR\r\nCARID:quiet\r\nBEGIN:VRIGHT\r\nDENY:@\r\n"
        "PERMISSION:CREATE\r\nEND:VRIGHT\r\nEND:VCAR\r\nEND:VCALENDAR\r\n"
    )
    (receipt,) = village.create(deny, village.place("mary"), village.caller("mary"))
    assert receipt.error is None
    before = everything(village)
    for method in ("REQUEST", "CANCEL"):
        with pytest.raises(DeniedError):
            arrive(village, mail(theirs(method, sequence=1, hour=15)))
    assert everything(village) == before


def test_rfc5546_215_an_older_message_of_the_same_sender_makes_room_for_the_newer(village: Village) -> None:
    arrive(village, mail(theirs()))
    arrive(village, mail(theirs(sequence=1, hour=15)))
    assert [(row.method, row.uid) for row in village.inbox("mary")] == [("REQUEST", "theirs")]
    assert b"T150000Z" in village.inbox("mary")[0].ics
    arrive(village, mail(theirs(stamp="20260101T000001Z")))  # it was late
    assert b"T150000Z" in village.inbox("mary")[0].ics
    assert "T150000Z" in village.text("mary", "theirs")
    village.empty_inbox("mary")
    arrive(village, mail(theirs(sequence=1, hour=15, stamp="20260101T000002Z")))
    arrive(village, mail(theirs("CANCEL", sequence=2)))
    assert [row.method for row in village.inbox("mary")] == ["CANCEL"]
    forged = theirs(sequence=3, organizer="mallory@example.org")
    arrive(village, mail(forged, "mallory@example.org"))
    assert [row.method for row in village.inbox("mary")] == ["CANCEL", "REQUEST"]
    invite(village)
    arrive(village, mail(answer("TENTATIVE")))
    arrive(village, mail(answer("ACCEPTED")))
    assert [row.method for row in village.inbox("bill")] == ["REPLY"]
    assert b"PARTSTAT=ACCEPTED" in village.inbox("bill")[0].ics


def test_mails_that_come_at_the_same_moment_are_all_taken(village: Village) -> None:
    """On PostgreSQL their transactions meet, in any order."""
    guests = tuple(f"{name}@example.com" for name in ("mary", "bill", "cyrus", "lisa", "wilfredo", "room"))
    mails = [
        mail(theirs(uid=f"m{n}", hour=10 + n, guests=guests if n % 2 else guests[::-1])) for n in range(8)
    ]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda data: arrive(village, data), mails))
    assert [len(reached) for reached in found] == [6] * 8
    assert all(village.text("lisa", f"m{n}") for n in range(8))
