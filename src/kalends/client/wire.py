"""The octets of the socket: plain at first, through TLS once the session asks for it (RFC 3080 §3)."""

from __future__ import annotations

import ssl

from kalends.client.address import Address
from kalends.client.errors import ClientError, ConnectError, LostError
from kalends.client.options import Options
from kalends.client.session import CapSession, Stage

CHUNK = 256 * 1024
"""Octets taken out of TLS at once; a TLS record holds at most 16 KiB."""


class Wire:
    """A session and its TLS, without a socket: what the shells drive.

    Args:
        address: the server.
        options: who we are and what we accept.
        now: seconds of the shell's clock.

    Raises:
        ConnectError: files needed for TLS cannot be used.
    """

    def __init__(self, address: Address, options: Options, now: float) -> None:
        self.session = CapSession(address, options, now)
        self._address = address
        self._name = options.server_name or address.host
        self._plan = options.trust.plan(address, options.server_name) if options.tls else None
        self._context = self._plan.context() if self._plan is not None else None
        self._tls: ssl.SSLObject | None = None
        self._shaken = False
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._plain = bytearray()

    def receive(self, data: bytes, now: float) -> None:
        """Take octets from the socket; b"" means the server hung up."""
        if self._tls is None:
            self.session.receive_data(data, now)
        else:
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()
            self._advance(now)
        self._begin_tls(now)

    def to_send(self, now: float) -> bytes:
        """Take octets for the socket."""
        if self._tls is None:
            self._plain += self.session.data_to_send()
            self._begin_tls(now)
        elif self._shaken:
            data = self.session.data_to_send()
            if data:
                self._tls.write(data)
        out = bytes(self._plain) + self._outgoing.read()
        self._plain.clear()
        return out

    def handle_timer(self, now: float) -> None:
        """Let time pass."""
        self.session.handle_timer(now)

    def _begin_tls(self, now: float) -> None:
        if not self.session.wants_tls or self._tls is not None or self._context is None:
            return
        self._plain += self.session.data_to_send()  # what belongs before the handshake
        self._tls = self._context.wrap_bio(
            self._incoming, self._outgoing, server_side=False, server_hostname=self._name
        )
        self._advance(now)

    def _advance(self, now: float) -> None:
        try:
            if not self._shaken:
                self._shake(now)
            if self._shaken:
                self._drain(now)
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            assert self._plan is not None
            lost = self.session.stage is Stage.READY
            self.session.fail(
                LostError(f"TLS with {self._address} broke off: {error.reason}")
                if lost
                else self._plan.explain(error)
            )
        except ClientError as error:
            self.session.fail(error)

    def _shake(self, now: float) -> None:
        assert self._tls is not None
        assert self._plan is not None
        try:
            self._tls.do_handshake()
        except ssl.SSLEOFError:
            raise ConnectError(f"{self._address} hung up during the TLS handshake") from None
        self._plan.judge(self._tls.getpeercert(binary_form=True))
        self._shaken = True
        self.session.tls_established(now)

    def _drain(self, now: float) -> None:
        assert self._tls is not None
        while True:
            try:
                data = self._tls.read(CHUNK)
            except ssl.SSLEOFError:  # hung up without close_notify: BEEP itself knows whether all was said
                data = b""
            self.session.receive_data(data, now)
            if not data:
                return
