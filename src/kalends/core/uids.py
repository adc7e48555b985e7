"""GENERATE-UID: identifiers that nobody else has (RFC 4324 §10.6)."""

from __future__ import annotations

import uuid

from kalends.core.errors import InvalidError
from kalends.core.model import Policy

MAX_UIDS = 10_000
"""UIDs in one answer: about half a megabyte on the wire. RFC 4324 sets no bound (A-67)."""


def generate(count: int, policy: Policy) -> list[str]:
    """Make globally unique UIDs.

    Args:
        count: how many, 1 to 10,000.
        policy: the store's name, which follows the random part.

    Returns:
        UIDs of the form uuid@host.

    Raises:
        InvalidError: the count is out of range.

    Source: RFC 4324 §10.6; A-67.
    """
    if not 1 <= count <= MAX_UIDS:
        raise InvalidError(f"between 1 and {MAX_UIDS} UIDs can be asked for at once")
    host = policy.csid.partition(":")[0]
    return [f"{uuid.uuid4()}@{host}" for _ in range(count)]
