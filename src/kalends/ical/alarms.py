"""Alarms as CAP knows them: numbered, perhaps local, perhaps switched off (RFC 4324 §2, §7.2, §7.5)."""

from __future__ import annotations

from kalends.ical.tree import Component

CARRIERS = frozenset(("VEVENT", "VTODO"))
"""Components that alarms stand in."""


def is_off(alarm: Component) -> bool:
    """Whether a VALARM is to be ignored: its TRIGGER says ENABLE=FALSE.

    Source: RFC 4324 §7.2; OBM-16.
    """
    trigger = alarm.first("TRIGGER")
    return trigger is not None and (trigger.param("ENABLE") or "").strip().upper() == "FALSE"


def travels(alarm: Component) -> bool:
    """Whether a VALARM may be copied to somebody else's calendar.

    One that CAP numbered is for everybody unless it says LOCAL=TRUE. One without a number was set by a client
    that knows nothing of this difference, and means the person in front of it.

    Source: RFC 4324 §2, §7.5; OBM-14.
    """
    number = alarm.first("SEQUENCE")
    return number is not None and (number.param("LOCAL") or "").strip().upper() != "TRUE"


def for_others(component: Component) -> None:
    """Take the alarms out of a component that are not to be copied to any other calendar, in place.

    Source: RFC 4324 §7.5; OBM-14.
    """
    component.items = [
        item
        for item in component.items
        if not (isinstance(item, Component) and item.name == "VALARM" and not travels(item))
    ]


def without_cap(vcalendar: Component) -> Component:
    """An object as programs understand it that know iCalendar and not CAP.

    SEQUENCE with LOCAL goes, and so does ENABLE. An alarm that is off goes as a whole: without ENABLE
    it would ring.

    Args:
        vcalendar: an object's text, parsed; it stays as it is.

    Returns:
        The same object when there is nothing to take out, else a copy.

    Source: RFC 4324 §2; OBM-15.
    """
    if not has_cap(vcalendar):
        return vcalendar
    made = vcalendar.copy()
    for part in made.walk():
        if part.name in CARRIERS:
            part.items = [
                item
                for item in part.items
                if not (isinstance(item, Component) and item.name == "VALARM" and is_off(item))
            ]
        elif part.name == "VALARM":
            part.items = [item for item in part.items if item.name != "SEQUENCE"]
            for trigger in part.all("TRIGGER"):
                kept = tuple(param for param in trigger.params if param[0] != "ENABLE")
                if kept != trigger.params:
                    part.replace(trigger, trigger.with_params(kept))
    return made


def has_cap(vcalendar: Component) -> bool:
    """Whether alarms in an object say what only CAP knows: a SEQUENCE, or ENABLE in their TRIGGER."""
    return any(
        _is_caps(alarm)
        for part in vcalendar.components
        if part.name in CARRIERS
        for alarm in part.components
        if alarm.name == "VALARM"
    )


def keep_cap(old: Component, new: Component) -> None:
    """Give a text what `without_cap` had taken away before somebody edited it, in place.

    An alarm that is off comes back, and one that rings as before gets its SEQUENCE back. Done twice it
    does no more.

    Args:
        old: the object as it was, parsed.
        new: the text that takes its place.

    Source: RFC 4324 §2; OBM-15.
    """
    before = {_instance(part): part for part in old.components if part.name in CARRIERS}
    for part in new.components:
        had = before.get(_instance(part))
        for alarm in () if had is None else had.children("VALARM"):
            number = alarm.first("SEQUENCE")
            there = part.children("VALARM")
            if number is not None and number.value in [one.value("SEQUENCE") for one in there]:
                continue
            if is_off(alarm):
                if _ring(alarm) not in [_ring(one) for one in there if is_off(one)]:
                    part.items.append(alarm)
            elif number is not None:
                same = (one for one in there if not _is_caps(one) and _ring(one) == _ring(alarm))
                twin = next(same, None)
                if twin is not None:
                    twin.items.insert(0, number)


def _instance(part: Component) -> tuple[str, str | None]:
    return part.name, part.value("RECURRENCE-ID")


def _ring(alarm: Component) -> tuple[str | None, str | None, str | None]:
    """What an alarm does and when: by this it is known again."""
    trigger = alarm.first("TRIGGER")
    related = None if trigger is None else (trigger.param("RELATED") or "START").upper()
    return alarm.value("ACTION"), None if trigger is None else trigger.value, related


def _is_caps(alarm: Component) -> bool:
    trigger = alarm.first("TRIGGER")
    return alarm.first("SEQUENCE") is not None or (
        trigger is not None and trigger.param("ENABLE") is not None
    )
