"""Scheduling, told by scripts: one for each chapter of RFC 6638 and RFC 5546 (tests/core/scheduling/*.txt)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from core_world import POLICY
from scheduling_world import Script, Village

from kalends.store import maintenance
from kalends.store.base import Store

SCRIPTS = sorted((Path(__file__).parent / "scheduling").glob("*.txt"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path: Path, store: Store) -> None:
    policy = replace(POLICY, imip="mail" in path.stem)
    village = Village(store, policy)
    assert Script(path, village).play() > 1
    assert maintenance.check(store) == []
