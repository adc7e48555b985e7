"""Refusals of the domain in the words of WebDAV."""

from __future__ import annotations

import inspect

import pytest
from lxml import etree

from kalends.core import errors
from kalends.core.model import Receipt
from kalends.dav.errors import MAX_SENTENCE, STATUSES, DavError, of_any
from kalends.store import errors as store

CLASSES = [
    one
    for _, one in inspect.getmembers(errors, inspect.isclass)
    if issubclass(one, errors.KalendsError) and one is not errors.KalendsError
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_refusal_of_core_has_a_status(kind: type[errors.KalendsError]) -> None:
    assert kind in STATUSES
    told = of_any(kind("why"))
    assert told is not None
    assert 400 <= told.status < 600
    assert b"why" in told.response().body


@pytest.mark.parametrize(
    "kind",
    [one for _, one in inspect.getmembers(store, inspect.isclass) if issubclass(one, store.StoreError)],
)
def test_every_error_of_the_store_is_told_without_its_words(kind: type[store.StoreError]) -> None:
    told = of_any(kind("/var/lib/secret/path"))
    assert told is not None
    assert b"secret" not in told.response().body


def test_a_sentence_is_bounded_and_escaped() -> None:
    answer = DavError(
        403, "{urn:x}why", "a<b>\x00\x1b" + "x" * 10_000, headers=(("Allow", "GET"),)
    ).response()
    assert etree.fromstring(DavError(403, "{urn:x&y}why", "a<b>\x00\x1b" + "x" * 10_000).response().body)[
        1
    ].text == "a<b>  " + "x" * (MAX_SENTENCE - 6)
    assert ("Allow", "GET") in answer.headers


def test_a_line_is_named_where_there_is_one() -> None:
    told = of_any(errors.InvalidError("broken", 7))
    assert told is not None
    assert told.sentence == "line 7: broken"


def test_several_refusals_are_told_by_the_first() -> None:
    receipt = Receipt("VEVENT", "UID", "a", error=errors.TooLargeError("too large"))
    told = of_any(errors.SeveralError("several", [("cap://x", receipt)]))
    assert told is not None
    assert (told.precondition, told.sentence) == (
        "{urn:ietf:params:xml:ns:caldav}max-resource-size",
        "too large",
    )


def test_anything_else_is_a_bug() -> None:
    assert of_any(ValueError()) is None
