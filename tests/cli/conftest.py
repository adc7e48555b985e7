"""Fixtures of the command line's tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cli_tools import Here

from live_server import clean_environ


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Here:
    """Runs `kalends` in this process, with state, data and configuration of its own."""
    for name in os.environ:
        if name.startswith("KALENDS_"):
            monkeypatch.delenv(name)
    for name, value in clean_environ(tmp_path).items():
        monkeypatch.setenv(name, value)
    return Here(capsys, monkeypatch)
