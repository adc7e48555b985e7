"""The examples of RFC 4791 §7.8 and §7.9 over the calendar of its Appendix B, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest
from dav_harness import NS, Client, DavWorld
from reports_world import WORK, bernard

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("rfc4791-7*.txt"))


def expected(text: str) -> dict[str, tuple[str, list[str]]]:
    """Name -> status and lines of the calendar data."""
    out: dict[str, tuple[str, list[str]]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        name, _, status = line.rpartition(" ")
        if name.endswith(".ics") and status in ("200", "404"):
            lines = []
            out[name] = (status, lines)
        else:
            lines.append(line)
    return out


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_example_is_answered_as_the_rfc_shows(world: DavWorld, bill: Client, path: Path) -> None:
    bernard(world, path.stem)
    head, _, tail = path.read_text().partition("\n----\n")
    request = head[head.index("<?xml") :].replace("/bernard/work/", WORK)
    answer = bill("REPORT", WORK, request, depth="1")
    assert answer.status == 207, answer.text
    told = {}
    for response in answer.xml.xpath("/D:multistatus/D:response", namespaces=NS):
        name = response.xpath("string(D:href)", namespaces=NS).rpartition("/")[2]
        status = response.xpath("string(.//D:status)", namespaces=NS).split()[1]
        data = response.xpath("string(.//C:calendar-data)", namespaces=NS)
        told[name] = (status, data.splitlines())
        if status == "200" and "getetag" in head:
            assert response.xpath("string(.//D:getetag)", namespaces=NS) == f'"fffff-{name[:-4]}"'
    assert told == expected(tail)
