"""The demo's voice: headings, sentences, and what went over the wire, on a terminal or into a file."""

from __future__ import annotations

import textwrap

import click

from kalends.cli.text import colour, harmless

WIDTH = 80


class Narrator:
    """Tells what happens; steps are numbered."""

    def __init__(self) -> None:
        self._step = 0

    def step(self, title: str) -> None:
        """Begin a step."""
        self._step += 1
        click.echo()
        click.echo(click.style(f"{self._step}. {title}", bold=True, fg="cyan"), color=colour())

    def say(self, text: str) -> None:
        """A paragraph."""
        click.echo(
            textwrap.fill(text, WIDTH, initial_indent="   ", subsequent_indent="   ", break_on_hyphens=False)
        )

    def wire(self, side: str, text: str) -> None:
        """Lines as they went over the wire; C: is us, S: the server."""
        for line in text.replace("\r\n", "\n").rstrip("\n").split("\n"):
            text = harmless(line)  # folded lines have 75 octets at most: they fit behind the side's letter
            shown = f"  {side}: {text if len(text) <= WIDTH - 5 else text[: WIDTH - 6] + '…'}"
            click.echo(click.style(shown, dim=True), color=colour())

    def command(self, text: str) -> None:
        """Something the reader may type: a line of the shell, continued by backslashes where it is long."""
        lines = textwrap.wrap(text, WIDTH - 9, break_long_words=False, break_on_hyphens=False) or [""]
        for number, line in enumerate(lines):
            click.echo(
                ("     " if number == 0 else "       ") + line + (" \\" if line is not lines[-1] else "")
            )

    def query(self, text: str) -> None:
        """A CAL-QUERY, as it was laid out."""
        for line in text.split("\n"):
            for part in textwrap.wrap(line, WIDTH - 7, break_long_words=False, break_on_hyphens=False):
                click.echo("     " + click.style(part, fg="green"), color=colour())

    def more(self, count: int) -> None:
        """So many rows are not shown."""
        if count > 0:
            click.echo(f"   … and {count} more")
