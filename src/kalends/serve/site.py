"""What is served over HTTP: a table from the first word of a path to what answers there."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from kalends.dav.app import ELSEWHERE
from kalends.ports import site
from kalends.ports.registry import Registry
from kalends.ports.site import HTML
from kalends.serve import front
from kalends.serve.dav import DavVisit, Face
from kalends.serve.http.answers import Answer, plain
from kalends.serve.http.app import Answered, Visit
from kalends.serve.http.head import BadHeadError, Head
from kalends.serve.http.reading import IGNORED_BODY
from kalends.serve.proxies import Proxies, Seen

log = logging.getLogger(__name__)

LOOK_UPS = 4
"""Port pages made at once: each may knock for a second or two."""
DAV_PLACES = frozenset(("dav", ".well-known", "principals", "calendars", "caldav", "remote.php", *ELSEWHERE))
"""First words of paths that the dav room answers: its own, and where apps look that know the host only."""
PAGE_METHODS = frozenset(("GET", "HEAD", "POST"))
"""Methods of pages; every other one is WebDAV's, wherever it asks (RFC 6764 §6: apps try the bare origin)."""
SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
"""Methods that change nothing: any other one is refused where a browser says that another site sends it."""
NOTHING = "There is nothing here. Calendars are at /dav/, ports at /port/."


class Site:
    """The table of what is served.

    Args:
        faces: by the host asked for: how CalDAV is answered, and who asks; None for a host that is not ours.
        proxies: whose word counts about who asks.
        cap_port: what the first page says of CAP.
    """

    def __init__(self, faces: Callable[[str], Face | None], proxies: Proxies, cap_port: int) -> None:
        self._faces, self._proxies, self._cap_port = faces, proxies, cap_port
        self._registry = Registry.load()
        self._looks = asyncio.Semaphore(LOOK_UPS)
        self.pages: dict[str, Callable[[PageVisit], Answered]] = {"": self._front, "port": self._port}

    def open(self, head: Head) -> Visit | Answer:
        """Find what answers a request."""
        try:
            seen = self._proxies.see(head)
        except BadHeadError as error:
            return plain(error.status, f"This cannot be answered: {error}.", close=True)
        face = self._faces(seen.host)
        if face is None:
            return plain(421, "This host is not served here.")
        if head.headers.get("sec-fetch-site") == "cross-site" and head.method not in SAFE:
            return plain(403, "Another site may not change anything here through your browser.")
        first = seen.path[1:].partition("/")[0]
        make = self.pages.get(first)
        if first in DAV_PLACES or (head.method not in PAGE_METHODS and first != "port"):
            return DavVisit(face, head, seen)
        if make is None:
            return plain(404, NOTHING)
        if head.method == "POST" or head.method not in PAGE_METHODS:
            return plain(405, "Only GET and HEAD are understood here.", ("allow", "GET, HEAD"))
        return PageVisit(make, face, head, seen)

    def _front(self, visit: PageVisit) -> Answer:
        if visit.seen.path != "/":
            return plain(404, NOTHING)
        text = front.document(visit.seen, visit.face.policy.csid, self._cap_port)
        return Answer(200, (("content-type", HTML), *site.SECURITY), text.encode())

    async def _port(self, visit: PageVisit) -> Answer:
        head, seen = visit.head, visit.seen
        credentials = visit.face.credentials
        admin = False
        if "authorization" in head.headers:
            checked = await credentials.certain(head, seen)
            if isinstance(checked, Answer):
                return checked
            admin = checked.identity.admin
        elif "sign-in" in head.query.split("&"):
            return credentials.refusal("Sign in as an administrator of this store to see processes.")
        async with self._looks:
            made = await asyncio.to_thread(
                site.respond,
                self._registry,
                seen.path,
                head.query,
                head.headers.get("accept", ""),
                admin=admin,
                base=seen.prefix,
            )
        return Answer(made.status, made.headers, made.body)


class PageVisit:
    """One request for a page.

    Args:
        make: makes it.
        face: of the host asked for.
        head: the request's.
        seen: who asks from where, for what.
    """

    __slots__ = ("_began", "_make", "face", "head", "limit", "seen")

    def __init__(self, make: Callable[[PageVisit], Answered], face: Face, head: Head, seen: Seen) -> None:
        self._make, self.face, self.head, self.seen = make, face, head, seen
        self.limit = IGNORED_BODY
        self._began = time.perf_counter()

    def admit(self) -> Answer | None:
        """Pages take no body."""
        return None

    def answer(self, body: bytes) -> Answered:
        """Make it; what came as a body means nothing."""
        return self._make(self)

    def too_large(self, limit: int) -> Answer:
        """The answer to a body."""
        return plain(413, "A page takes no body.")

    def done(self, status: int, octets: int) -> None:
        """Pages are not worth a line of the log, except when something went wrong."""
        if status >= 500:
            log.info("%s %s answered %d", self.head.method, self.seen.path[:200], status)
