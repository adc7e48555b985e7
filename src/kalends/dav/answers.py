"""From resources and what was asked of them to the rows of a multistatus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Literal

from kalends.dav import xmlwrite
from kalends.dav.context import Context
from kalends.dav.drafts import dead_in
from kalends.dav.errors import DavError
from kalends.dav.principals import Principal, Proxy
from kalends.dav.properties.base import PROPERTIES, Property
from kalends.dav.resources import Calendar, CalendarObject, Home, Inbox, Outbox, Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import DAV, tags
from kalends.store import properties as dead_store
from kalends.store.base import Tx

MAX_PROPERTIES = 500
"""Properties in one question: every client's longest list has less than a hundred."""

BATCH = 500
"""Objects whose dead properties are looked up with one statement."""

Column = tuple[Property, str, str, str]
"""A live property with its opening, closing and empty tag."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a client wants to know of each resource.

    Attributes:
        mode: 'prop' for named properties; 'allprop' for what RFC 4918 names, dead ones, and `names`;
            'propname' for names alone.
        names: what is named.
        bound: properties whose elements said more than their names, by name.
        minimal: leave out what was not found (RFC 8144 §2.1).
    """

    mode: Literal["prop", "allprop", "propname"]
    names: tuple[str, ...] = ()
    bound: tuple[tuple[str, Property], ...] = ()
    minimal: bool = False


def ask_of(element: Element | None, context: Context) -> Ask:
    """Read D:prop, D:allprop with D:include, or D:propname inside of a request's element.

    Args:
        element: such as D:propfind or C:calendar-query; None for an empty body, which means D:allprop.
        context: says whether return=minimal is preferred.

    Raises:
        DavError: 400 for a question that is none.

    Source: RFC 4918 §9.1, §14.20.
    """
    if element is None:
        return Ask("allprop", minimal=context.minimal)
    found = [child for child in element.children if child.tag in _MODES]
    if len(found) != 1:
        raise DavError(400, None, "Exactly one of D:prop, D:allprop and D:propname has to be asked for.")
    mode = _MODES[found[0].tag]
    asked = found[0].children if mode == "prop" else []
    if mode == "allprop":
        included = element.child(f"{DAV}include")
        asked = [] if included is None else included.children
    if len(asked) > MAX_PROPERTIES:
        raise DavError(413, None, f"At most {MAX_PROPERTIES} properties can be asked for at once.")
    names = tuple(dict.fromkeys(child.tag for child in asked))
    bound = []
    for child in asked:
        known = PROPERTIES.get(child.tag)
        special = known if known is None else known.asked(child)
        if special is not None and special is not known:
            bound.append((child.tag, special))
    return Ask(mode, names, tuple(bound), context.minimal)


_MODES: dict[str, Literal["prop", "allprop", "propname"]] = {
    f"{DAV}prop": "prop",
    f"{DAV}allprop": "allprop",
    f"{DAV}propname": "propname",
}


@lru_cache(maxsize=1024)
def _known_on(kind: str) -> tuple[Property, ...]:
    return tuple(found for found in PROPERTIES.values() if kind in found.on)


class Answers:
    """Writes the rows of one multistatus.

    Args:
        tx: a transaction.
        context: who asks.
        ask: what is asked of each resource.
    """

    def __init__(self, tx: Tx, context: Context, ask: Ask) -> None:
        self.tx = tx
        self.context = context
        self.ask = ask
        self._columns: dict[str, tuple[list[Column], list[str]]] = {}
        self._bound = dict(ask.bound)
        self._dead: dict[int, dict[str, str]] | None = None

    def rows(self, resources: Iterable[Resource]) -> Iterator[str]:
        """A D:response for each resource, in order."""
        if self.ask.mode == "prop" and not self._columns_of("object")[1]:
            yield from map(self.row, resources)
            return
        each = iter(resources)
        while batch := list(islice(each, BATCH)):
            held = [one.row.id for one in batch if isinstance(one, CalendarObject)]
            self._dead = dead_store.of_many(self.tx, held)
            yield from map(self.row, batch)
        self._dead = None

    def _dead_of(self, resource: Resource) -> dict[str, str]:
        if self._dead is not None and isinstance(resource, CalendarObject) and not resource.cut:
            return self._dead.get(resource.row.id, {})
        return dead_of(self.tx, self.context, resource)

    def row(self, resource: Resource) -> str:
        """The D:response of one resource."""
        columns = self._columns.get(resource.kind)
        if columns is None:
            columns = self._columns[resource.kind] = self._columns_of(resource.kind)
        if self.ask.mode == "propname":
            return xmlwrite.response(resource.path, self._names(resource, columns[0]))
        live, unknown = columns
        tx, context = self.tx, self.context
        found: list[str] = []
        missing: list[str] = []
        refusals = ""
        for known, start, end, empty in live:
            try:
                value = known.get(tx, context, resource)
            except DavError as error:
                refusals += refused(empty, error)
                continue
            if value and known.spoken:
                found.append(f"{_said(start, known.language(tx, context, resource))}{value}{end}")
            elif value:
                found.append(f"{start}{value}{end}")
            else:
                (missing if value is None else found).append(empty)
        if unknown or self.ask.mode == "allprop":
            self._add_dead(resource, unknown, found, missing)
        return self._response(resource.path, found, missing, refusals)

    def _response(self, path: str, found: list[str], missing: list[str], refusals: str) -> str:
        hide = self.ask.minimal or self.ask.mode == "allprop"
        absent = "" if not missing or hide else xmlwrite.propstat("".join(missing), 404)
        present = ""
        if found or not (absent or refusals):
            present = f"<D:propstat><D:prop>{''.join(found)}</D:prop>{xmlwrite.OK}</D:propstat>"
        return xmlwrite.response(path, present + absent + refusals)

    def _columns_of(self, kind: str) -> tuple[list[Column], list[str]]:
        """The live properties asked of one kind of resource, and the names that are none of its."""
        on_kind = {known.name: known for known in _known_on(kind)}
        on_kind |= {name: known for name, known in self._bound.items() if kind in known.on}
        if self.ask.mode == "prop":
            wanted = list(self.ask.names)
        elif self.ask.mode == "allprop":
            wanted = [name for name, known in on_kind.items() if known.allprop]
            wanted += [name for name in self.ask.names if name not in wanted]
        else:
            wanted = list(on_kind)
        live = [(on_kind[name], *tags(name)) for name in wanted if name in on_kind]
        return live, [name for name in wanted if name not in on_kind]

    def _names(self, resource: Resource, live: list[Column]) -> str:
        """The names of what has a value (RFC 4918 §9.1.4)."""
        there = [empty for known, _, _, empty in live if self._has(known, resource)]
        there += [tags(name)[2] for name in self._dead_of(resource)]
        return xmlwrite.propstat("".join(there), 200)

    def _has(self, known: Property, resource: Resource) -> bool:
        try:
            return known.get(self.tx, self.context, resource) is not None
        except DavError:
            return True

    def _add_dead(self, resource: Resource, names: list[str], found: list[str], missing: list[str]) -> None:
        dead = self._dead_of(resource)
        if self.ask.mode == "allprop":
            found.extend(dead.values())
        for name in names:
            if name not in dead:
                missing.append(tags(name)[2])
            elif self.ask.mode == "prop":
                found.append(dead[name])


def _said(start: str, language: str | None) -> str:
    """An opening tag with the language of the text behind it (RFC 4918 §4.3)."""
    return start if language is None else f'{start[:-1]} xml:lang="{xmlwrite.attribute(language)}">'


def refused(empty: str, error: DavError) -> str:
    """A D:propstat that says why a property was refused."""
    said = f"<D:responsedescription>{xmlwrite.text(error.sentence)}</D:responsedescription>"
    status = xmlwrite.status_line(error.status)
    return f"<D:propstat><D:prop>{empty}</D:prop>{status}{error.element}{said}</D:propstat>"


def dead_of(tx: Tx, context: Context, resource: Resource) -> dict[str, str]:
    """The dead properties of a resource: XML by name."""
    if isinstance(resource, Calendar):
        return dead_in(resource.seen(tx, context))
    if isinstance(resource, CalendarObject) and resource.cut:
        return {}  # no VCAR says which of them somebody may see who sees a part of the object
    holder = dead_holder(resource)
    who = context.caller.identity
    if holder is None or not (
        who.admin or isinstance(resource, CalendarObject) or holder[0] == who.principal_id
    ):
        return {}  # what people keep at their principal, home and boxes is theirs alone
    return dead_store.of(tx, *holder)


def dead_holder(resource: Resource) -> tuple[int, str] | None:
    """Under which key a resource's dead properties are kept; None for what keeps none, or in itself."""
    match resource:
        case CalendarObject():
            return resource.row.id, ""
        case Principal():
            return resource.row.id, ""
        case Proxy():
            return resource.row.id, f"proxy-{'write' if resource.write else 'read'}"
        case Home():
            return resource.row.id, "home"
        case Inbox() | Outbox():
            return resource.home.row.id, resource.kind
        case _:
            return None
