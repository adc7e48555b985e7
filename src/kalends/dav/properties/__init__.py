"""Live properties, a module an RFC; importing the package fills the table."""

from kalends.dav.properties import rfc4918, rfc5397, rfc6578
from kalends.dav.properties.base import PROPERTIES, Property

__all__ = ["PROPERTIES", "Property", "rfc4918", "rfc5397", "rfc6578"]
