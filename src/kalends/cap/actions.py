"""What a CAP session wants done by its shell: work for threads and transactions, and its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kalends.cap.commands import Kind, Work
from kalends.cap.exchange import Job
from kalends.cap.messages import Request
from kalends.cap.replies import Reply


@dataclass(frozen=True, slots=True)
class Execute:
    """Run `work` in a transaction of that kind and hand the outcome to `Session.finish`.

    Attributes:
        number: give it back with the outcome.
        channel: whose work it is: that of one channel must not hold up another.
        kind: `read` (store.read in a thread) or `write` (store.submit).
        work: gives the replies, or raises.
        seconds: how long it may take; None for no limit.
        quick: it takes well below a millisecond; a thread would cost more.
        shares: names the calendar it is about; what writes to the same one may share a commit.
    """

    number: int
    channel: int
    kind: Kind
    work: Work = field(repr=False)
    seconds: float | None = None
    quick: bool = False
    shares: str = ""


@dataclass(frozen=True, slots=True)
class Prepare:
    """Call `job.prepare()` in a thread, without a transaction, and hand its result to `Session.finish`.

    Attributes:
        number: give it back with the outcome.
        job: holds what is to be called.
    """

    number: int
    job: Job = field(repr=False)


@dataclass(frozen=True, slots=True)
class Await:
    """Call `Session.wake` with that number when one of these calendars has changed; nothing runs until then.

    Attributes:
        number: of the SEARCH that waits.
        ticks: by calendar, the tick it knows; 0 is the store, which means a change of any calendar.
    """

    number: int
    ticks: Mapping[int, int] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Forget:
    """The SEARCH of that number waits no more."""

    number: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop the work of that number if it still can be; `finish` is called for it all the same."""

    number: int


@dataclass(frozen=True, slots=True)
class Audit:
    """Write down that somebody acts, or wanted to act, as somebody else.

    Attributes:
        login: UPN of who authenticated.
        wanted: as the client wrote it; None for oneself again.
        granted: whether it was permitted.
        end: end the session once its answers are written: there were too many refusals (RFC 4324 §10.8).
    """

    login: str
    wanted: str | None
    granted: bool
    end: bool = False


Action = Execute | Prepare | Cancel | Await | Forget | Audit
Outcome = list[Reply] | list[Request] | Exception
