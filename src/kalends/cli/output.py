"""Tables and data on standard output."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import click

from kalends.cli.failures import UsageError
from kalends.cli.text import clean, colour

NARROW, WIDE = 40, 160
"""Columns of the narrowest and of the widest table."""
PIPE_COLUMNS = 80
"""Columns where there is no terminal to ask."""


def columns() -> int:
    """Columns that a table may use: the terminal's, COLUMNS, else 80."""
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS"):
        return PIPE_COLUMNS
    return max(NARROW, min(WIDE, shutil.get_terminal_size((PIPE_COLUMNS, 24)).columns))


def table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "", flexible: Sequence[str] = ()
) -> None:
    """Print a table that fits the terminal; cells are made harmless.

    Args:
        headers: one for each column.
        rows: cells, untrusted.
        title: above the table.
        flexible: headers of the columns that give way when there is little room; others wrap last.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, title=clean(title) or None, title_justify="left"
    )
    for header in headers:
        gives = not flexible or header in flexible
        grid.add_column(Text(clean(header)), overflow="fold" if gives else "ellipsis", no_wrap=not gives)
    for row in rows:
        grid.add_row(*(Text(clean(cell, 2000)) for cell in row))
    console = Console(
        file=sys.stdout,
        width=columns(),
        force_terminal=colour(),
        no_color=not colour(),
        highlight=False,
        markup=False,
        emoji=False,
    )
    with console.capture() as captured:
        console.print(grid)
    for line in captured.get().strip("\n").splitlines():
        click.echo(line.rstrip(), color=colour())


def data(value: object) -> None:
    """Print something as JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def note(text: str) -> None:
    """Say something on stderr that is no result; silent with -q."""
    from kalends.cli.group import verbosity

    if verbosity() >= 0:
        click.echo(f"kalends: {clean(text, 500)}", err=True)


def ask(question: str) -> None:
    """Ask on stderr for a yes, and go on only with one.

    Raises:
        Abort: it was a no, or Ctrl-C. UsageError: nobody is there to answer.
    """
    try:
        agreed = click.confirm(clean(question, 500), err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        click.echo(err=True)
        raise UsageError("nobody is there to answer: say --yes") from None
    if not agreed:
        raise click.Abort


@contextmanager
def progress(label: str, total: int) -> Iterator[Progress]:
    """A bar on stderr, if that is a terminal; else nothing.

    Args:
        label: what is done.
        total: how many steps there are; 0 if not known yet.
    """
    from kalends.cli.group import verbosity

    if not sys.stderr.isatty() or verbosity() < 0:
        yield Progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True, no_color=not colour(sys.stderr))
    parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*parts, console=console, transient=True) as bars:
        task = bars.add_task(clean(label), total=total or None)
        yield _Bar(bars, task)


class Progress:
    """Told how far work has come; this one keeps it to itself."""

    def at(self, done: int, total: int) -> None:
        """So many of so many are done."""


class _Bar(Progress):
    def __init__(self, bars: object, task: object) -> None:
        self._bars, self._task = bars, task

    def at(self, done: int, total: int) -> None:
        self._bars.update(self._task, completed=done, total=total)  # type: ignore[attr-defined]  # rich's own
