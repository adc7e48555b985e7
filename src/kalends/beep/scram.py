"""SCRAM-SHA-256 (RFC 5802, RFC 7677): verifiers and the message computations of both sides."""

DEFAULT_ITERATIONS = 100_000


def make_verifier(password: str, *, salt: bytes | None = None, iterations: int = DEFAULT_ITERATIONS) -> str:
    """Turn a password into what may be stored: ``SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>``.

    Args:
        password: In any Unicode form; SASLprep is applied.
        salt: At least 8 octets; random when not given.
        iterations: PBKDF2 rounds, at least 4096.

    Returns:
        The verifier; the password can't be read back from it.

    Raises:
        ValueError: The password has characters SASLprep prohibits, or a parameter is too small.

    Source: RFC 5802 §3, RFC 7677 §4, RFC 5803.
    """
    raise NotImplementedError
