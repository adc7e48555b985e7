"""The costly part of checking a password, as a work item that needs no session."""

import hmac
from typing import NewType

from kalends.beep.scram import Verifier, derive_verifier

Verified = NewType("Verified", bool)


class PlainWork:
    """One password to be checked against one stored verifier, outside the event loop.

    Args:
        password: What the client sent, already prepared with SASLprep.
        verifier: Stored or, for unknown users, made up.
        known: Whether it is a stored one; nothing fits one that is made up.

    Source: RFC 4616 §2.
    """

    __slots__ = ("_known", "_verifier", "password")

    def __init__(self, password: str, verifier: Verifier, *, known: bool = True) -> None:
        self.password = password
        self._verifier = verifier
        self._known = known

    def run(self) -> Verified:
        """Compute PBKDF2 and compare; safe in any thread.

        Returns:
            Whether the password matches; give it to Session.finish_verify.
        """
        derived = derive_verifier(self.password, self._verifier.salt, self._verifier.iterations)
        return Verified(hmac.compare_digest(derived.stored_key, self._verifier.stored_key) and self._known)
