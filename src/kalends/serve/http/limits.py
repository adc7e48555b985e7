"""Every bound of the HTTP listener, with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """What a peer may cost before it is refused or cut off; tests make small ones.

    Attributes:
        connections: at once; one more is answered 503.
        per_address: at once from one address; a trusted proxy has no such limit, for it speaks for many.
        target_octets: of the request target; 414 above it.
        head_octets: of request line and header fields together; 431 above it.
        head_lines: header fields; 431 above it.
        head_seconds: from the first octet of a head (or from connecting) to its end; 408 after it.
        body_grace, body_rate: a body has `body_grace` seconds and one more for each `body_rate` octets that
            came: who sends octet by octet to hold a place (slowloris) is answered 408.
        stall_seconds: how long a peer may leave an answer unread; then it is cut off. The transport holds
            some 64 kB, so this is a least rate too.
        idle_seconds: how long a connection is kept for the next request.
        pipelined: requests read ahead of the one being answered; the peer's socket waits for the rest.
        bodies_in_memory: octets of request bodies held for all connections together; 503 above it.
        linger_seconds, linger_octets: after an early refusal what still comes is read and dropped for so
            long: closing at once would make the peer's kernel throw our answer away (RFC 9112 §9.6).
        tick: seconds between two looks for who is late.
    """

    connections: int = 1024
    per_address: int = 256
    target_octets: int = 8_192
    head_octets: int = 32_768
    head_lines: int = 100
    head_seconds: float = 15.0
    body_grace: float = 15.0
    body_rate: int = 1_000
    stall_seconds: float = 30.0
    idle_seconds: float = 60.0
    pipelined: int = 16
    bodies_in_memory: int = 256 * 1024**2
    linger_seconds: float = 2.0
    linger_octets: int = 4 * 1024**2
    tick: float = 1.0


PIECE = 65_536
"""Octets handed to the transport at once: larger answers go piece by piece as the peer reads."""
EXTRA_WIRE = 512 * 1024
"""Octets a body may take on the wire beyond eight times its content: chunk sizes, extensions, trailers."""
TLS_HANDSHAKE_SECONDS = 10.0
BACKLOG = 1024
"""Connections the kernel may hold while the loop is busy."""
