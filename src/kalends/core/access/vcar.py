"""VCAR: who may do what, read from a calendar's VCARs and those of its store (RFC 4324 §4.2, §9.3, §9.4).

All is denied that nothing grants; a DENY wins over every GRANT, whatever came first. Several GRANT (or DENY),
PERMISSION, SCOPE and RESTRICTION lines of one VRIGHT each mean "any of these" (A-51).

Where RFC 4324 leaves it open:

- A VCAR of the store speaks for every calendar as far as it denies, or is DECREED. Its other GRANTs are
  patterns, which DEFAULT-VCARS copies into new calendars (§8.14), and else speak of the store itself: so an
  owner who removes a copy has really taken the right away.
- A RESTRICTION narrows what a GRANT lets somebody write. In a DENY it is ignored: the denial is not narrowed.
- `SELECT PARAM(ATTENDEE,CN)` means in a GRANT the property with that parameter and no other, in a DENY that
  parameter alone.
- A GRANT without STATE() in its SCOPE is about BOOKED and UNPROCESSED objects, as every query is; a DENY
  without STATE() holds for DELETED ones, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kalends.calquery.match import Subject
from kalends.core.access.bound import RESTRICTED, BoundRule, changes_inside
from kalends.core.access.circumstances import BOOKED, Context, Standing
from kalends.core.access.parts import may_change
from kalends.core.access.scopes import Part
from kalends.core.access.sides import Sides, Trace
from kalends.core.access.vrights import Rule
from kalends.core.model import Identity
from kalends.ical.tree import Component


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer with its reasons.

    Attributes:
        allowed: whether it may be done (for SEARCH: whether anything may be seen).
        rules: those that decided: the DENYs when one forbids it, else the GRANTs; empty when nothing
            grants it.
    """

    allowed: bool
    rules: tuple[Rule, ...]


class Judge:
    """What one caller may do in one calendar, asked while its bindings hold.

    Args:
        rules: those of the calendar and the store, in any order.
        identity: who asks.
        context: the circumstances.
    """

    def __init__(self, rules: Iterable[Rule], identity: Identity, context: Context) -> None:
        self.identity = identity
        self.context = context
        self._rules = [rule for rule in rules if rule.speaks_of(identity, owner=context.owner)]
        self._bound: dict[int, BoundRule] = {}
        self._sides: dict[tuple[str, ...], Sides] = {}
        self._seen_container: tuple[Component | None] | None = None

    def sides(self, permission: str, also: Sequence[str] = ()) -> Sides:
        """The rules about a permission; with those that grant others, where these count as much.

        A rule's queries are bound once, and only when a permission is asked about that it speaks of.
        """
        key = (permission, *also)
        found = self._sides.get(key)
        if found is None:
            about = [self._bind(rule) for rule in self._rules if rule.is_about(permission)]
            grants = [one for one in about if one.rule.grant]
            more = [one for name in also for one in self.sides(name).grants]
            grants += [one for one in more if not any(one is known for known in grants)]
            made = Sides(grants, [one for one in about if not one.rule.grant], self.context)
            found = self._sides.setdefault(key, made)
        return found

    def _bind(self, rule: Rule) -> BoundRule:
        found = self._bound.get(id(rule))
        return found or self._bound.setdefault(id(rule), BoundRule.of(rule, self.context))

    def may(
        self,
        permission: str,
        component: Component | None = None,
        standing: Standing = BOOKED,
    ) -> bool:
        """Whether something may be done.

        Args:
            permission: SEARCH, CREATE, DELETE, MODIFY, MOVE or an extension's command.
            component: to what: all of it must be in the SCOPE of GRANTs and nothing in that of a DENY; for
                SEARCH it is enough that something may be seen. For CREATE and MOVE it is the result that a
                RESTRICTION is about. None: whether there is anything at all it may be done to.
            standing: of the component.
        """
        sides = self.sides(permission)
        if component is None:
            return bool(sides.grants) and not any(one.is_total() for one in sides.denies)
        if permission == "SEARCH":
            return self.visible(component, standing) is not None
        if permission in RESTRICTED and any(one.restrictions is not None for one in sides.grants):
            subject = self.context.subject(component, standing)
            left = [one for one in sides.grants if one.allows(component, subject)]
            sides = Sides(left, sides.denies, self.context)
        return sides.cut(component, standing) is component

    def may_modify(
        self,
        old: Component,
        new: Component,
        standing: Standing = BOOKED,
        *,
        wished: tuple[Component, Component] | None = None,
    ) -> bool:
        """Whether a component may be changed so.

        SCOPE is about the old one, RESTRICTION about the new one. Where a GRANT means only some lines of a
        property (one's own ATTENDEE) or only a parameter, the value has to stay what it was.

        Args:
            old: as it is.
            new: as it is to be.
            standing: of the component.
            wished: the same as the caller sees it, who may see only part of it: that is judged, too, so that
                writing what stands there already, unseen, is refused like writing anything else.

        Source: RFC 4324 §4.2.2 (UPDATEPARTSTATUS), §8.32, §8.33, §9.4; ACL-08, ACL-16, ACL-19.
        """
        before = self.context.subject(old, standing)
        after = self.context.subject(new, standing)
        sides = self.sides("MODIFY")
        granted = [part for one in sides.grants if one.allows(new, after) for part in one.parts(old, before)]
        denied = [part for one in sides.denies for part in one.parts(old, before)]
        return new.name == old.name and all(
            not changes_inside(one, other, sides.denies) and may_change(one, other, granted, denied)
            for one, other in ((old, new), *([] if wished is None else [wished]))
        )

    def visible(
        self,
        component: Component,
        standing: Standing = BOOKED,
        *,
        also: Sequence[str] = (),
        trace: Trace | None = None,
    ) -> Component | None:
        """What of a component the caller may see.

        Args:
            component: the component.
            standing: of the component.
            also: permissions that count as much as SEARCH does.
            trace: takes what becomes of the contained components, too; empty when all is seen.

        Returns:
            The very component when all of it may be seen; else a new one with those of its lines and
            contained components that may; None when nothing may.

        Source: RFC 4324 §8.33, §10.12; ACL-14, ACL-15, ACL-21.
        """
        return self.sides("SEARCH", also).cut(component, standing, trace)

    def parts(
        self, component: Component, standing: Standing = BOOKED, *, also: Sequence[str] = ()
    ) -> tuple[list[Part], list[Part]]:
        """Which parts of a component the caller is granted and denied to see, whether they are there or not.

        Args:
            component: a top component.
            standing: of the component.
            also: permissions that count as much as SEARCH does.
        """
        meaning = self.sides("SEARCH", also).meaning(component, standing)
        return meaning.granted, meaning.denied

    def reaches(self, permission: str, component: Component, standing: Standing = BOOKED) -> bool:
        """Whether something may be done to some part of a top component, nothing being said of the result."""
        meaning = self.sides(permission).meaning(component, standing)
        return bool(meaning.granted) and not any(part.whole for part in meaning.denied)

    def covers(
        self, permission: str, component: Component, inside: Component, standing: Standing = BOOKED
    ) -> bool:
        """Whether something may be done to a component that stands in a top one.

        Args:
            permission: as in `may`.
            component: the top component.
            inside: what is in it.
            standing: of the top component.
        """
        trace: Trace = {}
        seen = self.sides(permission).cut(component, standing, trace)
        return seen is component or trace.get(id(inside)) is inside

    def anything(self, permission: str, source: str) -> bool:
        """Whether there can be anything of a kind that something may be done to, whatever is stored.

        Args:
            permission: as in `may`.
            source: upper-case component name, or VCALENDAR for any.
        """
        sides = self.sides(permission)
        return any(
            one.possible(source) and one.is_hopeful(permission, source) for one in sides.grants
        ) and not any(one.is_total() or one.shuts(source) for one in sides.denies)

    def subject(self, seen: Component, standing: Standing = BOOKED) -> Subject:
        """What may be seen of a component, for queries: in the container as it may be seen."""
        subject = self.context.subject(seen, standing)
        subject.container = self.seen_container()
        return subject

    def seen_container(self) -> Component | None:
        """What may be seen of the container's own properties. It is shared: copy it before changing it."""
        if self._seen_container is None:
            container = self.context.container
            self._seen_container = (None if container is None else self.visible(container),)
        return self._seen_container[0]

    def possible(self, permission: str, source: str) -> tuple[list[Part], list[Part]]:
        """What of a kind of components may be granted and may be denied, whatever the WHEREs of SCOPEs say.

        Args:
            permission: as in `may`.
            source: upper-case component name, or VCALENDAR for any.
        """
        sides = self.sides(permission)
        return (
            [part for one in sides.grants for part in one.possible(source)],
            [part for one in sides.denies for part in one.possible(source)],
        )

    def explain(
        self,
        permission: str,
        component: Component | None = None,
        standing: Standing = BOOKED,
    ) -> Verdict:
        """Which VRIGHTs decide; the arguments are those of `may`."""
        allowed = self.may(permission, component, standing)
        sides = self.sides(permission)
        if component is None:
            against = [one for one in sides.denies if one.is_total()]
            return Verdict(allowed, tuple(one.rule for one in (sides.grants if allowed else against)))
        subject = self.context.subject(component, standing)
        deciding = sides.grants if allowed else sides.denies
        return Verdict(allowed, tuple(one.rule for one in deciding if one.touches(component, subject)))

    def touching(self, permission: str, component: Component, standing: Standing = BOOKED) -> list[Rule]:
        """The rules, granting and denying, that are about a permission and something of a component."""
        subject = self.context.subject(component, standing)
        sides = self.sides(permission)
        return [one.rule for one in (*sides.grants, *sides.denies) if one.touches(component, subject)]

    def about(self, permission: str, source: str) -> list[Rule]:
        """The rules, granting and denying, that can be about a permission and a kind, whatever is stored."""
        sides = self.sides(permission)
        return [
            one.rule
            for one in (*sides.grants, *sides.denies)
            if one.possible(source) and (not one.rule.grant or one.is_hopeful(permission, source))
        ]


def may(
    rules: Iterable[Rule],
    identity: Identity,
    permission: str,
    component: Component | None = None,
    context: Context | None = None,
) -> bool:
    """Whether somebody may do something: `Judge.may` for a single question."""
    return Judge(rules, identity, context or Context()).may(permission, component)
