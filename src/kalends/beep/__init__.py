"""BEEP (RFC 3080) over TCP (RFC 3081) without I/O: frames, channels, windows, TLS and SASL tuning."""

from kalends.beep.codes import ReplyCode
from kalends.beep.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from kalends.beep.events import Event, ProfileOffer
from kalends.beep.limits import Limits
from kalends.beep.mechanisms import Anonymous, External, Plain, ScramSha256
from kalends.beep.security import SASL_PREFIX, TLS_PROFILE, Security
from kalends.beep.session import Role, Session

__all__ = [
    "SASL_PREFIX",
    "TLS_PROFILE",
    "Anonymous",
    "Event",
    "External",
    "Limits",
    "LocalProtocolError",
    "Plain",
    "ProfileOffer",
    "ProtocolError",
    "RemoteProtocolError",
    "ReplyCode",
    "Role",
    "ScramSha256",
    "Security",
    "Session",
]
