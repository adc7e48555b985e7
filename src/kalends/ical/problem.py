"""How a check says what is wrong: which component, which line, why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kalends.ical.line_numbers import numbered
from kalends.ical.tree import Component, Line


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason to refuse an object.

    Attributes:
        component: upper-case name of the component it is found in.
        line: physical line number in the text, from 1; 0 when the line was not part of the text.
        reason: what is wrong, for a person.
    """

    component: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.component}, line {self.line}: {self.reason}" if self.line else self.reason


class Finding(NamedTuple):
    """A problem before its line number is known: counting lines is left until something is wrong."""

    component: Component
    line: Line | None
    reason: str


def locate(root: Component, findings: Sequence[Finding]) -> list[Problem]:
    """Give findings their line numbers.

    Args:
        root: the root component they were found in.
        findings: in the order they were found; without a line they point at their component's BEGIN.

    Returns:
        Problems in the order of the text.
    """
    if not findings:
        return []
    numbers = {id(line or component): number for number, component, line in numbered(root)}
    found = [
        Problem(component.name, numbers.get(id(line or component), 0), reason)
        for component, line, reason in findings
    ]
    return sorted(found, key=lambda problem: problem.line)
