"""IANA's own files (csv or xml, as downloaded) turned into the text form of `registry`."""

from __future__ import annotations

import csv
import re
import sys
import xml.parsers.expat
from collections.abc import Iterable, Iterator
from pathlib import Path

from kalends.ports.registry import Registry

CSV_COLUMNS = (
    "Service Name",
    "Port Number",
    "Transport Protocol",
    "Description",
    "Assignee",
    "Contact",
    "Registration Date",
    "Modification Date",
    "Reference",
    "Service Code",
    "Unauthorized Use Reported",
    "Assignment Notes",
)
_XML_TAGS = {"name": 0, "number": 1, "protocol": 2, "description": 3, "note": 11}
_WITHDRAWN = re.compile(r"de-?registered|removed|deprecated|decomm?iss?ioned", re.IGNORECASE)
_HEADER = (
    "low",
    "high",
    "transport",
    "name",
    "status",
    "description",
    "assignee",
    "contact",
    "registered",
    "modified",
    "reference",
    "service_code",
    "unauthorized_use",
    "notes",
    "src",
)


def to_table(data: bytes) -> bytes:
    """Convert a downloaded registry.

    Args:
        data: the file's octets.

    Returns:
        The text form, its header naming the newest date found in the records as the snapshot date.

    Raises:
        ValueError: neither IANA's csv nor its xml.
    """
    text = data.decode("utf-8-sig", "replace")
    rows = list(_xml_rows(data) if text.lstrip().startswith("<") else _csv_rows(text))
    if not rows:
        raise ValueError("the file holds no registry records")
    newest = max(
        (date for row in rows for date in (row[6], row[7]) if re.fullmatch(r"\d{4}-\d\d-\d\d", date)),
        default="0000-00-00",
    )
    blocks: list[tuple[int, str]] = []
    ports: list[tuple[int, str]] = []
    names: list[tuple[int, str]] = []
    for row in rows:
        line, low, high = _line(row)
        (names if low is None else ports if low == high else blocks).append((low or 0, line))
    parts = [
        "\n".join(line for _, line in sorted(part, key=lambda pair: pair[0]))
        for part in (blocks, ports, names)
    ]
    head = f"# kalends port registry, from a downloaded IANA file (CC0). Snapshot {newest}\n#" + "\t".join(
        _HEADER
    )
    return "\n".join([head, *(f"{part}\n%%" if part else "%%" for part in parts), ""]).encode()


def _line(row: list[str]) -> tuple[str, int | None, int | None]:
    (
        name,
        number,
        transport,
        description,
        assignee,
        contact,
        registered,
        modified,
        ref,
        code,
        unauth,
        notes,
    ) = (re.sub(r"\s+", " ", cell).strip() for cell in row)
    if number and not re.fullmatch(r"\d{1,5}(-\d{1,5})?", number):
        raise ValueError(f"{number[:20]!r} is no port number")
    first, _, last = number.partition("-")
    low, high = (int(first), int(last or first)) if number else (None, None)
    status = _status(name, number, description, notes)
    cells = (
        "" if low is None else str(low),
        "" if high is None else str(high),
        transport.lower(),
        name,
        status,
        description,
        _plain(assignee),
        _plain(contact),
        registered,
        modified,
        _plain(ref),
        code,
        unauth,
        notes,
        "file",
    )
    return "\t".join(cells), low, high


def _plain(cell: str) -> str:
    return cell.strip("[]").replace("][", "; ")


def _status(name: str, number: str, description: str, notes: str) -> str:
    text = description.lower()
    if not number:
        return "name-only"
    if notes.lower().startswith("this entry is an alias to"):
        return "alias"
    if _WITHDRAWN.match(description) and not name:
        return "withdrawn"
    if text.startswith("unassigned"):
        return "unassigned"
    return "reserved" if text.startswith("reserved") or not name else "assigned"


def _csv_rows(text: str) -> Iterator[list[str]]:
    reader = csv.reader(text.splitlines(keepends=True))
    header = next(reader, [])
    missing = [column for column in CSV_COLUMNS if column not in header]
    if missing:
        raise ValueError(f"neither IANA's csv nor its xml: the column {missing[0]!r} is missing")
    order = [header.index(column) for column in CSV_COLUMNS]
    for row in reader:
        if row:
            yield [row[i] if i < len(row) else "" for i in order]


def _xml_rows(data: bytes) -> Iterable[list[str]]:
    rows: list[list[str]] = []
    stack: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        stack.append(tag)
        if tag == "record":
            rows.append([""] * len(CSV_COLUMNS))
            rows[-1][6], rows[-1][7] = attributes.get("date", ""), attributes.get("updated", "")
        elif tag == "xref" and "record" in stack and rows:
            column = 8
            if attributes.get("type") == "person":
                column = 4 if "assignee" in stack else 5 if "contact" in stack else 8
            value = attributes.get("data", "")
            rows[-1][column] = "; ".join(
                part for part in (rows[-1][column], value.upper() if column == 8 else value) if part
            )

    def text(content: str) -> None:
        if "record" in stack and stack[-1] in _XML_TAGS and rows:
            rows[-1][_XML_TAGS[stack[-1]]] += content

    def refuse(*_: object) -> None:
        raise ValueError("the xml declares a document type, which IANA's does not")

    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _tag: stack.pop()
    parser.CharacterDataHandler = text
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except xml.parsers.expat.ExpatError as error:
        raise ValueError(f"not well-formed xml: {error}") from None
    return rows


def main(argv: list[str]) -> int:
    """Rewrite the shipped table from a downloaded file: `python -m kalends.ports.convert FILE TABLE`."""
    if len(argv) != 2:
        sys.stderr.write("usage: python -m kalends.ports.convert DOWNLOADED.csv|xml TABLE.tsv\n")
        return 2
    try:
        table = to_table(Path(argv[0]).read_bytes())
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{argv[0]}: {getattr(error, 'strerror', None) or error}\n")
        return 1
    counts = Registry(table).counts()
    head, rest = table.split(b"\n", 1)
    told = ", ".join(f"{status} {number}" for status, number in counts.items())
    Path(argv[1]).write_bytes(head + f"\n# user ports: {told}\n".encode() + rest)
    sys.stdout.write(f"{argv[1]}: user ports: {told}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
