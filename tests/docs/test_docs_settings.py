"""The pages name every setting and every command, and no option that is not there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kalends.cli.group import COMMANDS, kalends
from kalends.serve.config import HOST_SETTINGS, SETTINGS

ROOT = Path(__file__).parents[2]
ADMINISTRATION = ROOT / "docs" / "administration.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHERS = {"--init", "--quick"}  # calcurse-caldav's and the benchmarks' own


def _default(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:g} s"
    return "none" if value in (None, "") else str(value)


def _rows() -> list[str]:
    """The table of all settings as it has to stand in the page."""
    return [f"| `{name.replace('_', '-')}` | {_default(value)} | {says} |" for name, says, value in SETTINGS]


def _commands(command: click.Command, above: str) -> Iterator[tuple[str, click.Command]]:
    yield above, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _commands(below, f"{above} {name}")


def test_administration_lists_every_setting_with_its_default() -> None:
    page = ADMINISTRATION.read_text("utf-8").splitlines()
    begin = page.index("| setting | default | meaning |") + 2
    assert page[begin : begin + len(SETTINGS) + 1] == [*_rows(), ""]


def test_administration_lists_what_a_virtual_host_may_say() -> None:
    section = ADMINISTRATION.read_text("utf-8").partition("## Virtual hosts\n")[2].partition("\n## ")[0]
    assert [name for name in HOST_SETTINGS if f"`{name.replace('_', '-')}`" not in section] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_on_a_page_that_people_read(command: str) -> None:
    """Some page says what the command is for, besides the reference that is made from --help."""
    written = [page.read_text("utf-8").partition("\n## Reference\n")[0] for page in PAGES]
    assert any(re.search(rf"\bkalends {command}\b|`{command}`", text) for text in written)


def test_the_pages_name_no_option_that_is_not_there() -> None:
    options = set(re.findall(r"--[a-z-]+", _help_of_port())) | OTHERS | {"--help"}
    for _, command in _commands(kalends, "kalends"):
        for parameter in command.params:
            options.update(parameter.opts, parameter.secondary_opts)
    for page in PAGES:
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text("utf-8")))
        assert named - options == set(), page.name


def _help_of_port() -> str:
    words = [sys.executable, "-m", "kalends.cli.entry", "port", "--help"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
