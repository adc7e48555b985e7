"""SASL mechanisms, both sides: each is one small class in a table.

A server side is asked in turns: ``respond`` gets what the client sent, ``decide`` gets the credentials the
shell looked up, ``verified`` gets the result of costly work. Each turn answers with an Outcome.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from kalends.beep.codes import ReplyCode
from kalends.beep.saslprep import saslprep
from kalends.beep.scram import (
    ScramClient,
    ScramError,
    ScramServer,
    Verifier,
    fake_verifier,
    new_nonce,
    read_verifier,
)
from kalends.beep.security import Security
from kalends.beep.verify import PlainWork, Verified

MAX_TRACE = 255  # RFC 4505 §2
BAD_PASSWORD = "wrong user name or password"  # noqa: S105 - a diagnostic, not a secret

# -- what a user gives to Session.authenticate ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScramSha256:
    """SCRAM-SHA-256 (RFC 5802, RFC 7677): the password never crosses the wire, and the server proves itself.

    Args:
        username: Who authenticates.
        password: In any Unicode form; SASLprep is applied.
        authzid: Whom to act as; "" means oneself.
    """

    username: str
    password: str = field(repr=False)
    authzid: str = ""


@dataclass(frozen=True, slots=True)
class Plain:
    """PLAIN (RFC 4616): only under TLS.

    Args:
        username: Who authenticates.
        password: In any Unicode form; SASLprep is applied.
        authzid: Whom to act as; "" means oneself.
    """

    username: str
    password: str = field(repr=False)
    authzid: str = ""


@dataclass(frozen=True, slots=True)
class External:
    """EXTERNAL (RFC 4422 appendix A): the client certificate speaks.

    Args:
        authzid: Whom to act as; "" means whom the certificate names.
    """

    authzid: str = ""


@dataclass(frozen=True, slots=True)
class Anonymous:
    """ANONYMOUS (RFC 4505).

    Args:
        trace: An e-mail address or an opaque string of at most 255 characters; may be empty.
    """

    trace: str = ""


ClientMechanism = ScramSha256 | Plain | External | Anonymous

# -- outcomes of a server's turn -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send this and wait for a response."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Want:
    """Ask the shell for credentials."""

    authcid: str
    authzid: str


@dataclass(frozen=True, slots=True)
class Work:
    """Ask the shell to run this in a thread."""

    work: PlainWork


@dataclass(frozen=True, slots=True)
class Success:
    """The client is authenticated; data goes along with status complete."""

    authcid: str
    authzid: str
    data: bytes = b""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """The client is not authenticated."""

    code: ReplyCode
    text: str


Outcome = Challenge | Want | Work | Success | Failure

_MALFORMED = Failure(ReplyCode.PARAMETER_SYNTAX_ERROR, "the response does not fit the mechanism")
_WRONG = Failure(ReplyCode.AUTHENTICATION_FAILURE, BAD_PASSWORD)
_MAY_NOT = Failure(ReplyCode.NOT_AUTHORIZED, "you may not act as that identity")


class ServerMechanism(Protocol):
    """Server side of one exchange."""

    name: ClassVar[str]

    def respond(self, data: bytes) -> Outcome:
        """Take the client's next response."""

    def decide(self, verifier: Verifier | None, may_act_as: bool) -> Outcome:
        """Take the credentials asked for by Want; None for an unknown user."""

    def verified(self, result: Verified) -> Outcome:
        """Take the result of Work."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a server side may know of the session it runs in."""

    policy: Security
    external_identity: str | None
    nonce: Callable[[], str] = new_nonce


class _Base:
    """Turns most mechanisms do not have."""

    name: ClassVar[str] = ""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._authcid = ""
        self._authzid = ""

    def _make_up(self) -> Verifier:
        policy = self._around.policy
        return fake_verifier(policy.secret, self._authcid, policy.iterations)

    def _want(self) -> Want:
        return Want(self._authcid, self._authzid)

    def _success(self, may_act_as: bool, data: bytes = b"") -> Outcome:
        if self._authzid != self._authcid and not may_act_as:
            return _MAY_NOT
        return Success(self._authcid, self._authzid, data)

    def decide(self, verifier: Verifier | None, may_act_as: bool) -> Outcome:
        """Never asked for."""
        raise AssertionError("no credentials were wanted")

    def verified(self, result: Verified) -> Outcome:
        """Never asked for."""
        raise AssertionError("no work was given out")


class ScramServerSide(_Base):
    """SCRAM-SHA-256.

    Source: RFC 5802, RFC 7677.
    """

    name: ClassVar[str] = "SCRAM-SHA-256"

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._scram = ScramServer(around.nonce())
        self._begun = False
        self._known = False
        self._may_act_as = False

    def respond(self, data: bytes) -> Outcome:
        """First message: ask for credentials; final message: check the proof."""
        try:
            if not self._begun:
                self._begun = True
                self._scram.take_first(data)
                self._authcid = self._scram.authcid
                self._authzid = self._scram.authzid or self._authcid
                return self._want()
            proof = self._scram.take_final(data)
        except ScramError as error:
            return _WRONG if str(error) == "invalid-proof" else Failure(_MALFORMED.code, f"SCRAM: {error}")
        return self._success(self._may_act_as, proof) if self._known else _WRONG

    def decide(self, verifier: Verifier | None, may_act_as: bool) -> Outcome:
        """Challenge known and unknown users alike."""
        self._known, self._may_act_as = verifier is not None, may_act_as
        return Challenge(self._scram.challenge(verifier or self._make_up()))


class PlainServerSide(_Base):
    """PLAIN, checked against the same verifier as SCRAM.

    Source: RFC 4616 §2.
    """

    name: ClassVar[str] = "PLAIN"

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._password = ""
        self._may_act_as = False

    def respond(self, data: bytes) -> Outcome:
        """``[authzid] NUL authcid NUL passwd``."""
        parts = data.split(b"\0")
        if len(parts) != 3:
            return _MALFORMED
        try:
            authzid, authcid, password = (part.decode() for part in parts)
            self._authcid, self._password = saslprep(authcid), saslprep(password)
            self._authzid = saslprep(authzid) if authzid else self._authcid
        except ValueError:
            return _MALFORMED
        return self._want()

    def decide(self, verifier: Verifier | None, may_act_as: bool) -> Outcome:
        """Have the password hashed, for unknown users too."""
        self._may_act_as = may_act_as
        password, self._password = self._password, ""
        return Work(PlainWork(password, verifier or self._make_up(), known=verifier is not None))

    def verified(self, result: Verified) -> Outcome:
        """The hash says yes or no."""
        return self._success(self._may_act_as) if result else _WRONG


class ExternalServerSide(_Base):
    """EXTERNAL.

    Source: RFC 4422 appendix A, RFC 3080 §4.1.3.
    """

    name: ClassVar[str] = "EXTERNAL"

    def respond(self, data: bytes) -> Outcome:
        """An authzid, or nothing; whether who the certificate names may be somebody else, the shell knows."""
        identity = self._around.external_identity
        if identity is None:
            return Failure(ReplyCode.AUTHENTICATION_FAILURE, "no certificate vouches for you")
        try:
            wanted = data.decode()
        except UnicodeDecodeError:
            return _MALFORMED
        if wanted and not hmac.compare_digest(data, identity.encode()):
            self._authcid, self._authzid = identity, wanted
            return self._want()
        return Success(identity, identity)

    def decide(self, verifier: Verifier | None, may_act_as: bool) -> Outcome:
        """The certificate proves who asks; no password is needed."""
        if may_act_as:
            return Success(self._authcid, self._authzid)
        return Failure(ReplyCode.AUTHENTICATION_FAILURE, "the certificate does not vouch for that identity")


class AnonymousServerSide(_Base):
    """ANONYMOUS.

    Source: RFC 4505 §2.
    """

    name: ClassVar[str] = "ANONYMOUS"

    def respond(self, data: bytes) -> Outcome:
        """A trace of at most 255 characters."""
        try:
            trace = data.decode()
        except UnicodeDecodeError:
            return _MALFORMED
        if len(trace) > MAX_TRACE or not trace.isprintable():
            return _MALFORMED
        return Success("", "", trace=trace)


SERVER_SIDES: dict[str, Callable[[Surroundings], ServerMechanism]] = {
    side.name: side for side in (ScramServerSide, PlainServerSide, ExternalServerSide, AnonymousServerSide)
}

# -- client sides ------------------------------------------------------------------------------------------


class ClientSide(Protocol):
    """Client side of one exchange."""

    name: ClassVar[str]
    authcid: str
    authzid: str

    def initial(self) -> bytes:
        """The initial response."""

    def respond(self, challenge: bytes) -> bytes:
        """Answer a challenge; raises ScramError if it is wrong."""

    def finish(self, data: bytes) -> None:
        """Check what came with status complete; raises ScramError if the server failed to prove itself."""


class _OneShot:
    """A mechanism whose initial response says it all."""

    name: ClassVar[str] = ""

    def __init__(self, initial: bytes, authcid: str, authzid: str) -> None:
        self._initial = initial
        self.authcid = authcid
        self.authzid = authzid

    def initial(self) -> bytes:
        """All there is to say."""
        return self._initial

    def respond(self, challenge: bytes) -> bytes:
        """Answer an empty challenge by repeating the initial response; there is no other."""
        if challenge:
            raise ScramError(f"{self.name} knows no challenges")
        return self._initial

    def finish(self, data: bytes) -> None:
        """Nothing to check."""


class PlainClientSide(_OneShot):
    """PLAIN (RFC 4616)."""

    name: ClassVar[str] = "PLAIN"

    def __init__(self, given: Plain) -> None:
        name, password = saslprep(given.username), saslprep(given.password)
        super().__init__(f"{given.authzid}\0{name}\0{password}".encode(), name, given.authzid or name)


class ExternalClientSide(_OneShot):
    """EXTERNAL (RFC 4422 appendix A)."""

    name: ClassVar[str] = "EXTERNAL"

    def __init__(self, given: External) -> None:
        super().__init__(given.authzid.encode(), given.authzid, given.authzid)


class AnonymousClientSide(_OneShot):
    """ANONYMOUS (RFC 4505)."""

    name: ClassVar[str] = "ANONYMOUS"

    def __init__(self, given: Anonymous) -> None:
        if len(given.trace) > MAX_TRACE:
            raise ValueError(f"a trace has at most {MAX_TRACE} characters")
        super().__init__(given.trace.encode(), "", "")


class ScramClientSide:
    """SCRAM-SHA-256 (RFC 5802, RFC 7677)."""

    name: ClassVar[str] = "SCRAM-SHA-256"

    def __init__(self, given: ScramSha256) -> None:
        self._scram = ScramClient(given.username, given.password, given.authzid, new_nonce())
        self._proved = False
        self.authcid = saslprep(given.username)
        self.authzid = given.authzid or self.authcid

    def initial(self) -> bytes:
        """client-first-message."""
        return self._scram.first()

    def respond(self, challenge: bytes) -> bytes:
        """client-final-message; nothing after a server-final-message that came as a challenge."""
        if challenge.startswith(b"v="):
            self._scram.check(challenge)
            self._proved = True
            return b""
        return self._scram.respond(challenge) if challenge else self._scram.first()

    def finish(self, data: bytes) -> None:
        """server-final-message, unless it came before."""
        if not self._proved:
            self._scram.check(data)


def client_side(given: ClientMechanism) -> ClientSide:
    """Make the client side of a mechanism.

    Args:
        given: What the user chose.

    Returns:
        A fresh exchange.

    Raises:
        ValueError: A name or password SASLprep prohibits.
    """
    if isinstance(given, ScramSha256):
        return ScramClientSide(given)
    if isinstance(given, Plain):
        return PlainClientSide(given)
    if isinstance(given, External):
        return ExternalClientSide(given)
    return AnonymousClientSide(given)


def parse_verifier(text: str | None) -> Verifier | None:
    """Read what the shell looked up; None stays None."""
    return None if text is None else read_verifier(text)
