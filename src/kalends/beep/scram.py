"""SCRAM-SHA-256 (RFC 5802, RFC 7677): verifiers and the message computations of both sides.

Channel binding is not offered: a client that demands it (``p=``) is refused, one that could do it (``y``) is
told truthfully that the server can't.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

from kalends.beep.saslprep import saslprep

NAME = "SCRAM-SHA-256"
DEFAULT_ITERATIONS = 100_000
MIN_ITERATIONS = 4096  # RFC 7677 §4
MAX_ITERATIONS = 2_000_000  # a server that asks more of a client wants to stall it
SALT_SIZE = 16
NONCE_SIZE = 18  # octets; 24 characters in base64
KEY_SIZE = 32

_VERIFIER = re.compile(r"SCRAM-SHA-256\$([0-9]{1,8}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
_NONCE = re.compile(r"[!-+\--~]{1,512}")


class ScramError(Exception):
    """A SCRAM message is wrong or a proof fails; the text names the error value of RFC 5802 §7."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a server stores instead of a password."""

    iterations: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def __str__(self) -> str:
        """The one-line form kept in the store."""
        return f"{NAME}${self.iterations}:{_b64(self.salt)}${_b64(self.stored_key)}:{_b64(self.server_key)}"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unb64(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, ValueError):
        raise ScramError("invalid-encoding") from None


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def salt_password(password: str, salt: bytes, iterations: int) -> bytes:
    """Hi() of RFC 5802 §2.2; the costly step. The password must already be prepared."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)


def derive_verifier(prepared: str, salt: bytes, iterations: int) -> Verifier:
    """Compute both keys from a prepared password (RFC 5802 §3)."""
    salted = salt_password(prepared, salt, iterations)
    stored = hashlib.sha256(_mac(salted, b"Client Key")).digest()
    return Verifier(iterations, salt, stored, _mac(salted, b"Server Key"))


def make_verifier(password: str, *, salt: bytes | None = None, iterations: int = DEFAULT_ITERATIONS) -> str:
    """Turn a password into what may be stored: ``SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>``.

    Args:
        password: In any Unicode form; SASLprep is applied.
        salt: At least 8 octets; random when not given.
        iterations: PBKDF2 rounds, at least 4096.

    Returns:
        The verifier; the password can't be read back from it.

    Raises:
        ValueError: The password is empty or has characters SASLprep prohibits, or a parameter is too small.

    Source: RFC 5802 §3, RFC 7677 §4.
    """
    if iterations < MIN_ITERATIONS or (salt is not None and len(salt) < 8):
        raise ValueError("at least 4096 iterations and 8 octets of salt are needed")
    return str(derive_verifier(saslprep(password), salt or secrets.token_bytes(SALT_SIZE), iterations))


def read_verifier(text: str) -> Verifier:
    """Read a stored verifier.

    Args:
        text: As make_verifier wrote it.

    Returns:
        Its parts.

    Raises:
        ValueError: It is not of that form.
    """
    match = _VERIFIER.fullmatch(text)
    if match is None:
        raise ValueError("not a SCRAM-SHA-256 verifier")
    try:
        salt, stored, server = (_unb64(part) for part in match.groups()[1:])
    except ScramError:
        raise ValueError("not a SCRAM-SHA-256 verifier") from None
    if len(stored) != KEY_SIZE or len(server) != KEY_SIZE:
        raise ValueError("not a SCRAM-SHA-256 verifier")
    return Verifier(int(match[1]), salt, stored, server)


def fake_verifier(secret: bytes, username: str, iterations: int = DEFAULT_ITERATIONS) -> Verifier:
    """Make up a verifier for an unknown user.

    The same name always gets the same salt, so that a second question does not tell; no password fits.

    Args:
        secret: Known to the server alone.
        username: Normalised name.
        iterations: As real users have.

    Returns:
        A verifier nobody can satisfy.

    Source: RFC 5802 §9 (user enumeration).
    """
    name = username.encode()
    salt = _mac(secret, b"salt\0" + name)[:SALT_SIZE]
    return Verifier(iterations, salt, _mac(secret, b"stored\0" + name), _mac(secret, b"server\0" + name))


def new_nonce() -> str:
    """A fresh nonce: printable, without comma."""
    return _b64(secrets.token_bytes(NONCE_SIZE))


def _escape(name: str) -> str:
    return name.replace("=", "=3D").replace(",", "=2C")


def _unescape(text: str) -> str:
    if re.search(r"=(?!2C|3D)", text):
        raise ScramError("invalid-username-encoding")
    return text.replace("=2C", ",").replace("=3D", "=")


def _decode(message: bytes) -> str:
    try:
        return message.decode()
    except UnicodeDecodeError:
        raise ScramError("invalid-encoding") from None


def _attributes(text: str, names: str) -> list[str]:
    """Split ``a=…,b=…`` and insist on exactly these attributes first; extensions after them are ignored."""
    parts = text.split(",")
    if len(parts) < len(names) or any(not p.startswith(f"{n}=") for p, n in zip(parts, names, strict=False)):
        raise ScramError("other-error")
    if any(len(p) < 2 or p[1] != "=" or not p[0].isalpha() for p in parts[len(names) :]):
        raise ScramError("other-error")
    return [p[2:] for p in parts[: len(names)]]


class ScramServer:
    """Server side of one exchange: first → (credentials) → challenge → final.

    Args:
        nonce: The server's part of the nonce.

    Source: RFC 5802 §5.
    """

    def __init__(self, nonce: str) -> None:
        self._server_nonce = nonce
        self._bare = ""
        self._gs2 = ""
        self._client_nonce = ""
        self._server_first = ""
        self._verifier: Verifier | None = None
        self.authcid = ""
        self.authzid = ""

    def take_first(self, message: bytes) -> None:
        """Read client-first-message; sets authcid (prepared) and authzid ("" if none).

        Raises:
            ScramError: It is malformed or asks for what we don't have.
        """
        text = _decode(message)
        match = re.fullmatch(r"((p=[^,]*|[ny]),(?:a=([^,]+))?,)(.*)", text, re.DOTALL)
        if match is None:
            raise ScramError("other-error")
        if match[2].startswith("p="):
            raise ScramError("channel-binding-not-supported")
        self._gs2, self._bare = match[1], match[4]
        if self._bare.startswith("m="):
            raise ScramError("extensions-not-supported")
        name, nonce = _attributes(self._bare, "nr")
        if not _NONCE.fullmatch(nonce):
            raise ScramError("other-error")
        self._client_nonce = nonce
        try:
            self.authcid = saslprep(_unescape(name))
            self.authzid = saslprep(_unescape(match[3])) if match[3] else ""
        except ValueError:
            raise ScramError("invalid-username-encoding") from None

    def challenge(self, verifier: Verifier) -> bytes:
        """Build server-first-message for these credentials."""
        self._verifier = verifier
        nonce = self._client_nonce + self._server_nonce
        self._server_first = f"r={nonce},s={_b64(verifier.salt)},i={verifier.iterations}"
        return self._server_first.encode()

    def take_final(self, message: bytes) -> bytes:
        """Check client-final-message.

        Returns:
            server-final-message with the server's own proof.

        Raises:
            ScramError: The proof fails or the message is malformed.
        """
        assert self._verifier is not None  # challenge() came before
        text = _decode(message)
        without_proof, _, proof_text = text.rpartition(",p=")
        binding, nonce = _attributes(without_proof, "cr")
        if _unb64(binding) != self._gs2.encode():
            raise ScramError("channel-bindings-dont-match")
        if nonce != self._client_nonce + self._server_nonce:
            raise ScramError("other-error")
        proof = _unb64(proof_text)
        auth = f"{self._bare},{self._server_first},{without_proof}".encode()
        signature = _mac(self._verifier.stored_key, auth)
        if len(proof) != len(signature):
            raise ScramError("invalid-proof")
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        if not hmac.compare_digest(hashlib.sha256(client_key).digest(), self._verifier.stored_key):
            raise ScramError("invalid-proof")
        return b"v=" + base64.b64encode(_mac(self._verifier.server_key, auth))


class ScramClient:
    """Client side of one exchange.

    Args:
        username: In any Unicode form.
        password: In any Unicode form.
        authzid: Whom to act as; "" means oneself.
        nonce: The client's part of the nonce.

    Raises:
        ValueError: Name or password have characters SASLprep prohibits.

    Source: RFC 5802 §5.
    """

    def __init__(self, username: str, password: str, authzid: str, nonce: str) -> None:
        self._password = saslprep(password)
        self._gs2 = f"n,{f'a={_escape(saslprep(authzid))}' if authzid else ''},"
        self._bare = f"n={_escape(saslprep(username))},r={nonce}"
        self._nonce = nonce
        self._expected = b""

    def first(self) -> bytes:
        """Build client-first-message."""
        return (self._gs2 + self._bare).encode()

    def respond(self, challenge: bytes) -> bytes:
        """Answer server-first-message with the proof; costs one PBKDF2.

        Raises:
            ScramError: The challenge is malformed or weaker than RFC 7677 allows.
        """
        text = _decode(challenge)
        nonce, salt, count = _attributes(text, "rsi")
        if not nonce.startswith(self._nonce) or len(nonce) <= len(self._nonce):
            raise ScramError("the server did not extend our nonce")
        if not re.fullmatch(r"[0-9]{1,8}", count) or not MIN_ITERATIONS <= int(count) <= MAX_ITERATIONS:
            raise ScramError(
                f"the server asks for an iteration count out of {MIN_ITERATIONS}..{MAX_ITERATIONS}"
            )
        salted = salt_password(self._password, _unb64(salt), int(count))
        client_key = _mac(salted, b"Client Key")
        without_proof = f"c={_b64(self._gs2.encode())},r={nonce}"
        auth = f"{self._bare},{text},{without_proof}".encode()
        signature = _mac(hashlib.sha256(client_key).digest(), auth)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._expected = _mac(_mac(salted, b"Server Key"), auth)
        return f"{without_proof},p={_b64(proof)}".encode()

    def check(self, final: bytes) -> None:
        """Check that the server knows the verifier too.

        Raises:
            ScramError: It does not, or sent no proof.
        """
        (signature,) = _attributes(_decode(final), "v")
        if not self._expected or not hmac.compare_digest(_unb64(signature), self._expected):
            raise ScramError("the server could not prove that it knows the password")
