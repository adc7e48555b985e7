"""The language a session is spoken to in, and when it changes (RFC 4324 §3.3, §7.6, §10.13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kalends.cap.commands import VERBS, SetLocale, offered_language
from kalends.cap.exchange import Exchange, Lane
from kalends.cap.messages import Request
from kalends.core.languages import ENGLISH, spoken


class Tongue:
    """A session's language.

    Args:
        strict: LOCALIZE and SET-LOCALE have to name what the greeting did, letter by letter.
    """

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._language: str | None = None

    def greeted(self, localize: Sequence[str]) -> None:
        """Take the client's wishes, unless that was done already.

        Args:
            localize: of its greeting; after TLS there is a new one, which counts.
        """
        if self._language is None:
            self._language = spoken(localize)

    def of(self, lane: Lane | None) -> str:
        """The language of what is said next on a channel."""
        pending = None if lane is None else lane.locale
        return pending or self._language or ENGLISH

    def addressed(self, request: Request, lane: Lane | None) -> Request:
        """A request with the language of its statuses: its own LOCALIZE, else the session's (LOC-06)."""
        language = self.of(lane)
        if request.localize is not None:
            language = offered_language(request.localize, strict=self._strict) or language
        return request if language == request.language else replace(request, language=language)

    def choose(self, request: Request, exchange: Exchange, lane: Lane | None) -> None:
        """Take a SET-LOCALE: it holds for what comes behind it, and for all once it is answered (LOC-01).

        Raises:
            RefusalError: 6.3, a language or charset that is not offered; nothing changes.
        """
        verb = VERBS[SetLocale.name]
        assert isinstance(verb, SetLocale)
        exchange.locale = verb.chosen(request, self._strict)
        if lane is not None:
            lane.locale = exchange.locale

    def answered(self, exchange: Exchange, lane: Lane | None) -> None:
        """An exchange was answered: a SET-LOCALE whose turn has come holds for the session now."""
        if lane is None:
            return
        for gone in lane.answered(exchange):
            if gone.locale is not None:
                self._language = gone.locale
                if lane.locale == gone.locale:
                    lane.locale = None
