"""Somebody in front of Thunderbird, who can also look with CAP."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests_clients.thunderbird.marionette import Marionette
from tests_clients.world import PASSWORD, REALM, World, check, tool

HERE = Path(__file__).resolve().parent
ZONE = "Europe/Berlin"
WEEK = ("20270607T000000Z", "20270614T000000Z")


@dataclass
class Desk:
    """A running Thunderbird and the world that it looks into.

    Args:
        world: a Kalends, and what was sent to it.
        told: the remote control.
        screen: the display it shows itself on.
    """

    world: World
    told: Marionette
    screen: str

    def does(self, act: str, *words: Any) -> Any:
        """Have Thunderbird do one of the acts of calendars.js."""
        return self.told.run(HERE / "calendars.js", act, *words)

    def add(self, calendar: str, text: str) -> None:
        """Book a component in Thunderbird."""
        self.does("add", place(self, calendar), text)

    def change(self, calendar: str, uid: str, instance: str | None = None, /, **values: Any) -> None:
        """Change an item in Thunderbird, or one instance of it (by its start in UTC)."""
        self.does("change", place(self, calendar), uid, values, instance)

    def refresh(self, calendar: str) -> None:
        """The button Synchronize."""
        self.does("refresh", place(self, calendar))

    def week(self, calendar: str) -> dict[str, dict[str, Any]]:
        """The instances that Thunderbird shows of a calendar in the week, by their titles."""
        found = self.does("items", place(self, calendar), "VEVENT", *WEEK, ZONE)
        return {item["title"]: item for item in found}

    def cua(self, who: str, *words: str, stdin: str | None = None) -> str:
        """Run a command of Kalends' own calendar program, over CAP, as somebody."""
        return self.world.run(
            sys.executable, "-m", "kalends.cli.entry", *words, stdin=stdin,
            KALENDS_SERVER=self.world.cap, KALENDS_USER=f"{who}@{REALM}", KALENDS_PASSWORD=PASSWORD,
        )  # fmt: skip

    def over_cap(self, calendar: str, uid: str, kind: str = "VEVENT") -> str:
        """What CAP shows of a booked object to the owner of its calendar, without folds."""
        query = f"SELECT * FROM {kind} WHERE UID = '{uid}' AND STATE() = 'BOOKED'"
        words = ("query", query, "--target", calendar, "--format", "ics", "--no-tls", "--quiet")
        return self.cua(calendar.partition("/")[0], *words).replace("\r", "").replace("\n ", "")

    def photograph(self, file: Path) -> None:
        """The whole screen, as PNG."""
        words = [tool("import", "imagemagick"), "-window", "root", "-strip", str(file)]
        subprocess.run(words, env={"DISPLAY": self.screen, "PATH": "/usr/bin:/bin"}, check=True, timeout=60)


def place(desk: Desk, calendar: str) -> str:
    """The URL of NAME/CALENDAR, as Thunderbird knows it."""
    return f"{desk.world.recorder}/dav/calendars/{calendar}/"


def holds(text: str, *lines: str) -> None:
    """Fail unless each line is a line of a text."""
    have = text.splitlines()
    for line in lines:
        check(line in have, f"{line} is not in\n{text}")
