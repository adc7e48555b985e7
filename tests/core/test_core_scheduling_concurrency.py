"""Several organizers at once: one gets the room, and nobody waits for somebody who waits for them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from scheduling_world import Village, wrapped

from kalends.core.scheduling import parties
from kalends.ical.tree import parse
from kalends.store import calendars, maintenance
from kalends.store.base import Store

ORGANIZERS = ("bill", "mary", "cyrus", "lisa", "wilfredo")
ROUNDS = 6


def meeting(by: str, uid: str, start: str, *guests: str) -> str:
    others = "\n".join(f"ATTENDEE:mailto:{name}@example.com" for name in guests)
    return wrapped(
        f"BEGIN:VEVENT\nUID:{uid}\nDTSTART:{start}\nDURATION:PT1H\nSUMMARY:{uid}\n"
        f"RRULE:FREQ=WEEKLY;COUNT=5\nORGANIZER:mailto:{by}@example.com\n{others}\nEND:VEVENT"
    )


def test_of_those_who_want_a_room_at_once_one_gets_it(store: Store) -> None:
    village = Village(store)
    village.row("bill", "nothing")  # everybody's calendars exist
    for number in range(ROUNDS):
        start = f"202603{number + 1:02}T090000Z"

        def ask(by: str, number: int = number, start: str = start) -> str:
            uid = f"{by}-{number}"
            row = village.put(by, uid, meeting(by, uid, start, "room"))
            (part,) = parse(row.ics).children("VEVENT")
            return parties.partstat(parties.attendee(part, ("mailto:room@example.com",)))

        with ThreadPoolExecutor(len(ORGANIZERS)) as pool:
            said = sorted(pool.map(ask, ORGANIZERS))
        assert said == ["ACCEPTED", *["DECLINED"] * (len(ORGANIZERS) - 1)]
    assert maintenance.check(store) == []


def test_people_who_invite_each_other_at_once_are_all_invited(store: Store) -> None:
    village = Village(store)
    ids = [village.place(name).calendar_id for name in ORGANIZERS]
    before = store.read(lambda tx: {one.id: one.tick for one in calendars.many(tx, ids).values()})

    def invite(by: str) -> None:
        for number in range(ROUNDS):
            uid = f"{by}-{number}"
            others = [name for name in ORGANIZERS if name != by]
            village.put(by, uid, meeting(by, uid, "20260310T090000Z", *others))

    with ThreadPoolExecutor(len(ORGANIZERS)) as pool:
        list(pool.map(invite, ORGANIZERS))
    for name in ORGANIZERS:
        held = [row.uid for row in village.inbox(name)]
        assert sorted(held) == sorted(
            f"{by}-{number}" for by in ORGANIZERS if by != name for number in range(ROUNDS)
        )
    after = store.read(lambda tx: {one.id: one.tick for one in calendars.many(tx, ids).values()})
    wrote = len(ORGANIZERS) * ROUNDS
    assert {after[key] - before[key] for key in ids} == {wrote}, "each invitation is one change of a calendar"
    assert maintenance.check(store) == []
