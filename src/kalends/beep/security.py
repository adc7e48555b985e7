"""What a session offers and demands before and after TLS and authentication."""

from dataclasses import dataclass, field

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
        secret: Server secret from which salts of unknown users are derived; at least 16 octets.

    Source: RFC 3080 §3, §4, §9.
    """

    tls: bool = False
    mechanisms: tuple[str, ...] = ()
    require_privacy: bool = False
    require_authentication: bool = False
    private: bool = False
    external_identity: str | None = None
    secret: bytes = field(default=b"", repr=False)


OPEN = Security()
"""Nothing offered, nothing demanded: for tests and for sessions that secure themselves otherwise."""
