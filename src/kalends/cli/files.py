"""Names of files on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click


class FileName(click.Path):
    """A `Path`; an empty word (`-o "$UNSET"`) is refused, for to `Path` it is the current folder."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(path_type=Path, **settings)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Read the word."""
        if value == "":
            self.fail("expected the name of a file.", param, ctx)
        return super().convert(value, param, ctx)
