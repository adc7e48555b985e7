"""D:sync-collection: what changed in a calendar since a token (RFC 6578)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from kalends.core.access import rights
from kalends.core.past import changed
from kalends.dav import paths, sync_tokens, xmlwrite
from kalends.dav.answers import Answers, Ask
from kalends.dav.calendar_data import NAME
from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.messages import Response
from kalends.dav.reports.asking import ask_of_objects, cut_short, limit_of, multistatus, too_many, zoned
from kalends.dav.reports.base import Report, register
from kalends.dav.reports.calendar_query import floating_zone
from kalends.dav.resources import Calendar, CalendarObject, Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import DAV
from kalends.store import listings
from kalends.store.base import Tx
from kalends.store.listings import LatestRow, ListedRow
from kalends.store.sqltext import chunks

PAGE: Final = 500
"""Objects whose texts are fetched with one statement, where texts are asked for."""
_ETAG_ONLY: Final = (f"{DAV}getetag",)


@register
class SyncCollection(Report):
    """Members that are new or changed with their properties, members that are gone with 404.

    The Depth header counts only where there is no D:sync-level (RFC 6578, Appendix A): clients send any.
    """

    name = f"{DAV}sync-collection"
    on = ("calendar",)

    def parse(self, element: Element, context: Context) -> None:
        """Read the token, the level, the limit and what is wanted of each member."""
        token = element.child(f"{DAV}sync-token")
        if token is None:
            raise DavError(400, None, "A D:sync-collection holds a D:sync-token, empty at first.")
        self.token = token.text.strip()
        level = element.child(f"{DAV}sync-level")
        given = context.depth("1") if level is None else level.text.strip()
        if given not in ("1", "infinite", "infinity"):
            raise DavError(400, None, "D:sync-level is 1 or infinite.")
        self.limit = limit_of(element)
        self.ask, self.data = ask_of_objects(element, context)

    def quick(self) -> bool:
        """Whoever knows something already is mostly told that nothing has changed."""
        return bool(self.token)

    def run(self, tx: Tx, context: Context, resource: Resource) -> Response:
        """Tell what changed; cost follows the changes, not the calendar."""
        assert isinstance(resource, Calendar)
        row = resource.row
        if self.data is not None and not self.data.wanted.plain:
            self.ask = zoned(self.ask, self.data, floating_zone(tx, context, resource))
        tick = self._tick(tx, context, resource)
        whole = resource.sight(tx, context).whole
        if tick == 0 and self.limit is None:
            token = sync_tokens.write(row)
            members = listings.listing(tx, row.id)
            return multistatus(
                context, self._listed(tx, context, resource, members, whole=whole), _tail(token)
            )
        latest = listings.latest_since(tx, row.id, tick, self.limit)
        if self.limit is not None and len(latest.rows) > self.limit:
            raise too_many("One transaction changed more objects than the limit allows to tell.")
        before = None
        if not whole and tick:
            before = changed.Before(tx, resource.sight(tx, context), row.id, tick, latest.tick)
            if not before.known:
                raise _invalid("The sync token is not known any more.")
        rows = self._latest(tx, context, resource, latest.rows, before, whole=whole)
        if not latest.complete:
            rows = _and(rows, cut_short(resource.path))
        return multistatus(context, rows, _tail(sync_tokens.write(replace(row, tick=latest.tick))))

    def _tick(self, tx: Tx, context: Context, resource: Calendar) -> int:
        """What the token says is known already.

        Raises:
            DavError: 403 with valid-sync-token: of another calendar, of the future, too old, or older than a
                change of what the caller may see.
        """
        if not self.token:
            return 0
        row = resource.row
        read = sync_tokens.read(self.token)
        if read is None or read[0] != row.id:
            raise _invalid("This is no sync token of this calendar.")
        tick = read[1]
        if tick > row.tick or tick < row.floor_tick:
            raise _invalid("The sync token is not known any more.")
        if tick < row.rights_tick and not rights.owns(tx, context.caller, row):
            raise _invalid("What you may see in this calendar has changed since.")
        return tick

    def _listed(
        self, tx: Tx, context: Context, calendar: Calendar, members: Iterator[ListedRow], *, whole: bool
    ) -> Iterator[str]:
        """All members, for who knows nothing yet."""
        if whole and _is_quick(self.ask):
            yield from (_etag_row(calendar.path, row) for row in members)
            return
        yield from self._told(tx, context, calendar, members, whole=whole)

    def _latest(
        self,
        tx: Tx,
        context: Context,
        calendar: Calendar,
        latest: list[LatestRow],
        before: changed.Before | None,
        *,
        whole: bool,
    ) -> Iterator[str]:
        """What became of names, those that are gone after those that are there."""
        there = [one.row for one in latest if one.row is not None]
        gone = [one.name for one in latest if one.row is None]
        if whole and _is_quick(self.ask):
            yield from (_etag_row(calendar.path, row) for row in there)
        else:
            yield from self._told(tx, context, calendar, iter(there), before, whole=whole)
        for name in gone:
            if before is None or before.saw(name):
                yield xmlwrite.status_response(calendar.path + paths.encode(name), 404)

    def _told(
        self,
        tx: Tx,
        context: Context,
        calendar: Calendar,
        members: Iterator[ListedRow],
        before: changed.Before | None = None,
        *,
        whole: bool,
    ) -> Iterator[str]:
        """Rows of members; those that the caller may not see any more are gone for them."""
        answers = Answers(tx, context, self.ask)
        if whole and NAME not in self.ask.names:
            yield from answers.rows(CalendarObject(calendar, row) for row in members)
            return
        for page in chunks(list(members), PAGE):
            texts = listings.by_names(tx, calendar.row.id, [row.name for row in page])
            for row in page:
                seen = calendar.object(tx, context, texts[row.name]) if row.name in texts else None
                if seen is not None:
                    yield answers.row(seen)
                elif before is not None and before.saw(row.name):
                    yield xmlwrite.status_response(calendar.path + paths.encode(row.name), 404)


def _is_quick(ask: Ask) -> bool:
    """Whether ETags alone are asked for, as most clients do."""
    return ask.mode == "prop" and ask.names == _ETAG_ONLY


def _etag_row(path: str, row: ListedRow) -> str:
    return (
        f"<D:response><D:href>{path}{paths.encode(row.name)}</D:href><D:propstat><D:prop>"
        f'<D:getetag>"{row.etag}"</D:getetag></D:prop>{xmlwrite.OK}</D:propstat></D:response>\n'
    )


def _tail(token: str) -> str:
    return xmlwrite.element(f"{DAV}sync-token", token)


def _and(rows: Iterator[str], last: str) -> Iterator[str]:
    yield from rows
    yield last


def _invalid(sentence: str) -> DavError:
    return DavError(403, f"{DAV}valid-sync-token", sentence)
