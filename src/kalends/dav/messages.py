"""What goes into the engine and comes out of it: a request, a response, and the plan between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from kalends.store.base import Tx

XML = "application/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, read to its end.

    Attributes:
        method: upper case.
        path: as it came, percent-encoded; it begins with '/', the prefix is taken off.
        query: what stood behind '?', without it.
        headers: lower-case names; several of one name joined with commas (RFC 9110 §5.3).
        body: all of it, within `app.limit_of`.
        prefix: the path Kalends is mounted under: '' or such as '/cal'.
        origin: scheme and authority as the client sees them: 'https://host'.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    prefix: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response. An iterator as body has to be drained inside of the transaction.

    Attributes:
        status: such as 207.
        headers: names as they are written; Content-Length is the adapter's, except for HEAD.
        body: octets, or an iterator of them.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Iterator[bytes] = b""

    def header(self, name: str) -> str | None:
        """The first header of a name, in any case, or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a request.

    Attributes:
        kind: the transaction that `work` needs; with 'none' it needs no transaction and `answer` is ready.
        work: run in the transaction. It may run again after a retry. What it raises must undo the
            transaction; `app.refusal` makes the response of that.
        answer: the response, with kind 'none'.
        quick: the work mostly takes well below a millisecond, so that a shell may try it without a thread.
    """

    kind: Literal["read", "write", "none"]
    work: Callable[[Tx], Response]
    answer: Response | None = None
    quick: bool = False


def ready(response: Response) -> Plan:
    """The plan for a request that needs no transaction."""
    return Plan("none", lambda _: response, response)
