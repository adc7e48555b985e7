"""`kalends import` and `kalends export`: files into a calendar and out of it, directly in the store."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from kalends.cli.failures import REFUSED, RefusalError
from kalends.cli.files import FileName
from kalends.cli.group import Command, verbosity
from kalends.cli.intake import Entry, Report, read_file, take_in
from kalends.cli.offline import Office, office, store_options

SHOWN = 20
"""Refused objects told one by one; the rest is counted (all of them with -v)."""
_NO_CALENDAR = "the calendar store itself holds no events: name a calendar"


@click.command(
    "import",
    cls=Command,
    epilog="\b\nexamples:\n"
    "  kalends import amira/calendar holidays.ics --dry-run\n"
    "  kalends import school/timetable *.ics --json",
)
@click.argument("calid")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=FileName(exists=True, dir_okay=False, allow_dash=True),
    metavar="FILE…",
)
@click.option("--dry-run", is_flag=True, help="Tell what would happen, change nothing.")
@click.option("--json", "as_json", is_flag=True, help="The report as data.")
@store_options
def import_(
    calid: str,
    files: tuple[Path, ...],
    dry_run: bool,
    as_json: bool,
    store: str | None,
    config_file: Path | None,
) -> None:
    """Put iCalendar files into a calendar; - is standard input.

    Objects are booked, whatever METHOD the file names. An object that is refused leaves the others; the
    exit code is then 1.
    """
    from kalends.cli.output import data
    from kalends.core.containers import resolve

    with office(store, config_file) as at:
        target = at.read(lambda tx: resolve(tx, at.caller, calid))
        if target.is_store:
            raise RefusalError(_NO_CALENDAR)
        reports = [_one(at, calid, file, dry_run) for file in files]
    if as_json:
        data([report.as_data() for report in reports])
    else:
        for report in reports:
            _tell(report, dry_run, several=len(reports) > 1)
    if any(report.refused or report.error for report in reports):
        raise click.exceptions.Exit(REFUSED)


def _one(at: Office, calid: str, file: Path, dry_run: bool) -> Report:
    from kalends.cli.output import progress

    name = "standard input" if str(file) == "-" else str(file)
    report, batches = read_file(name, _octets(file))
    with progress(f"importing {name}", report.objects) as bar:
        take_in(at, calid, report, batches, dry_run=dry_run, told=bar.at)
    return report


def _octets(file: Path) -> bytes:
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()


def _tell(report: Report, dry_run: bool, *, several: bool) -> None:
    """Say what became of a file; a refusal names the file where there are several."""
    from kalends.cli.text import clean

    if report.error:
        click.echo(f"{clean(report.name)}: {clean(report.error, 500)}", err=True)
        return
    verb = "would be imported" if dry_run else "imported"
    refused = f", {len(report.refused)} refused" if report.refused else ""
    click.echo(f"{clean(report.name)}: {len(report.taken)} of {report.objects} objects {verb}{refused}")
    shown = report.refused if verbosity() > 0 else report.refused[:SHOWN]
    file = f"{clean(report.name)}, " if several else "  "
    for entry in shown:
        click.echo(f"{file}{_line(entry)}", err=True)
    if len(shown) < len(report.refused):
        click.echo(f"{file}… and {len(report.refused) - len(shown)} more (-v shows all)", err=True)


def _line(entry: Entry) -> str:
    from kalends.cli.text import clean

    reason = entry.reason.removesuffix(f" (line {entry.line})")
    return f"line {entry.line}: {entry.kind} {clean(entry.uid or 'without UID', 60)}: {clean(reason, 300)}"


@click.command(cls=Command, epilog="\b\nexample:\n  kalends export amira/calendar -o amira.ics")
@click.argument("calid")
@click.option(
    "-o",
    "--output",
    type=FileName(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Where to; standard output if not named.",
)
@store_options
def export(calid: str, output: Path | None, store: str | None, config_file: Path | None) -> None:
    """Write the booked objects of a calendar as one iCalendar file."""
    from kalends.cli.outlet import calendar_octets
    from kalends.core.containers import resolve

    with office(store, config_file) as at:
        if at.read(lambda tx: resolve(tx, at.caller, calid)).is_store:
            raise RefusalError(_NO_CALENDAR)
        if output is None or str(output) == "-":
            for piece in calendar_octets(at, calid):
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        _write_whole(output, calendar_octets(at, calid))


def _write_whole(output: Path, pieces: Iterable[bytes]) -> None:
    """Write a file that is there whole or as it was before.

    Raises:
        RefusalError: it cannot be written.
    """
    half = output.with_name(output.name + ".part")
    try:
        with half.open("wb") as file:
            try:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                half.replace(output)
            finally:
                half.unlink(missing_ok=True)
    except OSError as error:
        raise RefusalError(f"{output}: {(error.strerror or str(error)).lower()}") from None
