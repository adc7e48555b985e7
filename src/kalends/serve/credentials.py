"""Who sends a request: Basic (RFC 7617), app passwords, and a seam for bearer tokens (RFC 6750).

A password is checked with PBKDF2 in a helper thread, which costs milliseconds, and then remembered for a
short time under a keyed hash. Whether it is still the user's password is asked with every request, in the
request's own transaction (`Login.holds`): a changed password, a removed user or a revoked app password ends
it at once.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import secrets
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from kalends.beep.saslprep import saslprep
from kalends.beep.scram import fake_verifier, read_verifier
from kalends.beep.verify import PlainWork
from kalends.core.errors import InvalidError
from kalends.core.model import Identity, Policy
from kalends.core.names import ANONYMOUS, complete_upn
from kalends.core.people import identity
from kalends.serve.http.answers import RETRY, Answer, plain
from kalends.serve.http.head import Head
from kalends.serve.proxies import Seen
from kalends.serve.rates import neighbourhood
from kalends.serve.throttle import Throttle
from kalends.store import tokens
from kalends.store.base import Store, Tx
from kalends.store.errors import StoreError

log = logging.getLogger(__name__)

REMEMBERED_SECONDS = 120.0
"""How long a checked password is not checked again."""
REMEMBERED = 4_096
"""Checked passwords remembered; the longest unused are forgotten first."""
WAITING = 64
"""Passwords being checked, or held up by the throttle, at once; more are answered 503."""
WAITING_PER_ADDRESS = 8
"""Of those from one address: guessing side by side is no way around the throttle."""
MAX_HEADER = 4_096
"""Characters of an Authorization field that are looked at."""
REALM = 'Basic realm="Kalends", charset="UTF-8"'


class BearerVerifier(Protocol):
    """What makes a bearer token a user, such as an OpenID provider's keys; none is configured by default."""

    def verify(self, token: str) -> str | None:
        """The UPN a token proves, or None. Runs in a helper thread and may take its time."""


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody who proved who they are, or nobody.

    Attributes:
        identity: whose rights count.
        key: under which it is remembered; b'' for what is not.
        holds: asks in a transaction whether the proof still counts.
    """

    identity: Identity
    key: bytes
    holds: Callable[[Tx], bool]

    @property
    def anonymous(self) -> bool:
        """Whether nobody was named."""
        return self.identity.upn == ANONYMOUS


NOBODY = Login(Identity(ANONYMOUS), b"", lambda _: True)

Checked = Login | Answer


class Credentials:
    """Checks who asks.

    Args:
        store: for asking who somebody is.
        policy: realm and CSID.
        throttle: counts wrong passwords, together with CAP's.
        secret: makes unknown users look like known ones.
        compute: runs work in a helper thread.
        used: is told which app password was good, and when it was used before.
        bearer: checks bearer tokens; None when there are none.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy,
        throttle: Throttle,
        secret: bytes,
        compute: Callable[[Callable[[], Any]], Awaitable[Any]],
        used: Callable[[str, int | None], None] | None = None,
        bearer: BearerVerifier | None = None,
    ) -> None:
        self._store, self._policy, self._throttle, self._secret = store, policy, throttle, secret
        self._compute, self._used, self._bearer = compute, used, bearer
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, tuple[Login, float]] = OrderedDict()
        self._checking: dict[bytes, asyncio.Future[Checked]] = {}
        self._waiting: Counter[str] = Counter()

    @property
    def challenges(self) -> tuple[tuple[str, str], ...]:
        """The WWW-Authenticate fields of a 401."""
        fields = [("www-authenticate", REALM)]
        if self._bearer is not None:
            fields.append(("www-authenticate", 'Bearer realm="Kalends"'))
        return tuple(fields)

    def refusal(self, text: str) -> Answer:
        """A 401 with a sentence."""
        return plain(401, text, *self.challenges)

    def check(self, head: Head, seen: Seen) -> Checked | Coroutine[Any, Any, Checked]:
        """Who asks: at once where that is known, later where a password has to be checked.

        Args:
            head: its Authorization counts.
            seen: from where, and whether anybody could read along.

        Returns:
            The login (`NOBODY` without credentials), or the answer that refuses.
        """
        header = head.headers.get("authorization")
        if header is None:
            return NOBODY
        if not seen.private:
            return plain(403, _exposed(head))
        if len(header) > MAX_HEADER:
            return self.refusal("The Authorization of this request is too long.")
        key = hashlib.blake2b(header.encode("latin-1", "replace"), key=self._key, digest_size=32).digest()
        known = self._known.get(key)
        if known is not None and known[1] > asyncio.get_running_loop().time():
            self._known.move_to_end(key)
            return known[0]
        return self._check(header, key, seen.address)

    async def certain(self, head: Head, seen: Seen) -> Checked:
        """Who asks, as things stand now, for what is answered without a transaction of its own."""
        for _ in range(2):
            checked = self.check(head, seen)
            login = checked if isinstance(checked, Login | Answer) else await checked
            if isinstance(login, Answer) or await self._compute(
                lambda login=login: self._store.read(login.holds)  # type: ignore[misc]
            ):
                return login
            self.forget(login)
        return self.refusal("That user was changed at the same moment; try again.")

    def forget(self, login: Login) -> None:
        """The proof counts no more."""
        self._known.pop(login.key, None)

    async def _check(self, header: str, key: bytes, address: str) -> Checked:
        running = self._checking.get(key)
        if running is not None:  # a client that opens several connections at once
            return await asyncio.shield(running)
        place = neighbourhood(address)
        if len(self._checking) >= WAITING or self._waiting[place] >= WAITING_PER_ADDRESS:
            return plain(503, "Too many passwords are being checked at once; try again.", RETRY)
        loop = asyncio.get_running_loop()
        self._waiting[place] += 1
        # A task of its own: several requests may wait for it, and the first of them may go away.
        task = loop.create_task(self._find(header, address))
        self._checking[key] = task
        try:
            checked = await asyncio.shield(task)
        finally:
            task.add_done_callback(lambda _: self._ended(key, place))
        return checked

    def _ended(self, key: bytes, place: str) -> None:
        task = self._checking.pop(key, None)
        self._waiting[place] -= 1
        if not self._waiting[place]:
            del self._waiting[place]
        if task is None or task.cancelled() or task.exception() is not None:
            return
        checked = task.result()
        if isinstance(checked, Login):
            now = asyncio.get_running_loop().time()
            kept = Login(checked.identity, key, checked.holds)
            self._known[key] = kept, now + REMEMBERED_SECONDS
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    async def _find(self, header: str, address: str) -> Checked:
        scheme, _, rest = header.partition(" ")
        try:
            if scheme.lower() == "basic":
                return await self._basic(rest.strip(), address)
            if scheme.lower() == "bearer" and self._bearer is not None:
                return await self._token(self._bearer, rest.strip(), address)
        except StoreError as error:
            log.warning("cannot check a password: %s", error)
            return plain(503, "Passwords cannot be checked at the moment; try again.", RETRY)
        return self.refusal("Sign in with a user name and a password (Basic).")

    async def _basic(self, token: str, address: str) -> Checked:
        given = read_basic(token)
        if given is None:
            return self.refusal("The user name and password of this request cannot be read.")
        user, password = given
        try:
            upn = complete_upn(user, self._policy)
        except InvalidError:
            upn = ""
        login = await self._throttled(address, upn or user, lambda: self._proved(upn, user, password))
        return login or self.refusal("That user name and password do not fit.")

    async def _token(self, bearer: BearerVerifier, token: str, address: str) -> Checked:
        def proved() -> Login | None:
            since = self._store.read(identity.generation)
            upn = bearer.verify(token)
            return None if upn is None else self._login(upn, since, lambda _: True)

        login = await self._throttled(address, "", proved)
        return login or self.refusal("That token is not accepted.")

    async def _throttled(self, address: str, user: str, prove: Callable[[], Login | None]) -> Login | None:
        """Check, later and later where it went wrong before."""
        loop = asyncio.get_running_loop()
        wait = self._throttle.delay(address, user, loop.time())
        if wait:
            log.info("%s: login of %r waits %.2f s", address, user, wait)
            await asyncio.sleep(wait)
        login: Login | None = await self._compute(prove)
        if login is None:
            log.info("%s: wrong password for %r", address, user)
            self._throttle.failed(address, user, loop.time())
        else:
            self._throttle.succeeded(address, user)
        return login

    def _proved(self, upn: str, user: str, password: str) -> Login | None:
        """Check a password against the user's verifier, or as an app password. Runs in a helper thread."""
        hashed = identity.token_hash(password)
        since = self._store.read(identity.generation)  # before anything is looked at: later changes count
        if upn and hashed is not None:
            who = self._store.read(lambda tx: identity.check_token(tx, upn, password, self._used))
            if who is not None:
                return self._login(upn, since, lambda tx: tokens.by_hash(tx, hashed) is not None)
        try:
            prepared = saslprep(password)
        except ValueError:
            prepared, upn = password, ""
        stored = self._store.read(lambda tx: identity.verifier_of(tx, upn)) if upn else None
        verifier = read_verifier(stored) if stored else fake_verifier(self._secret, user)
        if not PlainWork(prepared, verifier).run() or stored is None:
            return None
        mark = hashlib.sha256(stored.encode()).digest()
        return self._login(upn, since, lambda tx: _is(identity.verifier_of(tx, upn), mark))

    def _login(self, upn: str, since: str, proved: Callable[[Tx], bool]) -> Login | None:
        """A login that ends with its proof, or as soon as its user is not what they were: groups, addresses.

        As long as no principal changed at all since `since`, asking costs one read of one row.
        """
        who = self._store.read(lambda tx: identity.identify(tx, upn))
        if who is None:
            return None

        def holds(tx: Tx) -> bool:
            return identity.generation(tx) == since or (proved(tx) and identity.identify(tx, upn) == who)

        return Login(who, b"", holds)


def _is(stored: str | None, mark: bytes) -> bool:
    return stored is not None and hmac.compare_digest(hashlib.sha256(stored.encode()).digest(), mark)


def _exposed(head: Head) -> str:
    text = "Passwords are taken over TLS only: anybody on the way could have read this one. Use https."
    if "x-forwarded-for" in head.headers or "forwarded" in head.headers:
        text += " (Behind a reverse proxy: name it in trusted-proxies, and let it send X-Forwarded-Proto.)"
    return text


def read_basic(token: str) -> tuple[str, str] | None:
    """User and password of a Basic token; Latin-1 from old clients is understood, too (RFC 7617 §2.1)."""
    try:
        octets = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        text = octets.decode("latin-1")
    user, colon, password = text.partition(":")
    if not colon or not user or any(c < " " or c == "\x7f" for c in text):
        return None
    return user, password
