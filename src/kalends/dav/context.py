"""What every part of a request's handling needs to know: the request, who asks, and its headers, read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal
from urllib.parse import urlsplit

from kalends.core.model import Caller
from kalends.dav import paths, xmlread
from kalends.dav.errors import DavError
from kalends.dav.messages import Request
from kalends.dav.paths import Address
from kalends.dav.xmlread import Element, XmlError
from kalends.dav.xmlwrite import DAV

Depth = Literal["0", "1", "infinity"]

_XML_TYPES = frozenset(("application/xml", "text/xml"))
_PREFERENCE = re.compile(r'\s*([A-Za-z-]+)\s*(?:=\s*(?:"([^"]*)"|([^";,\s]*)))?\s*(?:;[^,]*)?(?:,|\Z)')


@dataclass(frozen=True)
class Context:
    """One request's circumstances, without a transaction.

    Attributes:
        request: what came.
        caller: who asks.
        principals: raw paths of principals that were looked up, by id; they never change.
        tokens: sync tokens of the calendars that an If header names, by local path, as they were when the
            transaction began: a write counts its own change before it checks conditions.
    """

    request: Request
    caller: Caller
    principals: dict[int, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def prefix(self) -> str:
        """The path Kalends is mounted under: every path that is written begins with it."""
        return self.request.prefix

    @cached_property
    def address(self) -> Address:
        """What the request's path names.

        Raises:
            DavError: 400 for a path that is none.
        """
        return paths.read(self.request.path)

    def header(self, name: str) -> str | None:
        """A header by its lower-case name, stripped; None when it is not there."""
        value = self.request.headers.get(name)
        return None if value is None else value.strip()

    def depth(self, default: Depth) -> Depth:
        """The Depth header.

        Raises:
            DavError: 400 for anything but 0, 1 and infinity.

        Source: RFC 4918 §10.2.
        """
        given = self.header("depth")
        if given is None:
            return default
        for known in ("0", "1", "infinity"):
            if given.lower() == known:
                return known
        raise DavError(400, None, "Depth is 0, 1 or infinity.")

    @cached_property
    def preferences(self) -> dict[str, str]:
        """The Prefer header: values by lower-case name, '' for one without a value; the first one counts.

        The older `Brief: t` means return=minimal (RFC 8144 §A).

        Source: RFC 7240 §2.
        """
        found: dict[str, str] = {}
        for name, quoted, bare in _PREFERENCE.findall(self.header("prefer") or ""):
            found.setdefault(name.lower(), (quoted or bare).lower())
        if (self.header("brief") or "").lower() == "t":
            found.setdefault("return", "minimal")
        return found

    @property
    def minimal(self) -> bool:
        """Whether the client prefers return=minimal (RFC 8144 §2)."""
        return self.preferences.get("return") == "minimal"

    @property
    def representation(self) -> bool:
        """Whether the client prefers return=representation (RFC 8144 §3)."""
        return self.preferences.get("return") == "representation"

    @property
    def noroot(self) -> bool:
        """Whether the client prefers depth-noroot (RFC 8144 §4)."""
        return "depth-noroot" in self.preferences

    @property
    def is_xml(self) -> bool:
        """Whether the request says that its body is XML."""
        return _is_xml((self.header("content-type") or "").partition(";")[0].strip().lower())

    def xml(self, *, root: str | None = None) -> Element | None:
        """The body as XML; None when there is none.

        Args:
            root: the only root element that is accepted.

        Raises:
            DavError: 415 for another media type, 400 for what is not well-formed, 413 for too much, 422 for
                another root element.

        Source: RFC 4918 §8.2.
        """
        body = self.request.body
        if not body:
            return None
        media = (self.header("content-type") or "application/xml").partition(";")[0].strip().lower()
        if not _is_xml(media):
            raise DavError(415, None, "The body has to be application/xml.")
        try:
            read = xmlread.read(body)
        except XmlError as error:
            raise DavError(413 if error.limit else 400, None, f"{error.reason}.") from error
        if root is not None and read.tag != root:
            raise DavError(422, None, f"The root element has to be {root}.")
        return read

    def local_path(self, uri: str) -> str | None:
        """The raw path, without prefix, that a URI of this server names; None for one elsewhere.

        Args:
            uri: an absolute path, or an absolute URI, as in Destination or D:href.

        Raises:
            DavError: 400 when it is neither.
        """
        try:
            parts = urlsplit(uri.strip())
        except ValueError as error:
            raise DavError(400, None, "A URI in the request cannot be read.") from error
        if parts.scheme or parts.netloc:
            given = f"{parts.scheme or 'http'}://{_authority(parts.scheme, parts.netloc)}".lower()
            mine = urlsplit(self.request.origin)
            known = {f"{mine.scheme}://{_authority(mine.scheme, mine.netloc)}".lower()}
            host = self.header("host")
            if host:
                known |= {f"{scheme}://{_authority(scheme, host)}".lower() for scheme in ("http", "https")}
            if given not in known:
                return None
        path = parts.path or "/"
        if not path.startswith("/"):
            raise DavError(400, None, "A path begins with '/'.")
        if not self.prefix:
            return path
        if path == self.prefix or path.startswith(f"{self.prefix}/"):
            return path[len(self.prefix) :] or "/"
        return None

    def destination(self) -> Address:
        """What the Destination header names.

        Raises:
            DavError: 400 without one; 502 when it is on another server.

        Source: RFC 4918 §10.3, §9.8.5.
        """
        given = self.header("destination")
        if not given:
            raise DavError(400, None, "COPY and MOVE need a Destination header.")
        path = self.local_path(given)
        if path is None:
            raise DavError(502, None, "The Destination is on another server.")
        return paths.read(path)

    @property
    def overwrite(self) -> bool:
        """The Overwrite header (RFC 4918 §10.6).

        Raises:
            DavError: 400 for anything but T and F.
        """
        given = (self.header("overwrite") or "T").upper()
        if given not in ("T", "F"):
            raise DavError(400, None, "Overwrite is T or F.")
        return given == "T"


def _is_xml(media: str) -> bool:
    return media in _XML_TYPES or media.endswith("+xml")


def _authority(scheme: str, authority: str) -> str:
    """An authority without the scheme's own port."""
    return authority.removesuffix({"http": ":80", "https": ":443"}.get(scheme, "\x00"))


def finite(context: Context) -> Depth:
    """The Depth of a PROPFIND, which is never infinity here.

    Raises:
        DavError: 403 with propfind-finite-depth (RFC 4918 §9.1.1).
    """
    depth = context.depth("infinity")
    if depth == "infinity":
        raise DavError(
            403,
            f"{DAV}propfind-finite-depth",
            "Ask with Depth 0 or 1 (RFC 4918 §9.1).",
        )
    return depth
