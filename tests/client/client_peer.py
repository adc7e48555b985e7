"""A CAP server made of answers written by hand, over the real BEEP engine: in memory or on a socket."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kalends.beep import Role, Security, Session
from kalends.beep import events as beep
from kalends.beep.scram import make_verifier
from kalends.client.answers import read_replies
from kalends.client.commands import HEADER

CAP = "http://iana.org/beep/cap/1.0"
PASSWORD = "correct horse"
VERIFIER = make_verifier(PASSWORD, salt=b"0123456789abcdef", iterations=4096)
SECRET = b"0123456789abcdef0123456789abcdef"

Answer = Callable[["Peer", beep.MessageReceived], None]


def text(body: str) -> bytes:
    """A payload from lines."""
    return HEADER + "".join(line + "\r\n" for line in body.strip().splitlines()).encode()


def reply(command_id: str | None, target: str, *lines: str) -> bytes:
    """A REPLY with one VREPLY."""
    cmd = f"CMD;ID={command_id}:REPLY" if command_id else "CMD:REPLY"
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", cmd]
    if target:
        head.append(f"TARGET:{target}")
    return text("\n".join([*head, "BEGIN:VREPLY", *lines, "END:VREPLY", "END:VCALENDAR"]))


def capable(peer: Peer, event: beep.MessageReceived) -> None:
    """The usual answer to GET-CAPABILITY, and the server's own question."""
    answer = reply("k1", "", "CAP-VERSION:4324", "COMPONENTS:VEVENT,VTODO", "MAX-COMP-SIZE:0")
    peer.session.send_reply(event.channel, event.msgno, answer)
    asked = text("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nCMD;ID=s1:GET-CAPABILITY\nEND:VCALENDAR")
    peer.session.send_message(event.channel, asked)


def answers(*payloads: bytes) -> Answer:
    """One RPY, or ANS … NUL when there are several payloads."""

    def give(peer: Peer, event: beep.MessageReceived) -> None:
        if len(payloads) == 1:
            peer.session.send_reply(event.channel, event.msgno, payloads[0])
            return
        for payload in payloads:
            peer.session.send_answer(event.channel, event.msgno, payload)
        peer.session.send_nul(event.channel, event.msgno)

    return give


@dataclass
class Peer:
    """The server's side of one session; every command is answered from `script`, in order."""

    script: list[Answer]
    security: Security = field(
        default_factory=lambda: Security(tls=True, mechanisms=("SCRAM-SHA-256", "PLAIN"), secret=SECRET)
    )
    verifier: str = VERIFIER
    profiles: tuple[str, ...] = (CAP,)
    commands: list[str] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    seen: list[beep.Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = Session(
            Role.LISTENER, profiles=self.profiles, localize=("en",), security=self.security, now=0.0
        )
        self.script = [capable, *self.script]
        self.tls_wanted = False

    def receive(self, data: bytes) -> bytes:
        """Octets in, octets out."""
        self.handle(self.session.receive_data(data, 0.0))
        return self.send()

    def send(self) -> bytes:
        out = b""
        while data := self.session.data_to_send():
            out += data
            self.handle(self.session.take_events())
        return out

    def handle(self, events: list[beep.Event]) -> None:
        for event in events:
            self.seen.append(event)
            if isinstance(event, beep.StartRequested):
                self.session.accept_start(event.channel, event.profiles[0].uri)
            elif isinstance(event, beep.CredentialsWanted):
                known = event.authcid.partition("@")[0] == "amira"
                self.session.provide_credentials(event.channel, self.verifier if known else None)
            elif isinstance(event, beep.VerifyPlain):
                self.session.finish_verify(event.channel, event.work.run())
            elif isinstance(event, beep.TlsUpgrade):
                self.tls_wanted = True
            elif isinstance(event, beep.ReleaseRequested):
                self.session.accept_release()
            elif isinstance(event, beep.MessageReceived):
                self.commands.append(event.payload.decode())
                self.script.pop(0)(self, event)
            elif isinstance(event, beep.ReplyReceived | beep.ErrorReceived):
                self.replies.append(event.payload.decode())
            self.handle(self.session.take_events())

    def verb(self, number: int) -> str:
        """The verb of the command that came as number so and so."""
        [asked] = read_replies(self.commands[number].encode())
        return asked.command


@dataclass(frozen=True)
class Listening:
    """Where a peer listens."""

    url: str
    port: int
    peers: list[Peer]


@contextlib.contextmanager
def listening(make: Callable[[], Peer], certificate: tuple[Path, Path] | None = None) -> Iterator[Listening]:
    """Serve peers on a free loopback port, one thread for each connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    peers: list[Peer] = []
    sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            peer = make()
            peers.append(peer)
            sockets.append(plain)
            thread = threading.Thread(target=converse, args=(peer, plain, certificate), daemon=True)
            threads.append(thread)
            thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    port = listener.getsockname()[1]
    try:
        yield Listening(f"cap://127.0.0.1:{port}", port, peers)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for open_one in sockets:
            with contextlib.suppress(OSError):
                open_one.shutdown(socket.SHUT_RDWR)
        for thread in [acceptor, *threads]:
            thread.join(10)
        for open_one in sockets:
            open_one.close()


def converse(peer: Peer, plain: socket.socket, certificate: tuple[Path, Path] | None) -> None:
    """Carry octets until somebody hangs up."""
    connection = plain
    with contextlib.suppress(OSError, ssl.SSLError):
        connection.sendall(peer.send())
        while data := connection.recv(65536):
            connection.sendall(peer.receive(data))
            if peer.tls_wanted and certificate is not None:
                peer.tls_wanted = False
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*certificate)
                connection = context.wrap_socket(connection, server_side=True)
                peer.session.tls_established(0.0)
                connection.sendall(peer.send())
            if peer.session.terminated:
                break
    connection.close()


def make_certificate(folder: Path, host: str = "localhost", email: str = "") -> tuple[Path, Path]:
    """A self-signed certificate and its key, in PEM."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    begin = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=36500))
        .add_extension(
            x509.SubjectAlternativeName([x509.RFC822Name(email) if email else x509.DNSName(host)]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert, key
