"""A drive from the start of everything to a picture of the week."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from tests_clients.thunderbird.desk import Desk
from tests_clients.thunderbird.programs import display, thunderbird
from tests_clients.thunderbird.steps import PICTURED, STEPS
from tests_clients.world import kalends_world


def drive(folder: Path, picture: Path | None = None) -> Iterator[str]:
    """Start everything, take the steps in their order.

    Args:
        folder: for all that is written; empty.
        picture: where a picture of the week goes, as PNG.

    Yields:
        A line for each step, when it is done.

    Raises:
        FailedError: a step found what must not be.
        AbsentError: Thunderbird, or what it needs, is not installed.
    """
    with kalends_world(folder) as world, display(folder) as screen, thunderbird(folder, screen) as told:
        desk = Desk(world, told, screen)
        for step in STEPS:
            began = time.monotonic()
            said = step(desk)
            if picture is not None and step is PICTURED:
                desk.does("show", "week", "20270607")
                desk.photograph(picture)
            yield f"{step.__name__}: {said} ({time.monotonic() - began:.1f} s)"


def run(folder: Path) -> str:
    """All of it, for the list of apps."""
    steps = list(drive(folder))
    return f"{len(steps)} steps from the bare origin to a call-off; requests {steps[-1]}"
