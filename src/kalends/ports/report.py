"""One port's whole story as data: official and observed kept apart, each with its date."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kalends.ports import sockets
from kalends.ports.clean import clean
from kalends.ports.registry import USER, Record, Registry, evidence, range_of

if TYPE_CHECKING:
    from kalends.ports import knock as knocking

FORMAT = "kalends.port/1"
LOOPBACK = ("127.0.0.1", "::1")
ANY = ("0.0.0.0", "::", "::ffff:0.0.0.0")  # noqa: S104  what the kernel calls every address; nothing is bound here


class Machine(NamedTuple):
    """What was seen here.

    Attributes:
        looked: when, seconds since 1970 UTC.
        how: where the sockets were read from; '' when another host was asked about.
        sockets: those of the port.
        unseen: sentences about what could not be seen.
        knocks: one a host address tried.
        ephemeral: the kernel's range of automatic ports.
        unprivileged_from: the first port anyone may bind.
    """

    looked: int
    how: str
    sockets: tuple[sockets.Socket, ...]
    unseen: tuple[str, ...]
    knocks: tuple[knocking.Knock, ...]
    ephemeral: tuple[int, int]
    unprivileged_from: int


class Verdict(NamedTuple):
    """What registry and reality say when they are laid side by side.

    Attributes:
        state: 'listening', 'nothing listens' or 'answers, holder not visible'.
        speaks: the protocols recognised.
        registered_names: the registry's names for the port.
        agrees: True/False; None when not asked, not recognised, or nothing answers.
        reachable_from: 'every interface', 'this machine only', 'chosen addresses' or None.
    """

    state: str
    speaks: tuple[str, ...]
    registered_names: tuple[str, ...]
    agrees: bool | None
    reachable_from: str | None


class Report(NamedTuple):
    """Everything known of one port."""

    port: int
    transport: str | None
    host: str | None
    registry: Registry
    records: tuple[Record, ...]
    machine: Machine
    verdict: Verdict
    evidence: tuple[dict[str, str], ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many user ports are assigned, reserved, withdrawn, unassigned."""
        return self.registry.counts(*USER)


def make(
    registry: Registry,
    port: int,
    *,
    transport: str | None = None,
    probe: bool = True,
    host: str | None = None,
    owners: bool = True,
) -> Report:
    """Look a port up and look at it.

    Args:
        registry: the snapshot.
        port: 0..65535.
        transport: 'tcp' or 'udp' to speak of that one only.
        probe: knock at it (tcp only), on loopback or at `host`.
        host: one explicit host, by name or address, instead of this machine.
        owners: also find the processes that hold the sockets.

    Returns:
        The report.

    Raises:
        OSError: `host` cannot be resolved.
    """
    records = tuple(r for r in registry.at(port) if transport is None or r.transport in (transport, ""))
    seen = sockets.Look("", ()) if host or not port else sockets.look(port, owners=owners)
    found = tuple(s for s in seen.sockets if transport is None or s.family.startswith(transport))
    knocks = _knocks(port, host, transport, found, records) if probe and port else ()
    machine = Machine(
        int(time.time()),
        seen.how,
        found,
        seen.unseen,
        knocks,
        sockets.ephemeral_range(),
        sockets.unprivileged_from(),
    )
    claims = tuple(e for e in evidence(port) if transport is None or transport in e["transport"].split(","))
    return Report(port, transport, host, registry, records, machine, _verdict(records, machine), claims)


def _knocks(
    port: int,
    host: str | None,
    transport: str | None,
    found: tuple[sockets.Socket, ...],
    records: tuple[Record, ...],
) -> tuple[knocking.Knock, ...]:
    """Knock over tcp; over udp only where the registry has CAP and somebody is there: a signpost."""
    from kalends.ports.knock import ask_signpost, knock  # noqa: PLC0415 - a look without a knock need not pay

    addresses = _addresses(port, host, found)
    made = [knock(address, port, host) for address in addresses] if transport != "udp" else []
    bound = {s.family for s in found if s.kind == "listening" and s.family.startswith("udp")}
    if (
        transport != "tcp"
        and any(r.name == "cap" and r.transport == "udp" for r in records)
        and (bound or host)
    ):
        made += [ask_signpost(a, port) for a in addresses if host or ("udp6" if ":" in a else "udp") in bound]
    return tuple(made)


def _addresses(port: int, host: str | None, found: tuple[sockets.Socket, ...]) -> list[str]:
    """Loopback or, when something listens on chosen addresses only, the first of those; or the named host."""
    if host is not None:
        import socket  # noqa: PLC0415

        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(info[4][0]) for info in infos))[:2]
    bound = [s.address for s in found if s.kind == "listening" and s.family.startswith("tcp")]
    chosen = [a for a in bound if a not in ANY and a not in LOOPBACK]
    if bound and not any(a in ANY or a in LOOPBACK for a in bound):
        return chosen[:1]
    return list(LOOPBACK)


def _verdict(records: tuple[Record, ...], machine: Machine) -> Verdict:
    names = tuple(dict.fromkeys(r.name for r in records if r.name and r.status in ("assigned", "alias")))
    said = tuple(dict.fromkeys(k.said.protocol for k in machine.knocks if k.said))
    bound = [s for s in machine.sockets if s.kind == "listening"]
    answered = any(k.state == "connected" for k in machine.knocks)
    state = (
        "listening"
        if bound or (answered and not machine.how)
        else ("answers, holder not visible" if answered else "nothing listens")
    )
    agrees: bool | None = None
    if said and names:
        fits = {name for k in machine.knocks if k.said for name in k.said.names}
        agrees = any(name in fits for name in names)
    return Verdict(state, said, names, agrees, _reach(bound))


def _reach(bound: list[sockets.Socket]) -> str | None:
    if not bound:
        return None
    addresses = [s.address for s in bound]
    if any(a in ANY for a in addresses):
        return "every interface"
    return (
        "this machine only"
        if all(a == "::1" or a.startswith(("127.", "::ffff:127.")) for a in addresses)
        else "chosen addresses"
    )


def as_json(report: Report, *, verbose: bool = False) -> dict[str, Any]:
    """The report in the form of `data/schema.json`; argv only its first argument unless verbose."""
    machine, verdict = report.machine, report.verdict
    name, low, high = range_of(report.port)
    return {
        "format": FORMAT,
        "port": report.port,
        "transport": report.transport,
        "host": report.host,
        "verdict": {
            "state": verdict.state,
            "speaks": list(verdict.speaks),
            "registered_names": list(verdict.registered_names),
            "agrees_with_registry": verdict.agrees,
            "reachable_from": verdict.reachable_from,
        },
        "range": {
            "name": name,
            "low": low,
            "high": high,
            "ports": high - low + 1,
            "user_ports": report.counts,
        },
        "official": {
            "source": report.registry.source,
            "snapshot": report.registry.snapshot,
            "names_snapshot": report.registry.names_snapshot,
            "records": [_record(r) for r in report.records],
        },
        "machine": {
            "looked": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(machine.looked)),
            "how": machine.how,
            "sockets": [_socket(s, verbose=verbose) for s in machine.sockets],
            "unseen": list(machine.unseen),
            "knocks": [_knock(k) for k in machine.knocks],
            "ephemeral": list(machine.ephemeral),
            "in_ephemeral": machine.ephemeral[0] <= report.port <= machine.ephemeral[1],
            "unprivileged_from": machine.unprivileged_from,
        },
        "evidence": list(report.evidence),
    }


def portless_as_json(records: Sequence[Record]) -> dict[str, Any]:
    """A name that is registered without a port, as data."""
    return {"format": FORMAT, "port": None, "official": {"records": [r._asdict() for r in records]}}


def range_as_json(registry: Registry, low: int, high: int, live: set[int] | None) -> dict[str, Any]:
    """A range of ports as data.

    Args:
        registry: the snapshot.
        low: the first port.
        high: the last port.
        live: those that something listens on; None where that is not told.
    """
    seen = {} if live is None else {"listening": sorted(live)}
    return {
        "format": FORMAT,
        "low": low,
        "high": high,
        "snapshot": registry.snapshot,
        "counts": registry.count(low, high),
        **seen,
        "runs": [
            {"low": r.low, "high": r.high, "status": r.status, "names": list(r.names)}
            for r in registry.runs(low, high)
        ],
    }


def _record(entry: Record) -> dict[str, Any]:
    return {field: getattr(entry, field) for field in Record._fields}


def _socket(sock: sockets.Socket, *, verbose: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "family": sock.family,
        "kind": sock.kind,
        "address": sock.address,
        "uid": sock.uid,
        "user": sockets.user_name(sock.uid),
        "inode": sock.inode,
        "owners": [_owner(o, verbose=verbose) for o in sock.owners],
    }
    if sock.peer:
        shown["peer"] = sock.peer
    if sock.owner_hidden:
        shown["owner_hidden"] = sock.owner_hidden
    return shown


def _owner(owner: sockets.Owner, *, verbose: bool) -> dict[str, Any]:
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(owner.started)) if owner.started else ""
    return {
        "pid": owner.pid,
        "name": clean(owner.name, 40),
        "exe": clean(owner.exe),
        "user": owner.user,
        "command": command_line(owner, verbose=verbose),
        "started": started,
        "cgroup": clean(owner.cgroup),
        "unit": clean(owner.unit),
        "container": clean(owner.container),
    }


def command_line(owner: sockets.Owner, *, verbose: bool) -> str:
    """Program and first argument, or all of it when asked: secrets live in arguments."""
    shown = owner.argv if verbose else owner.argv[:2]
    text = clean(" ".join(shown), 400 if verbose else 160)
    return text + (" …" if len(owner.argv) > len(shown) else "")


def _knock(result: knocking.Knock) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "address": result.address,
        "transport": result.transport,
        "state": result.state,
        "ms": round(result.seconds * 1000, 2),
        "detail": list(result.detail),
    }
    if result.said:
        shown["speaks"] = result.said.protocol
        shown["detail"] = list(result.said.detail)
    elif result.silent:
        shown["detail"] = ["connected, and said nothing to any question"]
    return shown
