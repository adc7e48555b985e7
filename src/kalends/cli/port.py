"""`kalends port`, for help and completion: the words themselves go straight to their own room."""

from __future__ import annotations

import sys

import click
from click.shell_completion import CompletionItem


class _Port(click.Command):
    """Its options are known in its own room only; a shell's completion asks there."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from kalends.ports.command import options

        return [CompletionItem(name, help=text) for name, text in options() if name.startswith(incomplete)]


@click.command(
    "port",
    cls=_Port,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def port(words: tuple[str, ...]) -> None:
    """What a port is registered for, and what listens there."""
    from kalends.ports.command import main

    sys.exit(main(list(words)))
