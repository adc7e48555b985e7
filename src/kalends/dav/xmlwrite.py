"""XML on its way out: fragments are strings that are escaped already, under fixed prefixes.

No element objects are built: a PROPFIND of 10,000 events writes its rows with string formatting alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from xml.sax.saxutils import escape as _escape

from kalends.dav.xmlread import Element

DAV = "{DAV:}"
CALDAV = "{urn:ietf:params:xml:ns:caldav}"
CALENDARSERVER = "{http://calendarserver.org/ns/}"
APPLE = "{http://apple.com/ns/ical/}"
KALENDS = "{urn:kalends:dav}"
PREFIXES = {"D": DAV, "C": CALDAV, "CS": CALENDARSERVER, "A": APPLE, "K": KALENDS}
"""The prefixes that every answer declares at its root."""
_PREFIX_OF = {namespace: prefix for prefix, namespace in PREFIXES.items()}
_DECLARED = "".join(f' xmlns:{prefix}="{namespace[1:-1]}"' for prefix, namespace in PREFIXES.items())
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
MULTISTATUS = f"{_HEAD}<D:multistatus{_DECLARED}>\n"
MULTISTATUS_END = "</D:multistatus>\n"
CHUNK = 200
"""Responses joined into one chunk of octets: some 100 KB: cheap to make, and a stream still."""
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NEEDS_WORK = re.compile("[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 403: "Forbidden", 404: "Not Found", 409: "Conflict",
    412: "Precondition Failed", 415: "Unsupported Media Type", 423: "Locked", 424: "Failed Dependency",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 507: "Insufficient Storage",
}  # fmt: skip


def text(value: str) -> str:
    """Escape character data. Characters that XML 1.0 cannot hold become U+FFFD; CR stays what it is."""
    if _NEEDS_WORK.search(value) is None:
        return value
    return _UNWRITABLE.sub("�", _escape(value)).replace("\r", "&#13;")


def attribute(value: str) -> str:
    """Escape the value of an attribute that is written between double quotes."""
    return text(value).replace('"', "&quot;").replace("\t", "&#9;").replace("\n", "&#10;")


@lru_cache(maxsize=4096)
def tags(name: str) -> tuple[str, str, str]:
    """The opening, closing and empty tag of an element.

    Args:
        name: '{namespace}local', or a bare local name for an element of no namespace.
    """
    namespace, brace, local = name.rpartition("}")
    if not brace:
        return f"<{name}>", f"</{name}>", f"<{name}/>"
    prefix = _PREFIX_OF.get(namespace + brace)
    if prefix is not None:
        return f"<{prefix}:{local}>", f"</{prefix}:{local}>", f"<{prefix}:{local}/>"
    declared = f'X:{local} xmlns:X="{attribute(namespace[1:])}"'
    return f"<{declared}>", f"</X:{local}>", f"<{declared}/>"


def element(name: str, inner: str = "") -> str:
    """An element around a fragment that is escaped already."""
    start, end, empty = tags(name)
    return f"{start}{inner}{end}" if inner else empty


def href(path: str) -> str:
    """A D:href; `path` is percent-encoded, so that only '&' could need escaping."""
    return f"<D:href>{text(path)}</D:href>"


def hrefs(paths: Iterable[str]) -> str:
    """Several D:href one after the other."""
    return "".join(map(href, paths))


def status_line(status: int) -> str:
    """A D:status."""
    return f"<D:status>HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}</D:status>"


OK = status_line(200)


def propstat(inner: str, status: int) -> str:
    """A D:propstat around properties that are written already."""
    return f"<D:propstat><D:prop>{inner}</D:prop>{status_line(status)}</D:propstat>"


def response(path: str, inner: str) -> str:
    """A D:response."""
    return f"<D:response><D:href>{text(path)}</D:href>{inner}</D:response>\n"


def status_response(path: str, status: int, inner: str = "") -> str:
    """A D:response that says one status of the whole resource (RFC 4918 §14.24)."""
    return response(path, status_line(status) + inner)


def document(name: str, inner: str) -> bytes:
    """A whole document with one root element."""
    start, end, _ = tags(name)
    return f"{_HEAD}{start[:-1]}{_DECLARED}>{inner}{end}\n".encode()


def multistatus(responses: Iterable[str], tail: str = "") -> Iterator[bytes]:
    """A D:multistatus in chunks.

    Args:
        responses: what `response` made, one after the other.
        tail: what follows them: a D:sync-token (RFC 6578 §3.5), a D:responsedescription.
    """
    held = [MULTISTATUS]
    for one in responses:
        held.append(one)
        if len(held) >= CHUNK:
            yield "".join(held).encode()
            held = []
    held.append(tail)
    held.append(MULTISTATUS_END)
    yield "".join(held).encode()


def written(found: Element) -> str:
    """An element that was read, written so that it stands alone: every namespace it uses is declared in it.

    Used to keep dead properties (RFC 4918 §4.3): names, attributes, xml:lang and mixed content survive;
    prefixes do not.
    """
    out: list[str] = []
    _write(found, out)
    return "".join(out)


_XML = "{http://www.w3.org/XML/1998/namespace}"


def _write(found: Element, out: list[str]) -> None:
    namespace, brace, local = found.tag.rpartition("}")
    known = _PREFIX_OF.get(namespace + brace)
    name = f"{known or 'X'}:{local}" if brace else local
    declared = "" if known or not brace else f' xmlns:X="{attribute(namespace[1:])}"'
    if not brace:
        declared = ' xmlns=""'
    given: list[str] = []
    for number, (key, value) in enumerate(found.attributes.items()):
        space, has, bare = key.rpartition("}")
        if key.startswith(_XML):
            given.append(f' xml:{bare}="{attribute(value)}"')
        elif has:
            given.append(f' xmlns:a{number}="{attribute(space[1:])}" a{number}:{bare}="{attribute(value)}"')
        else:
            given.append(f' {bare}="{attribute(value)}"')
    out.append(f"<{name}{declared}{''.join(given)}")
    if not found.items:
        out.append("/>")
        return
    out.append(">")
    for item in found.items:
        if isinstance(item, str):
            out.append(text(item))
        else:
            _write(item, out)
    out.append(f"</{name}>")
