"""`kalends link`: secret addresses that show a calendar to whoever knows them, revocable one by one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from kalends.cli.group import Command, LazyGroup, verbosity
from kalends.cli.offline import Office, office, store_options

WAYS = ("busy", "titles", "read")
"""As `core.access.links.WAYS`, which this must not import to complete a word."""


class _Links(LazyGroup):
    lazy = {  # noqa: RUF012  a table, never changed
        "add": ("kalends.cli.linking:add_link", "Make a link and show it once."),
        "list": ("kalends.cli.linking:list_links", "List the links to a calendar."),
        "revoke": ("kalends.cli.linking:revoke_link", "Make a link useless."),
    }


@click.command(
    "link",
    cls=_Links,
    epilog="\b\nexample:\n  kalends link add school/timetable --as read --label 'web site'",
)
def link() -> None:
    """Secret addresses that show a calendar without a login: to subscribe to, or to embed.

    Whoever knows one sees the calendar until it is revoked. Only a hash of it is kept.
    """


def _address(at: Office, secret: str) -> str:
    """Where the server's own settings say that the link is."""
    csid = at.policy.csid
    origin = f"http://127.0.0.1:{at.config.http_port}" if csid == "localhost" else f"https://{csid}"
    return f"{origin}{at.config.http_prefix}/ics/{secret}.ics"


@click.command(
    "add",
    cls=Command,
    epilog="""\b
ways:
  busy    when the calendar is busy, and nothing else
  titles  times and titles of public events
  read    all that is public

\b
examples:
  kalends link add school/timetable --as read --label 'web site'
  kalends link add amira/calendar --as busy""",
)
@click.argument("calid")
@click.option("--as", "how", type=click.Choice(WAYS), required=True, help="What it shows.")
@click.option("--label", default="", metavar="TEXT", help="What to call it: who gets it, or where it stands.")
@click.option("--json", "as_json", is_flag=True, help="As data.")
@store_options
def add_link(
    calid: str, how: str, label: str, as_json: bool, store: str | None, config_file: Path | None
) -> None:
    """Make a link to the calendar CALID. It is shown this once.

    The address is made of the store's CSID; the server may be reached by another name, too. With freebusy
    instead of ics in it, it tells when the calendar is busy.
    """
    from kalends.cli.output import data
    from kalends.core.access import links
    from kalends.core.containers import resolve

    with office(store, config_file) as at:
        target = at.read(lambda tx: resolve(tx, at.caller, calid))
        secret = at.write(lambda tx: links.add(tx, at.caller, target, how, label))
        url = _address(at, secret)
    if as_json:
        data({"calid": target.calid, "as": how, "label": label.strip(), "secret": secret, "url": url})
        return
    click.echo(url)
    if verbosity() >= 0:
        click.echo("This address is not shown again.", err=True)


@click.command("list", cls=Command, epilog="\b\nexample:\n  kalends link list amira/calendar")
@click.argument("calid")
@click.option("--json", "as_json", is_flag=True, help="As data.")
@store_options
def list_links(calid: str, as_json: bool, store: str | None, config_file: Path | None) -> None:
    """List the links to the calendar CALID, without their secrets."""
    from kalends.cli.output import data, table
    from kalends.core.access import links
    from kalends.core.containers import resolve

    with office(store, config_file) as at:
        target = at.read(lambda tx: resolve(tx, at.caller, calid))
        found = at.read(lambda tx: links.of_calendar(tx, at.caller, target))
    rows = [
        (one.name, one.preset, one.label, datetime.fromtimestamp(one.created_at, UTC).isoformat())
        for one in found
    ]
    if as_json:
        data([dict(zip(("link", "as", "label", "created"), row, strict=True)) for row in rows])
    elif not rows:
        click.echo(f"{target.calid} has no links")
    else:
        table(("link", "shows", "label", "made"), rows, flexible=("label",))


@click.command("revoke", cls=Command, epilog="\b\nexample:\n  kalends link revoke amira/calendar 1f0c22ab")
@click.argument("calid")
@click.argument("link")
@store_options
def revoke_link(calid: str, link: str, store: str | None, config_file: Path | None) -> None:
    """Make a LINK to the calendar CALID useless; `kalends link list` tells its name."""
    from kalends.core.access import links
    from kalends.core.containers import resolve

    with office(store, config_file) as at:
        target = at.read(lambda tx: resolve(tx, at.caller, calid))
        at.write(lambda tx: links.revoke(tx, at.caller, target, link))
    click.echo(f"revoked {link}")
