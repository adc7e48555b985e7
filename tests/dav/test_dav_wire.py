"""Exchanges written down as on the wire, among them the RFCs' own examples (see wire/README.txt)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from dav_harness import Client
from lxml import etree

FILES = sorted(path for path in (Path(__file__).parent / "wire").glob("*.txt") if path.name != "README.txt")


@dataclass
class Message:
    """One side of an exchange: its first line, headers, body."""

    number: int
    first: str
    headers: dict[str, str] = field(default_factory=dict)
    body: list[str] | None = None

    def add(self, line: str) -> None:
        if self.body is not None:
            self.body.append(line)
        elif not line:
            self.body = []
        else:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()


def read(text: str) -> list[tuple[Message, Message]]:
    turns: list[tuple[Message, Message]] = []
    request = response = None
    for number, line in enumerate(text.splitlines(), 1):
        mark, rest = line[:1], line[2:]
        if mark == ">":
            if request is None or response is not None:
                request, response = Message(number, rest), None
            else:
                request.add(rest)
        elif mark == "<":
            assert request is not None, f"line {number}: a response without its request"
            if response is None:
                response = Message(number, rest)
                turns.append((request, response))
            else:
                response.add(rest)
        else:
            assert not line or mark == "#", f"line {number}: {line}"
    return turns


def tree(element: etree._Element) -> tuple[object, ...]:
    text = (element.text or "").strip()
    return element.tag, dict(element.attrib), text, [tree(child) for child in element]


def alike(mine: tuple, theirs: tuple, known: dict[str, str]) -> bool:
    """Whether two trees are the same; "*" is any text, "$name" one that requests may repeat from then on."""
    text = theirs[2]
    if text.startswith("$"):
        text = known.setdefault(text, mine[2])
    same = mine[:2] == theirs[:2] and text in ("*", mine[2])
    below = zip(mine[3], theirs[3], strict=False)
    return same and len(mine[3]) == len(theirs[3]) and all(alike(*pair, known) for pair in below)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_exchange_goes_as_it_is_written(bill: Client, path: Path) -> None:
    turns = read(path.read_text(encoding="utf-8"))
    assert turns
    known: dict[str, str] = {}
    for request, expected in turns:
        method, target = request.first.split()
        end = "\r\n" if request.headers.get("content-type", "").startswith("text/calendar") else "\n"
        body = "".join(line + end for line in request.body or ())
        for name, value in known.items():
            body = body.replace(name, value)
        headers = {name.replace("-", "_"): value for name, value in request.headers.items()}
        answer = bill(method, target, body, **headers)
        assert answer.status == int(expected.first), f"line {expected.number}: {answer.text}"
        for name, value in expected.headers.items():
            assert answer.headers.get(name) == value or (value == "*" and name in answer.headers), name
        if expected.body is None:
            continue
        wanted = "\n".join(expected.body)
        if wanted.startswith("<"):
            assert alike(tree(answer.xml), tree(etree.fromstring(wanted)), known), (
                f"line {expected.number}: {answer.text}"
            )
        else:
            assert answer.text.splitlines() == expected.body
