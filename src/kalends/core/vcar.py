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
from dataclasses import dataclass, field

from kalends.calquery.bind import Bindings
from kalends.calquery.match import ENVELOPE_FREE, Subject
from kalends.calquery.plan import Plan
from kalends.core.model import Identity
from kalends.core.parts import Names, changed_children, cut_line, inner_of, may_change, names_of
from kalends.core.scopes import WHOLE, Part, Scope, is_container, prepare
from kalends.core.vrights import Rule
from kalends.ical.tree import Component, Line
from kalends.ical.zones import Zones

_TOP = frozenset(
    ("VAGENDA", "VCALSTORE", "VCAR", "VEVENT", "VFREEBUSY", "VJOURNAL", "VQUERY", "VTIMEZONE", "VTODO")
)
"""Components that stand in no other one: scopes FROM another kind are not about them."""
Trace = dict[int, Component]
"""What is seen of components, by their identity; those of which nothing is seen are missing."""

_RESTRICTED = frozenset(("CREATE", "MODIFY", "MOVE"))
"""Permissions whose results RESTRICTION is about: what writes new values (RFC 4324 §8.32)."""


@dataclass(frozen=True, slots=True)
class Context:
    """The circumstances in which rights are asked about.

    Attributes:
        owner: whether the caller is an OWNER of the calendar (CALMASTER in the store).
        bindings: what SELF(), CAL-OWNERS() and CURRENT-TARGET() stand for.
        container: the VAGENDA (VCALSTORE) as it is read; None when nobody needs it.
        default_tz: zone of floating times.
    """

    owner: bool = False
    bindings: Bindings = field(default_factory=Bindings)
    container: Component | None = None
    default_tz: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a component does not say itself.

    Attributes:
        state: STATE() of its object.
        method: METHOD of its object.
        zones: where its TZIDs are looked up.
    """

    state: str = "BOOKED"
    method: str | None = None
    zones: Zones | None = None


BOOKED = Standing()


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


@dataclass(frozen=True, slots=True)
class _Ready:
    """A rule whose queries are bound to one caller."""

    rule: Rule
    scopes: tuple[Scope, ...] | None
    restrictions: tuple[Scope, ...] | None


class Judge:
    """What one caller may do in one calendar, asked while the transaction lasts that its bindings read from.

    Args:
        rules: those of the calendar and the store, in any order.
        identity: who asks.
        context: the circumstances.
    """

    def __init__(self, rules: Iterable[Rule], identity: Identity, context: Context) -> None:
        self.identity = identity
        self.context = context
        self._about: dict[str, tuple[list[_Ready], list[_Ready]]] = {}
        self._names: dict[tuple[int, ...], Names | None] = {}
        self._rules = [rule for rule in rules if rule.speaks_of(identity, owner=context.owner)]
        self._ready: dict[int, _Ready] = {}

    def _prepare(self, rule: Rule) -> _Ready:
        """A rule's queries bound, once and only when a permission is asked about that the rule speaks of."""
        found = self._ready.get(id(rule))
        if found is None:
            bindings = self.context.bindings
            found = self._ready[id(rule)] = _Ready(
                rule,
                None
                if rule.scopes is None
                else tuple([prepare(q, bindings, grant=rule.grant) for q in rule.scopes]),
                None
                if rule.restrictions is None
                else tuple([prepare(q, bindings, grant=True) for q in rule.restrictions]),
            )
        return found

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
        if component is None:
            return self._anything(permission)
        if permission == "SEARCH":
            return self.visible(component, standing) is not None
        subject = self._subject(component, standing)
        grants, denies = self._sides(permission)
        if permission in _RESTRICTED:
            grants = [one for one in grants if self._result(one, component, subject)]
        return self._cut(component, subject, grants, denies) is component

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
        before = self._subject(old, standing)
        after = self._subject(new, standing)
        grants, denies = self._sides("MODIFY")
        granted = [
            part for one in grants if self._result(one, new, after) for part in self._parts(one, old, before)
        ]
        denied = [part for one in denies for part in self._parts(one, old, before)]
        return new.name == old.name and all(
            not _changes_inside(one, other, denies) and may_change(one, other, granted, denied)
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
        subject = self._subject(component, standing)
        return self._cut(component, subject, *self._seeing(also), trace)

    def _seeing(self, also: Sequence[str]) -> tuple[list[_Ready], list[_Ready]]:
        grants, denies = self._sides("SEARCH")
        if not also:
            return grants, denies
        more = [one for name in also for one in self._sides(name)[0]]
        return grants + [one for one in more if not any(one is known for known in grants)], denies

    def parts(
        self, component: Component, standing: Standing = BOOKED, *, also: Sequence[str] = ()
    ) -> tuple[list[Part], list[Part]]:
        """Which parts of a component the caller is granted and denied to see, whether they are there or not.

        Args:
            component: a top component.
            standing: of the component.
            also: permissions that count as much as SEARCH does.
        """
        subject = self._subject(component, standing)
        grants, denies = self._seeing(also)
        return (
            [part for one in grants for part in self._parts(one, component, subject)],
            [part for one in denies for part in self._parts(one, component, subject)],
        )

    def reaches(self, permission: str, component: Component, standing: Standing = BOOKED) -> bool:
        """Whether something may be done to some part of a top component, nothing being said of the result."""
        subject = self._subject(component, standing)
        grants, denies = self._sides(permission)
        return any(self._parts(one, component, subject) for one in grants) and not any(
            part.whole for one in denies for part in self._parts(one, component, subject)
        )

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
        seen = self._cut(component, self._subject(component, standing), *self._sides(permission), trace)
        return seen is component or trace.get(id(inside)) is inside

    def anything(self, permission: str, source: str) -> bool:
        """Whether there can be anything of a kind that something may be done to, whatever is stored.

        Args:
            permission: as in `may`.
            source: upper-case component name, or VCALENDAR for any.
        """
        grants, denies = self._sides(permission)
        return any(
            _possible(one, source) and self._hopeful(one, permission, source) for one in grants
        ) and not any(self._total(one) or _shuts(one, source) for one in denies)

    def selects(
        self,
        prepared: Plan,
        component: Component,
        standing: Standing = BOOKED,
    ) -> Component | None:
        """What may be seen of a component, if a WHERE holds for just that.

        So a condition on what is hidden tells nothing: for the caller it is not there.

        Args:
            prepared: `plan.plan` of a bound WHERE.
            component: the component.
            standing: of the component.
        """
        seen = self.visible(component, standing)
        if seen is None:
            return None
        subject = self.subject(seen, standing)
        return seen if subject.satisfies(prepared) else None

    def subject(self, seen: Component, standing: Standing = BOOKED) -> Subject:
        """What may be seen of a component, for queries: in the container as it may be seen."""
        subject = self._subject(seen, standing)
        subject.container = self.seen_container()
        return subject

    def seen_container(self) -> Component | None:
        """What may be seen of the container's own properties."""
        container = self.context.container
        return None if container is None else self.visible(container)

    def possible(self, permission: str, source: str) -> tuple[list[Part], list[Part]]:
        """What of a kind of components may be granted and may be denied, whatever the WHEREs of SCOPEs say.

        Args:
            permission: as in `may`.
            source: upper-case component name, or VCALENDAR for any.
        """
        grants, denies = self._sides(permission)
        return (
            [part for one in grants for part in _possible(one, source)],
            [part for one in denies for part in _possible(one, source)],
        )

    def explain(
        self,
        permission: str,
        component: Component | None = None,
        standing: Standing = BOOKED,
    ) -> Verdict:
        """Which VRIGHTs decide; the arguments are those of `may`."""
        allowed = self.may(permission, component, standing)
        grants, denies = self._sides(permission)
        if component is None:
            against = [one for one in denies if self._total(one)]
            return Verdict(allowed, tuple(one.rule for one in (grants if allowed else against)))
        subject = self._subject(component, standing)
        deciding = grants if allowed else denies
        touching = [one.rule for one in deciding if self._touches(one, component, subject)]
        return Verdict(allowed, tuple(touching))

    def touching(self, permission: str, component: Component, standing: Standing = BOOKED) -> list[Rule]:
        """The rules, granting and denying, that are about a permission and something of a component."""
        subject = self._subject(component, standing)
        both = [one for side in self._sides(permission) for one in side]
        return [one.rule for one in both if self._touches(one, component, subject)]

    def about(self, permission: str, source: str) -> list[Rule]:
        """The rules, granting and denying, that can be about a permission and a kind, whatever is stored."""
        grants, denies = self._sides(permission)
        return [
            one.rule
            for one in (*grants, *denies)
            if _possible(one, source) and (not one.rule.grant or self._hopeful(one, permission, source))
        ]

    def _hopeful(self, ready: _Ready, permission: str, source: str) -> bool:
        """Whether there can be a result of a kind that a GRANT's RESTRICTIONs allow."""
        return (
            ready.restrictions is None
            or permission not in _RESTRICTED
            or any(
                is_container(scope.source) or "VCALENDAR" in (scope.source, source) or scope.source == source
                for scope in ready.restrictions
            )
        )

    def _anything(self, permission: str) -> bool:
        grants, denies = self._sides(permission)
        return bool(grants) and not any(self._total(one) for one in denies)

    def _total(self, ready: _Ready) -> bool:
        """Whether a rule is about everything in its place."""
        return ready.scopes is None or any(
            part.whole
            for scope in ready.scopes
            if is_container(scope.source) and not scope.says_state
            for part in self._of_container(scope)
        )

    def _sides(self, permission: str) -> tuple[list[_Ready], list[_Ready]]:
        found = self._about.get(permission)
        if found is None:
            about = [self._prepare(rule) for rule in self._rules if rule.is_about(permission)]
            grants = [one for one in about if one.rule.grant]
            found = self._about[permission] = grants, [one for one in about if not one.rule.grant]
        return found

    def _subject(self, component: Component, standing: Standing) -> Subject:
        return Subject(
            component,
            state=standing.state,
            method=standing.method,
            zones=standing.zones,
            default_tz=self.context.default_tz,
            container=self.context.container,
        )

    def _result(self, ready: _Ready, component: Component, subject: Subject) -> bool:
        """Whether a result is one that a GRANT's RESTRICTIONs allow."""
        return ready.restrictions is None or any(
            self._meant(scope, component, subject) for scope in ready.restrictions
        )

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

    def _meant(self, scope: Scope, component: Component, subject: Subject) -> list[Part]:
        """Which parts of a top component a scope is about."""
        if not is_container(scope.source):
            return [scope.part] if _from(scope, component, subject, top=True) else []
        if scope.grant and component.name != scope.source and scope.part.inside(component.name) is None:
            return []  # the calendar's own properties: most of those that ask ask about something in it
        parts = self._of_container(scope, subject)
        return parts if component.name == scope.source else inner_of(parts, component.name)

    def _parts(self, ready: _Ready, component: Component, subject: Subject) -> list[Part]:
        """Which parts of a top component a rule is about."""
        if ready.scopes is None:
            return [WHOLE]
        return [part for scope in ready.scopes for part in self._meant(scope, component, subject)]

    def _touches(self, ready: _Ready, component: Component, subject: Subject) -> bool:
        if self._parts(ready, component, subject):
            return True
        return any(
            self._deeper([ready], child, _within(child, component, subject)) for child in component.components
        )

    def _cut(
        self,
        component: Component,
        subject: Subject,
        grants: Sequence[_Ready],
        denies: Sequence[_Ready],
        trace: Trace | None = None,
    ) -> Component | None:
        granted = [part for one in grants for part in self._parts(one, component, subject)]
        if not denies and any(part.whole for part in granted):
            return component
        denied = [part for one in denies for part in self._parts(one, component, subject)]
        return self._filter(component, subject, granted, denied, (grants, denies), trace)

    def _filter(
        self,
        component: Component,
        subject: Subject,
        granted: Sequence[Part],
        denied: Sequence[Part],
        rules: tuple[Sequence[_Ready], Sequence[_Ready]],
        trace: Trace | None,
    ) -> Component | None:
        """A component without what is not granted or is denied; itself when that is nothing."""
        if any(part.whole for part in denied):
            return None
        names = self._named(granted, denied)
        kept: list[Line | Component] = []
        for item in component.items:
            seen: Line | Component | None
            if isinstance(item, Line):
                if names is None:
                    seen = cut_line(item, granted, denied)
                else:
                    seen = item if names.shows(item.name) else None
            else:
                inside = _within(item, component, subject)
                seen = self._filter(
                    item, inside,
                    [*inner_of(granted, item.name), *self._deeper(rules[0], item, inside)],
                    [*inner_of(denied, item.name), *self._deeper(rules[1], item, inside)],
                    rules, trace,
                )  # fmt: skip
                if trace is not None and seen is not None:
                    trace[id(item)] = seen
            if seen is not None:
                kept.append(seen)
        if len(kept) == len(component.items) and all(
            a is b for a, b in zip(kept, component.items, strict=True)
        ):
            return component if kept or any(part.whole for part in granted) else None
        if not kept:
            return None
        shell = Component(component.name, kept)
        shell.begin, shell.end = component.begin, component.end
        return shell

    def _named(self, granted: Sequence[Part], denied: Sequence[Part]) -> Names | None:
        """Parts as names. They are those of this judge's scopes, so that they are known by their identity."""
        key = (*map(id, granted), 0, *map(id, denied))
        if key not in self._names:
            self._names[key] = names_of(granted, denied)
        return self._names[key]

    def _deeper(self, rules: Sequence[_Ready], component: Component, subject: Subject) -> list[Part]:
        """What scopes of their own (FROM VALARM) mean of a contained component."""
        return [
            scope.part
            for one in rules
            for scope in one.scopes or ()
            if _from(scope, component, subject, top=False)
        ]


def _possible(ready: _Ready, source: str) -> list[Part]:
    if ready.scopes is None:
        return [WHOLE]
    found: list[Part] = []
    for scope in ready.scopes:
        if source == "VCALENDAR" or scope.source in (source, "VCALENDAR"):
            found.append(scope.part)
        elif is_container(scope.source) or source not in _TOP:
            found += inner_of([scope.part], source)
    return found


def _shuts(ready: _Ready, source: str) -> bool:
    """Whether a denial is about all of a kind."""
    return any(
        scope.part.whole and scope.always and scope.source in (source, "VCALENDAR")
        for scope in ready.scopes or ()
    )


def _from(scope: Scope, component: Component, subject: Subject, *, top: bool) -> bool:
    """Whether a component is one of FROM for which WHERE holds; VCALENDAR means any top one."""
    any_top = top and scope.source == "VCALENDAR" and component.name not in ENVELOPE_FREE
    if is_container(scope.source) or not (scope.source == component.name or any_top):
        return False
    return scope.holds(component, subject)


def _within(child: Component, parent: Component, subject: Subject) -> Subject:
    return Subject(
        child, parent=parent, state=subject.state, method=subject.method, zones=subject.zones,
        default_tz=subject.default_tz, container=subject.container,
    )  # fmt: skip


def _changes_inside(old: Component, new: Component, denies: Sequence[_Ready]) -> bool:
    """Whether a contained component differs whose kind has a DENY of its own (FROM VALARM)."""
    kinds = {part.name for child in changed_children(old, new) for part in child.walk()}
    return any(scope.source in kinds for one in denies for scope in one.scopes or ())


def may(
    rules: Iterable[Rule],
    identity: Identity,
    permission: str,
    component: Component | None = None,
    context: Context | None = None,
) -> bool:
    """Whether somebody may do something: `Judge.may` for a single question."""
    return Judge(rules, identity, context or Context()).may(permission, component)
