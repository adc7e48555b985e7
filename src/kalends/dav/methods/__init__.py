"""HTTP methods, a module for one or a few; importing the package fills the table."""

from kalends.dav.methods import delete, get, options, propfind, put, report
from kalends.dav.methods.base import METHODS, Method

__all__ = ["METHODS", "Method", "delete", "get", "options", "propfind", "put", "report"]
