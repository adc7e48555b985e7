"""What rights depend on besides the rules: who asks where, and what a component does not say itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from kalends.calquery.bind import Bindings
from kalends.calquery.match import Subject
from kalends.ical.tree import Component
from kalends.ical.zones import Zones


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

    def subject(self, component: Component, standing: Standing) -> Subject:
        """A component as queries see it in these circumstances."""
        return Subject(
            component,
            state=standing.state,
            method=standing.method,
            zones=standing.zones,
            default_tz=self.default_tz,
            container=self.container,
        )


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
