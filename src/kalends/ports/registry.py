"""The IANA service name and port number registry, offline: look-ups over its readable text form.

The text form is a table of tab-separated lines in three parts (port blocks, single ports, names without a
port), each ended by `%%`. A look-up is a search for bytes, which is faster than parsing 14,500 records.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from os import PathLike, path
from typing import NamedTuple

_DATA = path.join(path.dirname(__file__), "data")
SYSTEM, USER, DYNAMIC = (0, 1023), (1024, 49151), (49152, 65535)
"""The three ranges (RFC 6335 §6)."""
RANGES = (("system", SYSTEM), ("user", USER), ("dynamic", DYNAMIC))
STATUSES = ("assigned", "alias", "reserved", "withdrawn", "unassigned")
"""A port's status is the first of these that one of its records has; an alias is an assignment too."""
COLUMNS = 15

_PORTS = re.compile(rb"^(\d+)\t(\d+)\t[^\t]*\t[^\t]*\t(\w+)", re.MULTILINE)
_COUNTS = re.compile(rb"^# user ports: (.*)$", re.MULTILINE)
_COUNT = re.compile(rb"(\w+) (\d+)")
_SNAPSHOT = re.compile(rb"Snapshot A (\d{4}-\d\d-\d\d)[^,]*, B (\d{4}-\d\d-\d\d)|Snapshot (\d{4}-\d\d-\d\d)")


class Record(NamedTuple):
    """One line of the registry; '' where the registry gives nothing.

    Attributes:
        low, high: the ports, None for a service name without one.
        transport: tcp, udp, sctp, dccp, or '' when the record names none.
        status: assigned, alias, reserved, unassigned, withdrawn or name-only.
        src: which snapshot it came from (A all attributes, B name and description only).
    """

    low: int | None
    high: int | None
    transport: str
    name: str
    status: str
    description: str
    assignee: str
    contact: str
    registered: str
    modified: str
    reference: str
    service_code: str
    unauthorized_use: str
    notes: str
    src: str


class Run(NamedTuple):
    """Consecutive ports of equal status."""

    low: int
    high: int
    status: str
    names: tuple[str, ...] = ()


def record(line: bytes) -> Record:
    """Read one line of the table."""
    cells = line.decode("utf-8", "replace").split("\t")
    cells += [""] * (COLUMNS - len(cells))
    low, high = (int(cell) if cell else None for cell in cells[:2])
    return Record(low, high, *cells[2:COLUMNS])


class Registry:
    """A registry snapshot held as bytes.

    Args:
        data: the table in its text form.
        source: what to tell people it is.
    """

    def __init__(self, data: bytes, source: str = "IANA, as shipped with Kalends") -> None:
        self.data = data
        self.source = source
        self._blocks_end = data.find(b"\n%%\n") + 1
        self._ports_end = data.find(b"\n%%\n", self._blocks_end + 1) + 1

    @classmethod
    def load(cls) -> Registry:
        """The snapshot in the package."""
        return cls(_read("registry.tsv"))

    @property
    def snapshot(self) -> str:
        """The date (YYYY-MM-DD) of the newest complete snapshot in the table."""
        match = _SNAPSHOT.search(self.data[:300])
        return "" if match is None else (match[1] or match[3]).decode()

    @property
    def names_snapshot(self) -> str:
        """The date of the newer names and descriptions laid over it, '' where there are none."""
        match = _SNAPSHOT.search(self.data[:300])
        return "" if match is None or match[2] is None else match[2].decode()

    def at(self, port: int) -> list[Record]:
        """All records that cover a port: single ones first, then blocks."""
        found = list(self._starting(b"\n%d\t%d\t" % (port, port), self._blocks_end, self._ports_end))
        for line in self.data[: self._blocks_end].split(b"\n"):
            if line[:1].isdigit():
                low, high, _ = line.split(b"\t", 2)
                if int(low) <= port <= int(high):
                    found.append(record(line))
        return found

    def _starting(self, prefix: bytes, at: int, end: int) -> Iterator[Record]:
        at = self.data.find(prefix, max(at - 1, 0), end)
        while at >= 0:
            stop = self.data.find(b"\n", at + 1)
            yield record(self.data[at + 1 : stop])
            at = self.data.find(prefix, stop, end)

    def named(self, name: str) -> list[Record]:
        """All records of a service name, in any case; those with a port first, lowest first."""
        wanted = name.lower().encode()
        lowered = self.data.lower()
        found: list[Record] = []
        at = lowered.find(b"\t" + wanted + b"\t")
        while at >= 0:
            start, stop = self.data.rfind(b"\n", 0, at) + 1, self.data.find(b"\n", at + 1)
            line = self.data[start:stop]
            if line.split(b"\t", 4)[3].lower() == wanted and not line.startswith(b"#"):
                found.append(record(line))
            at = lowered.find(b"\t" + wanted + b"\t", stop)
        return sorted(found, key=lambda r: (r.low is None, r.low or 0))

    def names(self) -> list[str]:
        """Every service name once, sorted."""
        return sorted({line.split(b"\t", 4)[3].decode() for line in self._lines()} - {""})

    def nearest(self, name: str, count: int = 3) -> list[str]:
        """The registered names most like an unknown one: fewest letters to change, then nearest in length."""
        wanted = name.lower()[:40]
        pairs = {wanted[i : i + 2] for i in range(len(wanted) - 1)}
        ranked = sorted(
            (_distance(wanted, n.lower()), abs(len(n) - len(wanted)), n)
            for n in self.names()
            if abs(len(n) - len(wanted)) <= 2 and any(pair in n.lower() for pair in pairs)
        )
        return [n for distance, _, n in ranked[:count] if distance <= max(2, len(wanted) // 2)]

    def search(self, words: str, limit: int = 50) -> list[Record]:
        """Records that hold all the words, in any column and case, in registry order."""
        wanted = [w for w in words.lower().encode().split() if w]
        found: list[Record] = []
        for line in self._lines():
            low = line.lower()
            if wanted and all(w in low for w in wanted):
                found.append(record(line))
                if len(found) >= limit:
                    break
        return found

    def _lines(self) -> Iterator[bytes]:
        for line in self.data.split(b"\n"):
            if line and line[:1] not in (b"#", b"%"):
                yield line

    def _ranks(self, low: int, high: int) -> bytearray:
        """Each port's rank in STATUSES (the best of its records); len(STATUSES) where there is none."""
        nothing = len(STATUSES)
        best = bytearray([nothing]) * 65536
        rank_of = {status.encode(): rank for rank, status in enumerate(STATUSES)}
        for first, last, status in _PORTS.findall(self.data, 0, self._ports_end):
            rank = rank_of.get(status, nothing)
            port = int(first)
            if first == last:
                if rank < best[port]:  # noqa: PLR1730 - min() costs a third more, 13,000 times
                    best[port] = rank
            else:
                block = best[port : int(last) + 1]
                best[port : int(last) + 1] = bytes(min(rank, had) for had in block)
        return best[low : high + 1]

    def counts(self, low: int = USER[0], high: int = USER[1]) -> dict[str, int]:
        """How many ports of a range are assigned, reserved, withdrawn, unassigned; together all of them."""
        if (low, high) == USER and (told := _COUNTS.search(self.data[:600])):
            return {word.decode(): int(number) for word, number in _COUNT.findall(told[1])}
        return self.count(low, high)

    def count(self, low: int, high: int) -> dict[str, int]:
        """What `counts` says, always counted: the shipped table's header holds the answer for user ports."""
        ranks = self._ranks(low, high)
        tally = {status: ranks.count(rank) for rank, status in enumerate(STATUSES)}
        tally["assigned"] += tally.pop("alias")
        tally["unassigned"] += ranks.count(len(STATUSES))
        return tally

    def runs(self, low: int, high: int) -> list[Run]:
        """The range as runs of equal status; assigned ports with different names are different runs."""
        ranks, names = self._ranks(low, high), self._names(low, high)
        runs: list[Run] = []
        for offset, rank in enumerate(ranks):
            status = STATUSES[min(rank, len(STATUSES) - 1)].replace("alias", "assigned")
            port, here = low + offset, tuple(names.get(low + offset, ()))
            if runs and runs[-1].status == status and runs[-1].names == here:
                runs[-1] = Run(runs[-1].low, port, status, here)
            else:
                runs.append(Run(port, port, status, here))
        return runs

    def _names(self, low: int, high: int) -> dict[int, list[str]]:
        names: dict[int, list[str]] = {}
        for line in self.data[: self._ports_end].split(b"\n"):
            if not line[:1].isdigit():
                continue
            first, last, _, name, status, _ = line.split(b"\t", 5)
            if name and status == b"assigned":
                for port in range(max(int(first), low), min(int(last), high) + 1):
                    if name.decode() not in names.setdefault(port, []):
                        names[port].append(name.decode())
        return names

    def unassigned(self, low: int, high: int) -> list[int]:
        """The ports of a range that no record assigns, reserves or withdraws."""
        ranks = self._ranks(low, high)
        return [low + i for i, rank in enumerate(ranks) if rank >= len(STATUSES) - 1]


def person(contact: str) -> str:
    """A registry contact id as 'Name, Organisation' (mail addresses are left out on purpose).

    Returns:
        The id with spaces for underscores where nobody is known by it.
    """
    data = _people()
    at = data.find(f"\n{contact},") + 1
    if not at:
        return contact.replace("_", " ").strip()
    import csv  # noqa: PLC0415 - one line to take apart

    row = next(csv.reader([data[at : data.find("\n", at)]]))
    return ", ".join(part for part in row[1:3] if part) or contact


@functools.cache
def _people() -> str:
    return _read("people.csv").decode()


def evidence(port: int) -> list[dict[str, str]]:
    """The cited claims about a port, and those that hold for every port, in file order."""
    text = _read("evidence.tsv").decode()
    header, *lines = (line.split("\t") for line in text.splitlines() if line)
    keys = [key.lstrip("# ") for key in header]
    return [dict(zip(keys, cells, strict=True)) for cells in lines if _covers(cells[0], port)]


def _covers(ports: str, port: int) -> bool:
    if ports == "*":
        return True
    low, _, high = ports.partition("-")
    return int(low) <= port <= int(high or low)


def range_of(port: int) -> tuple[str, int, int]:
    """The name and bounds of the range a port lies in (RFC 6335 §6)."""
    return next((name, low, high) for name, (low, high) in RANGES if low <= port <= high)


def load_file(file: str | PathLike[str]) -> Registry:
    """Read a newer registry as downloaded: IANA's csv or xml, or our own text form.

    Raises:
        ValueError: the file is none of these; the message says what was missing.
        OSError: it cannot be read.
    """
    from kalends.ports import convert  # noqa: PLC0415 - only with --data

    with open(file, "rb") as stream:
        data = stream.read()
    name = path.basename(file)
    return Registry(data if data.startswith(b"#") else convert.to_table(data), name)


def _read(name: str) -> bytes:
    with open(path.join(_DATA, name), "rb") as stream:
        return stream.read()


def _distance(one: str, two: str) -> int:
    """How many letters to insert, delete or replace (Levenshtein)."""
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(two, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]
