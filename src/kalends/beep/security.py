"""What a session offers and demands before and after TLS and authentication (RFC 3080 §3, §4, §9)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kalends.beep.codes import ReplyCode

TLS_PROFILE = "http://iana.org/beep/TLS"
SASL_PREFIX = "http://iana.org/beep/SASL/"


@dataclass(frozen=True, slots=True)
class Security:
    """Security policy of one session.

    Args:
        tls: Offer (serve) the TLS tuning profile while there is no privacy.
        mechanisms: SASL mechanisms to serve, best first. PLAIN is only served under privacy, EXTERNAL only
            when the shell gave an identity to tls_established (or external_identity here).
        require_privacy: Application profiles and SASL are refused (538) until TLS is up.
        require_authentication: Application profiles are refused (530) until SASL succeeded.
        private: The transport is private from the beginning (implicit TLS, a local socket).
        external_identity: Identity the transport vouches for from the beginning.
        server_names: serverName values this side answers to, compared without case; None: any. The shell may
            narrow them later (Session.answer_to).
        max_attempts: Failed authentications after which no further one is allowed in the session.
        iterations: PBKDF2 rounds pretended for unknown users; what the real verifiers have.
        secret: Server secret from which salts of unknown users are derived; at least 16 octets.

    Source: RFC 3080 §3, §4, §9.
    """

    tls: bool = False
    mechanisms: tuple[str, ...] = ()
    require_privacy: bool = False
    require_authentication: bool = False
    private: bool = False
    external_identity: str | None = None
    server_names: tuple[str, ...] | None = None
    max_attempts: int = 6
    iterations: int = 100_000
    secret: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if {"SCRAM-SHA-256", "PLAIN"} & set(self.mechanisms) and len(self.secret) < 16:
            raise ValueError("password mechanisms need a secret of at least 16 octets")


OPEN = Security()
"""Nothing offered, nothing demanded: for tests and for sessions that secure themselves otherwise."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How secure a session is just now."""

    private: bool
    identity: str | None
    external_identity: str | None


Refusal = tuple[ReplyCode, str]


def greeting_profiles(policy: Security, profiles: Sequence[str], standing: Standing) -> list[str]:
    """Say what a greeting offers (SES-02, SES-03).

    Args:
        policy: The session's policy.
        profiles: Application profiles.
        standing: How secure the session is.

    Returns:
        URIs; before TLS, where privacy is demanded, nothing but TLS.

    Source: RFC 3080 §3.
    """
    offered = [uri for uri in profiles if not policy.require_privacy or standing.private]
    mechanisms = [SASL_PREFIX + name for name in policy.mechanisms]
    served = [uri for uri in mechanisms if _refuse_sasl(policy, uri, standing) is None]
    tls = [TLS_PROFILE] if policy.tls and not standing.private else []
    return tls + served + offered


def refusal(policy: Security, profiles: Sequence[str], uri: str, standing: Standing) -> Refusal | None:
    """Say why a profile can't be started now.

    Args:
        policy: The session's policy.
        profiles: Application profiles.
        uri: What the peer asks for.
        standing: How secure the session is.

    Returns:
        Code and text, or None if it may be started.

    Source: RFC 3080 §4, §8; BT-06, BT-07, BT-11.
    """
    if uri == TLS_PROFILE:
        return _refuse_tls(policy, standing)
    if uri.startswith(SASL_PREFIX):
        return _refuse_sasl(policy, uri, standing)
    if uri not in profiles:
        return ReplyCode.REFUSED, "none of the requested profiles is served here"
    if policy.require_privacy and not standing.private:
        return ReplyCode.ENCRYPTION_REQUIRED, "start TLS first"
    if policy.require_authentication and standing.identity is None:
        return ReplyCode.AUTHENTICATION_REQUIRED, "authenticate first"
    return None


def _refuse_tls(policy: Security, standing: Standing) -> Refusal | None:
    if standing.identity is not None:
        return ReplyCode.REFUSED, "TLS can't begin after authentication"
    if standing.private:
        return ReplyCode.REFUSED, "the session is already private"
    if not policy.tls:
        return ReplyCode.REFUSED, "TLS is not served here"
    return None


def _refuse_sasl(policy: Security, uri: str, standing: Standing) -> Refusal | None:
    name = uri.removeprefix(SASL_PREFIX)
    if name not in policy.mechanisms:
        return ReplyCode.REFUSED, "this SASL mechanism is not served here"
    if standing.identity is not None:
        return ReplyCode.REFUSED, "the session is already authenticated"
    if not standing.private and (policy.require_privacy or name == "PLAIN"):
        return ReplyCode.ENCRYPTION_REQUIRED, "start TLS first"
    if name == "EXTERNAL" and standing.external_identity is None:
        return ReplyCode.REFUSED, "no certificate vouches for you"
    return None
