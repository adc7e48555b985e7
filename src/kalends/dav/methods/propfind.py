"""PROPFIND: what is there, and what properties it has (RFC 4918 §9.1)."""

from __future__ import annotations

from collections.abc import Iterator

from kalends.dav import xmlwrite
from kalends.dav.answers import Answers, ask_of
from kalends.dav.context import Context, finite
from kalends.dav.finding import resolve
from kalends.dav.messages import XML, Plan, Response
from kalends.dav.methods.base import Method, register
from kalends.dav.properties.base import EVERYWHERE
from kalends.dav.resources import Resource
from kalends.dav.xmlwrite import DAV
from kalends.store.base import Tx


@register
class PropFind(Method):
    """Properties of a resource, or of a collection and its members."""

    name = "PROPFIND"
    on = EVERYWHERE

    def plan(self, context: Context) -> Plan:
        """Read the question; look in a read transaction."""
        depth = finite(context)
        ask = ask_of(context.xml(root=f"{DAV}propfind"), context)
        address = context.address

        def work(tx: Tx) -> Response:
            found = resolve(tx, context, address)
            rows = Answers(tx, context, ask).rows(_with_members(tx, context, found, depth == "1"))
            return Response(207, (("Content-Type", XML), *applied(context)), xmlwrite.multistatus(rows))

        return Plan("read", work)


def applied(context: Context) -> tuple[tuple[str, str], ...]:
    """The Preference-Applied header of a PROPFIND or REPORT (RFC 7240 §3; RFC 8144 §2, §4)."""
    names = [
        name for name, yes in (("return=minimal", context.minimal), ("depth-noroot", context.noroot)) if yes
    ]
    return (("Preference-Applied", ", ".join(names)),) if names else ()


def _with_members(tx: Tx, context: Context, found: Resource, members: bool) -> Iterator[Resource]:
    if not (members and context.noroot):
        yield found
    if members:
        yield from found.members(tx, context)
