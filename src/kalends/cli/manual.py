"""The reference of the command line, made from the commands themselves, for docs/cli.md.

`python -m kalends.cli.manual docs/cli.md` writes it anew between the two marks in that file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from kalends.cli.failures import RefusalError
from kalends.cli.group import kalends

BEGIN = "<!-- reference: begin (made by python -m kalends.cli.manual) -->"
END = "<!-- reference: end -->"
WIDTH = 80


def reference() -> str:
    """The help of every command, in the order of the table, as Markdown."""
    pages = [f"### {name}\n\n```text\n{text}\n```\n" for name, text in _pages(kalends, None, "kalends")]
    return "\n".join(pages)


def _pages(command: click.Command, parent: click.Context | None, name: str) -> Iterator[tuple[str, str]]:
    ctx = click.Context(command, parent=parent, info_name=name.rsplit(maxsplit=1)[-1], terminal_width=WIDTH)
    ctx.help_option_names = ["-h", "--help"]
    if name != "kalends port":  # that one speaks for itself: kalends port --help
        yield name, "\n".join(line.rstrip() for line in command.get_help(ctx).splitlines())
    if isinstance(command, click.Group):
        for child in command.list_commands(ctx):
            found = command.get_command(ctx, child)
            assert found is not None
            yield from _pages(found, ctx, f"{name} {child}")


def with_reference(page: str) -> str:
    """A page whose part between the marks is made anew.

    Raises:
        RefusalError: the marks are not there.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise RefusalError(f"the page has no marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(with_reference(file.read_text("utf-8")), "utf-8")
