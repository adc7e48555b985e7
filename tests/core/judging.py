"""Asking a WHERE of what somebody sees, by the definition: cut first, then compare."""

from __future__ import annotations

from kalends.calquery.plan import Plan
from kalends.core.access.circumstances import BOOKED, Standing
from kalends.core.access.vcar import Judge
from kalends.ical.tree import Component


def selects(
    judge: Judge, prepared: Plan, component: Component, standing: Standing = BOOKED
) -> Component | None:
    """What may be seen of a component, if a WHERE holds for just that."""
    seen = judge.visible(component, standing)
    return seen if seen is not None and judge.subject(seen, standing).satisfies(prepared) else None
