"""What a report is: one small class each, standing in a table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, TypeVar

from kalends.dav.context import Context
from kalends.dav.finding import resolve
from kalends.dav.messages import Response
from kalends.dav.resources import Resource
from kalends.dav.xmlread import Element
from kalends.store.base import Tx


class Report(ABC):
    """A report, made anew for each request: `parse` keeps what was asked, `run` answers it.

    Attributes:
        name: '{namespace}local' of the root element.
        on: kinds of resources it is supported on (DAV:supported-report-set).
    """

    name: ClassVar[str]
    on: ClassVar[tuple[str, ...]]

    @abstractmethod
    def parse(self, element: Element, context: Context) -> None:
        """Read the request, without a transaction.

        Args:
            element: the root element.
            context: the request; `context.depth('0')` is the Depth (RFC 3253 §3.6).

        Raises:
            DavError: the question is malformed, or costs too much.
        """

    def quick(self) -> bool:
        """Whether the answer mostly takes well below a millisecond; asked after `parse`."""
        return False

    def resolve(self, tx: Tx, context: Context) -> Resource:
        """The resource that is asked; most reports ask what the caller may see.

        Raises:
            DavError: 404.
        """
        return resolve(tx, context, context.address)

    @abstractmethod
    def run(self, tx: Tx, context: Context, resource: Resource) -> Response:
        """Answer, in a read transaction.

        Args:
            tx: the transaction.
            context: who asks.
            resource: one of the kinds in `on`.

        Raises:
            DavError: it is refused.
        """


R = TypeVar("R", bound=type[Report])

REPORTS: dict[str, type[Report]] = {}
"""All reports by name."""


def register(kind: R) -> R:
    """Put a report class into the table."""
    REPORTS[kind.name] = kind
    return kind
