"""The report as a page for a browser: server-rendered, no scripts, light and dark, phone and paper."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

from kalends.ports import sockets, text
from kalends.ports.clean import clean
from kalends.ports.registry import USER, Record, Registry, person, range_of
from kalends.ports.report import Report, command_line

MAX_FOUND = 100
"""Records one search shows."""
MAX_RUNS = 2000
"""Rows of a page about a range: some 400 kB of HTML."""

STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--paper:#fbfaf7;--card:#fff;--line:#dcd9d0;
--accent:#0b6e63;--good:#1a7f37;--bad:#b42318;--warn:#9a6700}
@media(prefers-color-scheme:dark){:root{--ink:#e7e9ec;--soft:#9aa4b2;--paper:#14181d;--card:#1c2229;--line:#323a44;
--accent:#5cc8b8;--good:#57c26f;--bad:#ff8a80;--warn:#e3b341}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif;overflow-wrap:anywhere}
main,header,footer{max-width:62rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.2rem}header form{margin-bottom:1.6rem}
h1{font-size:clamp(1.7rem,5vw,2.6rem);line-height:1.15;margin:.4rem 0 .2rem}
h2{font-size:1.05rem;margin:0 0 .6rem;color:var(--accent)}
h3{font-size:1rem;margin:.9rem 0 .3rem}
a{color:var(--accent)}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1rem 1.1rem;margin:1rem 0}
section>:last-child{margin-bottom:0}
.two{display:grid;gap:1rem;margin:1rem 0}.two section{margin:0}
@media(min-width:52rem){.two{grid-template-columns:1fr 1fr}}
.lead{font-size:1.15rem;margin:.2rem 0 1rem}
.tag{display:inline-block;border:1px solid currentColor;border-radius:99px;padding:0 .6rem;font-size:.85rem}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}.soft{color:var(--soft)}
dl{display:grid;grid-template-columns:minmax(7rem,auto) 1fr;gap:.15rem .9rem;margin:.3rem 0}
dt{color:var(--soft)}dd{margin:0}
.bar{display:flex;height:.9rem;border-radius:5px;overflow:hidden;margin:.5rem 0;background:var(--line)}
.bar i{display:block}
.a{background:var(--accent)}.r{background:var(--warn)}.w{background:var(--bad)}
code,pre{font:.9em/1.5 ui-monospace,monospace}
pre{background:var(--paper);border:1px solid var(--line);border-radius:7px;padding:.6rem .8rem;white-space:pre-wrap}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .5rem;border-bottom:1px solid var(--line);
vertical-align:top}
td:nth-child(-n+2),th{white-space:nowrap;overflow-wrap:normal}
form{display:flex;gap:.5rem;margin:.6rem 0}
input{flex:1;min-width:0;font:inherit;padding:.5rem .7rem;border:1px solid var(--line);border-radius:7px;
background:var(--card);color:var(--ink)}
button{font:inherit;padding:.5rem 1rem;border:0;border-radius:7px;background:var(--accent);color:var(--paper)}
blockquote{margin:.6rem 0;padding-left:.8rem;border-left:3px solid var(--line)}
footer{color:var(--soft);font-size:.9rem;padding-bottom:2rem}
@media print{form,nav{display:none}.two{display:block}.two section{margin:1rem 0}section{border-color:#999}
h2,h3{break-after:avoid}blockquote,dl,pre{break-inside:avoid}body{background:#fff;color:#000;font-size:12px}}
"""


def _e(value: object, width: int = 400) -> str:
    """Untrusted text, cleaned and escaped."""
    return escape(clean(str(value), width))


def document(title: str, body: str, base: str = "", found: str = "") -> str:
    """A whole HTML page with the search box.

    Args:
        title: plain text.
        body: HTML.
        base: path the pages live under, without a slash at its end ('' for the root).
        found: what was searched for, put back into the box.
    """
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<header><nav><a href="{escape(base)}/port/">Ports</a></nav>'
        f'<form action="{escape(base)}/port/" role="search"><input type="search" name="q" value="{_e(found, 100)}" '
        'maxlength="100" aria-label="Search the registry" '
        'placeholder="number, service name or words"><button>Look up</button></form></header>'
        f"<main>{body}</main><footer>Registry data: IANA (CC0). What is official and what is observed stand apart "
        "here, each with its date.</footer></body></html>"
    )


def render(report: Report, *, admin: bool = False, base: str = "") -> str:
    """The page of one port.

    Args:
        report: what is known.
        admin: show processes, users and addresses; everybody else sees whether it listens and speaks.
        base: path the pages live under.
    """
    names = "/".join(dict.fromkeys(r.name for r in report.records if r.name)) or "no registered name"
    parts = [
        f"<h1>Port {report.port}: {_e(names)}</h1>",
        f'<p class="lead">{_tag(report)} {_e(text.in_short(report))}</p>',
        _what(report),
        f'<div class="two">{_story(report.registry, report.records)}{_reality(report, admin=admin)}</div>',
        _elsewhere(report),
        _check(report),
        f"<section><h2>Why registered but unused ports matter</h2><p>{_e(text.WHY, 1000)}</p></section>",
        _more(report, base),
    ]
    return document(f"Port {report.port}: {names}", "".join(parts), base)


def _tag(report: Report) -> str:
    verdict = report.verdict
    if verdict.state == "nothing listens":
        return '<span class="tag soft">nothing listens</span>'
    if verdict.agrees is None:
        return f'<span class="tag warn">{_e(verdict.state)}</span>'
    return (
        '<span class="tag good">as registered</span>'
        if verdict.agrees
        else '<span class="tag bad">not as registered</span>'
    )


def _what(report: Report) -> str:
    name, low, high = range_of(report.port)
    counts = report.counts
    total = USER[1] - USER[0] + 1
    widths = [
        (css, counts[key] / total * 100)
        for css, key in (("a", "assigned"), ("r", "reserved"), ("w", "withdrawn"))
    ]
    bar = "".join(f'<i class="{css}" style="width:{max(width, 0.3):.2f}%"></i>' for css, width in widths)
    kernel = report.machine.ephemeral
    notes = []
    if kernel[0] <= report.port <= kernel[1]:
        notes.append(
            f"Inside this kernel’s range of automatic ports ({kernel[0]}–{kernel[1]}): it may be taken at any "
            "moment by an outgoing connection."
        )
    if 0 < report.port < report.machine.unprivileged_from:
        notes.append(
            f"Below {report.machine.unprivileged_from}: listening here needs root or CAP_NET_BIND_SERVICE."
        )
    extra = "".join(f'<p class="warn">{escape(note)}</p>' for note in notes)
    return (
        "<section><h2>What you are looking at</h2>"
        f"<p>One of the {high - low + 1:,} {name} ports ({low}–{high}): {escape(text.RANGE_WORDS[name])}.</p>{extra}"
        f'<div class="bar" role="img" aria-label="{counts["assigned"]:,} of {total:,} user ports are assigned">{bar}</div>'
        f"<p>Of the {total:,} user ports, {counts['assigned']:,} are assigned, {counts['reserved']:,} reserved, "
        f"{counts['withdrawn']:,} withdrawn, {counts['unassigned']:,} unassigned.</p></section>"
    )


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{v}</dd>" for k, v in pairs) + "</dl>"


def _story(registry: Registry, found: Sequence[Record]) -> str:
    newer = f", names and descriptions {registry.names_snapshot}" if registry.names_snapshot else ""
    records = "".join(_record(group) for group in text.same(found)) or (
        "<p>No record: the registry does not list this port.</p>"
    )
    return (
        f'<section><h2>The official story</h2><p class="soft">IANA registry, snapshot '
        f"{escape(registry.snapshot)}{escape(newer)}. The live registry may be newer.</p>{records}</section>"
    )


def _record(group: list[Record]) -> str:
    first = group[0]
    transports = " and ".join(r.transport for r in group if r.transport) or "every transport"
    span = "" if first.low == first.high else f"{first.low}–{first.high} "
    pairs = []
    for field, label in text.ATTRIBUTES:
        value = str(getattr(first, field))
        if value and field in ("assignee", "contact"):
            value = "; ".join(person(v) for v in value.split("; "))
        pairs.append((label, _e(value, 2000) if value else '<span class="soft">not given</span>'))
    title = f"{span}{transports}: {first.name or first.status}" + (f" ({first.status})" if first.name else "")
    return f"<h3>{_e(title)}</h3>{_pairs(pairs)}"


def _reality(report: Report, *, admin: bool) -> str:
    machine = report.machine
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(machine.looked))
    parts = [
        f'<section><h2>The reality here</h2><p class="soft">This server’s own machine, looked at {when}.</p>'
    ]
    bound = [s for s in machine.sockets if s.kind == "listening"]
    if not bound:
        parts.append("<p>No socket is bound to this port over IPv4 or IPv6, tcp or udp.</p>")
    elif not admin:
        kinds = ", ".join(sorted({s.family.rstrip("6") for s in bound}))
        parts.append(
            f"<p>Bound over {kinds}. Whose socket it is, is for administrators only: "
            '<a href="?sign-in" rel="nofollow">sign in</a>.</p>'
        )
    else:
        parts += [_socket(s) for s in bound]
    for result in machine.knocks:
        if result.said:
            words = f'<b class="good">{_e(result.said.protocol)}</b>' + "".join(
                f"<br><code>{_e(line)}</code>" for line in result.said.detail
            )
        elif result.state == "connected":
            words = '<span class="warn">' + ("silent" if result.silent else "not recognised") + "</span>"
        else:
            words = _e(text.KNOCK_WORDS.get(result.state, result.state))
        parts.append(_pairs([(result.address + ("/udp" if result.transport == "udp" else ""), words)]))
    if admin:
        parts += [f'<p class="soft">Not seen: {_e(sentence)}.</p>' for sentence in machine.unseen]
    return "".join(parts) + "</section>"


def _socket(sock: sockets.Socket) -> str:
    pairs = [("socket", f"{_e(sock.family)} on {_e(sock.address)}")]
    for owner in sock.owners:
        since = (
            time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(owner.started)) if owner.started else "unknown"
        )
        pairs += [
            ("process", f"{_e(owner.name)} (pid {owner.pid}), user {_e(owner.user)}, since {since}"),
            ("command", f"<code>{_e(command_line(owner, verbose=False))}</code>"),
        ]
        pairs += [
            (label, _e(value))
            for label, value in (("systemd", owner.unit), ("container", owner.container))
            if value
        ]
    if sock.owner_hidden:
        pairs.append(("process", f"not shown: held by {_e(sock.owner_hidden)} (uid {sock.uid})"))
    return _pairs(pairs)


def _elsewhere(report: Report) -> str:
    own = [e for e in report.evidence if e["port"] != "*"]
    claims = "".join(
        f'<blockquote><p>{_e(c["claim"], 1000)}</p><p class="soft">{_e(c["years"])}, {_e(c["kind"])}, '
        f"{_e(c['transport'])}. Source: {_e(c['source'])}, {_source(c['where'])}</p></blockquote>"
        for c in own
    )
    return (
        '<section><h2>The reality elsewhere</h2><p class="soft">Documented claims only, each with its source.</p>'
        + (claims or "<p>Nothing documented is known to us about this port.</p>")
        + "</section>"
    )


def _source(where: str) -> str:
    if where.startswith(("https://", "http://")):
        return f'<a href="{escape(where)}" rel="noreferrer">{_e(where)}</a>'
    return _e(where)


def _check(report: Report) -> str:
    blocks = "".join(
        f"<h3>{system}</h3><pre>{escape(chr(10).join(commands))}</pre>"
        for system, commands in text.commands(report).items()
    )
    return (
        f"<section><h2>Check it yourself</h2>{blocks}<p>“Connection refused” is the normal answer: the machine is "
        "there, nothing listens on that port.</p></section>"
    )


def _more(report: Report, base: str) -> str:
    rows = []
    for port in (report.port - 1, report.port + 1):
        if 0 <= port <= 65535:
            records = report.registry.at(port)
            names = "/".join(dict.fromkeys(r.name for r in records if r.name)) or (
                records[0].status if records else "not listed"
            )
            rows.append((f"{port}", f'<a href="{escape(base)}/port/{port}">{_e(names)}</a>'))
    if any(r.name == "cap" for r in report.records):
        family = (
            (601, "syslog-conn"),
            (602, "xmlrpc-beep"),
            (603, "idxp"),
            (605, "soap-beep"),
            (674, "acap"),
            (702, "iris-beep"),
        )
        rows.append(
            (
                "family",
                ", ".join(f'<a href="{escape(base)}/port/{p}">{p} {n}</a>' for p, n in family)
                + "; caldav and caldavs have a name and no port",
            )
        )
    return (
        f"<section><h2>Related ports, and the registry itself</h2>{_pairs(rows)}"
        '<p><a href="https://www.iana.org/assignments/service-names-port-numbers" rel="noreferrer">The live registry '
        f'at IANA</a> · <a href="{escape(base)}/port/{report.port}.json">this page as data</a></p></section>'
    )


def portless(registry: Registry, records: Sequence[Record], base: str = "") -> str:
    """The page of a name that is registered without a port.

    Args:
        registry: the snapshot.
        records: the name's.
        base: path the pages live under.
    """
    title = f"{records[0].name}: a registered service name without a port"
    body = f"<h1>{_e(title)}</h1>{_story(registry, records)}<p>{_e(text.PORTLESS)}</p>"
    return document(title, body, base)


def runs(registry: Registry, low: int, high: int, live: set[int] | None, base: str = "") -> str:
    """The page of a range: a row per run of equal status.

    Args:
        registry: the snapshot.
        low: the first port.
        high: the last port.
        live: those that something listens on; None where that is not told.
        base: path the pages live under.
    """
    found = registry.runs(low, high)
    rows = "".join(
        f"<tr><td>{_run_cell(run.low, run.high, base)}</td><td>{_e(', '.join(run.names) or run.status)}</td>"
        f"<td>{_listens(run.low, run.high, live or set(), base)}</td></tr>"
        for run in found[:MAX_RUNS]
    )
    cut = f"<p>The first {MAX_RUNS} rows; a smaller range shows all.</p>" if len(found) > MAX_RUNS else ""
    told = "What listens is for administrators only; a single port tells more." if live is None else ""
    title = f"Ports {low}–{high}"
    body = (
        f'<h1>{title}</h1><p class="lead">The official registry, snapshot {escape(registry.snapshot)}. {told}</p>'
        f"<section><table><tr><th>port</th><th>name</th><th>here</th></tr>{rows}</table>{cut}</section>"
    )
    return document(title, body, base)


def _run_cell(low: int, high: int, base: str) -> str:
    label = str(low) if low == high else f"{low}–{high}"
    return f'<a href="{escape(base)}/port/{low}">{label}</a>'


def _listens(low: int, high: int, live: set[int], base: str) -> str:
    here = sorted(port for port in live if low <= port <= high)
    return ", ".join(f'<a href="{escape(base)}/port/{port}">{port} listens</a>' for port in here)


def search_page(registry: Registry, words: str, found: Sequence[Record], base: str = "") -> str:
    """The search page: a box over the registry and what the words found.

    Args:
        registry: the snapshot.
        words: what was asked for, untrusted; '' for the bare page.
        found: at most MAX_FOUND records.
        base: path the pages live under.
    """
    counts = registry.counts()
    rows = "".join(
        f"<tr><td>{_port_cell(r, base)}</td><td>{_e(r.transport)}</td><td>{_e(r.name or r.status)}</td>"
        f"<td>{_e(r.description, 200)}</td></tr>"
        for r in found
    )
    table = (
        f"<table><tr><th>port</th><th>over</th><th>name</th><th>description</th></tr>{rows}</table>"
        if rows
        else ""
    )
    asked = ""
    if words:
        more = f" (the first {MAX_FOUND})" if len(found) >= MAX_FOUND else ""
        asked = f"<p>{len(found)} record{'' if len(found) == 1 else 's'} for “{_e(words, 100)}”{more}.</p>"
    near = ""
    if words and not found:
        links = ", ".join(
            f'<a href="{escape(base)}/port/?q={quote(n)}">{_e(n)}</a>' for n in registry.nearest(words)
        )
        near = f"<p>Nearest names: {links}.</p>" if links else ""
    body = (
        "<h1>Which port is that?</h1>"
        f'<p class="lead">The official registry, offline (snapshot {escape(registry.snapshot)}): of 48,128 user ports, '
        f"{counts['assigned']:,} are assigned. Look one up and see what really listens there.</p>"
        f'<section>{asked}{near}{table}<p>Try <a href="{escape(base)}/port/1026">1026</a>, '
        f'<a href="{escape(base)}/port/443">443</a> or <a href="{escape(base)}/port/?q=calendar">calendar</a>.</p></section>'
    )
    return document("Ports: the official registry", body, base, words)


def _port_cell(entry: Record, base: str) -> str:
    if entry.low is None:
        return '<span class="soft">none</span>'
    label = str(entry.low) if entry.low == entry.high else f"{entry.low}–{entry.high}"
    return f'<a href="{escape(base)}/port/{entry.low}">{label}</a>'
