"""Client sides of the SASL mechanisms: what a CUA gives to Session.authenticate."""

from dataclasses import dataclass, field


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
