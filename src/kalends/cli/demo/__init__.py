"""`kalends demo`: people, calendars and a few thousand events, then a narrated CAP session over them."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from kalends.cli.files import FileName
from kalends.cli.group import Command


@click.command(
    cls=Command,
    epilog="\b\nexamples:\n"
    "  kalends demo          stays up until Ctrl-C\n"
    "  kalends demo --once   ends by itself",
)
@click.option("--once", is_flag=True, help="End after the narrated session.")
@click.option(
    "--keep",
    type=FileName(file_okay=False),
    metavar="DIR",
    help="Keep the store in this folder; else it is gone when the demo ends.",
)
@click.option("--cap-port", type=click.IntRange(0, 65535), default=0, help="Port of CAP; 0 picks a free one.")
def demo(once: bool, keep: Path | None, cap_port: int) -> None:
    """Show it all: make a store full of people and events, serve it, and talk to it over CAP."""
    from kalends.cli.demo.narrator import Narrator
    from kalends.cli.demo.session import tour
    from kalends.cli.demo.stage import furnish, serving, wait_for_end

    tell = Narrator()
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kalends-demo-")))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        scene = furnish(folder / "store.db", tell)
        server = stack.enter_context(serving(scene, cap_port, tell))
        tour(scene, server, tell)
        if once:
            tell.say("The tour is over; the server is told to stop.")
            return
        wait_for_end(scene, server, tell)
