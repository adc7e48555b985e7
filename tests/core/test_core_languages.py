"""Which language somebody is spoken to in, and that every catalogue says everything (RFC 4647; docs/languages.md)."""

from __future__ import annotations

import re

import pytest
import sentences
from hypothesis import given
from hypothesis import strategies as st

from kalends.core import languages
from kalends.core.agendas import check_names
from kalends.core.errors import InvalidError
from kalends.core.languages import Catalogue, catalogue, lookup, spoken, tag_of, translated
from kalends.ical.tree import Component

PLACES = re.compile(r"\{(\w+)\}")
TAGS = sentences.tags()


def test_the_five_languages_of_the_start_are_offered() -> None:
    """RFC 4324 §3.3: the first is the default."""
    assert languages.OFFERED[0] == "i-default"
    assert {"en", "de", "fr", "es", "ja"} <= set(languages.OFFERED)


@pytest.mark.parametrize("tag", TAGS)
def test_every_catalogue_has_every_sentence_with_the_same_places(tag: str) -> None:
    """A translator is told by this test what is missing."""
    everything = {english for other in TAGS for english in sentences.read(other)}
    written = sentences.read(tag)
    assert set(written) == everything
    for english, other in written.items():
        names = PLACES.findall(english)
        assert len(set(names)) == len(names), english
        assert sorted(PLACES.findall(other)) == sorted(names), english
        assert "}{" not in english, "two places side by side cannot be told apart"


@pytest.mark.parametrize("tag", TAGS)
def test_a_sentence_made_from_a_pattern_is_told_with_its_data(tag: str) -> None:
    known = catalogue(tag)
    for english, other in sentences.read(tag).items():
        data = {name: f"<{number}>" for number, name in enumerate(PLACES.findall(english))}
        assert known.say(english.format(**data)) == other.format(**data)


@pytest.mark.parametrize("tag", TAGS)
def test_all_that_a_client_can_be_told_is_translated(tag: str) -> None:
    """A new sentence needs its translations: tests/core/sentences.py lists those that wait for one."""
    assert sentences.untranslated(tag) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (("de",), "de"), (("de-CH-1996",), "de"), (("fr_CA.ISO8859-1",), "fr"), (("th", "ja-JP"), "ja"),
        (("th",), None), ((), None), (("i-default",), "i-default"), (("POSIX",), "i-default"),
        (("C",), "i-default"), (("en_US",), "en"), (("es-x-home",), "es"), (("",), None), (("-",), None),
        (("DE",), "de"), (("*",), None), (("th",) * 50 + ("de",), None),
    ],
)  # fmt: skip
def test_lookup(wanted: tuple[str, ...], found: str | None) -> None:
    """RFC 4647 §3.4: subtags are cut off from the end, wish by wish; A-54: POSIX is i-default."""
    assert lookup(wanted) == found
    assert spoken(wanted) == (found if found not in (None, "i-default") else "en")


def test_locales_become_tags() -> None:
    assert [tag_of(x) for x in ("de_CH.UTF-8@euro", "POSIX", "C.UTF-8", "fr")] == [
        "de-CH", "i-default", "i-default", "fr",
    ]  # fmt: skip


def test_sentences_in_sentences() -> None:
    assert translated("The object cannot be read: line 7: not UTF-8.", "de") == (
        "Das Objekt ist nicht lesbar: Zeile 7: kein UTF-8.",
        "de",
    )
    assert (
        translated("DTSTART: no such date: 20260230", "fr")[0] == "DTSTART: cette date n'existe pas: 20260230"
    )


@pytest.mark.parametrize(
    ("english", "german"),
    [
        (
            "line 7: VEVENT: ORGANIZER must stand exactly once, not 0 times (RFC 5546 §3.2.2)",
            "Zeile 7: VEVENT: ORGANIZER muss genau einmal stehen, nicht 0 Mal (RFC 5546 §3.2.2)",
        ),
        (
            "line 7: VJOURNAL: no METHOD:REQUEST exists for VJOURNAL",
            "Zeile 7: VJOURNAL: METHOD:REQUEST gibt es für VJOURNAL nicht",
        ),
        (
            "line 9: VEVENT: DTEND lies before DTSTART (RFC 5545 §3.8.2)",
            "Zeile 9: VEVENT: DTEND liegt vor DTSTART (RFC 5545 §3.8.2)",
        ),
        (
            "line 8: QUERY: column 8: FROM does not belong here (expected a column)",
            "Zeile 8: QUERY: Spalte 8: FROM gehört nicht hierher (erwartet: eine Spalte)",
        ),
        (
            "line 8: QUERY: column 40: the query ends here (expected AND, OR or ))",
            "Zeile 8: QUERY: Spalte 40: die Abfrage endet hier (erwartet: AND, OR oder ))",
        ),
    ],
)
def test_what_is_wrong_inside_of_objects_and_queries_is_translated_to_its_end(
    english: str, german: str
) -> None:
    """RFC 5546 §3, RFC 4324 §6.1.1: as they come to a client, with the line and the name in front."""
    assert translated(english, "de") == (german, "de")


def test_what_is_not_in_the_catalogue_stays_english_and_says_so() -> None:
    assert translated("a sentence of tomorrow", "ja") == ("a sentence of tomorrow", "en")
    assert translated("", "de") == ("", "en")
    assert translated("no such stored query", "i-default") == ("no such stored query", "en")


def test_a_longer_pattern_wins() -> None:
    made = Catalogue({"a {x} b": "1 {x}", "a {x} b c {y} b": "2 {x} {y}"})
    assert made.say("a q b c r b") == "2 q r"
    assert made.say("a q b") == "1 q"
    assert made.say("a b") is None


@given(st.text(max_size=200))
def test_untrusted_data_comes_through_as_it_is(text: str) -> None:
    for tag in TAGS:
        said, language = translated(f"there is no user {text}", tag)
        assert language == tag
        assert text in said


@given(st.text(max_size=3000))
def test_any_text_is_told_somehow(text: str) -> None:
    for tag in TAGS:
        said, language = translated(text, tag)
        assert said == text or language == tag


def test_a_long_hostile_sentence_is_told_at_once() -> None:
    hostile = "line 1: " * 200 + "column 1: " * 30
    for _ in range(20):  # with a pattern that goes back and forth, this would not end
        assert catalogue("de").say(hostile[: languages.MAX_SENTENCE]) is not None


def test_A53_a_name_without_language_is_in_the_calendars_default() -> None:
    """RFC 4324 §8.12, §8.23: DEFAULT-LOCALE says what language texts without one are in."""
    agenda = Component("VAGENDA")
    agenda.add("DEFAULT-LOCALE", "de_DE.UTF-8")
    agenda.add("NAME", "Dienst")
    agenda.add("NAME", "Duty", ("LANGUAGE", ("en",)))
    check_names(agenda)
    agenda.add("NAME", "Arbeit", ("LANGUAGE", ("de-DE",)))
    with pytest.raises(InvalidError):
        check_names(agenda)
