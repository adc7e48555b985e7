"""Where `kalends` begins. The shortest ways out come first: nothing is imported that is not used."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the words after `kalends`; those of the process by default.

    Returns:
        The exit code: 0 done, 1 refused or not found, 2 usage, 3 could not connect or authenticate,
        130 stopped by Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    _fill_gaps()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal of few letters shows ? and nothing fails
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe had enough
        _give_up_stdout()
        return 0
    except KeyboardInterrupt:  # before the commands are there to say it themselves, or in `kalends port`
        sys.stderr.write("\nkalends: stopped\n")
        return 130
    except OSError as error:  # e.g. the disk behind standard output is full
        _give_up_stdout()
        sys.stderr.write(f"kalends: standard output: {(error.strerror or str(error)).lower()}\n")
        return 1
    return code


def _fill_gaps() -> None:
    """Put nothing where a standard stream was closed (`>&-`): its number would go to the next file opened."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this one, in this order
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  to the end


def _give_up_stdout() -> None:
    """Keep Python from complaining once more about what it could not write."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
