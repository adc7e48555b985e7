"""Writes docs/conformance.md from conformance.tsv: `python tests/conformance/conformance_page.py`.

The table has a line for each requirement: id, section, level, requirement, state, tests (separated by a blank),
note. `*` at the end of a test's name stands for all that begin so.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).with_name("conformance.tsv")
PAGE = ROOT / "docs" / "conformance.md"
HEAD = ("id", "section", "level", "requirement", "state", "tests", "note")
STATES = ("met", "not yet", "no wire test")
GROUPS = {
    "SES": "Sessions, transport, negotiation",
    "LOC": "Languages and charsets",
    "OBM": "Objects, states, identifiers",
    "CON": "Double booking",
    "UPN": "Identities",
    "ACL": "Rights",
    "QRY": "CAL-QUERY",
    "PRM": "Parameters of CMD",
    "LAT": "Bounded latency",
    "CRE": "CREATE",
    "DEL": "DELETE",
    "GUI": "GENERATE-UID",
    "CAP": "GET-CAPABILITY",
    "IDN": "IDENTIFY",
    "MDF": "MODIFY",
    "MOV": "MOVE",
    "REP": "REPLY",
    "SEA": "SEARCH",
    "FBY": "Free/busy",
    "STO": "Store and calendar properties",
    "COD": "REQUEST-STATUS",
    "EDI": "Process",
    "BF": "BEEP: frames",
    "BC": "BEEP: channels",
    "BA": "BEEP: asynchrony",
    "BT": "BEEP: TLS and SASL",
    "BW": "BEEP: TCP mapping",
    "A": "Where RFC 4324 is ambiguous",
}
"""Titles of the groups, by the letters that ids begin with."""
INTRODUCTION = """\
# Conformance

What RFC 4324 (CAP) and, for its transport, RFC 3080 and 3081 (BEEP) ask of a server and of a client, one line for each
requirement, and the tests that show it. *met*: the tests named show it. *not yet*: missing, or not as it should be;
the note says what, the tests show what there is. *no wire test*: nothing that could be seen from outside, or nothing
that applies here.

Levels: M MUST, N MUST NOT, S SHOULD, SN SHOULD NOT, O MAY, m a lower-case must, i implied by prose, grammar or
example, ext Kalends' own. Several stand for a line that gathers several sentences.

This page is generated: edit `tests/conformance/conformance.tsv` and run
`python tests/conformance/conformance_page.py`. A test fails when the page is stale or a test named here is gone.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement, as its line in the table has it."""

    id: str
    section: str
    level: str
    requirement: str
    state: str
    tests: tuple[str, ...]
    note: str

    @property
    def group(self) -> str:
        return self.id.partition("-")[0]


def read_rows() -> list[Row]:
    """The table."""
    head, *lines = TABLE.read_text("utf-8").splitlines()
    assert tuple(head.split("\t")) == HEAD
    rows = []
    for line in lines:
        ident, section, level, requirement, state, tests, note = line.split("\t")
        rows.append(Row(ident, section, level, requirement, state, tuple(tests.split()), note))
    return rows


def tests_in(path: Path) -> Iterator[str]:
    """The node ids in a test module, without parameters, relative to the project."""
    stem = path.relative_to(ROOT).as_posix()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield f"{stem}::{node.name}"
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name.startswith("test_"):
                    yield f"{stem}::{node.name}::{method.name}"


def all_tests() -> set[str]:
    """Every test of the project."""
    return {test for path in (ROOT / "tests").rglob("test_*.py") for test in tests_in(path)}


def named_by(pattern: str, known: set[str]) -> list[str]:
    """The tests that a name in the table stands for."""
    if pattern.endswith("*"):
        return sorted(test for test in known if test.startswith(pattern[:-1]))
    return [pattern] if pattern in known else []


def page(rows: list[Row]) -> str:
    """The whole page."""
    parts = [INTRODUCTION, _summary(rows)]
    for group, members in groupby(rows, key=lambda row: row.group):
        parts += [f"## {GROUPS[group]}\n", _table(list(members), ambiguities=group == "A")]
    return "\n".join(parts)


def _summary(rows: list[Row]) -> str:
    lines = ["| | " + " | ".join(STATES) + " |", "|---|" + "---:|" * len(STATES)]
    whole = Counter(row.state for row in rows)
    for group, title in GROUPS.items():
        count = Counter(row.state for row in rows if row.group == group)
        lines.append(
            f"| [{title}](#{_anchor(title)}) | " + " | ".join(str(count[s] or "") for s in STATES) + " |"
        )
    lines.append("| **all** | " + " | ".join(f"**{whole[state]}**" for state in STATES) + " |")
    return "\n".join(lines) + "\n"


def _anchor(title: str) -> str:
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-")


def _table(rows: list[Row], *, ambiguities: bool) -> str:
    what = "Problem" if ambiguities else "Requirement"
    lines = [f"| | § | | {what} | | Shown by |", "|---|---|---|---|---|---|"]
    for row in rows:
        note = f"<br>*{_cell(row.note)}*" if row.note else ""
        tests = "<br>".join(_link(test) for test in row.tests)
        lines.append(
            f"| {row.id} | {row.section} | {row.level} | {_cell(row.requirement)}{note} | {row.state} | {tests} |"
        )
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    shown = name if name != "*" else f"all of {path.rpartition('/')[2]}"
    return f"[`{shown}`](../{path})"


if __name__ == "__main__":
    PAGE.write_text(page(read_rows()), "utf-8")
