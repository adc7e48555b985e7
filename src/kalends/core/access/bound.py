"""A VRIGHT bound to one caller: which parts of a component it is about (RFC 4324 §8.32, §8.33)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from kalends.calquery.match import ENVELOPE_FREE, Subject
from kalends.core.access.circumstances import Context
from kalends.core.access.parts import changed_children, inner_of
from kalends.core.access.scopes import WHOLE, Part, Scope, is_container, prepare
from kalends.core.access.vrights import Rule
from kalends.ical.tree import Component

_TOP: Final = frozenset(
    ("VAGENDA", "VCALSTORE", "VCAR", "VEVENT", "VFREEBUSY", "VJOURNAL", "VQUERY", "VTIMEZONE", "VTODO")
)
"""Components that stand in no other one: scopes FROM another kind are not about them."""
RESTRICTED: Final = frozenset(("CREATE", "MODIFY", "MOVE"))
"""Permissions whose results RESTRICTION is about: what writes new values (RFC 4324 §8.32)."""


@dataclass(frozen=True, slots=True)
class BoundRule:
    """A rule whose queries are bound to one caller.

    Attributes:
        rule: as it was read.
        scopes: its SCOPEs; None for no limit.
        restrictions: its RESTRICTIONs; None for no limit.
        context: the circumstances.
    """

    rule: Rule
    scopes: tuple[Scope, ...] | None
    restrictions: tuple[Scope, ...] | None
    context: Context

    @classmethod
    def of(cls, rule: Rule, context: Context) -> BoundRule:
        """Bind a rule's queries."""
        return cls(
            rule,
            None
            if rule.scopes is None
            else tuple([prepare(one, context.bindings, grant=rule.grant) for one in rule.scopes]),
            None
            if rule.restrictions is None
            else tuple([prepare(one, context.bindings, grant=True) for one in rule.restrictions]),
            context,
        )

    def parts(self, component: Component, subject: Subject) -> list[Part]:
        """Which parts of a top component it is about."""
        if self.scopes is None:
            return [WHOLE]
        return [part for scope in self.scopes for part in self._meant(scope, component, subject)]

    def deeper(self, component: Component, subject: Subject) -> list[Part]:
        """What scopes of their own (FROM VALARM) mean of a contained component."""
        return [scope.part for scope in self.scopes or () if _from(scope, component, subject, top=False)]

    def touches(self, component: Component, subject: Subject) -> bool:
        """Whether it is about anything of a top component."""
        if self.parts(component, subject):
            return True
        return any(self.deeper(child, within(child, component, subject)) for child in component.components)

    def allows(self, component: Component, subject: Subject) -> bool:
        """Whether a result is one that a GRANT's RESTRICTIONs allow."""
        return self.restrictions is None or any(
            self._meant(scope, component, subject) for scope in self.restrictions
        )

    def is_total(self) -> bool:
        """Whether it is about everything in its place."""
        return self.scopes is None or any(
            part.whole
            for scope in self.scopes
            if is_container(scope.source) and not scope.says_state
            for part in self._of_container(scope)
        )

    def possible(self, source: str) -> list[Part]:
        """What it may be about of a kind of components, whatever the WHEREs of its SCOPEs say.

        Args:
            source: upper-case component name, or VCALENDAR for any.
        """
        if self.scopes is None:
            return [WHOLE]
        found: list[Part] = []
        for scope in self.scopes:
            if source == "VCALENDAR" or scope.source in (source, "VCALENDAR"):
                found.append(scope.part)
            elif is_container(scope.source) or source not in _TOP:
                found += inner_of([scope.part], source)
        return found

    def shuts(self, source: str) -> bool:
        """Whether a denial is about all of a kind."""
        return any(
            scope.part.whole and scope.always and scope.source in (source, "VCALENDAR")
            for scope in self.scopes or ()
        )

    def is_hopeful(self, permission: str, source: str) -> bool:
        """Whether there can be a result of a kind that a GRANT's RESTRICTIONs allow."""
        return (
            self.restrictions is None
            or permission not in RESTRICTED
            or any(
                is_container(scope.source) or "VCALENDAR" in (scope.source, source) or scope.source == source
                for scope in self.restrictions
            )
        )

    def _meant(self, scope: Scope, component: Component, subject: Subject) -> list[Part]:
        """Which parts of a top component a scope is about."""
        if not is_container(scope.source):
            return [scope.part] if _from(scope, component, subject, top=True) else []
        if scope.grant and component.name != scope.source and scope.part.inside(component.name) is None:
            return []  # the calendar's own properties: most of those that ask ask about something in it
        parts = self._of_container(scope, subject)
        return parts if component.name == scope.source else inner_of(parts, component.name)

    def _of_container(self, scope: Scope, subject: Subject | None = None) -> list[Part]:
        """What a scope FROM VAGENDA means of the calendar it is asked about; FROM VCALSTORE of the store.

        STATE() and METHOD in it are those of what is asked about: a calendar itself has none.
        """
        container = self.context.container
        if container is None:
            return [] if scope.grant else [scope.part]
        if container.name != scope.source:
            # a VCALSTORE's denial is about its calendars, too; a grant stays where it is
            return [WHOLE] if scope.source == "VCALSTORE" and scope.part.whole and not scope.grant else []
        state = subject.state if subject is not None and scope.says_state else "BOOKED"
        method = None if subject is None else subject.method
        asked = Subject(container, state=state, method=method, default_tz=self.context.default_tz)
        return [scope.part] if scope.holds(container, asked) else []


def deciding(rules: Iterable[BoundRule], kind: str) -> frozenset[str] | None:
    """The properties of a top component of a kind that decide which parts of it rules are about.

    All else that decides is in the circumstances, and in the state and the METHOD of its object.

    Args:
        rules: bound to one caller.
        kind: upper-case component name.

    Returns:
        Their names; None where a component has to be looked at whole.
    """
    found: set[str] = set()
    for scope in (scope for one in rules for scope in one.scopes or ()):
        if is_container(scope.source) or not _is_of(scope, kind):
            continue
        if scope.looks_at is None:
            return None
        found |= scope.looks_at
    return frozenset(found)


def within(child: Component, parent: Component, subject: Subject) -> Subject:
    """A contained component as queries see it, beside what it stands in."""
    return Subject(
        child, parent=parent, state=subject.state, method=subject.method, zones=subject.zones,
        default_tz=subject.default_tz, container=subject.container,
    )  # fmt: skip


def changes_inside(old: Component, new: Component, denies: Sequence[BoundRule]) -> bool:
    """Whether a contained component differs whose kind has a DENY of its own (FROM VALARM)."""
    kinds = {part.name for child in changed_children(old, new) for part in child.walk()}
    return any(scope.source in kinds for one in denies for scope in one.scopes or ())


def _is_of(scope: Scope, kind: str) -> bool:
    """Whether FROM means a kind of top components; VCALENDAR means any."""
    return scope.source == kind or (scope.source == "VCALENDAR" and kind not in ENVELOPE_FREE)


def _from(scope: Scope, component: Component, subject: Subject, *, top: bool) -> bool:
    """Whether a component is one of FROM for which WHERE holds."""
    kind = component.name
    if is_container(scope.source) or not (scope.source == kind or (top and _is_of(scope, kind))):
        return False
    return scope.holds(component, subject)
