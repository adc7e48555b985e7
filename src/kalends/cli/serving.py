"""`kalends serve`: every setting of the server is an option, made from the server's own table."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kalends.cli.files import FileName
from kalends.cli.group import Command
from kalends.serve.config import SETTINGS, load_config

_MEBIBYTE = 1024 * 1024


def _shown(default: object) -> str:
    if isinstance(default, tuple):
        return " ".join(str(part) for part in default)
    if isinstance(default, float):
        return f"{default:g} s"
    if isinstance(default, int) and default >= _MEBIBYTE:
        return f"{default // _MEBIBYTE}M" if default % _MEBIBYTE == 0 else f"{default:,}"
    return "" if default is None else str(default)


def _option(name: str, text: str, default: object) -> click.Option:
    flag = "--" + name.replace("_", "-")
    if isinstance(default, bool):
        return click.Option([f"{flag}/--no-{flag[2:]}", name], default=None, help=text)
    shown = _shown(default)
    note = f" [{shown}]" if shown else ""
    metavar = {"store": "URL", "host": "ADDR", "cap_port": "N"}.get(name, "VALUE")
    return click.Option([flag, name], metavar=metavar, help=text + note)


@click.command(
    cls=Command,
    params=[
        *(_option(*setting) for setting in SETTINGS),
        click.Option(
            ["--config", "config_file"],
            type=FileName(dir_okay=False),
            metavar="FILE",
            help="TOML file with settings, e.g. cap-port = 1026; also KALENDS_CONFIG",
        ),
    ],
    epilog="\b\nexamples:\n"
    "  kalends serve\n"
    "  kalends serve --host 0.0.0.0 --csid cal.example.com --store /srv/kalends.db\n"
    "  kalends serve --cap-port 0 --store postgresql://kalends@db/kalends\n"
    "  kalends serve --trusted-proxies 127.0.0.1 --http-prefix /cal\n",
)
def serve(config_file: Path | None, **options: object) -> None:
    """Serve calendars until told to stop.

    When ready, one line goes to standard output: ready cap=HOST:PORT http=HOST:PORT
    csid=cap://NAME store=…

    Every option is also an environment variable (--cap-port is KALENDS_CAP_PORT) and a key of the settings
    file (cap-port). An option wins over the variable, the variable over the file.
    """
    from kalends.serve.server import run

    config = load_config(options, file=config_file)
    sys.exit(run(config))
