"""The report as a page for a terminal, 80 columns wide, colour only where there is one."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kalends.ports import sockets
from kalends.ports.clean import clean
from kalends.ports.registry import USER, Record, Registry, person, range_of
from kalends.ports.report import ANY, Report, command_line

if TYPE_CHECKING:
    from kalends.ports.knock import Knock

WIDTH = 80
_STYLES = {"head": "1;36", "good": "32", "bad": "31", "warn": "33", "dim": "2", "bold": "1"}
ATTRIBUTES = (
    ("description", "description"),
    ("assignee", "assignee"),
    ("contact", "contact"),
    ("registered", "registered"),
    ("modified", "modified"),
    ("reference", "reference"),
    ("service_code", "service code"),
    ("unauthorized_use", "unauthorised use"),
    ("notes", "notes"),
)
RANGE_WORDS = {
    "system": "assigned by IETF review; on most systems only root may listen here",
    "user": "registered with IANA on request; anyone may listen here",
    "dynamic": "never registered: for short-lived use, nothing official can live here",
}
KNOCK_WORDS = {
    "refused": "connection refused - nothing listens. That is the normal state of almost every port.",
    "no answer": "no answer in 1 s - a filter drops what is sent here.",
    "not permitted": "not permitted - a sandbox or a firewall on this machine forbids to connect.",
    "rejected by a filter": "rejected by a filter on the way.",
    "no route": "no route to that address.",
    "no such local address": "this machine has no such address.",
    "no IPv6 here": "this machine has no IPv6.",
}
PORTLESS = "A service without a port is found by other means, most often by DNS SRV records."
WHY = (
    "A name in the registry is a promise, not a fact: it says who may be here, never who is. Ports "
    "registered and unused still do work: nobody else gets the name, firewalls and scanners label the "
    "number by it, and the protocol it was kept for can be taken up on any day without asking anyone. "
    "What listens decides."
)


class Page:
    """Collects lines; knows how to colour, wrap and align.

    Args:
        colour: whether to write ANSI colours.
        verbose: whole command lines, every record.
    """

    def __init__(self, *, colour: bool = False, verbose: bool = False) -> None:
        self.colour = colour
        self.verbose = verbose
        self.lines: list[str] = []

    def style(self, text: str, style: str) -> str:
        """Colour a piece of text where colours are wanted."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.colour else text

    def head(self, text: str) -> None:
        """A section's heading."""
        self.lines += ["", self.style(text, "head")]

    def say(self, text: str, indent: int = 2, style: str | None = None) -> None:
        """A paragraph, wrapped."""
        pad = " " * indent
        for line in textwrap.wrap(text, WIDTH - indent, break_long_words=True, break_on_hyphens=False) or [
            ""
        ]:
            self.lines.append(pad + (self.style(line, style) if style else line))

    def pair(self, label: str, text: str, indent: int = 4, width: int = 17, style: str | None = None) -> None:
        """A label and its text, the text wrapped beside it."""
        wrapped = textwrap.wrap(text, WIDTH - indent - width, break_long_words=True) or [""]
        for number, line in enumerate(wrapped):
            left = label if number == 0 else ""
            self.lines.append(" " * indent + left.ljust(width) + (self.style(line, style) if style else line))

    def text(self) -> str:
        """The page."""
        return "\n".join(self.lines).lstrip("\n") + "\n"


def render(
    report: Report, *, colour: bool = False, verbose: bool = False, aliases: list[str] | None = None
) -> str:
    """The whole page for one port.

    Args:
        report: what is known.
        colour: write ANSI colours.
        verbose: whole command lines and every record's attributes.
        aliases: other ports of the service name that was asked for.

    Returns:
        Text of lines no wider than 80 columns.
    """
    page = Page(colour=colour, verbose=verbose)
    _title(page, report, aliases or [])
    _what(page, report)
    _official(page, report)
    _reality(page, report)
    _handshake(page, report)
    _elsewhere(page, report)
    _check(page, report)
    page.head("Why registered but unused ports matter")
    page.say(WHY)
    _more(page, report)
    return page.text()


def _title(page: Page, report: Report, aliases: list[str]) -> None:
    names = "/".join(dict.fromkeys(r.name for r in report.records if r.name)) or "no registered name"
    transport = f"/{report.transport}" if report.transport else ""
    page.lines.append(page.style(f"Port {report.port}{transport}: {names}", "bold"))
    page.say(in_short(report), 0)
    for other in aliases:
        page.say(other, 0, "dim")


def in_short(report: Report) -> str:
    """One sentence: what answers, and whether that is what is registered."""
    verdict = report.verdict
    where = f"at {report.host}" if report.host else "here"
    if verdict.state == "nothing listens":
        open_to = [k for k in report.machine.knocks if k.state == "no answer"]
        return f"Nothing answers {where} (filtered)." if open_to else f"Nothing listens {where}."
    what = " and ".join(verdict.speaks) or "something not recognised"
    verb = "are" if len(verdict.speaks) > 1 else "is"
    spoken = f"{what} {verb} spoken {where}" if report.machine.knocks else f"Something listens {where}"
    match = {True: ", as registered.", False: ", which is not what is registered.", None: "."}[verdict.agrees]
    return spoken[0].upper() + spoken[1:] + match


def _what(page: Page, report: Report) -> None:
    name, low, high = range_of(report.port)
    page.head("What you are looking at")
    page.say(f"One of the {high - low + 1:,} {name} ports ({low}-{high}): {RANGE_WORDS[name]}.")
    counts = report.counts
    total = USER[1] - USER[0] + 1
    page.say(
        f"Of the {total:,} user ports, {counts['assigned']:,} are assigned, {counts['reserved']:,} reserved, "
        f"{counts['withdrawn']:,} withdrawn, {counts['unassigned']:,} unassigned."
    )
    machine = report.machine
    if machine.ephemeral[0] <= report.port <= machine.ephemeral[1]:
        page.say(
            f"Inside this kernel's range of automatic ports ({machine.ephemeral[0]}-{machine.ephemeral[1]}): "
            "it may be taken at any moment by an outgoing connection.",
            style="warn",
        )
    if 0 < report.port < machine.unprivileged_from:
        page.say(f"Below {machine.unprivileged_from}: listening here needs root or CAP_NET_BIND_SERVICE.")
    if report.port == 0:
        page.say("Port 0 is never on the wire: asking to listen on 0 means 'give me any free port'.")


def _official(page: Page, report: Report) -> None:
    registry = report.registry
    page.head(f"The official story (IANA registry, snapshot {registry.snapshot})")
    if registry.names_snapshot:
        page.say(
            f"Names and descriptions newer: {registry.names_snapshot}. The live registry may be newer still.",
            style="dim",
        )
    if not report.records:
        page.say("No record: the registry does not list this port.")
    official(page, report.records)


def official(page: Page, records: Sequence[Record]) -> None:
    """Write out records with every attribute; those that the registry does not give are named too."""
    for group in same(records):
        _record(page, group)


def same(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Records that differ in their transport only stand together."""
    groups: dict[tuple[object, ...], list[Record]] = {}
    for entry in records:
        key = tuple(getattr(entry, f) for f in Record._fields if f not in ("transport", "src"))
        groups.setdefault(key, []).append(entry)
    yield from groups.values()


def _record(page: Page, group: list[Record]) -> None:
    first = group[0]
    transports = " and ".join(r.transport for r in group if r.transport) or "every transport"
    span = "" if first.low == first.high else f"{first.low}-{first.high} "
    status = "alias, historic" if first.status == "alias" else first.status
    page.say(
        f"{span}{transports}: {page.style(first.name or status, 'bold')}"
        + (f" ({status})" if first.name else "")
    )
    missing = []
    for field, label in ATTRIBUTES:
        value = clean(str(getattr(first, field)), 400)
        if not value:
            missing.append(label)
        elif field in ("assignee", "contact"):
            page.pair(label, "; ".join(person(v) for v in value.split("; ")))
        elif not (field == "notes" and len(value) > 200 and not page.verbose):
            page.pair(label, value)
        else:
            page.pair(label, value[:160] + "… (--verbose shows all)")
    if missing:
        page.pair("not given", ", ".join(missing), style="dim")


def _reality(page: Page, report: Report) -> None:
    machine = report.machine
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(machine.looked))
    if report.host:
        page.head(f"The reality at {clean(report.host, 40)} ({when})")
        page.say("Its sockets cannot be seen from here; what answers is below.")
        return
    page.head(f"The reality here ({when}, read from {machine.how or 'nothing'})")
    bound = [s for s in machine.sockets if s.kind == "listening"]
    if not bound:
        page.say(
            "No socket is bound to this port over IPv4 or IPv6, tcp or udp, in this network namespace."
            if report.transport is None
            else f"No {report.transport} socket is bound to this port here."
        )
    asked = any(knock.transport == "udp" for knock in machine.knocks)
    for sock in bound:
        _socket(page, sock, "bound" if asked else "bound, not probed")
    connections = len(machine.sockets) - len(bound)
    if connections:
        page.say(f"{connections} connection{'s use' if connections > 1 else ' uses'} it as local port.")
    for sentence in machine.unseen:
        page.say(f"Not seen: {sentence}.", style="dim")


def _wildcard(sock: sockets.Socket) -> str:
    if sock.address not in ANY:
        return ""
    if not sock.family.endswith("6"):
        return "every IPv4 address"
    return "every address" if sock.v6only is False else "every IPv6 address"


def _socket(page: Page, sock: sockets.Socket, udp: str) -> None:
    where = _wildcard(sock) or sock.address
    word = "listening" if sock.family.startswith("tcp") else udp
    page.say(f"{sock.family}: {page.style(word, 'good')} on {where}")
    for owner in sock.owners:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(owner.started)) if owner.started else "unknown"
        page.pair("process", f"{clean(owner.name, 40)} (pid {owner.pid}), user {owner.user}, since {since}")
        page.pair("command", command_line(owner, verbose=page.verbose) or "hidden")
        if owner.unit:
            held = "held by systemd for" if owner.pid == 1 else "unit"
            page.pair("systemd", f"{held} {clean(owner.unit, 60)}")
        if owner.container:
            page.pair("container", clean(owner.container, 60))
    if sock.owner_hidden:
        page.pair(
            "process",
            f"not shown: held by {sock.owner_hidden} (uid {sock.uid}, {sockets.user_name(sock.uid)})",
            style="dim",
        )


def _handshake(page: Page, report: Report) -> None:
    page.head("The handshake")
    if not report.machine.knocks:
        page.say(
            "Not asked. "
            + (
                "udp is never poked, but for a CAP signpost where one is bound."
                if report.transport == "udp"
                else "(--no-probe)"
                if report.port
                else "There is nothing to ask."
            )
        )
        return
    for result in report.machine.knocks:
        _knock(page, result)
    verdict = report.verdict
    if verdict.state == "answers, holder not visible":
        page.say(
            "It answers though no socket is visible here: a container, another namespace, or NAT.",
            style="warn",
        )
    if verdict.agrees is not None:
        names = ", ".join(verdict.registered_names)
        page.say(
            f"This agrees with the registry: {names}."
            if verdict.agrees
            else f"This does not agree with the registry, which says {names}.",
            style="good" if verdict.agrees else "bad",
        )


def _knock(page: Page, result: Knock) -> None:
    label = result.address + ("/udp" if result.transport == "udp" else "")
    if result.state != "connected":
        page.pair(label, KNOCK_WORDS.get(result.state, " ".join(result.detail) or result.state), 2)
    elif result.said:
        page.pair(label, f"{result.said.protocol} ({result.seconds * 1000:.1f} ms)", 2, style="good")
        for line in result.said.detail:
            page.pair("", line, 2)
    elif result.silent:
        page.pair(label, "silent: connected, and said nothing to any question.", 2, style="warn")
    else:
        page.pair(label, "not recognised: " + " ".join(result.detail), 2, style="warn")


def _elsewhere(page: Page, report: Report) -> None:
    page.head("The reality elsewhere (documented claims, each with its source)")
    own = [e for e in report.evidence if e["port"] != "*"]
    if not own:
        page.say("Nothing documented is known to us about this port.")
    for claim in own:
        page.say(f"{claim['years']}, {claim['kind']}, {claim['transport']}: {claim['claim']}")
        page.say(f"{claim['source']}, {claim['where']}", 6, "dim")


def commands(report: Report) -> dict[str, tuple[str, ...]]:
    """The commands that show the same on each system, by the system's name."""
    port = report.port
    # Where TLS starts inside a protocol (CAP, SMTP, IMAP) this command would only hang or fail.
    tls = (f"openssl s_client -connect 127.0.0.1:{port}",) if _begins_with_tls(report) else ()
    return {
        "Linux": (
            f"ss -ltnup 'sport = :{port}'",
            f"lsof -nP -i :{port}",
            f"nc -v 127.0.0.1 {port}",
            *tls,
        ),
        "macOS": (f"lsof -nP -i :{port}", f"netstat -anv | grep '[.]{port} '", f"nc -v 127.0.0.1 {port}"),
        "Windows": (
            f"netstat -ano | findstr :{port}",
            f"Get-NetTCPConnection -LocalPort {port}",
            f"Test-NetConnection 127.0.0.1 -Port {port}",
        ),
    }


def _begins_with_tls(report: Report) -> bool:
    spoken = [k.said.protocol for k in report.machine.knocks if k.said]
    if spoken:
        return any(protocol.startswith("TLS") for protocol in spoken)
    return any("TLS" in r.description or "SSL" in r.description for r in report.records)


def _check(page: Page, report: Report) -> None:
    page.head("Check it yourself")
    here = {"darwin": "macOS", "win32": "Windows"}.get(sys.platform, "Linux")
    page.lines += [f"    {command}" for command in commands(report)[here]]
    page.say("“Connection refused” is the normal answer: the machine is there, nothing listens on that port.")


def _more(page: Page, report: Report) -> None:
    page.head("Look it up yourself, and related ports")
    page.say("https://www.iana.org/assignments/service-names-port-numbers")
    near = [p for p in (report.port - 1, report.port + 1) if 0 <= p <= 65535]
    for port in near:
        records = report.registry.at(port)
        names = "/".join(dict.fromkeys(r.name for r in records if r.name)) or (
            records[0].status if records else "not listed"
        )
        page.pair(str(port), names, 2, 8)
    if any(r.name == "cap" for r in report.records):
        page.pair(
            "family",
            "BEEP: 601 syslog-conn, 602 xmlrpc-beep, 603 idxp, 605 soap-beep, 702 iris-beep; "
            "674 acap; caldav and caldavs have a name and no port",
            2,
            8,
        )


def render_runs(registry: Registry, low: int, high: int, live: set[int], *, colour: bool = False) -> str:
    """A range: one line per run of equal status, `*` where something listens here."""
    page = Page(colour=colour)
    page.lines.append(
        page.style(f"Ports {low}-{high}", "bold") + f" (IANA registry, snapshot {registry.snapshot}; "
        "* something listens here)"
    )
    for run in registry.runs(low, high):
        here = sorted(p for p in live if run.low <= p <= run.high)
        span = str(run.low) if run.low == run.high else f"{run.low}-{run.high}"
        mark = page.style("*", "good") if here else " "
        names = ", ".join(run.names) or run.status
        extra = (
            f"  (here: {', '.join(map(str, here[:8]))}{' …' if len(here) > 8 else ''})"
            if (here and run.low != run.high)
            else ""
        )
        page.lines.append(f"{mark} {span:<12} {clean(names + extra, WIDTH - 15)}")
    return page.text()
