"""Where `kalends` begins. The shortest ways out come first: nothing is imported that is not used."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the words after `kalends`; those of the process by default.

    Returns:
        The exit code: 0 done, 1 refused or not found, 2 usage, 3 could not connect or authenticate.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _run(words: list[str]) -> int:
    if words in (["--version"], ["-V"]):
        from kalends import __version__

        sys.stdout.write(f"kalends {__version__}\n")
        return 0
    if words[:1] == ["port"]:
        from kalends.ports.command import main as port

        return port(words[1:])
    from kalends.cli.group import run

    return run(words)


if __name__ == "__main__":
    sys.exit(main())
