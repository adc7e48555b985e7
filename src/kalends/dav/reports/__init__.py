"""Reports, a module for one or a few; importing the package fills the table."""

from kalends.dav.reports import (
    calendar_multiget,
    calendar_query,
    expand_property,
    free_busy_query,
    principals,
    sync_collection,
)
from kalends.dav.reports.base import REPORTS, Report

__all__ = [
    "REPORTS",
    "Report",
    "calendar_multiget",
    "calendar_query",
    "expand_property",
    "free_busy_query",
    "principals",
    "sync_collection",
]
