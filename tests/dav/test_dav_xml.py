"""The XML reader and writer: everything well-formed goes through, everything costly is refused (RFC 4918 §20.6)."""

from __future__ import annotations

import pytest
from dav_harness import NS, Client
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from kalends.dav import xmlread, xmlwrite
from kalends.dav.xmlread import Element, XmlError, read

CALENDAR = "/dav/calendars/bill/calendar/"
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=20)
NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
SPACES = st.sampled_from(["", "DAV:", "urn:x", "urn:a&b", "http://www.w3.org/XML/1998/namespace/other"])
TAG = st.builds(lambda space, name: f"{{{space}}}{name}" if space else name, SPACES, NAME)
XML_TEXT = TEXT.map(
    lambda text: "".join(c for c in text if c in "\t\n\r" or (ord(c) >= 32 and c not in "\x7f\ufffe\uffff"))
)
ELEMENT = st.recursive(
    st.builds(Element, TAG, st.dictionaries(TAG, XML_TEXT, max_size=3), st.lists(XML_TEXT, max_size=1)),
    lambda inner: st.builds(
        Element, TAG, st.dictionaries(TAG, XML_TEXT, max_size=2), st.lists(inner | XML_TEXT, max_size=4)
    ),
    max_leaves=12,
)


def shape(element: Element) -> tuple[object, ...]:
    """An element as comparable data, neighbouring texts joined."""
    items: list[object] = []
    for item in element.items:
        if isinstance(item, str):
            if not item:
                continue
            if items and isinstance(items[-1], str):
                items[-1] += item
            else:
                items.append(item)
        else:
            items.append(shape(item))
    return element.tag, tuple(sorted(element.attributes.items())), tuple(items)


@given(ELEMENT)
def test_what_is_written_is_read_back(element: Element) -> None:
    document = xmlwrite.document("{DAV:}x", xmlwrite.written(element))
    (back,) = read(document).children
    assert shape(back) == shape(element)


@given(ELEMENT)
def test_reading_agrees_with_lxml(element: Element) -> None:
    data = xmlwrite.document("{DAV:}x", xmlwrite.written(element))
    theirs = etree.fromstring(data)
    mine = read(data)
    pairs = [(mine, theirs)]
    while pairs:
        ours, other = pairs.pop()
        assert ours.tag == other.tag
        assert ours.attributes == dict(other.attrib)
        assert ours.text == "".join([other.text or "", *(child.tail or "" for child in other)])
        pairs += zip(ours.children, other, strict=True)


@given(st.text(max_size=40))
def test_any_text_makes_a_well_formed_document(text: str) -> None:
    inner = f'<D:a b="{xmlwrite.attribute(text)}">{xmlwrite.text(text)}</D:a>'
    found = etree.fromstring(xmlwrite.document("{urn:x}y", inner))[0]
    held = "".join(c if xmlwrite._UNWRITABLE.match(c) is None else "\ufffd" for c in text)
    assert (found.text or "") == held
    assert found.get("b") == held


@given(st.binary(max_size=200))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    try:
        found = read(data)
    except XmlError as error:
        reason = error.reason
    else:
        reason = found.tag
    assert reason


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    ("data", "limit"),
    [
        (LAUGHS, False),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', False),
        (b"<!DOCTYPE x><x/>", False),
        (b"<x>&undefined;</x>", False),
        (b"<x", False),
        (b"", False),
        (b"<x/><y/>", False),
        (b"<D:x/>", False),
        (b'<x xmlns:a="u" xmlns:b="u" a:c="1" b:c="2"/>', False),
        (b'<?xml version="1.0" encoding="utf-7"?><x/>', False),
        (b'<?xml version="1.0" encoding="none"?><x/>', False),
        (b'<?xml version="1.0" encoding="utf-8"?><x>\xff</x>', False),
        (b"<x>\x00</x>", False),
        (b"<x>" * (xmlread.MAX_DEPTH + 1), True),
        (b"<x>" + b"<y/>" * xmlread.MAX_ELEMENTS + b"</x>", True),
        (b"<x " + b" ".join(b'a%d="1"' % n for n in range(xmlread.MAX_ATTRIBUTES + 1)) + b"/>", True),
        (b"<x" + b"x" * xmlread.MAX_NAME + b"/>", True),
        (b"<x>" + b" " * xmlread.MAX_OCTETS + b"</x>", True),
    ],
)  # fmt: skip
def test_bombs_and_nonsense_are_refused(data: bytes, limit: bool) -> None:  # RFC 4918 §17, §20.6
    with pytest.raises(XmlError) as caught:
        read(data)
    assert caught.value.limit is limit


@given(st.text(max_size=20) | st.from_regex(r"[a-z]{0,3}:?/{0,2}[a-z%:\[]{0,4}[^a-z]{0,3}", fullmatch=True))
def test_no_namespace_is_taken_that_lxml_would_refuse(space: str) -> None:
    data = f'<X:y xmlns:X="{xmlwrite.attribute(space)}" xmlns="DAV:"/>'.encode()
    try:
        read(data)
    except XmlError:
        return
    assert etree.fromstring(data).tag == f"{{{space}}}y"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_the_encodings_of_rfc_4918_are_read(encoding: str) -> None:  # RFC 4918 §8.2
    data = f'<?xml version="1.0" encoding="{encoding}"?><x a="é">ü</x>'.encode(encoding)
    assert (read(data).text, read(data).attributes) == ("ü", {"a": "é"})
    assert read(b"\xef\xbb\xbf<x/>").tag == "x"


def test_comments_instructions_and_cdata_mean_what_they_should() -> None:
    found = read(b"<?p q?><!-- a --><x xmlns='u'><!-- b --><![CDATA[<&]]> c<?p?><y/></x><!-- d -->")
    assert (found.tag, found.text, found.children[0].tag) == ("{u}x", "<& c", "{u}y")
    assert found.child("{u}y") is found.children[0]
    assert found.child("{u}z") is None


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (LAUGHS, {}, 400),
        (b"<x", {}, 400),
        (b"<x/>", {"content_type": "text/plain"}, 415),
        (b"<x/>", {}, 422),
        (b"<x>" * 100, {}, 413),
        (b'<propfind xmlns="DAV:"/>', {}, 400),
        (b'<propfind xmlns="DAV:"><prop/><allprop/></propfind>', {}, 400),
        (b'<propfind xmlns="DAV:"><prop>' + b"".join(b"<a%d/>" % n for n in range(501)) + b"</prop></propfind>", {}, 413),
    ],
)  # fmt: skip
def test_a_request_with_bad_xml_is_told_so(
    bill: Client, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = bill("PROPFIND", CALENDAR, body, depth="0", **headers)
    assert answer.status == status
    assert answer.xml.findtext("D:responsedescription", namespaces=NS)


def test_propfind_ignores_elements_it_does_not_know(bill: Client) -> None:  # RFC 4918 §17
    body = b'<propfind xmlns="DAV:"><new xmlns="urn:n"/><prop><displayname/></prop></propfind>'
    assert bill("PROPFIND", CALENDAR, body, depth="0").prop("D:displayname") == "calendar"


@pytest.mark.parametrize("body", [b"", b'<propertyupdate xmlns="DAV:"/>', b'<propertyupdate xmlns="DAV:"><add/></propertyupdate>', b'<propertyupdate xmlns="DAV:"><set/></propertyupdate>'])  # fmt: skip
def test_a_proppatch_that_says_nothing_is_refused(bill: Client, body: bytes) -> None:
    assert bill("PROPPATCH", CALENDAR, body).status == 400
