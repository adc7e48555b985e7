"""Live properties, a module an RFC; importing the package fills the table."""

from kalends.dav.properties import (
    apple,
    calendarserver,
    rfc3744,
    rfc4791,
    rfc4918,
    rfc5397,
    rfc5995,
    rfc6578,
    rfc6638,
    rfc7809,
    rfc7953,
    rfc8607,
    shared,
)
from kalends.dav.properties.base import PROPERTIES, Property

__all__ = [
    "PROPERTIES", "Property", "apple", "calendarserver", "rfc3744", "rfc4791", "rfc4918", "rfc5397",
    "rfc5995", "rfc6578", "rfc6638", "rfc7809", "rfc7953", "rfc8607", "shared",
]  # fmt: skip
