"""HTTP methods, a module for one or a few; importing the package fills the table."""

from kalends.dav.methods import (
    acl,
    copymove,
    delete,
    get,
    mkcalendar,
    options,
    post,
    propfind,
    proppatch,
    put,
    report,
)
from kalends.dav.methods.base import METHODS, Method

__all__ = [
    "METHODS", "Method", "acl", "copymove", "delete", "get", "mkcalendar", "options", "post", "propfind",
    "proppatch", "put", "report",
]  # fmt: skip
