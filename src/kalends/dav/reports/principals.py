"""The reports about principals (RFC 3744 §9): who am I here, who is called so, by what can be searched."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from kalends.dav import acl, privileges, xmlwrite
from kalends.dav.answers import MAX_PROPERTIES, Answers, Ask, ask_of
from kalends.dav.context import Context
from kalends.dav.errors import DavError, lacking
from kalends.dav.finding import Root
from kalends.dav.messages import XML, Response
from kalends.dav.principals import Principal, PrincipalCollection
from kalends.dav.properties.base import EVERYWHERE, PROPERTIES
from kalends.dav.reports.asking import cut_short, multistatus
from kalends.dav.reports.base import Report, register
from kalends.dav.resources import Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import CALDAV, CALENDARSERVER, DAV
from kalends.store.base import Tx

MAX_FOUND: Final = 1_000
"""Principals in one answer: more is no search but a directory's export."""
MAX_TERMS: Final = 20
"""D:property-search in one request."""
MAX_MATCH: Final = 200
"""Characters to look for."""
SEARCHABLE: Final = {
    f"{DAV}displayname": "Name",
    f"{CALDAV}calendar-user-address-set": "Calendar user address",
    f"{CALDAV}calendar-user-type": "Kind: individual, group, room or resource",
    f"{CALENDARSERVER}email-address-set": "Email address",
}
"""What principals can be searched by, with words for people (RFC 3744 §9.5)."""
_TAG: Final = re.compile("<[^>]*>")


def _optional_ask(element: Element, context: Context) -> Ask:
    """What is asked of each principal; nothing but its path when D:prop is missing."""
    prop = element.child(f"{DAV}prop")
    if prop is None:
        return Ask("prop", minimal=context.minimal)
    if not prop.items:  # python-caldav writes the properties beside an empty D:prop
        beside = Element(prop.tag, {}, [one for one in element.children if one.tag in PROPERTIES])
        return ask_of(Element(element.tag, {}, [beside]), context)
    return ask_of(element, context)


def _depth_zero(context: Context) -> None:
    if context.depth("0") != "0":
        raise DavError(400, None, "This report is asked with Depth 0 (RFC 3744 §9).")


def everybody(tx: Tx, context: Context) -> Iterator[Principal]:
    """All principals that the caller may know of."""
    collection = PrincipalCollection("")
    yield from (one for one in collection.members(tx, context) if isinstance(one, Principal))


@register
class PrincipalSearchPropertySet(Report):
    """By what principals can be searched (RFC 3744 §9.5)."""

    name = f"{DAV}principal-search-property-set"
    on = EVERYWHERE

    def parse(self, element: Element, context: Context) -> None:
        """There is nothing to read."""
        _depth_zero(context)

    def run(self, tx: Tx, context: Context, resource: Resource) -> Response:
        """The list."""
        rows = [
            f"<D:principal-search-property><D:prop>{xmlwrite.element(name)}</D:prop>"
            f'<D:description xml:lang="en">{words}</D:description></D:principal-search-property>'
            for name, words in SEARCHABLE.items()
            if name in PROPERTIES
        ]
        body = xmlwrite.document(f"{DAV}principal-search-property-set", "".join(rows))
        return Response(200, (("Content-Type", XML),), body)


class _Term(NamedTuple):
    """One D:property-search.

    Attributes:
        names: properties, of which each has to match. match: what to look for. kind: where in the value.
    """

    names: tuple[str, ...]
    match: str
    kind: str


_MATCHES: Final[dict[str, Callable[[str, str], bool]]] = {
    "contains": lambda value, text: text in value,
    "starts-with": str.startswith,
    "ends-with": str.endswith,
    "equals": lambda value, text: value == text,
}


@register
class PrincipalPropertySearch(Report):
    """The principals whose properties hold some text, without regard to case (RFC 3744 §9.4)."""

    name = f"{DAV}principal-property-search"
    on = EVERYWHERE

    def parse(self, element: Element, context: Context) -> None:
        """Read the terms; `test` and `match-type` are CalendarServer's. Without a term everybody is found."""
        _depth_zero(context)
        terms = element.all(f"{DAV}property-search")
        if len(terms) > MAX_TERMS:
            raise DavError(400, None, f"At most {MAX_TERMS} D:property-search can be there.")
        self.terms = [_term(one) for one in terms]
        self.any = element.attributes.get("test", "allof") == "anyof"
        self.everywhere = element.child(f"{DAV}apply-to-principal-collection-set") is not None
        self.ask = _optional_ask(element, context)

    def run(self, tx: Tx, context: Context, resource: Resource) -> Response:
        """Look at everybody below the collection that was asked, or at the one principal."""
        if self.everywhere or isinstance(resource, PrincipalCollection | Root):
            candidates = everybody(tx, context)
        else:
            candidates = (one for one in (resource,) if isinstance(one, Principal))
        found: list[Resource] = []
        for one in candidates:
            if self._matches(tx, context, one):
                found.append(one)
                if len(found) > MAX_FOUND:
                    break
        rows = Answers(tx, context, self.ask).rows(found[:MAX_FOUND])
        return multistatus(context, _and(rows, cut_short(resource.path)) if len(found) > MAX_FOUND else rows)

    def _matches(self, tx: Tx, context: Context, principal: Principal) -> bool:
        join = any if self.any and self.terms else all
        return join(
            all(_holds(tx, context, principal, name, term) for name in term.names) for term in self.terms
        )


def _term(element: Element) -> _Term:
    prop, match = element.child(f"{DAV}prop"), element.child(f"{DAV}match")
    if prop is None or match is None or not 1 <= len(prop.children) <= MAX_PROPERTIES:
        raise DavError(400, None, "A D:property-search holds a D:prop with properties, and a D:match.")
    kind = match.attributes.get("match-type", "contains")
    if len(match.text) > MAX_MATCH or kind not in _MATCHES:
        raise DavError(400, None, f"A D:match has at most {MAX_MATCH} characters.")
    return _Term(tuple(child.tag for child in prop.children), match.text.strip().casefold(), kind)


def _holds(tx: Tx, context: Context, principal: Principal, name: str, term: _Term) -> bool:
    """Whether a property holds the text; one that cannot be searched matches nobody (RFC 3744 §9.4)."""
    known = PROPERTIES.get(name)
    if name not in SEARCHABLE or known is None:
        return False
    try:
        value = known.get(tx, context, principal)
    except DavError:
        return False
    texts = [html.unescape(text).casefold() for text in _TAG.split(value or "") if text]
    return any(_MATCHES[term.kind](text, term.match) for text in texts)


@register
class PrincipalMatch(Report):
    """Which members are the caller, or name the caller in a property (RFC 3744 §9.3)."""

    name = f"{DAV}principal-match"
    on = EVERYWHERE

    def parse(self, element: Element, context: Context) -> None:
        """Read whether D:self is meant, or which property."""
        _depth_zero(context)
        named = element.child(f"{DAV}principal-property")
        if (named is None) is (element.child(f"{DAV}self") is None):
            raise DavError(400, None, "A D:principal-match holds D:self or D:principal-property.")
        if named is not None and len(named.children) != 1:
            raise DavError(400, None, "D:principal-property holds one property.")
        self.property = None if named is None else named.children[0].tag
        self.asks = element.child(f"{DAV}prop") is not None
        self.ask = _optional_ask(element, context)

    def run(self, tx: Tx, context: Context, resource: Resource) -> Response:
        """Look at the members of the collection."""
        if self.property is None:
            found = _selves(tx, context, resource)
        else:
            found = self._naming(tx, context, resource)
        if not self.asks:
            return multistatus(context, (xmlwrite.status_response(one.path, 200) for one in found))
        return multistatus(context, Answers(tx, context, self.ask).rows(found))

    def _naming(self, tx: Tx, context: Context, resource: Resource) -> Iterator[Resource]:
        known = PROPERTIES.get(self.property or "")
        mine = {xmlwrite.href(one.path) for one in everybody(tx, context) if _is_caller(context, one)}
        if known is None:
            return
        for member in resource.members(tx, context):
            if member.kind in known.on:
                value = known.get(tx, context, member)
                if value and any(path in value for path in mine):
                    yield member


def _selves(tx: Tx, context: Context, resource: Resource) -> Iterator[Resource]:
    """The caller, and the groups they are in."""
    if isinstance(resource, Principal):
        candidates: Iterator[Principal] = iter([resource])
    elif resource.kind in ("root", "principals"):
        candidates = everybody(tx, context)
    else:
        candidates = iter(())
    return (one for one in candidates if _is_caller(context, one))


def _is_caller(context: Context, principal: Principal) -> bool:
    who = context.caller.identity
    return principal.row.id == who.principal_id or principal.row.upn in who.groups


@register
class AclPrincipalPropSet(Report):
    """The principals that the ACEs of a resource name (RFC 3744 §9.2)."""

    name = f"{DAV}acl-principal-prop-set"
    on = ("calendar", "object", "home", "principal")

    def parse(self, element: Element, context: Context) -> None:
        """Read what is asked of each."""
        _depth_zero(context)
        self.ask = _optional_ask(element, context)

    def run(self, tx: Tx, context: Context, resource: Resource) -> Response:
        """Each once, in order of their names."""
        if not privileges.may_read_acl(tx, context, resource):
            raise lacking(resource.path, "D:read-acl", "Who may do what here is not told.")
        named = acl.principals_in(tx, context, resource)
        found = (one for one in everybody(tx, context) if one.row.id in named)
        return multistatus(context, Answers(tx, context, self.ask).rows(found))


def _and(rows: Iterator[str], last: str) -> Iterator[str]:
    yield from rows
    yield last
