"""`/port/…` for the HTTP listener: path and query in, page or data out; knows nothing of HTTP servers."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote, unquote

from kalends.ports import page, report, sockets
from kalends.ports.registry import Record, Registry

HTML, JSON, CSV = "text/html; charset=utf-8", "application/json", "text/csv; charset=utf-8"
MAX_QUERY = 100
"""Characters of a search that are looked at."""
SECURITY = (
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
)
"""Sent with every answer: nothing is loaded, run or kept."""


class Answer(NamedTuple):
    """An HTTP answer without its transport.

    Attributes:
        status: the code.
        headers: lower-case names and values.
        body: octets.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def respond(
    registry: Registry, path: str, query: str, accept: str, *, admin: bool = False, base: str = ""
) -> Answer:
    """Answer a GET below `/port`. It looks at this machine's sockets and knocks at loopback, so it blocks.

    Args:
        registry: the snapshot.
        path: the raw path from `/port` on.
        query: the raw query string.
        accept: the Accept header; JSON is sent where it asks for that and not for HTML.
        admin: show process names, users and addresses.
        base: the path the listener lives under behind a proxy.
    """
    fields = parse_qs(query[:2000], max_num_fields=20)
    word = unquote(path.removeprefix("/port").strip("/"), errors="replace")[:MAX_QUERY]
    as_json = word.endswith(".json") or _wants_json(accept)
    word = word.removesuffix(".json")
    if not word:
        return _search(registry, fields, base, as_json=as_json)
    if re.fullmatch(r"\d{1,5}", word, re.ASCII) and int(word) <= 65535:
        return _port(registry, int(word), fields, base, as_json=as_json, admin=admin)
    one = re.fullmatch(r"(.+)/(tcp|udp)", word)
    if one and not fields.get("transport"):
        return _see_other(f"{base}/port/{quote(one[1])}{'.json' if as_json else ''}?transport={one[2]}")
    span = re.fullmatch(r"(\d{1,5})-(\d{1,5})", word, re.ASCII)
    if span and int(span[1]) <= int(span[2]) <= 65535:
        return _range(registry, int(span[1]), int(span[2]), base, as_json=as_json, admin=admin)
    return _name(registry, word, fields, base, as_json=as_json)


def _name(registry: Registry, word: str, fields: dict[str, list[str]], base: str, *, as_json: bool) -> Answer:
    records = registry.named(word)
    ports = [r.low for r in records if r.low is not None]
    if ports:
        asked = fields.get("transport", [""])[0]
        transport = f"?transport={asked}" if asked in ("tcp", "udp") else ""
        return _see_other(f"{base}/port/{ports[0]}{'.json' if as_json else ''}{transport}")
    if not records:
        return _missing(registry, word, base, as_json=as_json)
    if as_json:
        return _data(200, report.portless_as_json(records))
    return _answer(200, HTML, page.portless(registry, records, base))


def _range(registry: Registry, low: int, high: int, base: str, *, as_json: bool, admin: bool) -> Answer:
    """A range; what listens in it is told to administrators only, for it would be a scan by anybody."""
    live = sockets.listening(low, high) if admin else None
    if as_json:
        return _data(200, report.range_as_json(registry, low, high, live))
    return _answer(200, HTML, page.runs(registry, low, high, live, base))


def _wants_json(accept: str) -> bool:
    return "application/json" in accept and "text/html" not in accept


def _answer(status: int, kind: str, body: str, *extra: tuple[str, str]) -> Answer:
    return Answer(status, (("content-type", kind), *SECURITY, *extra), body.encode("utf-8", "replace"))


def _data(status: int, value: Any) -> Answer:
    return _answer(status, JSON, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _see_other(where: str) -> Answer:
    return _answer(303, HTML, "", ("location", where))


def _port(
    registry: Registry, port: int, fields: dict[str, list[str]], base: str, *, as_json: bool, admin: bool
) -> Answer:
    transport = fields.get("transport", [""])[0]
    made = report.make(
        registry, port, transport=transport if transport in ("tcp", "udp") else None, owners=admin
    )
    if not as_json:
        return _answer(200, HTML, page.render(made, admin=admin, base=base))
    value = report.as_json(made)
    if not admin:
        value["machine"]["sockets"] = [
            {"family": s["family"], "kind": s["kind"]}
            for s in value["machine"]["sockets"]
            if s["kind"] == "listening"
        ]
    return _data(200, value)


def _search(registry: Registry, fields: dict[str, list[str]], base: str, *, as_json: bool) -> Answer:
    words = " ".join(fields.get("q", [""])[0].split())[:MAX_QUERY]
    form = fields.get("format", [""])[0]
    if re.fullmatch(r"\d{1,5}", words, re.ASCII) and int(words) <= 65535 and not form:
        return _see_other(f"{base}/port/{words}")
    exact = registry.named(words) if words else []
    found = (exact + [r for r in registry.search(words, page.MAX_FOUND) if r not in exact])[: page.MAX_FOUND]
    if form == "csv":
        return _answer(200, CSV, _csv(found), ("content-disposition", 'attachment; filename="ports.csv"'))
    if form == "json" or as_json:
        return _data(
            200,
            {
                "format": report.FORMAT,
                "snapshot": registry.snapshot,
                "query": words,
                "records": [r._asdict() for r in found],
            },
        )
    return _answer(200, HTML, page.search_page(registry, words, found, base))


def _csv(found: list[Record]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(Record._fields)
    writer.writerows(found)
    return out.getvalue()


def _missing(registry: Registry, word: str, base: str, *, as_json: bool) -> Answer:
    near = registry.nearest(word)
    if as_json:
        return _data(404, {"format": report.FORMAT, "error": "no such port or service name", "nearest": near})
    if not near:
        return _answer(404, HTML, page.search_page(registry, word, [], base))
    return _answer(
        404,
        HTML,
        page.search_page(registry, word, [], base),
        ("link", f"<{base}/port/{quote(near[0])}>; rel=next"),
    )
