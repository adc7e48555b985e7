"""Calendars to ask reports about, without the way through PUT."""

from __future__ import annotations

from pathlib import Path

from core_world import NOW
from dav_harness import DECLARED, Answer, Client, DavWorld

from kalends.ical.tree import parse
from kalends.store import calendars, ids, index, objects
from kalends.store.base import Tx

HERE = Path(__file__).parent
WORK = "/dav/calendars/bill/calendar/"
HORIZON = NOW + 2 * 366 * 86_400


def shelve(
    world: DavWorld, name: str, text: str | bytes, *, etag: str = "", calendar: int | None = None
) -> int:
    """Put an object into Bill's calendar (or another), whatever its kind."""
    data = text.encode() if isinstance(text, str) else text
    whole = parse(data)
    place = world.calendar.calendar_id if calendar is None else calendar

    def work(tx: Tx) -> int:
        tick = calendars.bump(tx, [place])[place]
        main = next(one for one in whole.components if one.name != "VTIMEZONE")
        row = objects.insert(
            tx, id=ids.new_id(NOW), calendar_id=place, name=name, uid=main.value("UID") or name, kind=main.name,
            state="BOOKED", ics=data, etag=etag or f"{place:x}-{tick}", tick=tick, now=NOW,
        )  # fmt: skip
        index.index_object(tx, row, whole, horizon=HORIZON, fresh=True)
        return row.id

    return world.store.write(work)


def bernard(world: DavWorld, example: str = "") -> None:
    """The calendar of RFC 4791, Appendix B, with what an example has in place of its objects."""
    found = {path.name: path for path in (HERE / "data" / "rfc4791").glob("*.ics")}
    found |= {path.name: path for path in (HERE / "data" / example).glob("*.ics") if example}
    for path in sorted(found.values(), key=lambda one: one.name):
        shelve(world, path.name, path.read_bytes(), etag=f"fffff-{path.stem}")


def query(conditions: str, *, prop: str = "<D:getetag/>", more: str = "") -> str:
    """A C:calendar-query whose filter holds some C:comp-filter below VCALENDAR."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><C:calendar-query{DECLARED}><D:prop>{prop}</D:prop>'
        f'<C:filter><C:comp-filter name="VCALENDAR">{conditions}</C:comp-filter></C:filter>{more}'
        "</C:calendar-query>"
    )


def names(answer: Answer) -> list[str]:
    """The last segments of the paths in a multistatus, sorted."""
    assert answer.status == 207, answer.text
    return sorted(href.rpartition("/")[2] for href in answer.hrefs())


def ask(client: Client, conditions: str, path: str = WORK, depth: str = "1", **options: str) -> Answer:
    """Ask a C:calendar-query."""
    return client("REPORT", path, query(conditions, **options), depth=depth)


def found(client: Client, conditions: str, path: str = WORK, **options: str) -> list[str]:
    """The names of the objects that a filter selects."""
    return names(ask(client, conditions, path, **options))
