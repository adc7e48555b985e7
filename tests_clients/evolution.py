"""GNOME's evolution-data-server, behind Evolution and GNOME Calendar: discovery, create, change, delete on both sides."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests_clients.calcurse import EVENT
from tests_clients.world import HERE, PASSWORD, AbsentError, FailedError, World, check, kalends_world, tool

PACKAGES = "evolution-data-server gir1.2-ecal-2.0 python3-gi gnome-keyring dbus"
SHELL = 'printf x | gnome-keyring-daemon --unlock --components=secrets >/dev/null; exec /usr/bin/python3 "$@"'


def run(folder: Path) -> str:
    """Drive it through its own library, in a D-Bus session and a keyring of its own."""
    session = tool("dbus-run-session", PACKAGES)
    tool("gnome-keyring-daemon", PACKAGES)
    if not Path("/usr/libexec/evolution-source-registry").exists():
        raise AbsentError(f"evolution-data-server is not installed: apt-get install {PACKAGES}")
    with kalends_world(folder) as world:
        world.create_over_cap(
            "amira/calendar", EVENT.format(uid="cap-1@example.com", summary="Talk", more="")
        )
        at = urlsplit(world.recorder)
        words = [session, "--", "bash", "-c", SHELL, "bash", str(HERE / "evolution_inside.py")]
        words += [at.hostname or "", str(at.port), "amira", PASSWORD]
        with (folder / "evolution.log").open("w") as log:
            inside = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=world.environ(),
            )
            try:
                _steps(world, lambda: _next(inside, folder))
            finally:
                # Its end ends the session, and with that all that the session started.
                inside.communicate(timeout=60)
    return "discovery from the bare origin; create, change, delete on both sides; its object octet for octet over CAP"


def _next(inside: subprocess.Popen[str], folder: Path) -> dict[str, Any]:
    assert inside.stdin is not None
    assert inside.stdout is not None
    inside.stdin.write("\n")
    inside.stdin.flush()
    line = inside.stdout.readline()
    if not line:
        raise FailedError(f"it ended:\n{(folder / 'evolution.log').read_text()}")
    seen: dict[str, Any] = json.loads(line)
    return seen


def _steps(world: World, step: Callable[[], dict[str, Any]]) -> None:
    uid = ("--uid", "cap-1@example.com", "--target", "amira/calendar", "--no-tls")
    saw = step()
    home = f"{world.recorder}/dav/calendars/amira"
    for name in ("calendar", "tasks"):
        check([f"{home}/{name}/", name] in saw["found"], f"not discovered: {name} in {saw['found']}")
    check(saw["addresses"] == ["amira@example.com"], f"addresses: {saw['addresses']}")
    saw = step()
    check(not saw["readonly"], "it takes its own calendar for read-only")
    check(saw["seen"] == {"cap-1@example.com": "Talk"}, f"it does not see what was made over CAP: {saw}")
    step()
    check("SUMMARY:Made by Evolution" in world.over_cap("amira/calendar"), "CAP does not see what it made")
    step()
    check("SUMMARY:Changed by Evolution" in world.over_cap("amira/calendar"), "CAP does not see its change")
    check(world.kept_as_sent() == 1, "one object was PUT")
    world.kalends("modify", *uid, "--set", "SUMMARY=Talk, moved")
    saw = step()
    check(saw["seen"].get("cap-1@example.com") == "Talk, moved", f"it does not see a change over CAP: {saw}")
    world.kalends("delete", *uid, "--yes")
    saw = step()
    check("cap-1@example.com" not in saw["seen"], f"it still sees what was deleted over CAP: {saw}")
    step()
    check("Evolution" not in world.over_cap("amira/calendar"), "what it deleted is still seen over CAP")
