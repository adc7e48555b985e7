"""application/beep+xml: a strict reader and an escaping writer (RFC 3080 §6.4).

The subset has neither an XML declaration nor a DOCTYPE, so there are no entities to expand; processing
instructions and comments are legal and mean nothing here.
"""

from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from kalends.beep.codes import ReplyCode
from kalends.beep.errors import RemoteProtocolError

# <greeting><profile/></greeting> is as deep as BEEP's own elements go; tuning profiles are flat.
MAX_DEPTH = 2
# A greeting names each profile once; more than this is an attack or a mistake.
MAX_ELEMENTS = 1024


@dataclass(slots=True)
class Element:
    """One element: its attributes, its own character data, its children in order."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list["Element"] = field(default_factory=list)


class _Builder:
    """Collects what expat reports."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self.open: list[Element] = []
        self.count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > MAX_ELEMENTS or len(self.open) >= MAX_DEPTH:
            raise RemoteProtocolError("XML is nested too deeply or too long", ReplyCode.SYNTAX_ERROR)
        element = Element(name, attributes)
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)

    def end(self, _name: str) -> None:
        self.open.pop()

    def text(self, data: str) -> None:
        self.open[-1].text += data


def _refuse(*_: object) -> NoReturn:
    raise RemoteProtocolError("XML declaration or DOCTYPE in application/beep+xml", ReplyCode.SYNTAX_ERROR)


def read_element(data: bytes) -> Element:
    """Read one element.

    Args:
        data: UTF-8 octets, already bounded in size by the message limit.

    Returns:
        The root element.

    Raises:
        RemoteProtocolError: Code 500: not well-formed, or outside the subset (BC-11).

    Source: RFC 3080 §6.4.
    """
    builder = _Builder()
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.XmlDeclHandler = _refuse
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(data.strip(b" \t\r\n"), True)
    except expat.ExpatError as error:
        raise RemoteProtocolError(f"XML is not well-formed: {error}", ReplyCode.SYNTAX_ERROR) from None
    assert builder.root is not None  # expat accepts no document without a root
    return builder.root


_IN_TEXT = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("\r"): "&#13;"}
_IN_ATTRIBUTE = _IN_TEXT | {ord("'"): "&apos;", ord('"'): "&quot;", ord("\n"): "&#10;", ord("\t"): "&#9;"}


def is_xml_text(text: str) -> bool:
    """Whether every character may occur in XML 1.0 at all, and survives line-end normalisation."""
    return all(
        c in "\t\n" or (c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff") for c in text
    )


def clean_text(text: str) -> str:
    """Replace characters XML can't carry by U+FFFD; diagnostics may quote anything."""
    return (
        text if is_xml_text(text) else "".join(c if is_xml_text(c) or c == "\r" else "\ufffd" for c in text)
    )


def write_element(name: str, attributes: dict[str, str], content: str = "") -> str:
    """Write one element.

    Args:
        name: Element name.
        attributes: Values in any text; escaped here.
        content: Markup, already escaped (see write_text) or CDATA.

    Returns:
        The element, empty-element form if it has no content.

    Source: RFC 3080 §6.4.
    """
    head = name + "".join(f" {k}='{clean_text(v).translate(_IN_ATTRIBUTE)}'" for k, v in attributes.items())
    return f"<{head}>{content}</{name}>" if content else f"<{head} />"


def write_text(text: str) -> str:
    """Escape character data."""
    return clean_text(text).translate(_IN_TEXT)


def write_cdata(text: str) -> str:
    """Carry XML within XML readably; falls back to escapes where CDATA can't hold the text."""
    return write_text(text) if "]]>" in text or not is_xml_text(text) else f"<![CDATA[{text}]]>"
