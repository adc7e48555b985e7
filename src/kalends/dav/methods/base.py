"""What a method is: one small class each, standing in a table."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from kalends.dav.context import Context
from kalends.dav.errors import DavError
from kalends.dav.messages import Plan
from kalends.dav.resources import Resource


class Method:
    """An HTTP method.

    Attributes:
        name: such as PROPFIND.
        on: kinds of resources it is allowed on; for 'nothing' where no resource is yet.
    """

    name: ClassVar[str]
    on: ClassVar[tuple[str, ...]]

    def plan(self, context: Context) -> Plan:
        """Read the request, without a transaction, and say what is to be done in one.

        Raises:
            DavError: it is refused already.
        """
        raise NotImplementedError


M = TypeVar("M", bound=type[Method])

METHODS: dict[str, Method] = {}
"""All methods by name."""


def register(kind: M) -> M:
    """Put a method class into the table."""
    METHODS[kind.name] = kind()
    return kind


def allowed_on(kind: str) -> str:
    """The Allow header of a kind of resource; 'nothing' for a path where none is."""
    return ", ".join(name for name, method in METHODS.items() if kind in method.on)


def not_allowed(resource: Resource | None) -> DavError:
    """405, with what is allowed there."""
    kind = "nothing" if resource is None else resource.kind
    return DavError(
        405, None, "This method is not possible on this resource.", headers=(("Allow", allowed_on(kind)),)
    )
