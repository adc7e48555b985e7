"""DAV:expand-property: follow the hrefs in properties and tell of what they lead to (RFC 3253 §3.8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

from kalends.dav import paths, xmlwrite
from kalends.dav.answers import MAX_PROPERTIES, Answers, Ask
from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.finding import find
from kalends.dav.messages import XML, Response
from kalends.dav.properties.base import EVERYWHERE, PROPERTIES
from kalends.dav.reports.base import Report, register
from kalends.dav.resources import Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import DAV
from kalends.store.base import Tx

MAX_DEPTH = 4
"""Levels of expansion: clients need two."""
MAX_FOLLOWED = 2_000
"""Resources followed in one answer."""
_HREF = re.compile(r"<D:href>([^<]*)</D:href>")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A property, and what is wanted of the resources it names.

    Attributes:
        name: '{namespace}local'.
        inner: properties of these; empty to leave the hrefs as they are.
    """

    name: str
    inner: tuple[Wanted, ...]


@register
class ExpandProperty(Report):
    """Each href of an expanded property gives place to a D:response."""

    name = f"{DAV}expand-property"
    on = EVERYWHERE

    def parse(self, element: Element, context: Context) -> None:
        """Read the nested D:property elements."""
        self.wanted = _wanted(element, 1)
        self.left = MAX_FOLLOWED

    def run(self, tx: Tx, context: Context, resource: Resource) -> Response:
        """One response about the resource."""
        row = self._row(tx, context, resource, self.wanted)
        return Response(207, (("Content-Type", XML),), xmlwrite.multistatus([row]))

    def _row(self, tx: Tx, context: Context, resource: Resource, wanted: tuple[Wanted, ...]) -> str:
        plain = tuple(one.name for one in wanted if not self._expands(one, resource))
        row = Answers(tx, context, Ask("prop", plain, minimal=context.minimal)).row(resource)
        found = "".join(
            self._expanded(tx, context, resource, one) for one in wanted if self._expands(one, resource)
        )
        if not found:
            return row
        at = row.rindex("</D:response>")
        return row[:at] + found + row[at:]

    @staticmethod
    def _expands(one: Wanted, resource: Resource) -> bool:
        known = PROPERTIES.get(one.name)
        return bool(one.inner) and known is not None and resource.kind in known.on

    def _expanded(self, tx: Tx, context: Context, resource: Resource, one: Wanted) -> str:
        try:
            value = PROPERTIES[one.name].get(tx, context, resource)
        except DavError as error:
            return xmlwrite.propstat(xmlwrite.element(one.name), error.status)
        if value is None:
            return xmlwrite.propstat(xmlwrite.element(one.name), 404)
        inner = _HREF.sub(lambda href: self._followed(tx, context, href, one.inner), value)
        return xmlwrite.propstat(xmlwrite.element(one.name, inner), 200)

    def _followed(self, tx: Tx, context: Context, href: re.Match[str], wanted: tuple[Wanted, ...]) -> str:
        self.left -= 1
        if self.left < 0:
            raise DavError(507, f"{DAV}number-of-matches-within-limits", "Too many resources to follow.")
        written = unescape(href[1])
        path = context.local_path(written) if written.startswith("/") else None
        found = None if path is None else find(tx, context, paths.read(path))
        return href[0] if found is None else self._row(tx, context, found, wanted)


def _wanted(element: Element, depth: int) -> tuple[Wanted, ...]:
    if depth > MAX_DEPTH:
        raise DavError(403, f"{DAV}supported-report", f"At most {MAX_DEPTH} levels are followed.")
    found = []
    for child in element.all(f"{DAV}property"):
        name = child.attributes.get("name", "")
        if not name:
            raise DavError(400, None, "A D:property needs a name.")
        namespace = child.attributes.get("namespace", "DAV:")
        tag = f"{{{namespace}}}{name}" if namespace else name
        found.append(Wanted(tag, _wanted(child, depth + 1)))
    if len(found) > MAX_PROPERTIES:
        raise DavError(413, None, f"At most {MAX_PROPERTIES} properties can be asked for at once.")
    return tuple(found)
