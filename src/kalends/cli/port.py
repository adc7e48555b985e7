"""`kalends port`, for help and completion: the words themselves go straight to their own room."""

from __future__ import annotations

import sys

import click


@click.command(
    "port", add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def port(words: tuple[str, ...]) -> None:
    """What a port is registered for, and what listens there."""
    from kalends.ports.command import main

    sys.exit(main(list(words)))
