"""Parameters of a content line: written with quotes and carets where they need them, and read (RFC 6868)."""

from __future__ import annotations

import re
from collections.abc import Iterator

Param = tuple[str, tuple[str, ...]]
"""A parameter: upper-case name, decoded values (quotes removed, RFC 6868 carets resolved)."""
_PARAM = re.compile(
    r"""; \s* ([A-Za-z0-9_-]++) \s* =
        ( (?: "[^"]*+" | [^",;:]*+ ) (?: , (?: "[^"]*+" | [^",;:]*+ ) )*+ ) (?=[;:])""",
    re.VERBOSE,
)
_BROKEN = re.compile(r"; \s* (?: ([A-Za-z0-9_-]++) \s* = )?+ ([^;:]*+) (?=[;:])", re.VERBOSE)
"""A parameter with quotes in the midst of its value, or with none: it is what stands before the next one."""
_ITEM = re.compile(r'"([^"]*)"|([^",]*)')
_CARET = re.compile(r"\^[n'^]")
_CARETS = {"^n": "\n", "^'": '"', "^^": "^"}
_NEEDS_QUOTES = re.compile(r"[,;:]")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


def encode_param(value: str) -> str:
    """Write one parameter value: RFC 6868 carets, and quotes where the value needs them.

    Args:
        value: any text; other control characters are dropped, for they have no encoding.

    Returns:
        The value as it stands on a content line.
    """
    value = value.replace("^", "^^").replace("\r\n", "\n").replace("\n", "^n").replace('"', "^'")
    value = _CONTROL.sub("", value)
    return f'"{value}"' if _NEEDS_QUOTES.search(value) else value


def decode_param(value: str) -> str:
    """One parameter value with its carets resolved."""
    return _CARET.sub(lambda m: _CARETS[m.group()], value) if "^" in value else value


def quoted_params(text: str, at: int) -> tuple[tuple[Param, ...], int]:
    """Read parameters where quotes may hide colons and semicolons.

    Args:
        text: an unfolded content line.
        at: where its first semicolon stands.

    Returns:
        The parameters in order, decoded, and where the colon before the value stands; below 0 for nowhere.
    """
    params: list[Param] = []
    while match := _PARAM.match(text, at) or _BROKEN.match(text, at):
        if match.re is _PARAM:
            params.append((match[1].upper(), tuple(decode_param(q or p) for q, p in _split_items(match[2]))))
        elif match[1]:
            params.append((match[1].upper(), (decode_param(_without_quotes(match[2].strip())),)))
        at = match.end()
    if text[at : at + 1] != ":":  # a broken parameter list: the value starts at the next colon
        at = text.find(":", at)
    return tuple(params), at


def _without_quotes(value: str) -> str:
    """A value without the quotes around it; those inside stay."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def _split_items(items: str) -> Iterator[tuple[str, str]]:
    at = 0
    while True:
        match = _ITEM.match(items, at)
        assert match is not None
        yield match[1] or "", match[2] or ""
        at = match.end()
        if at >= len(items):
            return
        at += 1
