"""SASLprep (RFC 4013): one form for user names and passwords before they are compared or hashed."""

import stringprep
from unicodedata import ucd_3_2_0

# RFC 5802 sets no bound; a name or password longer than this is no name or password.
MAX_LENGTH = 1024

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str:
    """Prepare a user name or a password.

    Code points Unicode 3.2 did not know are let through unchanged (a "query" in RFC 3454 terms): people
    have newer letters in their names, and both sides treat them alike.

    Args:
        text: Any string.

    Returns:
        The prepared string, never empty.

    Raises:
        ValueError: Nothing is left, a character is prohibited, or directions are mixed.

    Source: RFC 4013 §2, RFC 3454 §6.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"longer than {MAX_LENGTH} characters")
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c))
    prepared = ucd_3_2_0.normalize("NFKC", mapped)
    if not prepared:
        raise ValueError("empty after SASLprep")
    if any(prohibited(c) for c in prepared for prohibited in _PROHIBITED):
        raise ValueError("a character SASLprep prohibits")
    if any(map(stringprep.in_table_d1, prepared)) and (
        any(map(stringprep.in_table_d2, prepared))
        or not (stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1]))
    ):
        raise ValueError("left-to-right and right-to-left characters are mixed")
    return prepared
