"""OPTIONS: what is possible here (RFC 4918 §10.1, RFC 4791 §5.1)."""

from __future__ import annotations

from kalends.dav.context import Context
from kalends.dav.messages import Plan, Response, ready
from kalends.dav.methods.base import METHODS, Method, register
from kalends.dav.properties.base import EVERYWHERE

CLASSES = (
    "1, 3, access-control, calendar-access, calendar-auto-schedule, calendar-availability, "
    "calendar-managed-attachments, calendar-no-timezone, extended-mkcol, "
    "calendar-proxy, calendarserver-sharing, resource-sharing"
)
"""The DAV header: what is true, and nothing else."""


@register
class Options(Method):
    """Answered without looking whether anything is there: clients ask before they log in."""

    name = "OPTIONS"
    on = (*EVERYWHERE, "nothing")

    def plan(self, context: Context) -> Plan:
        """Ready at once."""
        return ready(Response(200, (("Allow", ", ".join(METHODS)), ("DAV", CLASSES))))
