"""The mail server that takes what goes out, and one connection to it (RFC 5321, RFC 3207, RFC 8314)."""

from __future__ import annotations

import smtplib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kalends.imip import verdicts
from kalends.imip.verdicts import Verdict
from kalends.imip.writing import Mail
from kalends.serve.config import MAIL_PORTS, Config

ANSWERS = 6
"""Answers a server gives to one mail at most, each as slowly as it may: MAIL, RCPT, DATA, its end, RSET."""


class RelayError(Exception):
    """The mail server cannot be used now; the text is one line for people, without secrets."""


class Relay:
    """A mail server.

    Args:
        config: where it is, and how one logs in there.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._server: smtplib.SMTP | None = None
        self._lock = threading.Lock()

    @property
    def longest(self) -> float:
        """Seconds that one mail may take."""
        return self._config.mail_timeout * ANSWERS

    @contextmanager
    def connected(self) -> Iterator[Relay]:
        """Connect and log in, and hang up afterwards.

        Raises:
            RelayError: it cannot be reached, is not who it should be, or does not let us in.
        """
        try:
            with self._opened() as server:
                yield self
                self._quit(server)
        finally:
            with self._lock:
                self._server = None

    @contextmanager
    def _opened(self) -> Iterator[smtplib.SMTP]:
        server: smtplib.SMTP | None = None
        try:
            server = self._connect()
            with self._lock:
                self._server = server
            self._enter(server)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            if server is not None:
                server.close()
            raise RelayError(self._said(error)) from None
        try:
            yield server
        finally:
            server.close()

    def _connect(self) -> smtplib.SMTP:
        config = self._config
        host, port = config.mail_host, config.mail_port or MAIL_PORTS[config.mail_tls]
        name = None if config.csid == "localhost" else config.csid  # what EHLO says; else the machine's name
        seconds = config.mail_timeout
        if config.mail_tls == "tls":
            context = _context(config.mail_ca)
            return smtplib.SMTP_SSL(host, port, local_hostname=name, timeout=seconds, context=context)
        return smtplib.SMTP(host, port, local_hostname=name, timeout=seconds)

    def _enter(self, server: smtplib.SMTP) -> None:
        config = self._config
        server.ehlo_or_helo_if_needed()
        if config.mail_tls == "starttls":
            server.starttls(context=_context(config.mail_ca))  # raises where it is not offered
            server.ehlo_or_helo_if_needed()
        if config.mail_user:
            assert config.mail_password_file is not None, "checked with the settings"
            password = config.mail_password_file.read_text("utf-8").partition("\n")[0].rstrip("\r")
            if not password.isascii():  # the library would quote it when it fails
                raise ValueError("the password has letters beyond ASCII, which SMTP's logins cannot carry")
            server.login(config.mail_user, password)

    def _said(self, error: Exception) -> str:
        """Why it failed. Of a refused login the code alone is told: a server may repeat what it got."""
        where = f"{self._config.mail_host}: "
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return f"{where}the login as {self._config.mail_user} was refused ({error.smtp_code})"
        if isinstance(error, smtplib.SMTPResponseException):
            said = error.smtp_error
            words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
            return where + verdicts.shown(f"{error.smtp_code} {words}")
        if isinstance(error, OSError) and error.strerror:
            what = f"{error.filename}: " if error.filename else ""
            return where + verdicts.shown(what + error.strerror)
        return where + verdicts.shown(str(error) or type(error).__name__)

    def send(self, mail: Mail) -> Verdict:
        """Send one mail over the connection.

        Returns:
            What became of it. An answer that never came counts as a failure that may go away: the mail may
            arrive twice then, with the same Message-ID.

        Raises:
            RelayError: the connection is gone, or what the server refused is not about this mail's recipient.
        """
        server = self._server
        assert server is not None, "not connected"
        try:
            code, reply = server.mail(mail.envelope_from)
            if code != 250:  # about us, not about whom it is for
                raise RelayError(f"{self._config.mail_host}: " + verdicts.judged(code, reply).words)
            code, reply = server.rcpt(mail.to)
            if code not in (250, 251):
                server.rset()
                return verdicts.judged(code, reply)
            try:
                code, reply = server.data(mail.data)
            except smtplib.SMTPDataError as error:  # refused before it was sent
                code, reply = error.smtp_code, _octets(error.smtp_error)
            if code != 250:
                server.rset()
            return verdicts.judged(code, reply)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise RelayError(self._said(error)) from None

    def _quit(self, server: smtplib.SMTP) -> None:
        """Say goodbye; a server that does not listen any more is no failure."""
        try:
            server.quit()
        except (OSError, smtplib.SMTPException):
            server.close()

    def cut_off(self) -> None:
        """End the connection at once, from another thread: whoever uses it gets a RelayError."""
        with self._lock:
            sock = None if self._server is None else self._server.sock
        if sock is not None:
            _shut(sock)


def _octets(reply: bytes | str) -> bytes:
    return reply if isinstance(reply, bytes) else reply.encode()


def _shut(sock: object) -> None:
    import socket  # noqa: PLC0415 - only when a server ends in a hurry

    assert isinstance(sock, socket.socket)
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        sock.close()  # it was gone already


def _context(authorities: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=None if authorities is None else str(authorities))
