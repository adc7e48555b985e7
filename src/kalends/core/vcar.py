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

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kalends.calquery.bind import Bindings
from kalends.calquery.match import ENVELOPE_FREE, Subject
from kalends.calquery.plan import Plan
from kalends.core.model import Identity
from kalends.core.scopes import WHOLE, Params, Part, Scope, is_container, prepare
from kalends.core.vrights import Rule
from kalends.ical.tree import Component, Line
from kalends.ical.zones import Zones

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
    """What one caller may do in one calendar.

    Args:
        rules: those of the calendar and the store, in any order.
        identity: who asks.
        context: the circumstances.
    """

    def __init__(self, rules: Iterable[Rule], identity: Identity, context: Context) -> None:
        self.identity = identity
        self.context = context
        self._ready = [self._prepare(rule) for rule in rules if rule.speaks_of(identity, owner=context.owner)]

    def _prepare(self, rule: Rule) -> _Ready:
        bindings = self.context.bindings
        return _Ready(
            rule,
            None
            if rule.scopes is None
            else tuple(prepare(q, bindings, grant=rule.grant) for q in rule.scopes),
            None
            if rule.restrictions is None
            else tuple(prepare(q, bindings, grant=True) for q in rule.restrictions),
        )

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
    ) -> bool:
        """Whether a component may be changed so.

        SCOPE is about the old one, RESTRICTION about the new one. Where a GRANT means only some lines of a
        property (one's own ATTENDEE) or only a parameter, the value has to stay what it was.

        Args:
            old: as it is.
            new: as it is to be.
            standing: of the component.

        Source: RFC 4324 §4.2.2 (UPDATEPARTSTATUS), §8.32, §8.33, §9.4; ACL-08, ACL-16, ACL-19.
        """
        before = self._subject(old, standing)
        after = self._subject(new, standing)
        grants, denies = self._sides("MODIFY")
        granted = [
            part for one in grants if self._result(one, new, after) for part in self._parts(one, old, before)
        ]
        denied = [part for one in denies for part in self._parts(one, old, before)]
        return (
            new.name == old.name
            and not _changes_inside(old, new, denies)
            and _may_change(old, new, granted, denied)
        )

    def visible(
        self,
        component: Component,
        standing: Standing = BOOKED,
        *,
        also: Sequence[str] = (),
    ) -> Component | None:
        """What of a component the caller may see.

        Args:
            component: the component.
            standing: of the component.
            also: permissions that count as much as SEARCH does.

        Returns:
            The very component when all of it may be seen; else a new one with those of its lines and
            contained components that may; None when nothing may.

        Source: RFC 4324 §8.33, §10.12; ACL-14, ACL-15, ACL-21.
        """
        subject = self._subject(component, standing)
        grants, denies = self._sides("SEARCH")
        grants = grants + [one for name in also for one in self._sides(name)[0] if one not in grants]
        return self._cut(component, subject, grants, denies)

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
        subject = self._subject(seen, standing)
        subject.container = self._seen_container()
        return seen if subject.satisfies(prepared) else None

    def _seen_container(self) -> Component | None:
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
        about = [one for one in self._ready if one.rule.is_about(permission)]
        return [one for one in about if one.rule.grant], [one for one in about if not one.rule.grant]

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
        parts = self._of_container(scope, subject)
        return parts if component.name == scope.source else _inner(parts, component.name)

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
        self, component: Component, subject: Subject, grants: Sequence[_Ready], denies: Sequence[_Ready]
    ) -> Component | None:
        granted = [part for one in grants for part in self._parts(one, component, subject)]
        if not denies and any(part.whole for part in granted):
            return component
        denied = [part for one in denies for part in self._parts(one, component, subject)]
        return self._filter(component, subject, granted, denied, grants, denies)

    def _filter(
        self,
        component: Component,
        subject: Subject,
        granted: Sequence[Part],
        denied: Sequence[Part],
        grants: Sequence[_Ready],
        denies: Sequence[_Ready],
    ) -> Component | None:
        """A component without what is not granted or is denied; itself when that is nothing."""
        if any(part.whole for part in denied):
            return None
        kept: list[Line | Component] = []
        for item in component.items:
            if isinstance(item, Line):
                seen: Line | Component | None = _line(item, granted, denied)
            else:
                inside = _within(item, component, subject)
                seen = self._filter(
                    item, inside,
                    [*_inner(granted, item.name), *self._deeper(grants, item, inside)],
                    [*_inner(denied, item.name), *self._deeper(denies, item, inside)],
                    grants, denies,
                )  # fmt: skip
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
        elif is_container(scope.source):
            found += _inner([scope.part], source)
    return found


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


def _inner(parts: Sequence[Part], name: str) -> list[Part]:
    return [inner for part in parts if (inner := part.inside(name)) is not None]


def _line(line: Line, granted: Sequence[Part], denied: Sequence[Part]) -> Line | None:
    """What may be seen of a line; the line itself when all of it may."""
    allowed = _allowed(line, granted)
    if allowed is _NOTHING:
        return None
    hidden: set[str] = set()
    for part in denied:
        if part.means(line):
            params = part.params(line)
            if params is None:
                return None
            hidden |= params
    if not line.params:
        return line
    kept = tuple(
        one for one in line.params if (allowed is None or one[0] in allowed) and one[0] not in hidden
    )
    return line if len(kept) == len(line.params) else line.with_params(kept)


_NOTHING: frozenset[str] = frozenset(("\0",))
"""Stands for: not even the value."""


def _allowed(line: Line, granted: Sequence[Part]) -> Params:
    """The parameters that are granted of a line, None for all; `_NOTHING` when the line itself is not."""
    found: frozenset[str] | None = None
    for part in granted:
        if part.means(line):
            params = part.params(line)
            if params is None:
                return None
            found = params if found is None else found | params
    return _NOTHING if found is None else found


def _may_change(old: Component, new: Component, granted: Sequence[Part], denied: Sequence[Part]) -> bool:
    """Whether all that differs may be changed; where nothing is granted, not even nothing may."""
    if not granted or any(part.whole for part in denied):
        return False
    if any(part.whole for part in granted) and not denied:
        return True
    return _children_may(old, new, granted, denied) and _lines_may(old, new, granted, denied)


def _changed_children(old: Component, new: Component) -> list[Component]:
    """The contained components that only one of the two has."""
    before = Counter(child.to_ics() for child in old.components)
    after = Counter(child.to_ics() for child in new.components)
    return [
        child for child in (*old.components, *new.components) if before[text := child.to_ics()] != after[text]
    ]


def _changes_inside(old: Component, new: Component, denies: Sequence[_Ready]) -> bool:
    """Whether a contained component differs whose kind has a DENY of its own (FROM VALARM)."""
    kinds = {part.name for child in _changed_children(old, new) for part in child.walk()}
    return any(scope.source in kinds for one in denies for scope in one.scopes or ())


def _children_may(old: Component, new: Component, granted: Sequence[Part], denied: Sequence[Part]) -> bool:
    """Contained components are changed, added and removed as a whole."""
    return all(
        any(part.whole for part in _inner(granted, name)) and not _inner(denied, name)
        for name in {child.name for child in _changed_children(old, new)}
    )


def _lines_may(old: Component, new: Component, granted: Sequence[Part], denied: Sequence[Part]) -> bool:
    gone, come = _differing(old.lines, new.lines), _differing(new.lines, old.lines)
    left = list(come)
    for line in gone:
        twin = next((one for one in left if one.name == line.name and one.value == line.value), None)
        if twin is not None and _params_may(line, twin, granted, denied):
            left.remove(twin)
        elif not _free(line, granted, denied):
            return False
    return all(_free(line, granted, denied) for line in left)


def _differing(lines: Iterable[Line], others: Iterable[Line]) -> list[Line]:
    """Lines that have no equal among the others, each equal counted once."""
    counted = Counter(_key(line) for line in others)
    found: list[Line] = []
    for line in lines:
        key = _key(line)
        if counted[key]:
            counted[key] -= 1
        else:
            found.append(line)
    return found


def _key(line: Line) -> tuple[object, ...]:
    return (line.name, line.params, line.value)


def _free(line: Line, granted: Sequence[Part], denied: Sequence[Part]) -> bool:
    """Whether a line may be put in, or taken out."""
    return any(part.free(line) for part in granted) and not any(part.means(line) for part in denied)


def _params_may(old: Line, new: Line, granted: Sequence[Part], denied: Sequence[Part]) -> bool:
    """Whether the parameters that differ may be changed, the value being the same."""
    allowed = _allowed(old, granted)
    if allowed is _NOTHING:
        return False
    names = {name for name, _ in (*old.params, *new.params)}
    changed = {name for name in names if old.param_values(name) != new.param_values(name)}
    if allowed is not None and not changed <= allowed:
        return False
    return not any(_denies(part, old, changed) or _denies(part, new, changed) for part in denied)


def _denies(part: Part, line: Line, changed: Iterable[str]) -> bool:
    if not part.means(line):
        return False
    params = part.params(line)
    return params is None or not params.isdisjoint(changed)


def may(
    rules: Iterable[Rule],
    identity: Identity,
    permission: str,
    component: Component | None = None,
    context: Context | None = None,
) -> bool:
    """Whether somebody may do something: `Judge.may` for a single question."""
    return Judge(rules, identity, context or Context()).may(permission, component)
