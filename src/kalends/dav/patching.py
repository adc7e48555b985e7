"""Instructions about properties, as PROPPATCH, MKCALENDAR and MKCOL give them (RFC 4918 §9.2)."""

from __future__ import annotations

from dataclasses import dataclass

from kalends.core import ledger
from kalends.core.access import mounting, rights
from kalends.dav import answers, xmlwrite
from kalends.dav.context import Context
from kalends.dav.drafts import LANG, Draft
from kalends.dav.errors import DavError, not_found
from kalends.dav.properties.base import PROPERTIES
from kalends.dav.resources import Calendar, CalendarObject, Mounted, Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import APPLE, CALDAV, DAV
from kalends.ical.tree import Component
from kalends.store import objects
from kalends.store import properties as dead_store
from kalends.store.base import Tx


@dataclass(frozen=True, slots=True)
class Instruction:
    """One property to be set, or removed.

    Attributes:
        name: '{namespace}local'.
        element: the new value; None removes.
    """

    name: str
    element: Element | None


Outcome = tuple[str, "DavError | None"]
"""A property's name, and why it was refused."""


def instructions(element: Element, *, remove: bool) -> list[Instruction]:
    """Read D:set and D:remove, in their order; what nobody knows is passed over (RFC 4918 §17).

    Args:
        element: D:propertyupdate, C:mkcalendar or D:mkcol.
        remove: whether D:remove is possible.

    Raises:
        DavError: 400 for a D:remove where none is possible; 413 for too many.

    Source: RFC 4918 §9.2, §14.19; xml:lang of D:prop and above is inherited (§4.3).
    """
    found: list[Instruction] = []
    for part in element.children:
        if part.tag not in (f"{DAV}set", f"{DAV}remove"):
            continue
        if part.tag == f"{DAV}remove" and not remove:
            raise DavError(400, None, "There is nothing to be removed of what is being made.")
        prop = part.child(f"{DAV}prop")
        if prop is None:
            raise DavError(400, None, "An instruction needs a D:prop.")
        language = _language(prop) or _language(part) or _language(element)
        for one in prop.children:
            if language and _language(one) is None:
                one.attributes[LANG] = language
            found.append(Instruction(one.tag, one if part.tag == f"{DAV}set" else None))
    if len(found) > answers.MAX_PROPERTIES:
        raise DavError(413, None, f"At most {answers.MAX_PROPERTIES} properties can be set at once.")
    return found


def _language(element: Element) -> str | None:
    return element.attributes.get(LANG)


def apply(context: Context, draft: Draft, wanted: list[Instruction]) -> list[Outcome]:
    """Carry out instructions on a draft, in order, and say what became of each property."""
    outcomes: dict[str, DavError | None] = {}
    for one in wanted:
        try:
            _apply_one(context, draft, one)
        except DavError as error:
            outcomes[one.name] = error
        else:
            outcomes.setdefault(one.name, None)
    return list(outcomes.items())


def _apply_one(context: Context, draft: Draft, one: Instruction) -> None:
    known = PROPERTIES.get(one.name)
    if known is not None and draft.kind in known.on:
        known.set(context, draft, one.element)
    elif known is not None and known.protected and one.name.startswith(DAV):
        raise DavError(403, f"{DAV}cannot-modify-protected-property", "It has no meaning on this resource.")
    else:
        draft.set_dead(one.name, None if one.element is None else xmlwrite.written(one.element))


def failed(outcomes: list[Outcome]) -> bool:
    """Whether one was refused."""
    return any(error is not None for _, error in outcomes)


def propstats(outcomes: list[Outcome], success: int = 200) -> str:
    """The D:propstat elements that tell the outcomes; where one failed, the others are 424.

    Source: RFC 4918 §9.2.1, §11.4.
    """
    if not failed(outcomes):
        done = "".join(xmlwrite.tags(name)[2] for name, _ in outcomes)
        return xmlwrite.propstat(done, success)
    out = [answers.refused(xmlwrite.tags(name)[2], error) for name, error in outcomes if error is not None]
    rest = "".join(xmlwrite.tags(name)[2] for name, error in outcomes if error is None)
    return "".join(out) + (xmlwrite.propstat(rest, 424) if rest else "")


def draft_of(tx: Tx, context: Context, resource: Resource) -> Draft:
    """A draft of a resource that is there.

    Raises:
        DavError: 403 for one whose properties are nobody's to set.
    """
    if isinstance(resource, Mounted):
        return Draft(resource.kind, resource.seen(tx, context).copy())
    if isinstance(resource, Calendar):
        return Draft(resource.kind, resource.held(tx).copy())
    holder = answers.dead_holder(resource)
    if holder is None:
        raise DavError(403, f"{DAV}need-privileges", "Nothing can be set on this resource.")
    return Draft(resource.kind, dead=dead_store.of(tx, *holder))


def check_rights(tx: Tx, context: Context, resource: Resource) -> None:
    """Go on only for who may set properties here.

    Raises:
        DavError: 403 with need-privileges.
        KalendsError: the calendar refuses.
    """
    who = context.caller.identity
    if isinstance(resource, Mounted):
        return  # everybody has their own properties of it; for others `keep` asks
    if isinstance(resource, Calendar):
        rights.authority_in(tx, context.caller, resource.target).require("MODIFY", "VAGENDA")
    elif isinstance(resource, CalendarObject):
        row = objects.get(tx, resource.row.id)
        if row is not None:
            rights.authority_in(tx, context.caller, resource.calendar.target).allow_object("MODIFY", row)
    else:
        holder = answers.dead_holder(resource)
        if not who.admin and (holder is None or holder[0] != who.principal_id):
            raise DavError(403, f"{DAV}need-privileges", "These are somebody else's properties.")


_PERSONAL = frozenset(
    (
        f"{DAV}displayname",
        f"{APPLE}calendar-color",
        f"{APPLE}calendar-order",
        f"{CALDAV}schedule-calendar-transp",
    )
)
"""Live properties that everybody sets for themselves where a calendar is shared with them."""


def _is_personal(name: str) -> bool:
    """Whether a property of a shared calendar is one's own: also what only clients understand."""
    return name in _PERSONAL or name not in PROPERTIES


def _personalise(tx: Tx, context: Context, resource: Mounted, wanted: list[Instruction]) -> None:
    """Keep what somebody says of a calendar that is shared with them, without changing it."""
    if not wanted:
        return
    mine = mounting.own(resource.mount)
    apply(context, Draft(resource.kind, mine), wanted)
    mounting.personalise(tx, context.caller, resource.mount, mine)


def _edit_calendar(
    tx: Tx, context: Context, resource: Calendar, draft: Draft, wanted: list[Instruction]
) -> None:
    rights.require(tx, context.caller, resource.target, "MODIFY")

    def edit(held: Component) -> None:
        again = Draft(resource.kind, held)
        refused = next((error for _, error in apply(context, again, wanted) if error is not None), None)
        if refused is not None:
            raise refused

    ledger.edit_calendar(tx, context.caller, resource.target, edit, draft.zones)


def keep(tx: Tx, context: Context, resource: Resource, draft: Draft, wanted: list[Instruction]) -> None:
    """Store what a draft became, in a write transaction.

    Args:
        tx: the transaction.
        context: who asks.
        resource: what the draft is of.
        draft: with all instructions applied, none of them refused.
        wanted: the instructions, which a calendar's properties get again under its lock.
    """
    if isinstance(resource, Mounted):
        _personalise(tx, context, resource, [one for one in wanted if _is_personal(one.name)])
        wanted = [one for one in wanted if not _is_personal(one.name)]
    if isinstance(resource, Calendar):
        if wanted:
            _edit_calendar(tx, context, resource, draft, wanted)
    else:
        holder = answers.dead_holder(resource)
        if holder is None:
            raise not_found()
        before = dead_store.of(tx, *holder)
        for name in before.keys() - draft.dead.keys():
            dead_store.remove(tx, holder[0], name, holder[1])
        for name, value in draft.dead.items():
            if before.get(name) != value:
                dead_store.put(tx, holder[0], name, value, holder[1])
    for follow in draft.after:
        follow(tx)
