"""`kalends user app-password` and `kalends user address`: what a user has several of."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from kalends.cli.group import Command, LazyGroup, verbosity
from kalends.cli.offline import office, store_options


class _AppPasswords(LazyGroup):
    lazy = {  # noqa: RUF012  a table, never changed
        "add": ("kalends.cli.devices:add_password", "Make an app password and show it once."),
        "list": ("kalends.cli.devices:list_passwords", "List app passwords by label."),
        "revoke": ("kalends.cli.devices:revoke_password", "Make an app password useless."),
    }


@click.command("app-password", cls=_AppPasswords)
def app_password() -> None:
    """Passwords made for one application each, revocable one by one.

    An app password does what the user's own password does, over CAP (SASL PLAIN) and HTTP.
    """


@click.command(
    "add",
    cls=Command,
    epilog="\b\nexample:\n  kalends user app-password add amira --label 'telephone'",
)
@click.argument("upn")
@click.option("--label", required=True, metavar="TEXT", help="What to call it: the application or device.")
@click.option("--json", "as_json", is_flag=True, help="As data.")
@store_options
def add_password(upn: str, label: str, as_json: bool, store: str | None, config_file: Path | None) -> None:
    """Make an app password. It is shown this once; only a hash of it is kept."""
    from kalends.cli.output import data
    from kalends.core.names import complete_upn
    from kalends.core.people import tokens

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        secret = at.write(lambda tx: tokens.add(tx, full, label, at.now))
    if as_json:
        data({"upn": full, "label": label.strip(), "password": secret})
        return
    click.echo(secret)
    if verbosity() >= 0:
        click.echo(f"This password of {full} is not shown again.", err=True)


@click.command("list", cls=Command)
@click.argument("upn")
@click.option("--json", "as_json", is_flag=True, help="As data.")
@store_options
def list_passwords(upn: str, as_json: bool, store: str | None, config_file: Path | None) -> None:
    """List the app passwords of a user by label, and when each was last used."""
    from kalends.cli.output import data, table
    from kalends.core.names import complete_upn
    from kalends.core.people import tokens

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        found = at.read(lambda tx: tokens.of_user(tx, full))
    if as_json:
        data(
            [
                {"label": one.label, "created": _when(one.created_at), "used": _when(one.used_at)}
                for one in found
            ]
        )
        return
    if not found:
        click.echo(f"{full} has no app passwords")
        return
    rows = [(one.label, _when(one.created_at) or "", _when(one.used_at) or "never") for one in found]
    table(("label", "made", "last used"), rows)


def _when(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


@click.command("revoke", cls=Command)
@click.argument("upn")
@click.option("--label", required=True, metavar="TEXT", help="Which one.")
@store_options
def revoke_password(upn: str, label: str, store: str | None, config_file: Path | None) -> None:
    """Make an app password useless, at once."""
    from kalends.core.names import complete_upn
    from kalends.core.people import tokens

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        at.write(lambda tx: tokens.revoke(tx, full, label))
    click.echo(f"app password {label.strip()} of {full} revoked")


class _Addresses(LazyGroup):
    lazy = {  # noqa: RUF012  a table, never changed
        "add": ("kalends.cli.devices:add_address", "Add an address."),
        "remove": ("kalends.cli.devices:remove_address", "Take an address away."),
        "list": ("kalends.cli.devices:list_addresses", "List the addresses."),
    }


@click.command("address", cls=_Addresses)
def address() -> None:
    """Addresses under which a user is invited, besides the UPN."""


@click.command(
    "add", cls=Command, epilog="\b\nexample:\n  kalends user address add amira a.haddad@example.org"
)
@click.argument("upn")
@click.argument("uri", metavar="ADDRESS")
@store_options
def add_address(upn: str, uri: str, store: str | None, config_file: Path | None) -> None:
    """Give a user one more ADDRESS: a mailbox, or a URI such as mailto:… or tel:…."""
    from kalends.core.names import complete_upn
    from kalends.core.people import addresses

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        added = at.write(lambda tx: addresses.add_address(tx, full, uri))
    click.echo(f"{full} is known as {added}, too")


@click.command("remove", cls=Command)
@click.argument("upn")
@click.argument("uri", metavar="ADDRESS")
@store_options
def remove_address(upn: str, uri: str, store: str | None, config_file: Path | None) -> None:
    """Take an ADDRESS away from a user; the UPN itself stays."""
    from kalends.core.names import complete_upn
    from kalends.core.people import addresses

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        at.write(lambda tx: addresses.remove_address(tx, full, uri))
    click.echo(f"{full} is no longer known as {uri}")


@click.command("list", cls=Command)
@click.argument("upn")
@click.option("--json", "as_json", is_flag=True, help="As data.")
@store_options
def list_addresses(upn: str, as_json: bool, store: str | None, config_file: Path | None) -> None:
    """List the addresses of a user; the UPN's own is among them."""
    from kalends.cli.output import data
    from kalends.cli.text import clean
    from kalends.core.errors import NotFoundError
    from kalends.core.names import complete_upn
    from kalends.core.people import identity

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        found = at.read(lambda tx: identity.by_upn(tx, full))
    if found is None:
        raise NotFoundError(f"there is no user {full}")
    if as_json:
        data(list(found.addresses))
        return
    for one in found.addresses:
        click.echo(clean(one))


class _Certificates(LazyGroup):
    lazy = {  # noqa: RUF012  a table, never changed
        "add": ("kalends.cli.devices:add_certificate", "Say whose a client certificate is."),
        "list": ("kalends.cli.devices:list_certificates", "List a user's certificates."),
        "remove": ("kalends.cli.devices:remove_certificate", "A certificate is no longer theirs."),
    }


@click.command("certificate", cls=_Certificates)
def certificate() -> None:
    """Client certificates entered by hand, for SASL EXTERNAL."""


@click.command(
    "add",
    cls=Command,
    epilog="\b\nexamples:\n  kalends user certificate add amira laptop.pem --label laptop\n"
    "  kalends user certificate add amira 5F:0C:…:9A",
)
@click.argument("upn")
@click.argument("given", metavar="FILE|FINGERPRINT")
@click.option("--label", default="", metavar="TEXT", help="What to call it.")
@store_options
def add_certificate(upn: str, given: str, label: str, store: str | None, config_file: Path | None) -> None:
    """Say that a certificate (a PEM file, or its SHA-256 fingerprint) is the user's."""
    from kalends.core.names import complete_upn
    from kalends.core.people import certificates

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        told = at.write(lambda tx: certificates.add(tx, full, _fingerprint(given), at.now, label))
    click.echo(f"{told} is {full}'s")


@click.command("list", cls=Command)
@click.argument("upn")
@click.option("--json", "as_json", is_flag=True, help="As data.")
@store_options
def list_certificates(upn: str, as_json: bool, store: str | None, config_file: Path | None) -> None:
    """List the certificates entered for a user."""
    from kalends.cli.output import data, table
    from kalends.core.names import complete_upn
    from kalends.core.people import certificates

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        found = at.read(lambda tx: certificates.of_user(tx, full))
    if as_json:
        data(
            [
                {"fingerprint": one.fingerprint, "label": one.label, "entered": _when(one.created_at)}
                for one in found
            ]
        )
    elif not found:
        click.echo(f"no certificates were entered for {full}")
    else:
        table(("fingerprint", "label"), [(one.fingerprint, one.label) for one in found])


@click.command("remove", cls=Command)
@click.argument("upn")
@click.argument("given", metavar="FILE|FINGERPRINT")
@store_options
def remove_certificate(upn: str, given: str, store: str | None, config_file: Path | None) -> None:
    """A certificate is no longer the user's."""
    from kalends.core.names import complete_upn
    from kalends.core.people import certificates

    with office(store, config_file) as at:
        full = complete_upn(upn, at.policy)
        at.write(lambda tx: certificates.remove(tx, full, _fingerprint(given)))
    click.echo(f"that certificate is no longer {full}'s")


def _fingerprint(given: str) -> str:
    """The fingerprint of a PEM file, if there is one of that name; else what was given."""
    from kalends.cli.failures import UsageError
    from kalends.serve.certificate import pem_fingerprint

    path = Path(given).expanduser()
    if not path.is_file():
        return given
    try:
        return pem_fingerprint(path.read_text("ascii"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is no certificate: {error}") from None
