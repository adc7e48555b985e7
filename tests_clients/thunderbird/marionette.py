"""A client of Marionette, the remote control of Mozilla's programs: no more than the drive needs.

A message is its length in octets, a colon, and JSON: `[0, ID, COMMAND, PARAMETERS]`, answered by `[1, ID, ERROR, RESULT]`.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from pathlib import Path
from typing import Any


class RefusedError(Exception):
    """Marionette refused a command, or a script threw."""


class Marionette:
    """A session in chrome context, with the program's own rights.

    Args:
        port: where it listens on this machine.
        patience: seconds that a script may take.
    """

    def __init__(self, port: int, patience: float = 45.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=patience + 30)
        self._file = self._socket.makefile("rb")
        self._last = 0
        self._receive()  # the greeting
        self.command("WebDriver:NewSession", capabilities={})
        self.command("Marionette:SetContext", value="chrome")
        self.command("WebDriver:SetTimeouts", script=int(patience * 1000))

    def command(self, name: str, **parameters: Any) -> Any:
        """Send a command and wait for its result."""
        self._last += 1
        text = json.dumps([0, self._last, name, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        _, number, error, result = self._receive()
        if number != self._last:
            raise RefusedError(f"answer {number} to command {self._last}")
        if error is not None:
            raise RefusedError(
                f"{name}: {error.get('error')}: {error.get('message')}\n{error.get('stacktrace')}"
            )
        return result

    def run(self, script: Path | str, *arguments: Any) -> Any:
        """Run the body of an async function in the program's main window; its result must be JSON."""
        text = script.read_text() if isinstance(script, Path) else script
        body = f"return (async function () {{ {text}\n }}).apply(null, arguments);"
        return self.command("WebDriver:ExecuteScript", script=body, args=list(arguments), newSandbox=True)[
            "value"
        ]

    def close(self) -> None:
        """Let the program end itself; where it is gone already there is nothing to end."""
        with contextlib.suppress(OSError, RefusedError):
            self.command("Marionette:Quit", flags=["eForceQuit"])
        self._file.close()
        self._socket.close()

    def _receive(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            octet = self._file.read(1)
            if not octet:
                raise RefusedError("the program hung up")
            length += octet
        return json.loads(self._file.read(int(length[:-1])))


def port_of(profile: Path, seconds: float = 90.0) -> int:
    """Wait until a program that starts has written down which port it took."""
    written = profile / "MarionetteActivePort"
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if written.exists() and written.read_text().strip():
            return int(written.read_text())
        time.sleep(0.2)
    raise RefusedError(f"no Marionette within {seconds:.0f} s")
