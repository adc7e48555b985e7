"""Reports, a module for one or a few; importing the package fills the table."""

from kalends.dav.reports import expand_property
from kalends.dav.reports.base import REPORTS, Report

__all__ = ["REPORTS", "Report", "expand_property"]
