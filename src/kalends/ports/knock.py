"""Knocking: one connect to one address of one port, a short listen, one question; to learn what is spoken.

Not a scanner: loopback unless one host is named, one port, tcp only. It leaves a line in the service's log.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from kalends.ports import speech
from kalends.ports.clean import clean

if TYPE_CHECKING:
    from kalends.beep import events
    from kalends.beep.session import Session

CONNECT_SECONDS = 1.0
"""No answer for this long on loopback or a named host means filtered."""
LISTEN_SECONDS = 0.4
"""How long a service that greets is given to do so."""
MAX_OCTETS = 8192
"""A greeting longer than this tells no more."""

_STATES = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "no answer",
    errno.EACCES: "not permitted",
    errno.EPERM: "not permitted",
    errno.EHOSTUNREACH: "rejected by a filter",
    errno.ENETUNREACH: "no route",
    errno.EADDRNOTAVAIL: "no such local address",
    errno.EAFNOSUPPORT: "no IPv6 here",
}
_POSTGRES_TLS_QUESTION = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"

SIGNPOST_PAD = 16
"""Lines that make the question larger than any answer: a signpost never says more than it was sent."""
MAX_STEPS = 20
"""Pieces read from a BEEP listener until it has greeted twice."""


class Knock(NamedTuple):
    """The result of one connect.

    Attributes:
        address: numeric host knocked at.
        state: connected, refused, no answer, not permitted, rejected by a filter, no route, …
        seconds: until the connect was answered.
        said: what is spoken, None when silent or not recognised.
        silent: connected, and nothing was said to any question.
        transport: tcp, or udp for a signpost that was asked.
    """

    address: str
    state: str
    seconds: float = 0.0
    said: speech.Speech | None = None
    silent: bool = False
    detail: tuple[str, ...] = ()
    transport: str = "tcp"


def knock(address: str, port: int, server_name: str | None = None) -> Knock:
    """Connect once or, to ask, at most four times, and tell what answers.

    Args:
        address: a numeric IPv4 or IPv6 address.
        port: 1..65535.
        server_name: the name asked for in a TLS hello and a Host header.
    """
    began = time.monotonic()
    try:
        greeting = _exchange(address, port, None)
    except OSError as error:
        return Knock(address, _state(error), time.monotonic() - began, detail=_odd(error))
    took = time.monotonic() - began
    said = speech.recognise(greeting) if greeting else None
    if said is not None and said.protocol == "BEEP" and speech.TLS_PROFILE in greeting:
        said = _beep_in_tls(address, port, server_name or address) or said
    if said is not None:
        return Knock(address, "connected", took, said)
    if greeting:
        return Knock(address, "connected", took, detail=(f"said {_quoted(greeting)}",))
    return _ask(address, port, server_name or address, took)


def ask_signpost(address: str, port: int) -> Knock:
    """Ask a CAP signpost over udp, the one thing that is ever sent there: one padded GET-CAPABILITY, once.

    Args:
        address: a numeric IPv4 or IPv6 address.
        port: 1..65535.

    Returns:
        Silent where nobody answers within the listening time: udp cannot tell that from a filter.
    """
    began = time.monotonic()
    name = os.urandom(8).hex()
    head = (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Kalends//port//EN\r\nCMD;ID={name}:GET-CAPABILITY\r\n"
    )
    question = head + f"X-PAD:{'x' * 60}\r\n" * SIGNPOST_PAD + "END:VCALENDAR\r\n"
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(LISTEN_SECONDS)
            sock.connect((address, port))
            sock.send(question.encode())
            answer = sock.recv(MAX_OCTETS)
    except TimeoutError:
        return Knock(address, "connected", silent=True, transport="udp")
    except OSError as error:
        return Knock(address, _state(error), detail=_odd(error), transport="udp")
    took = time.monotonic() - began
    if f"CMD;ID={name}:REPLY".encode() not in answer or b"CAP-VERSION:" not in answer:
        return Knock(address, "connected", took, detail=(f"answered {_quoted(answer)}",), transport="udp")
    return Knock(address, "connected", took, speech.signpost(answer), transport="udp")


def _ask(address: str, port: int, name: str, took: float) -> Knock:
    """A service that waits to be spoken to: ask for HTTP, then for TLS, then for PostgreSQL."""
    host = f"[{name}]" if ":" in name else name
    head = f"HEAD / HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: kalends-port\r\nConnection: close\r\n\r\n"
    answer = _try(address, port, head.encode("ascii", "replace"))
    said = speech.recognise(answer)
    if said is not None and not _tls_alert(answer):
        return Knock(address, "connected", took, said)
    tls = _tls(address, port, name)
    if tls is not None:
        return Knock(address, "connected", took, tls)
    if _try(address, port, _POSTGRES_TLS_QUESTION)[:1] in (b"S", b"N") and not answer:
        return Knock(address, "connected", took, speech.POSTGRES(b""))
    if answer:
        return Knock(address, "connected", took, detail=(f"answered {_quoted(answer)}",))
    return Knock(address, "connected", took, silent=True)


def _tls_alert(data: bytes) -> bool:
    return data[:2] == b"\x15\x03"


def _quoted(data: bytes) -> str:
    return f"“{clean(data[:80].decode('latin-1'), 60)}”"


def _try(address: str, port: int, question: bytes) -> bytes:
    try:
        return _exchange(address, port, question)
    except OSError:  # it hung up on the question: that is an answer of nothing
        return b""


def _exchange(address: str, port: int, question: bytes | None) -> bytes:
    """Connect, say something or nothing, and return what comes within the listening time."""
    data = b""
    with socket.create_connection((address, port), CONNECT_SECONDS) as sock:
        if question is not None:
            sock.sendall(question)
        until = time.monotonic() + LISTEN_SECONDS
        while len(data) < MAX_OCTETS and (left := until - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                piece = sock.recv(MAX_OCTETS - len(data))
            except TimeoutError:
                break
            except ConnectionResetError:
                break
            if not piece:
                break
            data += piece
            if b"END\r\n" in data or (
                question is None and data.endswith(b"\n") and not data.startswith(b"RPY")
            ):
                break
    return data


def _tls(address: str, port: int, name: str) -> speech.Speech | None:
    import ssl  # noqa: PLC0415 - 40 ms that a plain look does not pay

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # who it is does not matter here, only that it is TLS
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        with (
            socket.create_connection((address, port), CONNECT_SECONDS) as sock,
            context.wrap_socket(sock, server_hostname=name) as wrapped,
        ):
            version, alpn = wrapped.version() or "TLS", wrapped.selected_alpn_protocol()
            detail = (
                f"{version}, " + (f"offers {alpn} over it" if alpn else "says nothing of what is inside"),
            )
            if alpn:
                return speech.Speech("TLS", ("https",), detail)
            return speech.Speech("TLS", ("https", "imaps", "pop3s", "ldaps", "ircs-u", "submissions"), detail)
    except ssl.SSLError as error:
        if (
            error.reason
            in {
                "WRONG_VERSION_NUMBER",
                "UNEXPECTED_EOF_WHILE_READING",
                "RECORD_LAYER_FAILURE",
                "HTTP_REQUEST",
                "PACKET_LENGTH_TOO_LONG",
            }
            or error.reason is None
        ):
            return None
        return speech.Speech(
            "TLS", ("https", "imaps", "pop3s", "ldaps"), (f"refused our hello: {error.reason}",)
        )
    except OSError:  # closed or silent: not TLS
        return None


def _beep_in_tls(address: str, port: int, name: str) -> speech.Speech | None:
    """Ask a BEEP listener for TLS and read its second greeting, which names the profiles (RFC 4324 §12.3)."""
    import ssl  # noqa: PLC0415 - as above

    from kalends.beep import events  # noqa: PLC0415 - only where BEEP is spoken
    from kalends.beep.session import Role, Session  # noqa: PLC0415 - only where BEEP is spoken

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    session = Session(Role.INITIATOR, now=time.monotonic())
    asked = False
    try:
        with ExitStack() as open_sockets:
            stream = open_sockets.enter_context(socket.create_connection((address, port), CONNECT_SECONDS))
            for _ in range(MAX_STEPS):
                for event in _exchanged(session, stream):
                    if isinstance(event, events.SessionTerminated):
                        return None
                    if isinstance(event, events.TlsUpgrade):
                        wrapped = context.wrap_socket(stream, server_hostname=name)
                        stream = open_sockets.enter_context(wrapped)
                        session.tls_established(time.monotonic())
                    elif isinstance(event, events.GreetingReceived) and session.private:
                        return speech.beep(
                            [uri.encode() for uri in event.profiles], ("in TLS, which it demands",)
                        )
                    elif isinstance(event, events.GreetingReceived) and not asked:
                        asked = True
                        session.start_tls(name)
    except (OSError, ssl.SSLError):  # it hung up or was silent: what it said before stands
        return None
    return None


def _exchanged(session: Session, stream: socket.socket) -> list[events.Event]:
    """Send what a session has to say, read once, and give what happened."""
    stream.settimeout(CONNECT_SECONDS)
    if data := session.data_to_send():
        stream.sendall(data)
    happened = [
        *session.take_events(),
        *session.receive_data(stream.recv(MAX_OCTETS), time.monotonic()),
    ]
    stream.sendall(session.data_to_send())
    return happened


def _state(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    return _STATES.get(error.errno or 0, "error")


def _odd(error: OSError) -> tuple[str, ...]:
    return () if isinstance(error, TimeoutError) or error.errno in _STATES else (clean(str(error), 100),)
