"""The tree of commands, each imported when it is called; how failures become one line and an exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from kalends.cli.failures import DONE, INTERRUPTED, USAGE, Failure, judge

EXAMPLES = """\b
examples:
  kalends serve                                      serve on 127.0.0.1:1026
  kalends user add amira@example.com                 a user with a first calendar
  kalends import amira/calendar holidays.ics         put a file into a calendar
  kalends query "SELECT * FROM VEVENT" --user amira  ask over CAP
  kalends shell --user amira                         the same, interactively

\b
exit: 0 done, 1 refused or not found, 2 usage,
  3 could not connect or authenticate."""

COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("kalends.cli.serving:serve", "Serve calendars until told to stop."),
    "user": ("kalends.cli.users:user", "Users, rooms and resources of a store."),
    "group": ("kalends.cli.groups:group", "Groups of users, rooms and other groups."),
    "calendar": ("kalends.cli.calendars:calendar", "Add, list and remove calendars of a store."),
    "share": ("kalends.cli.sharing:share", "Share a calendar in one of six ways."),
    "unshare": ("kalends.cli.sharing:unshare", "Take back that a calendar is shared."),
    "rights": ("kalends.cli.sharing:rights", "Show who may do what with a calendar, and why."),
    "link": ("kalends.cli.linking:link", "Secret addresses that show a calendar without a login."),
    "decree": ("kalends.cli.sharing:decree", "Make rights that nobody can change."),
    "import": ("kalends.cli.transfer:import_", "Put iCalendar files into a calendar."),
    "export": ("kalends.cli.transfer:export", "Write a calendar as one iCalendar file."),
    "history": ("kalends.cli.past:history", "Show what changed in a calendar, and who did it."),
    "undo": ("kalends.cli.past:undo", "Take back the last change of a calendar or an object."),
    "trash": ("kalends.cli.past:trash", "List what was marked as deleted."),
    "restore": ("kalends.cli.past:restore", "Take an object out of the trash."),
    "purge": ("kalends.cli.past:purge", "Forget the past that is older than the retention."),
    "mail": ("kalends.cli.mail:mail", "Invitations by mail, out and in."),
    "reindex": ("kalends.cli.upkeep:reindex", "Derive the store's index anew."),
    "check": ("kalends.cli.upkeep:check", "Verify that the store contradicts itself nowhere."),
    "query": ("kalends.cli.asking:query", "Find components with CAL-QUERY, over CAP."),
    "create": ("kalends.cli.changing:create", "Create what iCalendar files hold, over CAP."),
    "modify": ("kalends.cli.changing:modify", "Change properties of components, over CAP."),
    "move": ("kalends.cli.changing:move", "Move components to another calendar, over CAP."),
    "delete": ("kalends.cli.changing:delete", "Delete components, over CAP."),
    "capability": ("kalends.cli.asking:capability", "Show what a CAP server can do."),
    "watch": ("kalends.cli.watching:watch", "Print what changes in a calendar, as it happens."),
    "shell": ("kalends.cli.shell:shell", "Ask queries interactively."),
    "port": ("kalends.cli.port:port", "What a port is registered for, and what listens there."),
    "demo": ("kalends.cli.demo:demo", "Show it all: a store, a server, a narrated session."),
    "completion": ("kalends.cli.completion:completion", "Print a completion script for a shell."),
}
"""Every command: where it is, and its line in `kalends --help`."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    lazy: dict[str, tuple[str, str]] = {}  # noqa: RUF012  filled once, in the line below the class

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command."""
        if cmd_name not in self.lazy:
            return None
        module, _, name = self.lazy[cmd_name][0].partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.lazy.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a misspelt one is answered with the nearest names."""
        name = args[0]
        if self.lazy and name not in self.lazy and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, self.lazy, 2)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"there is no command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


VERBOSITY = [
    click.Option(
        ["-v", "--verbose"],
        count=True,
        expose_value=False,
        help="Say more; -vv shows tracebacks.",
    ),
    click.Option(["-q", "--quiet"], count=True, expose_value=False, help="Say less: no notes."),
]
"""Understood before and behind the name of a command; `wordiness` counts them."""


class Command(click.Command):
    """A command with -v and -q, and with examples under its help."""

    def __init__(self, *args: object, **settings: object) -> None:
        super().__init__(*args, **settings)  # type: ignore[arg-type]  # handed through to click
        self.params += VERBOSITY


def wordiness(words: Sequence[str]) -> int:
    """Count -v and -q, wherever they stand.

    Args:
        words: the command line.

    Returns:
        0 normal, negative less, 1 more, 2 and above everything.
    """
    options = list(words[: words.index("--")] if "--" in words else words)
    more = sum(word.count("v") for word in options if word.startswith("-v") and set(word) == {"-", "v"})
    less = sum(word.count("q") for word in options if word.startswith("-q") and set(word) == {"-", "q"})
    return more + options.count("--verbose") - less - options.count("--quiet")


def verbosity() -> int:
    """How much the running command should say; see `wordiness`."""
    ctx = click.get_current_context(silent=True)
    return 0 if ctx is None else int(ctx.find_root().obj or 0)


def _show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        from kalends import __version__

        click.echo(f"kalends {__version__}")
        ctx.exit()


class _ClosedPipeError(Exception):
    """The reader of standard output had enough; click would end with 1 for a BrokenPipeError."""


class _Kalends(LazyGroup):
    lazy = COMMANDS

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: object
    ) -> click.Context:
        """Read the words; --help is printed here."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except BrokenPipeError:
            raise _ClosedPipeError from None

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _ClosedPipeError from None


@click.command(
    cls=_Kalends,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    params=[
        *VERBOSITY,
        click.Option(
            ["-V", "--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="Show the version and exit.",
        ),
    ],
)
def kalends() -> None:
    """Kalends: calendars on port 1026, spoken in CAP (RFC 4324)."""


def run(words: Sequence[str]) -> int:
    """Run one command line and turn whatever happens into an exit code.

    Args:
        words: the words after `kalends`.

    Returns:
        0 done, 1 refused or not found, 2 usage, 3 could not connect or authenticate.
    """
    wordy = wordiness(words)
    logging.basicConfig(
        level=logging.DEBUG if wordy > 1 else logging.INFO if wordy else logging.WARNING,
        format="kalends: %(message)s",
        stream=sys.stderr,
    )
    try:
        code = kalends.main(list(words), "kalends", standalone_mode=False, obj=wordy)
    except click.exceptions.NoArgsIsHelpError as missing:
        click.echo(missing.format_message(), err=True)
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("kalends: stopped", err=True)
        return INTERRUPTED
    except _ClosedPipeError:
        raise BrokenPipeError from None
    except Exception as error:  # noqa: BLE001  the one place where every failure becomes a sentence
        return tell(error, traceback=wordy > 1)
    return code if isinstance(code, int) else DONE  # click hands back the code of an Exit


def tell(error: Exception, *, traceback: bool = False) -> int:
    """Say on stderr what went wrong.

    Args:
        error: anything that was raised.
        traceback: show where.

    Returns:
        The exit code that belongs to it.
    """
    failure: Failure = judge(error)
    if traceback:
        import traceback as tracebacks

        tracebacks.print_exception(error)
    for line in failure.lines:
        click.echo(line, err=True)
    return failure.code
