"""CalDAV over HTTP: who asks, the plan, its transaction; a long answer leaves while it is still made."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kalends.cap.commands import Kind
from kalends.core.model import Caller, Policy
from kalends.dav.messages import Plan, Request, Response
from kalends.serve.credentials import Checked, Credentials, Login
from kalends.serve.executor import Executor
from kalends.serve.http import packing
from kalends.serve.http.answers import RETRY, Answer, plain
from kalends.serve.http.app import BUG, Answered
from kalends.serve.http.head import Head
from kalends.serve.http.limits import PIECE
from kalends.serve.proxies import Seen
from kalends.serve.running import Run, StaleLoginError, Turns, pack
from kalends.store import errors as store
from kalends.store.base import Deadline, Store, Tx

log = logging.getLogger(__name__)
access = logging.getLogger("kalends.access")

INLINE_SECONDS = 0.005
"""A short read is tried in the loop for so long, then begun anew in a thread: the hop costs more."""
SHORT = frozenset(("GET", "HEAD"))
"""Methods whose reads are short where the path names one object; so is PROPFIND with Depth 0."""
LARGE_BODY = 32_768
"""Octets of a body from which it is read in a helper thread: parsing these takes a millisecond."""
ANONYMOUS_BODY = 65_536
"""Octets of body taken from somebody who did not say who they are."""
_SECRET = re.compile(r"/[A-Za-z0-9_=-]{22,}(?=/|$)|(?<=/ics)/[a-z2-7]{26}|(?<=/freebusy)/[a-z2-7]{26}")
"""A path segment that may be a secret (a feed's link): the log does not repeat it."""

REFUSALS: tuple[tuple[type[store.StoreError], int, str], ...] = (
    (store.DeadlineError, 503, "The request took longer than it may and was stopped. Nothing was changed."),
    (store.StoreFullError, 507, "There is no room left for this. Nothing was changed."),
    (store.StoreReadOnlyError, 503, "The calendars can be read at the moment, but not changed."),
    (
        store.StoreOutcomeUnknownError,
        503,
        "The database went away meanwhile: look before you repeat it.",
    ),
    (store.StoreBusyError, 503, "The server is busy. Nothing was changed; try again."),
    (store.StoreError, 503, "The calendars cannot be reached at the moment. Try again."),
)
"""Store error, status, sentence; the first line that fits holds. Its own words may name files and hosts."""


class Engine(Protocol):
    """The dav room as seen from here: `kalends.dav.app`, or a stand-in of the benchmarks."""

    def plan(self, request: Request, caller: Caller) -> Plan:
        """What is to be done."""

    def limit_of(
        self, method: str, path: str, headers: Mapping[str, str], policy: Policy | None = None
    ) -> int:
        """Octets of body accepted."""

    def too_large(self, method: str, limit: int) -> Response:
        """The response to a larger body."""

    def refusal(self, request: Request, error: Exception) -> Response | None:
        """The response for what work raised; None for a bug."""


@dataclass(frozen=True, slots=True)
class Face:
    """What all visits share.

    Attributes:
        engine: the dav room.
        store: for short reads in the loop.
        executor: for all others.
        credentials: who asks.
        policy: what the store promises.
        seconds: how long one request may work.
        inline: whether short reads are done in the loop.
        turns: how many reads of one user run at once.
    """

    engine: Engine
    store: Store
    executor: Executor
    credentials: Credentials
    policy: Policy
    seconds: float
    inline: bool
    turns: Turns


class DavVisit:
    """One request for CalDAV.

    Args:
        face: what all share.
        head: the request's.
        seen: who asks from where, for what.
    """

    __slots__ = ("_began", "_face", "_head", "_packs", "_request", "_seen", "_user", "limit")

    def __init__(self, face: Face, head: Head, seen: Seen) -> None:
        self._face, self._head, self._seen = face, head, seen
        self._began = time.perf_counter()
        self._user = "-"
        self.limit = face.engine.limit_of(head.method, seen.path, head.headers, face.policy)
        if "authorization" not in head.headers:
            self.limit = min(self.limit, ANONYMOUS_BODY)
        self._packs = packing.accepts_gzip(head.headers.get("accept-encoding", ""))

    def too_large(self, limit: int) -> Answer:
        """The answer to a body above the limit, which was not read to its end."""
        if "authorization" not in self._head.headers and limit == ANONYMOUS_BODY:
            return self._face.credentials.refusal("Sign in before you send that much.")
        response = self._face.engine.too_large(self._head.method, limit)
        return Answer(response.status, response.headers, _octets(response.body))

    def admit(self) -> Answer | Coroutine[Any, Any, Answer | None] | None:
        """Check who asks before the body comes."""
        checked = self._face.credentials.check(self._head, self._seen)
        if isinstance(checked, Login | Answer):
            return _refused(checked)
        return _refused_later(checked)

    def answer(self, body: bytes) -> Answered:
        """Answer at once where nothing has to be waited for."""
        checked = self._face.credentials.check(self._head, self._seen)
        if isinstance(checked, Login | Answer):
            return self._known(checked, body)
        return self._answer_later(checked, body)

    async def _answer_later(self, checking: Coroutine[Any, Any, Checked], body: bytes) -> Answer:
        answered = self._known(await checking, body)
        return answered if isinstance(answered, Answer) else await answered

    def _known(self, checked: Checked, body: bytes) -> Answered:
        """Plan and do it, now that it is known who asks."""
        if isinstance(checked, Answer):
            return checked
        head, seen, face = self._head, self._seen, self._face
        self._user = checked.identity.upn
        request = Request(
            head.method, seen.path, head.query, head.headers, body, prefix=seen.prefix, origin=seen.origin
        )
        self._request = request
        caller = Caller(checked.identity, "dav", int(time.time()), face.policy)
        if len(body) > LARGE_BODY:
            return self._read_aside(request, caller, checked, body)
        return self._planned(face.engine.plan(request, caller), checked, body)

    async def _read_aside(self, request: Request, caller: Caller, login: Login, body: bytes) -> Answer:
        """Plan where it does not hold up the loop."""
        face = self._face
        plan = await face.executor.computed(lambda: face.engine.plan(request, caller))
        answered = self._planned(plan, login, body)
        return answered if isinstance(answered, Answer) else await answered

    def _planned(self, plan: Plan, login: Login, body: bytes) -> Answered:
        if plan.kind == "none":
            response = plan.answer
            assert response is not None
            return self._finished(Answer(response.status, response.headers, _octets(response.body)))
        if plan.kind == "read" and self._face.inline and (plan.quick or self._is_short()):
            answer = self._at_once(plan, login)
            if answer is not None:
                return answer
        return self._transact(plan, login, body)

    def _is_short(self) -> bool:
        method = self._head.method
        if method in SHORT:
            return not self._seen.path.endswith("/")
        return method == "PROPFIND" and self._head.headers.get("depth") == "0"

    def _at_once(self, plan: Plan, login: Login) -> Answer | None:
        """Try a short read here; None when it has to be done in a thread."""
        deadline = Deadline(time.monotonic() + INLINE_SECONDS)

        def work(tx: Tx) -> Answer | None:
            if not login.holds(tx):
                raise StaleLoginError
            response = plan.work(tx)
            body = response.body
            short = body if isinstance(body, bytes) else _short(body, deadline)
            return None if short is None else Answer(response.status, response.headers, short)

        try:
            answer = self._face.store.read(work, deadline)
        except (StaleLoginError, store.DeadlineError):
            return None
        except Exception as error:  # noqa: BLE001 - the engine's refusals, and bugs, which are logged
            return self._failed(error)
        return None if answer is None else self._finished(answer)

    async def _transact(self, plan: Plan, login: Login, body: bytes) -> Answer:
        """Do it in a thread."""
        run = Run(plan, login, packs=self._packs)
        if plan.kind == "write":
            outcome = await self._outcome(run, "write")
        else:
            async with self._face.turns.of(login.identity.upn):
                outcome = await self._outcome(run, "read")
        if isinstance(outcome, StaleLoginError):
            self._face.credentials.forget(login)
            checked = self._face.credentials.check(self._head, self._seen)
            return await self._answer_later(_already(checked), body)
        if isinstance(outcome, Exception):
            return self._failed(outcome)
        assert isinstance(outcome, Answer)
        return self._finished(outcome)

    async def _outcome(self, run: Run, kind: Kind) -> Any:
        collection = self._seen.path.rpartition("/")[0]
        deadline = self._face.executor.transact(kind, run.work, self._face.seconds, run.done, collection)
        try:
            return await run.future
        except asyncio.CancelledError:  # the peer is gone
            deadline.cancel()
            raise

    def _finished(self, answer: Answer) -> Answer:
        """Ask nobody in particular to sign in; pack what is worth it."""
        if answer.status == 401 or (answer.status == 403 and self._user == "@"):
            return Answer(401, (*answer.headers, *self._face.credentials.challenges), answer.body)
        return pack(answer) if self._packs else answer

    def _failed(self, error: Exception) -> Answer:
        if isinstance(error, store.StoreError):
            _, status, text = next(one for one in REFUSALS if isinstance(error, one[0]))
            log.warning("%s could not be done: %s", self._head.method, type(error).__name__)
            return plain(status, text, RETRY)
        response = self._face.engine.refusal(self._request, error)
        if response is None:
            log.error("answering a request failed", exc_info=error)
            return plain(500, BUG)
        return self._finished(Answer(response.status, response.headers, _octets(response.body)))

    def done(self, status: int, octets: int) -> None:
        """Write the access log's line: at info what went wrong in the server, all else at debug."""
        level = logging.INFO if status >= 500 else logging.DEBUG
        if access.isEnabledFor(level):
            path = _SECRET.sub("/…", self._seen.path[:200])
            took = (time.perf_counter() - self._began) * 1000
            access.log(
                level,
                "%s %s %s %s %d %d octets %.1f ms",
                self._seen.address,
                self._user,
                self._head.method,
                path,
                status,
                octets,
                took,
            )


def _refused(checked: Checked) -> Answer | None:
    return checked if isinstance(checked, Answer) else None


async def _refused_later(checking: Coroutine[Any, Any, Checked]) -> Answer | None:
    return _refused(await checking)


async def _already(checked: Checked | Coroutine[Any, Any, Checked]) -> Checked:
    return checked if isinstance(checked, Login | Answer) else await checked


def _octets(body: bytes | Iterator[bytes]) -> bytes:
    return body if isinstance(body, bytes) else b"".join(body)


def _short(body: Iterator[bytes], deadline: Deadline) -> bytes | None:
    """A body of one piece's size; None when it is longer, or takes longer."""
    parts: list[bytes] = []
    size = 0
    for piece in body:
        parts.append(piece)
        size += len(piece)
        if size > PIECE or deadline.passed(time.monotonic()):
            return None
    return b"".join(parts)
