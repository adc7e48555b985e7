"""Passwords of one BEEP connection: verifiers looked up, app passwords, the delay that failures earn."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from kalends.beep import events
from kalends.beep.codes import ReplyCode
from kalends.beep.session import Session as Wire
from kalends.beep.verify import Verified
from kalends.core.errors import KalendsError
from kalends.core.model import Identity
from kalends.core.people import acting, identity
from kalends.serve.hosts import VirtualHost
from kalends.serve.throttle import Throttle

log = logging.getLogger(__name__)


class Logins:
    """Who logs in on one connection, one attempt after the other.

    Args:
        wire: the BEEP session that asks.
        address: of the client, for which failures are counted, too.
        throttle: counts them, for all connections.
        alive: whether anybody is still there.
        advance: called when the wire was told something.
    """

    def __init__(
        self,
        wire: Wire,
        address: str,
        throttle: Throttle,
        alive: Callable[[], bool],
        advance: Callable[[], None],
    ) -> None:
        self._wire = wire
        self._address = address
        self._throttle = throttle
        self._alive = alive
        self._advance = advance
        self._loop = asyncio.get_running_loop()
        self._attempt = ""

    def wanted(self, event: events.CredentialsWanted, host: VirtualHost) -> None:
        """Look the verifier up after the delay that earlier failures earned; alike for unknown users."""
        user, wanted = _user(event.authcid, host), _user(event.authzid, host)

        def found(known: Any) -> None:
            if not self._alive():
                return
            if isinstance(known, Exception):
                self._wire.refuse_credentials(event.channel)
            else:
                verifier, may_act = known
                self._wire.provide_credentials(event.channel, verifier, may_act_as=may_act)
            self._advance()

        def look_up() -> None:
            host.executor.look_up(
                lambda tx: (identity.verifier_of(tx, user), acting.permitted(tx, user, wanted)), found
            )

        wait = self._throttle.delay(self._address, user, self._loop.time())
        self._attempt = user
        if wait:
            log.info("%s: login of %r waits %.2f s", self._address, user, wait)
            self._loop.call_later(wait, look_up)
        else:
            look_up()

    def verify(self, event: events.VerifyPlain, host: VirtualHost) -> None:
        """Check a password: as an app password where it looks like one, else against the verifier."""
        executor, user, work = host.executor, self._attempt, event.work

        def verified(result: Any) -> None:
            if not self._alive():
                return
            if isinstance(result, Exception):
                self._wire.refuse_credentials(event.channel)
            else:
                self._wire.finish_verify(event.channel, result)
            self._advance()

        def as_token(who: Any) -> None:
            if isinstance(who, Identity):
                verified(Verified(True))
            else:
                executor.compute(work.run, verified)

        if identity.token_hash(work.password) is None:
            executor.compute(work.run, verified)
        else:
            note = host.uses.note
            executor.look_up(lambda tx: identity.check_token(tx, user, work.password, note), as_token)

    def succeeded(self, event: events.Authenticated, host: VirtualHost) -> None:
        """Somebody is who they say: their failures are forgotten."""
        self._throttle.succeeded(self._address, _user(event.authcid, host))
        acts = "" if event.authzid == event.authcid else f", acts as {event.authzid!r}"
        log.info("%s: %r authenticated by %s%s", self._address, event.authcid, event.mechanism, acts)

    def failed(self, event: events.AuthenticationFailed) -> None:
        """Count a failure, if it was one of the password."""
        log.info(
            "%s: login of %r by %s failed (%d)", self._address, self._attempt, event.mechanism, event.code
        )
        if event.code == ReplyCode.AUTHENTICATION_FAILURE:
            self._throttle.failed(self._address, self._attempt, self._loop.time())


def _user(name: str, host: VirtualHost) -> str:
    """The key under which a user's failures are counted; also for names that are none."""
    try:
        return identity.complete_upn(name, host.policy)
    except KalendsError:
        return name[:256]
