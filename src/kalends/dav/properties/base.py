"""What a property is: one small class each, standing in a table."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from kalends.dav.context import Context
from kalends.dav.drafts import Draft
from kalends.dav.errors import DavError
from kalends.dav.resources import Resource
from kalends.dav.xmlread import Element
from kalends.dav.xmlwrite import DAV
from kalends.store.base import Tx

COLLECTIONS = ("root", "principals", "homes", "principal", "proxy", "home", "inbox", "outbox", "calendar")
EVERYWHERE = (*COLLECTIONS, "object", "message")


class Property:
    """A live property.

    Attributes:
        name: '{namespace}local'.
        on: the kinds of resources it stands on.
        allprop: whether D:allprop brings it (RFC 4918 §9.1, §14.2).
        protected: whether PROPPATCH may not set it.
        spoken: whether it is text for people, which may say its language.
    """

    name: ClassVar[str]
    on: ClassVar[tuple[str, ...]] = EVERYWHERE
    allprop: ClassVar[bool] = False
    protected: ClassVar[bool] = True
    spoken: ClassVar[bool] = False

    def get(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """Its value: a fragment, escaped already; None where it is not set.

        Raises:
            DavError: the caller may not see it.
        """
        raise NotImplementedError

    def language(self, tx: Tx, context: Context, resource: Resource) -> str | None:
        """The language tag that its text was set with, for one that is `spoken` (RFC 4918 §4.3)."""
        return None

    def asked(self, element: Element) -> Property:
        """The property as an element of a request asks for it, which may say more than its name."""
        return self

    def set(self, context: Context, draft: Draft, element: Element | None) -> None:
        """Put a new value into a draft; None removes it.

        Raises:
            DavError: the value is refused, or the property is protected.
        """
        raise DavError(403, f"{DAV}cannot-modify-protected-property", f"{self.name} cannot be set.")


P = TypeVar("P", bound=type[Property])

PROPERTIES: dict[str, Property] = {}
"""All live properties by name."""


def register(kind: P) -> P:
    """Put a property class into the table."""
    assert kind.name not in PROPERTIES, f"{kind.name} is in the table already"
    PROPERTIES[kind.name] = kind()
    return kind
