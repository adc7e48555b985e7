"""SEARCH over the wire in calendars of three sizes: cost must follow the size of the answer."""

from __future__ import annotations

import time
from pathlib import Path

from bench.data import DAY, spread
from bench.measure import Line, Report, cpu_of, quick
from bench.place import Server, fill, folder, furnished, serving
from kalends.client.sync import Client, connect

SIZES = (1_000, 10_000, 100_000)
QUICK_SIZES = (1_000, 3_000)
CPU_SECONDS = 0.6
"""So much of the server's CPU each question gets."""
Question = tuple[str, bool]


def cost(server: Server, client: Client, calid: str, question: Question) -> tuple[float, float, int]:
    """Ask until enough CPU was used.

    Returns:
        The server's CPU microseconds and milliseconds of wall time for one answer, and its components.
    """
    query, expand = question

    def ask() -> int:
        replies = client.raw(_command(query, calid, expand=expand))
        return sum(len(result) for reply in replies for result in reply.results)

    found = ask()
    times = 0
    before, began = cpu_of(server.pid), time.perf_counter()
    enough = CPU_SECONDS / (3 if quick() else 1)
    while cpu_of(server.pid) - before < enough:
        for _ in range(4):
            ask()
        times += 4
    used, took = cpu_of(server.pid) - before, time.perf_counter() - began
    return used / times * 1e6, took / times * 1e3, found


def _command(query: str, calid: str, *, expand: bool) -> bytes:
    lines = (
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example Corp.//Bench//EN", "CMD:SEARCH",
        f"TARGET:{calid}", "BEGIN:VQUERY", f"EXPAND:{str(expand).upper()}", f"QUERY:{query}", "END:VQUERY",
        "END:VCALENDAR", "",
    )  # fmt: skip
    return "\r\n".join(lines).encode()


def _between(start: int, end: int) -> str:
    first, last = (time.strftime("%Y%m%dT000000Z", time.gmtime(at)) for at in (start, end))
    return f"SELECT * FROM VEVENT WHERE DTSTART >= '{first}' AND DTSTART < '{last}'"


def questions(end: int) -> dict[str, Question]:
    """What is asked; the time asked for lies in the calendars of all sizes."""
    return {
        "by UID": ("SELECT * FROM VEVENT WHERE UID = 'event-77-{name}@bench'", False),
        "one day, expanded": (_between(end - 50 * DAY, end - 49 * DAY), True),
        "one month, expanded": (_between(end - 70 * DAY, end - 40 * DAY), True),
        "one month, not expanded": (_between(end - 70 * DAY, end - 40 * DAY), False),
        "one month, four properties, expanded": (
            _between(end - 70 * DAY, end - 40 * DAY).replace("*", "UID,SUMMARY,DTSTART,DTEND", 1), True,
        ),
    }  # fmt: skip


def run(report: Report) -> None:
    """Measure."""
    sizes = QUICK_SIZES if quick() else SIZES
    end = int(time.time()) // DAY * DAY
    with folder() as home:
        store = str(home / "store.db")
        report.heading(
            f"SEARCH over CAP (plain text): calendars of {', '.join(f'{size:,}' for size in sizes)} events"
        )
        with furnished(store) as opened:
            for size in sizes:
                began = time.process_time()
                fill(opened, f"c{size}", list(spread(size, end, str(size))))
                used = time.process_time() - began
                report.note(f"{size:,} events imported: {used / size * 1e6:.0f} µs of CPU each")
        report.note(f"the store's file: {Path(store).stat().st_size / 1e6:,.0f} MB")
        with serving(home, store, plain=True) as server, connect(server.url, **server.settings) as client:
            for what, question in questions(end).items():
                _compare(report, server, client, sizes, what, question)
            _property(report, server, client, sizes[1])


def _compare(
    report: Report, server: Server, client: Client, sizes: tuple[int, ...], what: str, question: Question
) -> None:
    first: float | None = None
    for size in sizes:
        query = question[0].replace("{name}", str(size))
        cpu, wall, found = cost(server, client, f"c{size}", (query, question[1]))
        whose = "" if first is None else f"the same of {sizes[0]:,}"
        report.add(Line(f"{what}: {found} of {size:,}", cpu, first, "µs CPU", whose))
        report.note(f"{wall:.2f} ms until the client has read it")
        first = first or cpu


def _property(report: Report, server: Server, client: Client, size: int) -> None:
    """Properties without an index of their own: read through once."""
    everything = cost(server, client, f"c{size}", ("SELECT UID FROM VEVENT", False))
    for what, where in (
        ("LOCATION LIKE '%garden%'", "LOCATION LIKE '%garden%'"),
        ("nothing LIKE", "LOCATION LIKE '%nowhere%'"),
        ("ATTENDEE;PARTSTAT = 'DECLINED'", "PARAM(ATTENDEE,PARTSTAT) = 'DECLINED'"),
    ):
        cpu, wall, found = cost(
            server, client, f"c{size}", (f"SELECT UID,SUMMARY FROM VEVENT WHERE {where}", False)
        )
        whose = f"UID of all {everything[2]:,}"
        report.add(Line(f"{what}: {found} of {size:,}", cpu, everything[0], "µs CPU", whose))
        report.note(f"{wall:.1f} ms until the client has read it")
