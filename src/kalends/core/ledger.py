"""The one door for writes. Every face ends here; validation, rights, index and log happen here only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kalends.core import creating, deleting, modifying, moving, putting
from kalends.core.creating import import_objects
from kalends.core.model import Caller, Receipt, Selection, State, Target
from kalends.core.scheduling import in_order
from kalends.ical.tree import Component
from kalends.store.base import Tx
from kalends.store.objects import ObjectRow

__all__ = [
    "create",
    "delete",
    "delete_object",
    "edit_calendar",
    "import_objects",
    "modify",
    "move",
    "move_object",
    "put_object",
    "remove_calendar",
]


def create(tx: Tx, caller: Caller, target: Target, vcalendar: Component) -> list[Receipt]:
    """Create the components of a VCALENDAR in one container.

    Components of one UID are one object and succeed or fail together; each object is atomic by itself, so
    a refused one leaves the others created. With METHOD the objects are UNPROCESSED, else BOOKED.

    Args:
        tx: a write transaction.
        caller: who, when, through which face.
        target: the calendar, or the store for VAGENDA, VCAR, VQUERY, VTIMEZONE.
        vcalendar: the command's VCALENDAR; CMD and TARGET properties in it are ignored.

    Returns:
        One receipt per created component, in order; a refused one carries its error.

    Raises:
        KalendsError: the command as a whole is refused.

    Source: RFC 4324 §10.4.
    """
    return in_order(tx, caller, lambda who: creating.create(tx, who, target, vcalendar))


def put_object(
    tx: Tx,
    caller: Caller,
    target: Target,
    name: str,
    vcalendar: Component,
    *,
    replaced: ObjectRow | None = None,
    state: State = "BOOKED",
    check: Callable[[ObjectRow | None], None] | None = None,
) -> ObjectRow:
    """Store one whole object under a name of the client's choice, as CalDAV's PUT does.

    Args:
        tx: a write transaction.
        caller: who puts it.
        target: a calendar.
        name: last path segment.
        vcalendar: the object's whole text; its octets are kept, where scheduling has no say in them.
        replaced: the object whose text this is to replace, as the caller found it; None for a new one.
        state: BOOKED, or UNPROCESSED with a METHOD in the text.
        check: instead of `replaced`: called with what has the name under the calendar's lock, None for
            nothing; what it raises refuses (If-Match and its like). It may be called several times.

    Returns:
        The object as stored.

    Raises:
        KalendsError: it is refused; nothing was changed.

    Source: RFC 4791 §5.3.2, RFC 6638 §3.2, in terms of RFC 4324 §10.4.
    """

    def put(who: Caller) -> ObjectRow:
        return putting.put_object(
            tx, who, target, name, vcalendar, replaced=replaced, state=state, check=check
        )

    return in_order(tx, caller, put)


def modify(
    tx: Tx, caller: Caller, targets: Sequence[Target], selection: Selection, old: Component, new: Component
) -> list[list[Receipt]]:
    """Replace old values by new ones in every selected component, all or nothing over all targets.

    Returns:
        For each target, one receipt per modified component.

    Raises:
        KalendsError: StaleError when nothing selected holds the old values, or the first refusal; the
            caller must let the transaction fail, so that nothing is changed.

    Source: RFC 4324 §10.9, A-61, A-62.
    """
    return in_order(tx, caller, lambda who: modifying.modify(tx, who, targets, selection, old, new))


def delete(
    tx: Tx, caller: Caller, target: Target, selections: Sequence[Selection], *, mark: bool
) -> list[Receipt]:
    """Remove what the queries select, or with `mark` put it in state DELETED.

    Returns:
        One receipt per removed top-level object or instance; empty when nothing matched.

    Source: RFC 4324 §10.5.
    """
    return in_order(tx, caller, lambda who: deleting.delete(tx, who, target, selections, mark=mark))


def delete_object(
    tx: Tx,
    caller: Caller,
    target: Target,
    name: str,
    *,
    check: Callable[[ObjectRow | None], None],
    state: State = "BOOKED",
) -> None:
    """Put the object of a name into state DELETED, as CalDAV's DELETE does.

    Args:
        tx: a write transaction.
        caller: who deletes.
        target: its calendar.
        name: last path segment.
        check: called with the object under the calendar's lock, None when it is gone; what it raises refuses.
        state: BOOKED, or UNPROCESSED for a message of the inbox.

    Raises:
        NotFoundError: there is none.
        KalendsError: it is refused.

    Source: RFC 4918 §9.6, in terms of RFC 4324 §10.5.
    """
    in_order(tx, caller, lambda who: deleting.delete_object(tx, who, target, name, check=check, state=state))


def remove_calendar(tx: Tx, caller: Caller, target: Target) -> int:
    """Remove a calendar with all it contains.

    Those who are invited to what is still to come hear that it is called off, and organizers that somebody
    does not come, as if each object had been deleted by itself.

    Args:
        tx: a write transaction.
        caller: who removes it.
        target: the calendar.

    Returns:
        The number of objects removed, its own properties, rights and time zones included.

    Raises:
        NotFoundError: not there or not visible.
        InvalidError: the store itself.

    Source: RFC 4324 §10.5; RFC 6638 §3.2.3.2.
    """
    return in_order(tx, caller, lambda who: deleting.remove_calendar(tx, who, target))


def edit_calendar(
    tx: Tx,
    caller: Caller,
    target: Target,
    edit: Callable[[Component], None],
    zones: Mapping[str, Component] | None = None,
) -> None:
    """Change a calendar's own properties, as CalDAV's PROPPATCH does.

    Args:
        tx: a write transaction.
        caller: who changes them.
        target: a calendar.
        edit: changes the VAGENDA in place, under the calendar's lock.
        zones: VTIMEZONEs that came along, by TZID.

    Raises:
        KalendsError: the result breaks a rule; the transaction must fail.

    Source: RFC 4918 §9.2, in terms of RFC 4324 §10.9.
    """
    modifying.edit_calendar(tx, caller, target, edit, zones or {})


def move_object(
    tx: Tx,
    caller: Caller,
    source: Target,
    name: str,
    target: Target,
    new_name: str,
    *,
    check: Callable[[ObjectRow | None, ObjectRow | None], None],
) -> bool:
    """Give one booked object another name, another calendar, or both, as CalDAV's MOVE does.

    What had the name at the destination goes to state DELETED. The object keeps its identity and its past.

    Args:
        tx: a write transaction.
        caller: who moves.
        source: its calendar.
        name: its last path segment.
        target: the calendar it goes to.
        new_name: its last path segment there.
        check: called under the calendars' locks with the object and with what has the name at the
            destination, None for nothing; what it raises refuses.

    Returns:
        Whether something was replaced at the destination.

    Raises:
        NotFoundError: there is no such object.
        DuplicateError: its UID is taken there.
        KalendsError: it is refused.

    Source: RFC 4918 §9.9, RFC 4791 §5.3.2.1, in terms of RFC 4324 §10.10.
    """
    return in_order(
        tx, caller, lambda who: moving.move_object(tx, who, source, name, target, new_name, check=check)
    )


def move(tx: Tx, caller: Caller, target: Target, selections: Sequence[Selection]) -> list[Receipt]:
    """Move what the queries select into `target`.

    A VAGENDA is renamed: `target` then is what `containers.destination` makes of an unused CALID.

    Returns:
        One receipt per moved object or instance; a refused one carries its error.

    Source: RFC 4324 §10.10, A-55.
    """
    return moving.move(tx, caller, target, selections)
