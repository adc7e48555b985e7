"""REPORT: a question with an element of its own (RFC 3253 §3.6)."""

from __future__ import annotations

from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.messages import Plan, Response
from kalends.dav.methods.base import Method, register
from kalends.dav.properties.base import EVERYWHERE
from kalends.dav.reports import REPORTS
from kalends.dav.xmlwrite import DAV
from kalends.store.base import Tx


@register
class ReportMethod(Method):
    """Finds the report by the body's root element and lets it answer."""

    name = "REPORT"
    on = EVERYWHERE

    def plan(self, context: Context) -> Plan:
        """Read the question; look in a read transaction."""
        element = context.xml()
        if element is None:
            raise DavError(400, None, "A REPORT needs a body that says which.")
        kind = REPORTS.get(element.tag)
        if kind is None:
            raise _unsupported(element.tag)
        report = kind()
        report.parse(element, context)

        def work(tx: Tx) -> Response:
            found = report.resolve(tx, context)
            if found.kind not in report.on:
                raise _unsupported(report.name)
            return report.run(tx, context, found)

        return Plan("read", work, quick=report.quick())


def _unsupported(tag: str) -> DavError:
    return DavError(403, f"{DAV}supported-report", f"The report {tag} is not supported on this resource.")
