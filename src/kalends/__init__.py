"""Kalends: a calendar server that answers on port 1026 (CAP, RFC 4324)."""

__version__ = "0.1.0"
