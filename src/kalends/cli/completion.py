"""`kalends completion`: scripts that let a shell complete commands and options."""

from __future__ import annotations

import click

from kalends.cli.group import Command, kalends


@click.command(
    cls=Command,
    epilog="\b\nexamples:\n"
    '  eval "$(kalends completion bash)"          in ~/.bashrc\n'
    "  kalends completion fish > ~/.config/fish/completions/kalends.fish",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a completion script for a shell."""
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    assert script is not None
    maker = script(kalends, {}, "kalends", "_KALENDS_COMPLETE")
    # bash's own check of its version would run a program; the script itself needs 4.4 at least
    click.echo(maker.source_template % maker.source_vars())
