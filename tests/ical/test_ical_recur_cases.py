"""Recurrence rules on whose instances libical, ical.js, rrule.js and python-dateutil agree (RFC 5545 §3.3.10)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kalends.ical.moment import FIRST_WALL, LAST_WALL, parse_moment
from kalends.ical.recur import Rule

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "recurrence-cases.json").read_text("utf-8")
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['dtstart']} {case['rrule']}")
def test_agreed_instances(case: dict[str, Any]) -> None:
    start, rule = parse_moment(case["dtstart"]), Rule.parse(case["rrule"])
    assert not case["extra"]
    found = [
        str(start.moved(w)) for w in rule.walls(start.wall, FIRST_WALL, LAST_WALL, is_date=start.is_date)
    ]
    assert found == case["instances"]
    assert Rule.parse(str(rule)) == rule


def test_all_cases_are_here() -> None:
    assert len(CASES) == 69
