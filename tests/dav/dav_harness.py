"""A CalDAV client without sockets: requests go through the engine into a real store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from core_world import World
from lxml import etree

from kalends.core.model import Caller
from kalends.dav import app
from kalends.dav.messages import Request, Response
from kalends.store.base import Store, Tx

ORIGIN = "https://cal.example.com"
NS = {
    "D": "DAV:",
    "C": "urn:ietf:params:xml:ns:caldav",
    "CS": "http://calendarserver.org/ns/",
    "A": "http://apple.com/ns/ical/",
    "K": "urn:kalends:dav",
}


@dataclass(frozen=True)
class Answer:
    """A response with its body drained, and eyes for XML."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def xml(self) -> etree._Element:
        return etree.fromstring(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def precondition(self) -> str:
        """The element that names the broken rule, such as C:no-uid-conflict; '' without one."""
        if not self.body:
            return ""
        first = next((child for child in self.xml if child.tag != "{DAV:}responsedescription"), None)
        return "" if first is None else short(first.tag)

    def hrefs(self) -> list[str]:
        return self.xml.xpath("/D:multistatus/D:response/D:href/text()", namespaces=NS)

    def props(self, href: str | None = None, status: int = 200) -> dict[str, etree._Element]:
        """The properties of one response with one status, by short name."""
        at = "" if href is None else f"[D:href='{href}']"
        found = self.xml.xpath(
            f"/D:multistatus/D:response{at}/D:propstat[contains(D:status, ' {status} ')]/D:prop/*",
            namespaces=NS,
        )
        return {short(one.tag): one for one in found}

    def prop(self, name: str, href: str | None = None) -> str:
        """The text of a property."""
        return self.props(href)[name].text or ""


def short(tag: str) -> str:
    """'{DAV:}href' as 'D:href'."""
    namespace, _, local = tag[1:].partition("}")
    prefix = next((key for key, value in NS.items() if value == namespace), namespace)
    return f"{prefix}:{local}"


class Client:
    """One person's CalDAV client."""

    def __init__(self, store: Store, caller: Caller, prefix: str = "") -> None:
        self.store = store
        self.caller = replace(caller, via="dav")
        self.prefix = prefix

    def __call__(
        self, method: str, path: str, body: bytes | str = b"", query: str = "", **headers: str
    ) -> Answer:
        """Send a request; header names are written with '_' for '-'."""
        data = body.encode() if isinstance(body, str) else body
        named = {key.lower().replace("_", "-"): value for key, value in headers.items()}
        request = Request(method, path, query, named, data, self.prefix, ORIGIN)
        plan = app.plan(request, self.caller)
        if plan.kind == "none":
            assert plan.answer is not None
            return drained(plan.answer)
        run = self.store.read if plan.kind == "read" else self.store.write
        try:
            return run(lambda tx: self._worked(tx, plan))
        except Exception as error:
            told = app.refusal(request, error)
            if told is None:
                raise
            return drained(told)

    @staticmethod
    def _worked(tx: Tx, plan: app.Plan) -> Answer:
        return drained(plan.work(tx))

    def put(self, path: str, text: str | bytes, **headers: str) -> Answer:
        headers.setdefault("content_type", "text/calendar; charset=utf-8")
        return self("PUT", path, text, **headers)

    def propfind(self, path: str, *names: str, depth: str = "0", **headers: str) -> Answer:
        return self("PROPFIND", path, propfind(*names), depth=depth, **headers)


def drained(response: Response) -> Answer:
    body = response.body
    if isinstance(body, Iterator):
        body = b"".join(body)
    return Answer(response.status, {key.lower(): value for key, value in response.headers}, body)


DECLARED = "".join(f' xmlns:{prefix}="{namespace}"' for prefix, namespace in NS.items())


def propfind(*names: str) -> str:
    """The body of a PROPFIND for properties such as 'D:displayname'; for all of them without any."""
    asked = f"<D:prop>{''.join(f'<{name}/>' for name in names)}</D:prop>" if names else "<D:allprop/>"
    return f'<?xml version="1.0" encoding="utf-8"?><D:propfind{DECLARED}>{asked}</D:propfind>'


def ics(*bodies: str, head: str = "") -> str:
    """An object as a client writes it."""
    text = (
        f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Client//EN\n{head}"
        + "\n".join(bodies)
        + "\nEND:VCALENDAR\n"
    )
    return text.replace("\n", "\r\n")


class DavWorld(World):
    """The world of core's tests with CalDAV clients for its people."""

    def client(self, name: str = "bill", prefix: str = "") -> Client:
        return Client(self.store, self.caller(name), prefix)
