"""The sentences a client may be told, read out of the source: run it to see which ones wait for a translation."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import kalends
from kalends.core.languages import Catalogue

SOURCE = Path(kalends.__file__).parent
CATALOGUES = SOURCE / "core" / "catalogues"
ROOMS = ("cap", "core", "calquery", "ical")
"""Whose refusals reach clients."""
SAYING = ("Error", "Status", "refuse_start")
"""How the names of what is called with a sentence end."""
SAYING_IN = {"ical": ("Finding", ".report"), "calquery": (".fail", ".unexpected", ".name")}
"""The same for single rooms, where the sentence is a part of one that is told."""
UNSEEN = (
    "counting.py",
    "history.py",
    "trash.py",
    "undoing.py",
    "telling.py",
    "decreeing.py",
    "presets.py",
    "vtimezone.py",
    "tzfile.py",
    "build.py",
    "registry.py",
    "moment.py",
)
"""Files whose sentences only administrators and programmers read, or that speak of values' inside."""
INSIDE = (
    "CAL-OWNERS() is not bound",
    "a function of the session that nobody bound",
)
"""What is raised only when a programmer forgot something, and told to the log."""


def read(tag: str) -> dict[str, str]:
    """A catalogue file as it is written."""
    return tomllib.loads((CATALOGUES / f"{tag}.toml").read_text("utf-8"))


def tags() -> list[str]:
    """The languages that have a catalogue."""
    return sorted(path.stem for path in CATALOGUES.glob("*.toml"))


def sentences() -> list[str]:
    """Every sentence of the rooms, each once; what is filled in stands as `{expression}`."""
    found: dict[str, None] = {}
    for room in ROOMS:
        for path in sorted((SOURCE / room).rglob("*.py")):
            if path.name not in UNSEEN:
                saying = (*SAYING, *SAYING_IN.get(room, ()))
                found.update(dict.fromkeys(_in(ast.parse(path.read_text("utf-8")), saying)))
    return list(found)


def _in(tree: ast.AST, saying: tuple[str, ...]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(saying):
            for argument in node.args:
                text = _text(argument)
                if text is not None and " " in text:
                    yield text


def _text(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if not isinstance(node, ast.JoinedStr):
        return None
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else "{" + ast.unparse(part.value) + "}"
        for part in node.values
    )


def untranslated(tag: str) -> list[str]:
    """The sentences a catalogue does not know."""
    catalogue = Catalogue(read(tag))
    return [sentence for sentence in sentences() if has_words(sentence) and catalogue.say(sentence) is None]


def has_words(sentence: str) -> bool:
    """Whether there is anything to translate: `{line.name}: {error}` says only what others said."""
    own = re.sub(r"^[\w-]+: ", "", re.sub(r"\{.*?\}", "", sentence))  # `rid: {error.reason}`: a name, and why
    return sentence not in INSIDE and any(char.isalpha() for char in own)


if __name__ == "__main__":
    for wanted in sys.argv[1:] or tags():
        for missing in untranslated(wanted):
            sys.stdout.write(f"{wanted}: {missing}\n")
