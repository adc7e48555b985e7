"""The nouns that core's verbs take and give, the same for every face."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kalends.calquery.tree import Query
from kalends.core.errors import KalendsError
from kalends.ical.tree import Component, Line

Via = Literal["cap", "dav", "imip", "web", "cli", "job"]
State = Literal["BOOKED", "UNPROCESSED", "DELETED"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who acts.

    Attributes:
        upn: the user principal name; '@' is the anonymous user (RFC 4324 §6.1.2).
        principal_id: the row behind it; None for anonymous.
        admin: whether this is an administrator of the store (CALMASTER).
        addresses: normalised calendar user addresses of this user (mailto:…).
        groups: UPNs of the groups the user is in, nested ones included.
        behind: the row of who authenticated, when that is somebody who acts as this one.
    """

    upn: str
    principal_id: int | None = None
    admin: bool = False
    addresses: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    behind: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What this store promises and refuses; GET-CAPABILITY tells these very values.

    Attributes:
        csid: host part of the CSID (`cap://csid`).
        realm: the realm that completes a UPN without one.
        max_object: octets of one object.
        min_date, max_date: seconds since 1970 UTC that dates must lie between.
        recur_limit: instances of one object that are ever expanded.
        max_results: components in one answer.
        max_terms: terms of one query.
        quota: objects in one calendar; 0 for no limit.
        default_tz: zone for floating times where neither client nor calendar names one.
        conflict_counts_everything: the literal reading of ALLOW-CONFLICT:FALSE, in which CANCELLED and
            TRANSPARENT objects, VJOURNALs and every VTODO with a time exclude others, too (A-14).
        anonymous: whom anonymous sessions act as: `@`, or `@realm`.
        imip: whether messages to people elsewhere are sent by mail (RFC 6047).
        mail_recipients: people elsewhere whom one change of an object is mailed to.
        calmaster: contact URI of who is responsible for the store; '' for `mailto:calmaster@realm`.
    """

    csid: str = "localhost"
    realm: str = "localhost"
    max_object: int = 10_000_000
    min_date: int = -62_135_596_800
    max_date: int = 253_402_300_799
    recur_limit: int = 10_000
    max_results: int = 1_000_000
    max_terms: int = 1_000
    quota: int = 0
    default_tz: str = "UTC"
    calmaster: str = ""
    anonymous: str = "@"
    conflict_counts_everything: bool = False
    imip: bool = False
    mail_recipients: int = 100


@dataclass(frozen=True, slots=True)
class Caller:
    """One command's circumstances.

    Attributes:
        identity: whose rights count.
        via: the face it came through, for the change log.
        now: seconds since 1970 UTC.
        policy: the store's limits.
        default_tz: the client's zone for floating times, if it named one.
        strict: refuse what RFC 4324 forbids even where reading it liberally is harmless.
        schedule_reply: whether deleting an invitation is to be told to the organizer (RFC 6638 §8.1).
        merge_answers: whether what others answered since the client read an object is kept in what it
            writes: it named the Schedule-Tag that it read (RFC 6638 §3.2.10.1).
        held: calendars that the transaction has locked already (`scheduling.locks`).
    """

    identity: Identity
    via: Via
    now: int
    policy: Policy
    default_tz: str | None = None
    strict: bool = False
    schedule_reply: bool = True
    merge_answers: bool = False
    held: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Target:
    """A container a command works on: a calendar, or the store itself (`calendar_id` 0).

    Attributes:
        given: the TARGET as the client wrote it; replies echo it.
        calendar_id: the row.
        calid: relative CALID; '' for the store.
    """

    given: str
    calendar_id: int
    calid: str

    @property
    def is_store(self) -> bool:
        """Whether this is the VCALSTORE."""
        return self.calendar_id == 0


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one object (one VREPLY).

    Attributes:
        kind: component name, VEVENT and so on.
        id_name: UID, CALID, CARID, QUERYID, TZID, SEQUENCE or an x-id.
        id_value: its wire value.
        recurrence: the RECURRENCE-ID line when one instance is meant.
        method: the iTIP METHOD of the object; deleted objects of different METHOD are told apart.
        error: why it was refused; None for success.
        unreachable: addresses of those invited who may be unable to answer (RFC 4324 §14).
    """

    kind: str
    id_name: str
    id_value: str
    recurrence: Line | None = None
    method: str | None = None
    error: KalendsError | None = None
    unreachable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """One thing a query selected: a wrapped component or, for `VALARM.*` and the like, bare contents.

    Attributes:
        items: what goes into the VREPLY, in order.
        method: the METHOD of the object it came from; None for booked ones.
        hidden: `items` is an empty component: all that was asked for may not be seen (ACL-21).
    """

    items: tuple[Component | Line, ...]
    method: str | None = None
    hidden: bool = False


@dataclass(slots=True)
class Answer:
    """The result of one QUERY on one target.

    Attributes:
        query: what was asked.
        found: what was selected, in a stable order; empty when nothing is visible.
        truncated: whether RECUR-LIMIT cut an expansion short.
    """

    query: Query
    found: list[Found] = field(default_factory=list)
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """One VQUERY of a command, parsed.

    Attributes:
        queries: its QUERYs (or those of the stored VQUERY it names).
        expand: EXPAND:TRUE.
        query_id: QUERYID when a stored query is meant or being named.
        container: the VQUERY's own TARGET: where the stored query, or MOVE's source, is.
    """

    queries: tuple[Query, ...]
    expand: bool = False
    query_id: str | None = None
    container: str | None = None
