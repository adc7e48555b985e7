"""The costly part of checking a password, as a work item that needs no session."""

from typing import NewType

Verified = NewType("Verified", bool)


class PlainWork:
    """One password to be checked against one stored verifier, outside the event loop.

    Args:
        password: What the client sent, already normalised.
        verifier: Stored (or, for unknown users, made-up) SCRAM verifier.

    Source: RFC 4616 §2.
    """

    __slots__ = ("_password", "_verifier")

    def __init__(self, password: str, verifier: str) -> None:
        self._password = password
        self._verifier = verifier

    def run(self) -> Verified:
        """Compute PBKDF2 and compare; safe in any thread.

        Returns:
            Whether the password matches; give it to Session.finish_verify.
        """
        raise NotImplementedError
