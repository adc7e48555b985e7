"""What is served over HTTP: a table from path to handler, and who is asking (Basic, RFC 7617)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import time
from collections.abc import Awaitable, Callable
from html import escape

from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

from kalends.beep.saslprep import saslprep
from kalends.beep.scram import fake_verifier, read_verifier
from kalends.beep.verify import PlainWork
from kalends.core import identity
from kalends.core.errors import InvalidError
from kalends.core.model import Policy
from kalends.core.names import complete_upn
from kalends.ports import page, site
from kalends.ports.registry import Registry
from kalends.ports.site import HTML, Answer
from kalends.serve.throttle import Throttle
from kalends.store.base import Store
from kalends.store.errors import StoreError

log = logging.getLogger(__name__)

LOOK_UPS = 4
"""Port pages made at once: each may knock for a second or two."""
REALM = ("www-authenticate", 'Basic realm="Kalends", charset="UTF-8"')

Handler = Callable[["Request"], Awaitable[Answer]]


class Request:
    """One request, as far as the handlers want to know it.

    Args:
        scope: ASGI's own.
    """

    def __init__(self, scope: HTTPScope) -> None:
        self.method = scope["method"]
        raw = scope.get("raw_path") or scope["path"].encode()
        self.path = raw.decode("latin-1")
        self.query = scope["query_string"].decode("latin-1")
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        client = scope.get("client")
        self.peer = client[0] if client else ""
        self.private = scope["scheme"] == "https" or self.peer in ("127.0.0.1", "::1")


class Site:
    """The ASGI application.

    Args:
        store: for asking who somebody is.
        policy: realm and CSID.
        throttle: counts wrong passwords, together with CAP's.
        secret: makes unknown users look like known ones.
        cap_port: what the first page says of CAP.
    """

    def __init__(
        self, store: Store, policy: Policy, throttle: Throttle, secret: bytes, cap_port: int
    ) -> None:
        self._store, self._policy, self._throttle, self._secret = store, policy, throttle, secret
        self._cap_port = cap_port
        self._registry = Registry.load()
        self._looks = asyncio.Semaphore(LOOK_UPS)
        self.handlers: dict[str, Handler] = {"": self._front, "port": self._port}

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer one request."""
        assert scope["type"] == "http"
        request = Request(scope)
        handler = self.handlers.get(request.path.split("/")[1] if "/" in request.path else "")
        if handler is None:
            answer = _plain(404, "There is nothing here. Ports are at /port/.")
        elif request.method not in ("GET", "HEAD"):
            answer = _plain(405, "Only GET and HEAD are understood here.", ("allow", "GET, HEAD"))
        else:
            answer = await handler(request)
        headers = [(name.encode(), value.encode("latin-1")) for name, value in answer.headers]
        headers.append((b"content-length", str(len(answer.body)).encode()))
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": headers, "trailers": False}
        )
        body = b"" if request.method == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _front(self, request: Request) -> Answer:
        if request.path != "/":
            return _plain(404, "There is nothing here. Ports are at /port/.")
        body = (
            '<h1>Kalends</h1><p class="lead">A calendar server that speaks CAP (RFC 4324) on port '
            f"{self._cap_port}.</p><section><p>This store is <code>cap://{escape(self._policy.csid)}</code>. "
            'What is registered for port 1026, and what listens there: <a href="/port/1026">/port/1026</a>.'
            "</p></section>"
        )
        return Answer(200, (("content-type", HTML), *site.SECURITY), page.document("Kalends", body).encode())

    async def _port(self, request: Request) -> Answer:
        admin = False
        if "authorization" in request.headers:
            allowed = await self._is_admin(request)
            if allowed is None:
                return _plain(401, "That user name and password do not fit.", REALM)
            admin = allowed
        elif "sign-in" in request.query.split("&"):
            return _plain(401, "Sign in as an administrator of this store to see processes.", REALM)
        async with self._looks:
            return await asyncio.to_thread(
                site.respond,
                self._registry,
                request.path,
                request.query,
                request.headers.get("accept", ""),
                admin=admin,
            )

    async def _is_admin(self, request: Request) -> bool | None:
        """Whether an administrator asks; None for wrong credentials, or ones shown in the open."""
        given = _basic(request.headers["authorization"])
        if given is None or not request.private:
            return None
        now = time.monotonic()
        await asyncio.sleep(self._throttle.delay(request.peer, given[0], now))
        try:
            allowed = await asyncio.to_thread(self._check, *given)
        except StoreError as error:
            log.warning("cannot check a password: %s", error)
            return None
        if allowed is None:
            self._throttle.failed(request.peer, given[0], now)
        else:
            self._throttle.succeeded(request.peer, given[0])
        return allowed

    def _check(self, user: str, password: str) -> bool | None:
        try:
            upn, prepared = complete_upn(user, self._policy), saslprep(password)
        except (InvalidError, ValueError):
            upn, prepared = "@", password
        known, who = self._store.read(lambda tx: (identity.verifier_of(tx, upn), identity.identify(tx, upn)))
        verifier = read_verifier(known) if known else fake_verifier(self._secret, user)
        fits = PlainWork(prepared, verifier).run()
        return who.admin if fits and known and who is not None else None


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "basic" or len(token) > 2000:
        return None
    try:
        user, colon, password = base64.b64decode(token, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None


def _plain(status: int, text: str, *extra: tuple[str, str]) -> Answer:
    return Answer(
        status, (("content-type", "text/plain; charset=utf-8"), *site.SECURITY, *extra), f"{text}\n".encode()
    )
