"""`kalends shell`: queries over one session, with history and completion."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kalends.cli.connection import Login, login_options, target_option
from kalends.cli.failures import REFUSED, judge
from kalends.cli.group import Command, tell
from kalends.cli.text import clean

if TYPE_CHECKING:
    from kalends.client.sync import Client

PROMPT, MORE = "kalends> ", "    ...> "
HISTORY_LINES = 1000
"""Lines of history kept."""
KEYWORDS = (
    *("SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "LIKE", "IN", "IS NULL", "IS NOT NULL"),
    *("STATE()", "SELF()", "CAL-OWNERS()", "CURRENT-TARGET()", "PARAM("),
)
COMPONENTS = (
    *("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM", "VTIMEZONE"),
    *("VAGENDA", "VCALSTORE", "VCAR", "VRIGHT", "VQUERY"),
)
WELCOME = "End each CAL-QUERY with a semicolon; .help tells the rest, .quit leaves."


class Talk:
    """What a shell knows between two lines, and what each line does. No terminal in here.

    Args:
        open_client: connects and logs in.
        targets: the calendars asked first.
        zone: zone that times are shown in, or None.
    """

    def __init__(self, open_client: Callable[[], Client], targets: tuple[str, ...], zone: str | None) -> None:
        from kalends.cli.render import Clock

        self._open = open_client
        self.client = open_client()
        self.targets = targets
        self.expand = False
        self.form = "table"
        self.clock = Clock(zone)
        self.failed = False
        self.calendars: list[str] = list(targets)
        self._pending: list[str] = []

    @property
    def prompt(self) -> str:
        """What to print before the next line."""
        return MORE if self._pending else PROMPT

    def feed(self, line: str) -> bool:
        """Take a line.

        Returns:
            Whether to go on.
        """
        if not self._pending and line.lstrip().startswith("."):
            return self._helper(line.strip())
        if not self._pending and not line.strip():
            return True
        self._pending.append(line)
        if not line.rstrip().endswith(";"):
            return True
        query = " ".join(part.strip() for part in self._pending).rstrip("; ")
        self._pending.clear()
        if query:
            self._guarded(self._ask, query)
        return True

    def finish(self) -> None:
        """The last line came: what is pending counts as ended."""
        if self._pending:
            self.feed(";")

    def forget(self) -> None:
        """Drop what was typed of a query (Ctrl-C)."""
        self._pending.clear()

    def close(self) -> None:
        """Leave the server."""
        self.client.close()

    def words(self) -> list[str]:
        """Everything that may be completed."""
        from kalends.ical.properties import PROPERTIES

        return [*KEYWORDS, *COMPONENTS, *sorted(PROPERTIES), *self.calendars, *HELPERS]

    # -- what lines do ------------------------------------------------------------------------------------

    def _guarded(self, work: Callable[[str], None], argument: str) -> None:
        from kalends.client.errors import LostError, TimedOutError

        try:
            work(argument)
        except (LostError, TimedOutError) as error:
            self.failed = True
            tell(error)
            click.echo("kalends: .reconnect opens a new session", err=True)
        except Exception as error:  # noqa: BLE001  a shell survives every refusal; its words are shown
            self.failed = True
            for line in judge(error).lines:
                click.echo(line, err=True)

    def _ask(self, query: str) -> None:
        from kalends.calquery.parse import parse
        from kalends.cli.render import FORMATS, Results

        tree = parse(query)
        found = Results(self.client.search(query, *self.targets, expand=self.expand))
        count = FORMATS[self.form](found, tree, self.clock)
        found.finish()
        click.echo(f"({count} found)", err=True)

    def _helper(self, line: str) -> bool:
        name, _, argument = line.partition(" ")
        if name in (".quit", ".exit"):
            return False
        known = HELPERS.get(name)
        if known is None:
            self.failed = True
            click.echo(f"kalends: there is no {clean(name)}; .help lists all", err=True)
            return True
        self._guarded(lambda text: known[0](self, text), argument.strip())
        return True

    def _help(self, _argument: str) -> None:
        for name, (_, usage) in HELPERS.items():
            click.echo(f"  {name:<12} {usage}")
        click.echo("  SELECT …;    a CAL-QUERY, over several lines if need be")

    def _targets(self, argument: str) -> None:
        if argument:
            self.targets = tuple(argument.split())
        click.echo("targets: " + ", ".join(clean(one) for one in self.targets))

    def _list(self, _argument: str) -> None:
        from kalends.cli.output import table
        from kalends.ical.values import unescape_text

        rows = list(self._agendas())
        self.calendars = [calid for calid, _ in rows]
        table(("calendar", "name"), [(calid, unescape_text(name)) for calid, name in rows])

    def _agendas(self) -> Iterator[tuple[str, str]]:
        """All calendars that may be seen: those in the store that holds the first target."""
        query = "SELECT CALID,NAME FROM VAGENDA"
        own = [found.component for found in self.client.search(query, *self.targets[:1])]
        calid = next((one.value("CALID") or "" for one in own), "")
        store = "/".join(calid.split("/")[:3]) if calid.lower().startswith("cap://") else ""
        every = [found.component for found in self.client.search(query, store)] if store else own
        for one in every:
            name = (one.value("CALID") or "").removeprefix(store).removeprefix("/")
            yield name, one.value("NAME") or ""

    def _expand(self, argument: str) -> None:
        if argument not in ("", "on", "off"):
            raise ValueError("say .expand on or .expand off")
        self.expand = argument != "off" if argument else self.expand
        click.echo(f"expand: {'on' if self.expand else 'off'}")

    def _format(self, argument: str) -> None:
        from kalends.cli.render import FORMATS

        if argument and argument not in FORMATS:
            raise ValueError(f"formats are {', '.join(FORMATS)}")
        self.form = argument or self.form
        click.echo(f"format: {self.form}")

    def _zone(self, argument: str) -> None:
        from kalends.cli.render import Clock

        if argument:
            self.clock = Clock(None if argument == "off" else argument)
        click.echo(f"zone: {self.clock.zone or 'as written'}")

    def _capability(self, _argument: str) -> None:
        from kalends.cli.output import table

        rows = [(name, value.replace(",", ", ")) for name, value in self.client.capability().properties]
        table(("capability", "value"), rows, flexible=("value",))

    def _reconnect(self, _argument: str) -> None:
        self.client.abandon()
        self.client = self._open()
        click.echo("connected")


HELPERS: dict[str, tuple[Callable[[Talk, str], None], str]] = {
    ".help": (Talk._help, "this list"),
    ".targets": (Talk._targets, "show or set the calendars to ask: .targets a/calendar b/c"),
    ".calendars": (Talk._list, "list the calendars that may be seen"),
    ".expand": (Talk._expand, "on or off: instances instead of recurring components"),
    ".format": (Talk._format, "table, ics, json or csv"),
    ".zone": (Talk._zone, "show times in a zone: .zone Europe/Berlin; off: as written"),
    ".capability": (Talk._capability, "what the server can do"),
    ".reconnect": (Talk._reconnect, "open a new session"),
    ".quit": (lambda _talk, _text: None, "leave; Ctrl-D does it too"),
}
"""Helpers of the shell: what each does, and its line in .help."""


def completions(talk: Talk, text: str, line: str = "") -> list[str]:
    """What a word may become.

    Args:
        talk: knows the words.
        text: what was typed of it.
        line: the line so far: behind a helper only its own words are meant.
    """
    from kalends.cli.render import FORMATS

    small = text.casefold()
    own = {".targets": talk.calendars, ".format": list(FORMATS), ".expand": ["on", "off"]}
    helper = line.split(maxsplit=1)[0] if line.strip() and line != text else ""
    words = own.get(helper) or talk.words()
    return [word for word in words if word.casefold().startswith(small)]


def history_file() -> Path:
    """Where the history is kept: under the XDG state directory."""
    from kalends.client.trust import state_dir

    return state_dir() / "history"


@contextlib.contextmanager
def edited(talk: Talk) -> Iterator[None]:
    """Line editing with history and completion, where there is a terminal and readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    file = history_file()
    with contextlib.suppress(OSError):
        readline.read_history_file(file)
    readline.set_history_length(HISTORY_LINES)
    readline.set_completer_delims(" \t\n,;=()'")
    found: list[str] = []

    def complete(text: str, state: int) -> str | None:
        if state == 0:
            found[:] = completions(talk, text, readline.get_line_buffer())
        return found[state] if state < len(found) else None

    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")
    try:
        yield
    finally:
        readline.set_completer(None)
        with contextlib.suppress(OSError):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            readline.write_history_file(file)
            file.chmod(0o600)


def converse(talk: Talk) -> None:
    """Read lines from a terminal until .quit or Ctrl-D."""
    click.echo(WELCOME)
    with edited(talk):
        while True:
            try:
                if not talk.feed(input(talk.prompt)):
                    return
            except EOFError:
                click.echo()
                return
            except KeyboardInterrupt:
                click.echo()
                talk.forget()


def obey(talk: Talk, lines: Sequence[str] | Iterator[str]) -> None:
    """Read lines from a file or pipe."""
    for line in lines:
        if not talk.feed(line.rstrip("\r\n")):
            return
    talk.finish()


@click.command(
    cls=Command,
    epilog="\b\nexamples:\n"
    "  kalends shell --user amira\n"
    '  echo "SELECT SUMMARY FROM VEVENT;" | kalends shell --password-file ~/.secret',
)
@target_option
@click.option("--zone", metavar="ZONE", help="Show times in this zone.")
@login_options
def shell(login: Login, targets: tuple[str, ...], zone: str | None) -> None:
    """Ask queries interactively: history, completion with Tab, several lines until a semicolon."""
    talk = Talk(login.open, login.targets(targets), zone or login.settings.zone)
    try:
        if sys.stdin.isatty():
            converse(talk)
            return
        obey(talk, sys.stdin)
    finally:
        talk.close()
    if talk.failed:
        raise click.exceptions.Exit(REFUSED)
