"""`python -m bench` runs and tells ratios; what the figures are is no matter for a test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "peers"),
    [
        ("ical", {"icalendar", "python-dateutil"}),
        ("beep", {"bare asyncio echo"}),
        ("imports", {"icalendar parsing", "before the import"}),
        ("http", {"bare uvicorn", ""}),
    ],
)
def test_a_quick_look_gives_lines_with_ratios(name: str, peers: set[str], tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench", name, "--quick", "--json", str(figures)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = json.loads(figures.read_text())
    assert {line["peer"] for line in lines} == peers
    assert all(line["ours"] > 0 for line in lines)
    for line in (line for line in lines if line["theirs"]):
        assert f"{line['ratio']:.2f}x" in done.stdout


def test_a_name_that_is_none_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "speed"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "invalid choice: 'speed'" in done.stderr
