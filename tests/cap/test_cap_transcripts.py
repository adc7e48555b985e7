"""Sessions written down as in RFC 4324, among them its own examples (see transcripts/README.txt)."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from cap_harness import POLICY, UTC, Pair

from kalends.core import containers
from kalends.core.people import identity
from kalends.ical.folds import unfold
from kalends.store.base import Store, Tx

FOLDER = Path(__file__).parent / "transcripts"
FILES = sorted(path for path in FOLDER.glob("*.txt") if path.name != "README.txt")
ANY = "..."


@dataclass
class Turn:
    """One message and what is to come back."""

    line: int
    sent: list[str] = field(default_factory=list)
    expected: list[tuple[str, list[str]]] = field(default_factory=list)


def read(text: str) -> tuple[list[list[str]], list[Turn]]:
    """Directives and turns of a transcript."""
    directives: list[list[str]] = []
    turns: list[Turn] = []
    for number, line in enumerate(text.splitlines(), 1):
        mark, rest = line[:2], line[3:]
        if line.startswith("@"):
            directives.append(line[1:].split())
        elif mark == "C:":
            if not turns or turns[-1].expected:
                turns.append(Turn(number))
            turns[-1].sent.append(rest)
        elif mark == "S=":
            turns[-1].expected.append((rest.strip(), []))
        elif mark == "S:":
            turns[-1].expected[-1][1].append(rest)
        else:
            assert not line or line.startswith("#"), f"line {number}: {line}"
    return directives, turns


def fits(lines: list[str], wanted: list[str]) -> bool:
    """Whether lines are those wanted; `...` stands for any number of them."""
    if not wanted:
        return not lines
    if wanted[0] == ANY:
        return any(fits(lines[skip:], wanted[1:]) for skip in range(len(lines) + 1))
    return bool(lines) and fnmatchcase(lines[0], wanted[0]) and fits(lines[1:], wanted[1:])


def furnish(tx: Tx, directives: list[list[str]]) -> str:
    user = ""
    keeper = containers.housekeeper(POLICY, UTC)
    for word, *rest in directives:
        if word == "user":
            (user,) = rest
        elif word == "person":
            identity.add_user(tx, POLICY, rest[0], now=UTC)
        else:
            assert word == "calendar"
            containers.create_calendar(tx, keeper, *rest)
    return user


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_transcript(path: Path, calendars: Store) -> None:
    directives, turns = read(path.read_text("utf-8"))
    assert turns
    user = calendars.write(lambda tx: furnish(tx, directives))
    pair = Pair(calendars, user)
    for turn in turns:
        msgno = pair.send("\n".join([*turn.sent, ""]))
        pair.run()
        answer = pair.answer(msgno)
        wanted = [(kind, lines) for kind, lines in turn.expected if kind != "NUL"]
        got = [(answer.kind, unfolded(body)) for body in answer.bodies]
        assert [kind for kind, _ in got] == [kind for kind, _ in wanted], f"{turn.line}: {got}"
        assert (turn.expected[-1][0] == "NUL") == (answer.kind == "ANS"), f"line {turn.line}"
        for (_, lines), (_, pattern) in zip(got, wanted, strict=True):
            assert fits(lines, pattern), f"line {turn.line}: " + "\n".join(lines)


def unfolded(body: str) -> list[str]:
    return unfold(body).split("\r\n")


def test_a_transcript_that_does_not_fit_is_noticed() -> None:
    """The runner itself can fail."""
    assert fits(["a", "b"], ["a", "..."])
    assert not fits(["a", "b"], ["a"])
    assert not fits(["a"], ["a", "b"])
    assert not fits(["a", "c"], ["...", "b"])
