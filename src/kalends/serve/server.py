"""Running a server until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable

from kalends.serve.config import Config


def run(config: Config, announce: Callable[[str], None] | None = None) -> int:
    """Serve until SIGTERM or SIGINT.

    Args:
        config: all settings.
        announce: gets the one ready line `ready cap=HOST:PORT csid=cap://NAME store=…`; default prints it
            on stdout.

    Returns:
        The exit code: 0 after an orderly end, 1 when it could not start (the reason is logged).
    """
    raise NotImplementedError
