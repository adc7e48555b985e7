"""XML on its way in: expat, with everything refused that costs more than it says.

No DOCTYPE, so that there are no entities to expand and nothing to fetch; depth, elements, attributes and
octets are bounded. Comments and processing instructions mean nothing here (RFC 4918 §8.2, §17).
"""

from __future__ import annotations

import re
from typing import NoReturn
from xml.parsers import expat

MAX_OCTETS = 4_000_000
"""A body. A calendar-multiget that names 10,000 resources takes about 1.5 MB."""
MAX_DEPTH = 64
"""Nested elements. The deepest filter of RFC 4791 needs ten; dead properties may hold whole documents."""
MAX_ELEMENTS = 100_000
"""Elements of one body: a multiget of 10,000 needs a tenth of that."""
MAX_ATTRIBUTES = 64
"""Attributes of one element. RFC 4791 needs four."""
MAX_NAME = 1_000
"""Characters of a name with its namespace: names become keys in the store."""
_ENCODINGS = frozenset(("UTF-8", "UTF-16", "UTF-16LE", "UTF-16BE", "US-ASCII", "ISO-8859-1"))


_PATH = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*"
_AUTHORITY = r"//(?:[A-Za-z0-9\-._~!$&'()*+,;=]+(?::[0-9]{1,5})?)?(?=[/?#]|\Z)"
_NAMESPACE = re.compile(
    rf"(?:[A-Za-z][A-Za-z0-9+.\-]*:(?:{_AUTHORITY}|(?!//)){_PATH}"
    rf"|(?!//)[A-Za-z0-9\-._~!$&'()*+,;=@]*(?:[/?]{_PATH})?)(?:#{_PATH})?\Z"
)
"""A namespace that every reader takes for a URI reference. Others would make an answer that repeats them
unreadable for clients that look (libxml2 does)."""


class XmlError(ValueError):
    """A body that is not read.

    Attributes:
        reason: one sentence for a person.
        limit: whether it is well-formed as far as anybody knows, but too much.
    """

    def __init__(self, reason: str, *, limit: bool = False) -> None:
        self.reason = reason
        self.limit = limit
        super().__init__(reason)


class Element:
    """One element.

    Attributes:
        tag: '{namespace}local', or a bare local name.
        attributes: by '{namespace}local' or bare name.
        items: character data and children in order.
    """

    __slots__ = ("attributes", "items", "tag")

    def __init__(
        self, tag: str, attributes: dict[str, str] | None = None, items: list[str | Element] | None = None
    ) -> None:
        self.tag = tag
        self.attributes = attributes if attributes is not None else {}
        self.items: list[str | Element] = items if items is not None else []

    @property
    def text(self) -> str:
        """The element's own character data, joined."""
        return "".join(item for item in self.items if isinstance(item, str))

    @property
    def children(self) -> list[Element]:
        """The child elements in order."""
        return [item for item in self.items if isinstance(item, Element)]

    def child(self, tag: str) -> Element | None:
        """The first child of that tag, or None."""
        return next((item for item in self.items if isinstance(item, Element) and item.tag == tag), None)

    def all(self, tag: str) -> list[Element]:
        """All children of that tag, in order."""
        return [item for item in self.items if isinstance(item, Element) and item.tag == tag]

    def __repr__(self) -> str:
        return f"Element({self.tag!r}, {self.attributes!r}, {self.items!r})"


class _Builder:
    """Collects what expat reports, and counts."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self.open: list[Element] = []
        self.count = 0
        self.namespaces = {""}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > MAX_ELEMENTS:
            raise XmlError(f"more than {MAX_ELEMENTS} elements", limit=True)
        if len(self.open) >= MAX_DEPTH:
            raise XmlError(f"elements are nested more than {MAX_DEPTH} deep", limit=True)
        if len(attributes) > MAX_ATTRIBUTES:
            raise XmlError(f"an element has more than {MAX_ATTRIBUTES} attributes", limit=True)
        if len(name) > MAX_NAME:
            raise XmlError(f"a name has more than {MAX_NAME} characters", limit=True)
        name = self._clark(name)
        if attributes:
            attributes = {self._clark(key): value for key, value in attributes.items()}
        made = Element(name, attributes)
        if self.open:
            self.open[-1].items.append(made)
        elif self.root is None:
            self.root = made
        self.open.append(made)

    def end(self, _name: str) -> None:
        self.open.pop()

    def text(self, data: str) -> None:
        self.open[-1].items.append(data)

    def _clark(self, name: str) -> str:
        """Expat's 'namespace local' as '{namespace}local'."""
        namespace, space, local = name.rpartition(" ")
        if not space:
            return name
        if namespace not in self.namespaces:
            if not _NAMESPACE.match(namespace):
                raise XmlError(f"the namespace {namespace[:100]!r} is no URI")
            self.namespaces.add(namespace)
        return f"{{{namespace}}}{local}"


def _refuse_doctype(*_: object) -> NoReturn:
    raise XmlError("a DOCTYPE is not accepted (RFC 4918 §20.6)")


def _check_declaration(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.upper() not in _ENCODINGS:
        raise XmlError(f"the encoding {encoding[:40]} is not read here; UTF-8 is")


def read(data: bytes) -> Element:
    """Read a document.

    Args:
        data: the body.

    Returns:
        Its root element.

    Raises:
        XmlError: not well-formed, a DOCTYPE, or over a limit.

    Source: RFC 4918 §8.2, §17, §20.6; XML 1.0 and Namespaces in XML 1.0.
    """
    if len(data) > MAX_OCTETS:
        raise XmlError(f"the XML has {len(data)} octets; the limit is {MAX_OCTETS}", limit=True)
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.XmlDeclHandler = _check_declaration
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise XmlError(
            f"not well-formed XML: {expat.ErrorString(error.code)}, line {error.lineno} column {error.offset}"
        ) from error
    except (ValueError, LookupError) as error:
        if isinstance(error, XmlError):
            raise
        raise XmlError("the XML has an encoding that is not read here") from error
    if builder.root is None:
        raise XmlError("the XML is empty")
    return builder.root
