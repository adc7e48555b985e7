"""`kalends share`, `unshare`, `rights`, `decree`: who may do what with a calendar, directly in the store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kalends.cli.failures import UsageError
from kalends.cli.files import FileName
from kalends.cli.group import Command
from kalends.cli.offline import Office, office, store_options
from kalends.cli.text import clean

if TYPE_CHECKING:
    from kalends.core.access.sharing import Share
    from kalends.core.access.telling import Reason, Told
    from kalends.core.model import Target
    from kalends.ical.tree import Component

WAYS = ("busy", "titles", "read", "colleague", "secretary", "owner")
"""The presets of `core.access.presets`, which this must not import to complete a word."""


def _target(at: Office, calid: str) -> Target:
    from kalends.core.containers import resolve

    return at.read(lambda tx: resolve(tx, at.caller, calid))


@click.command(
    cls=Command,
    epilog="""\b
ways to share:
  busy       when the calendar is busy, and nothing else
  titles     times and titles of public events, too
  read       all that is public, too
  colleague  times of what is private, too; and sending invitations
  secretary  everything but rights and the calendar's own properties
  owner      everything

\b
examples:
  kalends share amira/calendar bruno --as read
  kalends share amira/calendar staff@example.com --as colleague
  kalends share school/timetable '*' --as titles""",
)
@click.argument("calid")
@click.argument("upn")
@click.option("--as", "how", type=click.Choice(WAYS), required=True, help="What they may do.")
@store_options
def share(calid: str, upn: str, how: str, store: str | None, config_file: Path | None) -> None:
    """Share the calendar CALID with UPN; who shares it already from now on shares it so.

    UPN is a user or a group: user@realm, or a name of the store's realm. Or a filter of RFC 4324 §6.1.3:
    '*' everybody, '*@*' everybody with a name, '*@realm' everybody of a realm, '@' the anonymous.
    """
    from kalends.core.access.sharing import share as give

    with office(store, config_file) as at:
        target = _target(at, calid)
        made = at.write(lambda tx: give(tx, at.caller, target, upn, how))
    click.echo(f"{target.calid} is shared with {made.upn} as {made.preset}")


@click.command(cls=Command, epilog="\b\nexample:\n  kalends unshare amira/calendar bruno")
@click.argument("calid")
@click.argument("upn")
@store_options
def unshare(calid: str, upn: str, store: str | None, config_file: Path | None) -> None:
    """Take back that the calendar CALID is shared with UPN."""
    from kalends.cli.failures import RefusalError
    from kalends.core.access.sharing import unshare as take

    with office(store, config_file) as at:
        target = _target(at, calid)
        done = at.write(lambda tx: take(tx, at.caller, target, upn))
    if not done:
        raise RefusalError(f"{target.calid} is not shared with {upn}; see: kalends rights {target.calid}")
    click.echo(f"{target.calid} is not shared with {upn} any more")


@click.command(
    cls=Command,
    epilog="\b\nexamples:\n  kalends rights amira/calendar\n  kalends rights amira/calendar --explain bruno\n"
    "  kalends rights amira/calendar tea --explain bruno",
)
@click.argument("calid")
@click.argument("uid", required=False)
@click.option("--explain", "upn", metavar="UPN", help="What UPN may do, and which right decides.")
@click.option("--json", "as_json", is_flag=True, help="As data.")
@store_options
def rights(
    calid: str, uid: str | None, upn: str | None, as_json: bool, store: str | None, config_file: Path | None
) -> None:
    """Show who may do what with the calendar CALID.

    What no right grants is denied, and what one denies no other grants. With --explain, UID asks about that
    one object; '@' is the anonymous.
    """
    from kalends.cli.output import note
    from kalends.core.access import telling

    if uid is not None and upn is None:
        raise UsageError("UID belongs to --explain")
    with office(store, config_file) as at:
        target = _target(at, calid)
        if upn is None:
            _show(*at.read(lambda tx: telling.told(tx, target.calendar_id)), as_json=as_json)
            return
        who = at.read(lambda tx: telling.somebody(tx, at.caller, upn))
        if uid is None:
            found = at.read(lambda tx: telling.explain(tx, who, target))
        else:
            found = at.read(lambda tx: telling.explain_object(tx, who, target, uid))
    if who.identity.principal_id is None and not who.identity.upn.startswith("@"):
        note(f"nobody here is called {who.identity.upn}; somebody of that name could do this:")
    _explain(who.identity.upn, who.identity.admin, found, as_json=as_json)


def _show(shared: list[Share], rules: list[Told], *, as_json: bool) -> None:
    from kalends.cli.output import data, table
    from kalends.core.access.telling import in_words

    if as_json:
        data(
            {
                "shares": [
                    {"upn": one.upn, "as": one.preset or None, "carid": one.carid} for one in shared
                ],
                "rules": [
                    {
                        "who": one.who, "may": one.may, "denies": one.denies, "what": one.what,
                        "only": one.only or None, "carid": one.carid, "vright": one.number,
                        "place": one.place, "decreed": one.decreed,
                    }
                    for one in rules
                ],
            }
        )  # fmt: skip
        return
    rows = [(in_words(one.upn), f"shares it as {one.preset}", "", one.carid) for one in shared if one.preset]
    rules = sorted(rules, key=lambda one: one.denies)
    rows += [(one.who, one.may, _what(one), _origin(one)) for one in rules]
    table(("who", "may", "what", "right"), rows, flexible=("who", "may", "what", "right"))


def _what(one: Told) -> str:
    if not one.only:
        return one.what
    return f"only {one.only}" if one.what == "everything" else f"{one.what}, only {one.only}"


def _origin(one: Told) -> str:
    more = ["decreed"] * one.decreed + ["of the store"] * (one.place == "store")
    return f"{one.carid} ({', '.join(more)})" if more else one.carid


def _explain(upn: str, admin: bool, found: list[Reason], *, as_json: bool) -> None:
    from kalends.cli.output import data, note, table
    from kalends.core.access.telling import DO, KINDS

    if as_json:
        data(
            {
                "upn": upn,
                "administrator": admin,
                "reasons": [
                    {
                        "permission": one.permission, "kind": one.kind, "amount": one.amount,
                        "decided_by": [
                            {"carid": rule.carid, "vright": rule.number, "denies": not rule.grant}
                            for rule in one.rules
                        ],
                    }
                    for one in found
                ],
            }
        )  # fmt: skip
        return
    if admin:
        note(f"{upn} is an administrator and may do everything, whatever rights say; these say:")
    folded: dict[tuple[str, str, str], list[str]] = {}
    for one in found:
        if not _pointless(one):
            kinds = folded.setdefault((DO[one.permission], one.amount, _because(one)), [])
            kinds.append(KINDS.get(one.kind, one.kind))
    rows = [(doing, ", ".join(kinds), amount, why) for (doing, amount, why), kinds in folded.items()]
    table((upn, "what", "how much", "because of"), rows, flexible=(upn, "what", "because of"))


def _pointless(one: Reason) -> bool:
    """Whether nobody wonders: free/busy is computed and can but be seen."""
    return one.kind == "VFREEBUSY" and one.permission != "SEARCH"


def _because(one: Reason) -> str:
    if not one.rules:
        return "no right grants it"
    return ", ".join(
        dict.fromkeys(
            f"{'' if rule.grant else 'DENY in '}{rule.carid}"
            + (f" (VRIGHT {rule.number})" if rule.number > 1 else "")
            for rule in one.rules
        )
    )


@click.command(
    cls=Command,
    epilog="\b\nexamples:\n  kalends decree no-strangers.ics\n  kalends decree --list\n"
    "  kalends decree --repeal NO-STRANGERS",
)
@click.argument("file", required=False, type=FileName(dir_okay=False, allow_dash=True))
@click.option("--calendar", "calid", metavar="CALID", help="Only for this calendar, not for all.")
@click.option("--repeal", "carid", metavar="CARID", help="Remove the decreed right of that name.")
@click.option("--list", "listing", is_flag=True, help="List the decreed rights.")
@store_options
def decree(
    file: Path | None,
    calid: str | None,
    carid: str | None,
    listing: bool,
    store: str | None,
    config_file: Path | None,
) -> None:
    """Make the VCARs in FILE hold in every calendar, so that nobody can change or contradict them.

    FILE holds VCAR components, alone or in a VCALENDAR; '-' is standard input. Owners read decreed rights
    among those of their calendars.
    """
    from kalends.core.access import decreeing, decrees
    from kalends.core.model import Target

    if sum((file is not None, carid is not None, listing)) != 1:
        raise UsageError("name a FILE, or --repeal a CARID, or --list")
    with office(store, config_file, create=file is not None) as at:
        target = Target("", 0, "") if calid is None else _target(at, calid)
        if listing:
            for row in at.read(lambda tx: list(decrees.decreed_in(tx, target.calendar_id))):
                click.echo(clean(row.uid))
        elif carid is not None:
            at.write(lambda tx: decreeing.repeal(tx, at.caller, target, carid))
            click.echo(f"repealed {clean(carid)}")
        elif file is not None:
            vcars = _vcars(file)
            made = at.write(lambda tx: [decreeing.decree(tx, at.caller, target, vcar) for vcar in vcars])
            told = ", ".join(map(clean, made))
            click.echo(f"decreed {told} for {target.calid or 'every calendar'}")


def _vcars(file: Path) -> list[Component]:
    from kalends.ical.tree import parse_all

    octets = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    found: list[Component] = []
    for one in parse_all(octets):
        found += [one] if one.name == "VCAR" else one.children("VCAR")
    if not found:
        raise UsageError(f"there is no VCAR in {file}")
    return found
