"""Which language somebody is spoken to in, and our sentences in it (RFC 4647; docs/languages.md).

A refusal is raised with its English sentence: nobody who speaks English pays for the others. That sentence is
the message's id and data in one. For another language the catalogue finds the pattern it was made from, takes
the data out of it and puts them into the translation. A language is one file, `catalogues/TAG.toml`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import resources

ENGLISH = "en"
"""What our own sentences are written in, and what `i-default` and `POSIX` mean (RFC 2277 §4.5; A-54)."""
DEFAULT = "i-default"
_DEFAULTS = frozenset({DEFAULT, "posix", "c"})
MAX_SENTENCE = 2_000
"""Characters of a sentence that is translated; data quoted in it may be of any length."""
MAX_DEPTH = 6
"""Sentences in sentences: `line 7: QUERY: column 8: FROM does not belong here (expected a column)`."""
MAX_RANGES = 20
"""Wishes of one peer that are looked at."""
SENTENCES = ("why", "wanted")
"""The placeholders that hold a sentence again."""

_PLACE = re.compile(r"\{(\w+)\}")


def _stored() -> tuple[str, ...]:
    folder = resources.files("kalends.core") / "catalogues"
    return tuple(sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".toml")))


OFFERED = (DEFAULT, ENGLISH, *_stored())
"""Language tags that a greeting offers, the default first (RFC 4324 §3.3)."""
_BY_TAG = {tag.lower(): tag for tag in OFFERED}


def tag_of(locale: str) -> str:
    """A language tag for a locale: `de_CH.UTF-8@euro` is `de-CH`; POSIX and C are `i-default` (A-54)."""
    tag = re.split("[.@]", locale.strip(), maxsplit=1)[0].replace("_", "-")
    return DEFAULT if tag.lower() in _DEFAULTS else tag


def lookup(wanted: Iterable[str], offered: Mapping[str, str] = _BY_TAG) -> str | None:
    """The best language there is for somebody's wishes.

    Args:
        wanted: language ranges or locales, the best first.
        offered: what there is, by its lower-case tag.

    Returns:
        The tag as it is offered; None when no wish can be met.

    Source: RFC 4647 §3.4 (lookup).
    """
    for number, one in enumerate(wanted):
        if number == MAX_RANGES:
            break
        parts = tag_of(one).lower().split("-")
        while parts:
            found = offered.get("-".join(parts))
            if found is not None:
                return found
            parts.pop()
            if parts and len(parts[-1]) == 1:  # a singleton goes with what follows it
                parts.pop()
    return None


def spoken(wanted: Sequence[str]) -> str:
    """The language for somebody's wishes: English when none can be met, and when there are none."""
    found = lookup(wanted)
    return ENGLISH if found is None or found == DEFAULT else found


class Pattern:
    """An English sentence with places for data, and what it is in another language.

    Args:
        english: literal text and `{name}`s, never two of them side by side.
        other: the same names in any order.
    """

    __slots__ = ("_literals", "_names", "_other", "weight")

    def __init__(self, english: str, other: str) -> None:
        pieces = _PLACE.split(english)
        self._literals, self._names = pieces[::2], pieces[1::2]
        self._other = _PLACE.split(other)
        self.weight = sum(map(len, self._literals))

    def data(self, sentence: str) -> dict[str, str] | None:
        """The data in a sentence that was made from this pattern; None when it was not. Never looks back.

        What stands before a colon at the beginning is a place or a name, to be told by itself:
        `line 7: VEVENT: UID is empty` is no sentence about a thing called `line 7: VEVENT: UID`.
        """
        first, *middle, last = self._literals
        if not sentence.startswith(first) or not sentence.endswith(last):
            return None
        at, end = len(first), len(sentence) - len(last)
        found: dict[str, str] = {}
        for name, literal in zip(self._names, [*middle, ""], strict=True):
            until = sentence.find(literal, at, end) if literal else end
            if until < at:
                return None
            found[name] = sentence[at:until]
            at = until + len(literal)
        if not first and self._names[0] not in SENTENCES and ": " in found[self._names[0]]:
            return None
        return found

    def say(self, data: Mapping[str, str]) -> str:
        """The sentence in the other language."""
        other = self._other
        return "".join(data[piece] if odd % 2 else piece for odd, piece in enumerate(other))


class Catalogue:
    """All sentences of one language.

    Args:
        sentences: English and translation.
    """

    def __init__(self, sentences: Mapping[str, str]) -> None:
        self._plain = {english: other for english, other in sentences.items() if not _PLACE.search(english)}
        patterns = [
            Pattern(english, other) for english, other in sentences.items() if english not in self._plain
        ]
        # The one with more text of its own knows better what a sentence is
        self._patterns = sorted(patterns, key=lambda pattern: -pattern.weight)

    def say(self, sentence: str, depth: int = MAX_DEPTH) -> str | None:
        """A sentence in this language; None when the catalogue does not know it."""
        plain = self._plain.get(sentence)
        if plain is not None or len(sentence) > MAX_SENTENCE:
            return plain
        for pattern in self._patterns:
            data = pattern.data(sentence)
            if data is not None:
                for place in SENTENCES:
                    if depth and place in data:
                        data[place] = self.say(data[place], depth - 1) or data[place]
                return pattern.say(data)
        head, colon, why = sentence.partition(": ")  # `DTSTART: no such date: …`: a name, and why
        said = self.say(why, depth - 1) if colon and depth else None
        return None if said is None else f"{head}: {said}"


@lru_cache
def catalogue(tag: str) -> Catalogue:
    """The catalogue of an offered language other than English."""
    file = resources.files("kalends.core") / "catalogues" / f"{tag}.toml"
    return Catalogue(tomllib.loads(file.read_text("utf-8")))


def diagnostic(sentence: str, wanted: Sequence[str]) -> tuple[str, str]:
    """A diagnostic of a protocol below us for a peer with these wishes: as `translated`."""
    return translated(sentence, spoken(wanted))


def translated(sentence: str, tag: str) -> tuple[str, str]:
    """A sentence of ours for somebody.

    Args:
        sentence: in English.
        tag: an offered language.

    Returns:
        The sentence, and the language it is in: English where the catalogue does not know it.
    """
    if tag in (ENGLISH, DEFAULT) or not sentence:
        return sentence, ENGLISH
    said = catalogue(tag).say(sentence)
    return (sentence, ENGLISH) if said is None else (said, tag)
