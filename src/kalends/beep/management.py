"""The messages of channel 0: greeting, start, profile, close, ok, error (RFC 3080 §2.3.1, §7.1)."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kalends.beep.codes import ReplyCode
from kalends.beep.errors import LocalProtocolError, RemoteProtocolError
from kalends.beep.events import ProfileOffer
from kalends.beep.limits import MAX_NUMBER, MAX_PIGGYBACK
from kalends.beep.mime import BEEP_XML, DEFAULT_TYPE, build_entity, split_entity
from kalends.beep.xmlmini import (
    Element,
    is_xml_text,
    read_element,
    write_cdata,
    write_element,
    write_text,
)

DEFAULT_LOCALIZE = ("i-default",)
OUR_LANGUAGE = "en"

_DIGITS = re.compile(r"[0-9]{1,10}").fullmatch
_CODE = re.compile(r"[1-5][0-9][0-9]").fullmatch


@dataclass(frozen=True, slots=True)
class Greeting:
    """<greeting>: what the peer serves."""

    profiles: tuple[str, ...]
    features: tuple[str, ...]
    localize: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """<start>: a wish for a channel."""

    number: int
    server_name: str | None
    profiles: tuple[ProfileOffer, ...]


@dataclass(frozen=True, slots=True)
class Close:
    """<close>: a wish to end a channel, or with number 0 the session."""

    number: int
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Ok:
    """<ok/>: agreement to <close>."""


@dataclass(frozen=True, slots=True)
class Error:
    """<error>: refusal."""

    code: int
    text: str


# -- reading --------------------------------------------------------------------------------------------


def _invalid(reason: str) -> RemoteProtocolError:
    return RemoteProtocolError(reason, ReplyCode.PARAMETER_SYNTAX_ERROR)


def _attribute(element: Element, name: str) -> str:
    value = element.attributes.get(name)
    if value is None:
        raise _invalid(f"<{element.name}> lacks its {name} attribute")
    return value


def _number(element: Element, text: str) -> int:
    if not _DIGITS(text) or int(text) > MAX_NUMBER:
        raise _invalid(f"number attribute of <{element.name}> is not in 0..{MAX_NUMBER}")
    return int(text)


def _code(element: Element) -> int:
    text = _attribute(element, "code")
    if not _CODE(text):
        raise _invalid(f"code attribute of <{element.name}> is not a reply code")
    return int(text)


def _uri(element: Element) -> str:
    uri = _attribute(element, "uri").strip()
    if not uri:
        raise _invalid("uri attribute of <profile> is empty")
    return uri


def _only_text(element: Element) -> None:
    if element.children:
        raise _invalid(f"<{element.name}> holds other elements")


def _profile_content(element: Element) -> bytes:
    """Content of a <profile>, decoded; at most 4096 octets (BC-05)."""
    _only_text(element)
    encoding = element.attributes.get("encoding", "none")
    if encoding == "none":
        content = element.text.encode()
    elif encoding == "base64":
        try:
            content = base64.b64decode("".join(element.text.split()).encode(), validate=True)
        except (binascii.Error, ValueError):
            raise _invalid("content of <profile> is not base64") from None
    else:
        raise _invalid("encoding attribute of <profile> is neither none nor base64")
    if len(content) > MAX_PIGGYBACK:
        raise _invalid(f"content of <profile> is longer than {MAX_PIGGYBACK} octets")
    return content


def _read_profile(element: Element) -> ProfileOffer:
    return ProfileOffer(_uri(element), _profile_content(element))


def _profiles_of(element: Element) -> list[Element]:
    if element.text.strip() or any(child.name != "profile" for child in element.children):
        raise _invalid(f"<{element.name}> holds something other than <profile>")
    return element.children


def _read_greeting(element: Element) -> Greeting:
    profiles = _profiles_of(element)
    if any(p.children or p.text.strip() for p in profiles):
        raise _invalid("<profile> in <greeting> must be empty")
    return Greeting(
        tuple(_uri(p) for p in profiles),
        tuple(element.attributes.get("features", "").split()),
        tuple(element.attributes.get("localize", "").split()) or DEFAULT_LOCALIZE,
    )


def _read_start(element: Element) -> Start:
    number = _number(element, _attribute(element, "number"))
    if number == 0:
        raise _invalid("number attribute of <start> must not be 0")
    profiles = tuple(_read_profile(p) for p in _profiles_of(element))
    if not profiles:
        raise _invalid("<start> without <profile>")
    return Start(number, element.attributes.get("serverName") or None, profiles)


def _read_close(element: Element) -> Close:
    _only_text(element)
    number = _number(element, element.attributes.get("number", "0"))
    return Close(number, _code(element), element.text.strip())


def _read_ok(element: Element) -> Ok:
    if element.children or element.text.strip():
        raise _invalid("<ok> must be empty")
    return Ok()


def read_error_element(element: Element) -> Error:
    """Read <error>, wherever it was found."""
    _only_text(element)
    return Error(_code(element), element.text.strip())


IN_MSG: dict[str, Callable[[Element], Start | Close]] = {"start": _read_start, "close": _read_close}
IN_RPY: dict[str, Callable[[Element], Greeting | ProfileOffer | Ok]] = {
    "greeting": _read_greeting,
    "profile": _read_profile,
    "ok": _read_ok,
}


def read_body(payload: bytes) -> Element:
    """Read the XML of a message of channel 0 or of a tuning channel.

    Args:
        payload: The whole message. A missing Content-Type is forgiven: libraries leave it out on tuning
            channels; a different one is not.

    Returns:
        The root element.

    Raises:
        RemoteProtocolError: Code 500 or 501.

    Source: RFC 3080 §6.4.
    """
    entity = split_entity(payload)
    if entity.content_type not in {BEEP_XML, DEFAULT_TYPE}:
        raise _invalid(f"content type {entity.content_type} where {BEEP_XML} is expected")
    if entity.parameters.get("charset", "utf-8").lower() not in {"utf-8", "us-ascii"}:
        raise RemoteProtocolError("only charset UTF-8 is understood", ReplyCode.PARAMETER_NOT_IMPLEMENTED)
    if entity.encoding not in {"binary", "8bit", "7bit"}:
        raise RemoteProtocolError(
            "only binary transfer encoding is understood", ReplyCode.PARAMETER_NOT_IMPLEMENTED
        )
    return read_element(entity.body)


def read_message(payload: bytes) -> Start | Close:
    """Read a MSG of channel 0.

    Args:
        payload: The whole message.

    Returns:
        What the peer wants.

    Raises:
        RemoteProtocolError: Code 500 or 501, for the <error> to be answered (BC-10).

    Source: RFC 3080 §2.3.1.
    """
    element = read_body(payload)
    reader = IN_MSG.get(element.name)
    if reader is None:
        raise _invalid(f"<{element.name[:40]}> is neither <start> nor <close>")
    return reader(element)


def read_reply(payload: bytes) -> Greeting | ProfileOffer | Ok:
    """Read an RPY of channel 0.

    Args:
        payload: The whole message.

    Returns:
        What the peer answered.

    Raises:
        RemoteProtocolError: Poorly formed; ends the session (BF-10).

    Source: RFC 3080 §2.3.1.
    """
    element = read_body(payload)
    reader = IN_RPY.get(element.name)
    if reader is None:
        raise _invalid(f"<{element.name[:40]}> in a positive reply on channel 0")
    return reader(element)


def read_error(payload: bytes) -> Error:
    """Read an ERR of channel 0 or of a tuning channel.

    Args:
        payload: The whole message.

    Returns:
        Code and text.

    Raises:
        RemoteProtocolError: Poorly formed.

    Source: RFC 3080 §2.3.1.5.
    """
    element = read_body(payload)
    if element.name != "error":
        raise _invalid(f"<{element.name[:40]}> in a negative reply")
    return read_error_element(element)


# -- writing --------------------------------------------------------------------------------------------


def wrap(xml: str) -> bytes:
    """Make a message of an element."""
    return build_entity(BEEP_XML, xml.encode() + b"\r\n")


def greeting(profiles: Sequence[str], features: Sequence[str], localize: Sequence[str]) -> bytes:
    """Build <greeting>."""
    attributes = {}
    if features:
        attributes["features"] = " ".join(features)
    if localize:
        attributes["localize"] = " ".join(localize)
    lines = "".join(f"\r\n   {write_element('profile', {'uri': uri})}" for uri in profiles)
    return wrap(write_element("greeting", attributes, lines + "\r\n" if lines else ""))


def profile_xml(offer: ProfileOffer) -> str:
    """Build <profile> with its content.

    Args:
        offer: URI and initialisation message.

    Returns:
        The element; base64 where XML can't carry the octets unchanged.

    Raises:
        LocalProtocolError: The content is longer than 4096 octets as written (BC-05).

    Source: RFC 3080 §2.3.1.2.
    """
    attributes = {"uri": offer.uri}
    try:
        text = offer.content.decode()
        plain = is_xml_text(text)
    except UnicodeDecodeError:
        plain = False
    if not plain:
        attributes["encoding"] = "base64"
        text = base64.b64encode(offer.content).decode()
    if len(text.encode()) > MAX_PIGGYBACK:
        raise LocalProtocolError(f"initialisation content is longer than {MAX_PIGGYBACK} octets")
    return write_element("profile", attributes, write_cdata(text) if text else "")


def start(number: int, server_name: str | None, offers: Sequence[ProfileOffer]) -> bytes:
    """Build <start>."""
    attributes = {"number": str(number)}
    if server_name:
        attributes["serverName"] = server_name
    lines = "".join(f"\r\n   {profile_xml(offer)}" for offer in offers)
    return wrap(write_element("start", attributes, lines + "\r\n"))


def profile(uri: str, content: bytes) -> bytes:
    """Build the <profile> that agrees to a <start>."""
    return wrap(profile_xml(ProfileOffer(uri, content)))


def close(number: int, code: int, text: str) -> bytes:
    """Build <close>."""
    return wrap(write_element("close", {"number": str(number), "code": str(int(code))}, write_text(text)))


def ok() -> bytes:
    """Build <ok/>."""
    return wrap("<ok />")


def error_xml(code: int, text: str, localize: Sequence[str], lang: str = OUR_LANGUAGE) -> str:
    """Build <error>.

    Args:
        code: Reply code.
        text: Diagnostic.
        localize: What the peer's greeting asked for.
        lang: Language of the text; named unless it is the peer's first choice (BC-13). What we write in
            English is also what i-default means (RFC 2277 §4.5).

    Returns:
        The element.

    Source: RFC 3080 §2.3.1.5.
    """
    attributes = {"code": str(int(code))}
    first = localize[0].lower() if localize else DEFAULT_LOCALIZE[0]
    if text and lang.lower() != first and not (first == "i-default" and lang == OUR_LANGUAGE):
        attributes["xml:lang"] = lang
    return write_element("error", attributes, write_text(text))


def error(code: int, text: str, localize: Sequence[str], lang: str = OUR_LANGUAGE) -> bytes:
    """Build a message holding <error> (see error_xml)."""
    return wrap(error_xml(code, text, localize, lang))
