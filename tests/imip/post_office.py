"""A real SMTP server in a thread (aiosmtpd) that takes, delays or refuses as a test tells it."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class PostOffice:
    """A mail server.

    Attributes:
        mails: recipient and octets of each mail it took.
        answers: what RCPT of an address is answered with, instead of 250.
        at_end: what the end of DATA is answered with, instead of 250.
        on_mail: called when a mail has come, before it is answered.
        logins: user and password of who logged in.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, password: str = "", hostname: str = "127.0.0.1"
    ) -> None:
        self.mails: list[tuple[str, bytes]] = []
        self.answers: dict[str, str] = {}
        self.at_end = ""
        self.on_mail: Callable[[], None] = lambda: None
        self.logins: list[tuple[str, str]] = []
        self._password = password
        more: dict[str, Any] = {"tls_context": tls, "require_starttls": True} if tls else {}
        if password:
            more |= {"authenticator": self._login, "auth_required": True, "auth_require_tls": tls is not None}
        self._make = lambda: SMTP(self, hostname=hostname, **more)
        self._hostname = hostname
        self._loop: asyncio.AbstractEventLoop
        self._thread: threading.Thread | None = None
        self.port = 0

    def open(self) -> None:
        """Listen; the port stays the same when it is opened again."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await self._loop.create_server(self._make, self._hostname, self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def shut(self) -> None:
        """Listen no more, and end all connections."""
        if self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._thread = None

    async def _close(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def read(self) -> list[EmailMessage]:
        """What came, as mail programs read it."""
        return [message_from_bytes(data, policy=default) for _, data in self.mails]  # type: ignore[misc]

    def _login(
        self, _server: object, _session: object, _envelope: object, _how: str, said: object
    ) -> AuthResult:
        assert isinstance(said, LoginPassword)
        self.logins.append((said.login.decode(), said.password.decode()))
        return AuthResult(success=said.password.decode() == self._password, handled=False)

    async def handle_RCPT(
        self, _server: object, _session: object, envelope: Any, address: str, _options: object
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:
        if self.at_end:
            return self.at_end
        self.mails += [(to, envelope.original_content) for to in envelope.rcpt_tos]
        self.on_mail()
        return "250 2.0.0 taken"
