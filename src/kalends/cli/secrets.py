"""Passwords: from a prompt, standard input, the environment, or a file nobody else can read."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import click

from kalends.cli.failures import RefusalError, UsageError

VARIABLE = "KALENDS_PASSWORD"
LOOSE = stat.S_IRWXG | stat.S_IRWXO
"""Permission bits that a password file must not have."""


def from_stdin() -> str:
    """The first line of standard input.

    Raises:
        UsageError: it is empty.
    """
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise UsageError("no password on standard input")
    return password


def from_file(path: Path) -> str:
    """The first line of a file that only its owner can read.

    Raises:
        RefusalError: others can read it, or it is empty.
    """
    with path.open(encoding="utf-8") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & LOOSE:
            raise RefusalError(f"{path} can be read by others (mode {stat.S_IMODE(mode):o}): chmod 600 it")
        password = file.readline().rstrip("\r\n")
    if not password:
        raise RefusalError(f"{path} holds no password")
    return password


def new_password(stdin: bool) -> str:
    """A password to be set: read from standard input, or asked for twice.

    Args:
        stdin: --password-stdin.
    """
    if stdin:
        return from_stdin()
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask for a password: use --password-stdin")
    password = click.prompt("Password", hide_input=True, confirmation_prompt="The same again", err=True)
    return str(password)


def known_password(who: str, *, stdin: bool, file: Path | None) -> str:
    """The password of somebody who wants to log in.

    Args:
        who: for the prompt.
        stdin: --password-stdin.
        file: --password-file, or the one of the settings.

    Raises:
        UsageError: there is none and nobody to ask.
    """
    if stdin:
        return from_stdin()
    if file is not None:
        return from_file(file)
    written = os.environ.get(VARIABLE)
    if written:
        return written
    if not sys.stdin.isatty():
        raise UsageError(f"a password is needed: {VARIABLE}, --password-file or --password-stdin")
    return str(click.prompt(f"Password of {who}", hide_input=True, err=True))
