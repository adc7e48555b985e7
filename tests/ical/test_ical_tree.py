"""The tree keeps what it reads, octet for octet, and refuses what it cannot keep (RFC 5545 §3.1, §3.4)."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from icalendar.parser import Contentline

from kalends.ical import tree
from kalends.ical.errors import ICalError
from kalends.ical.folds import FOLD_AT, fold, unfold
from kalends.ical.line_numbers import numbered
from kalends.ical.mending import mend_cut_folds
from kalends.ical.tree import Component, Line, parse, parse_all

EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Europe/Rome:20250301T100000\r\n"
    'SUMMARY:Lunch\\, long\r\nATTENDEE;CN="Doe; Jane";ROLE=CHAIR:mailto:jane@example.com\r\n'
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)


def event(*lines: str) -> Component:
    text = "".join(f"{line}\r\n" for line in ("BEGIN:VEVENT", *lines, "END:VEVENT"))
    return parse(text)


def line(text: str) -> Line:
    return event(text).lines[0]


def test_quotes_inside_a_parameter_lose_none_of_its_neighbours_s3_2() -> None:
    """Forbidden, and written: a CN as somebody typed it. The parameters after it were lost."""
    for said, name in (
        ('CN=Joe "Jo" Doe', 'Joe "Jo" Doe'),
        ('CN="Joe "Jo" Doe"', 'Joe "Jo" Doe'),
        ('CN="Jo" Doe', '"Jo" Doe'),
        ('CN="Joe', '"Joe'),
    ):
        one = line(f"ATTENDEE;{said};PARTSTAT=ACCEPTED;ROLE=CHAIR:mailto:jo@example.com")
        assert one.params == (("CN", (name,)), ("PARTSTAT", ("ACCEPTED",)), ("ROLE", ("CHAIR",)))
        assert one.value == "mailto:jo@example.com"
    bare = line('ATTENDEE;X-BARE;CN="A: B":mailto:a@example.com')
    assert (bare.params, bare.value) == ((("CN", ("A: B",)),), "mailto:a@example.com")


def test_an_untouched_tree_gives_back_its_octets() -> None:
    assert parse(EVENT.encode()).to_bytes() == EVENT.encode()


@pytest.mark.parametrize(
    "text",
    [
        EVENT.replace("\r\n", "\n"),
        EVENT.removesuffix("\r\n"),
        EVENT + "\r\n\r\n",
        "\r\n\n" + EVENT,
        EVENT.replace("UID:1\r\n", "UID:1\r\n\r\n\n"),
        EVENT.replace("Lunch", "Lu\r\n\tn\r\n ch"),
        EVENT.replace("Lunch", "Lu\n nch"),
        EVENT.replace("SUMMARY", "summary").replace("BEGIN:VEVENT", "begin:vevent"),
        EVENT.replace("SUMMARY", "SUM\r\n MARY"),
        EVENT.replace("SUMMARY", "X_UNDER.SCORE"),
        EVENT.replace("Lunch", "L\x0b\x85\u2028unch"),
        EVENT.replace("END:VEVENT", "END:VEVENT  "),
    ],
)
def test_harmless_oddities_are_kept(text: str) -> None:
    root = parse(text.encode())
    assert root.to_bytes() == text.encode()
    assert [part.name for part in root.walk()] == ["VCALENDAR", "VEVENT"]
    assert root.components[0].value("UID") == "1"


def test_a_byte_order_mark_is_dropped() -> None:
    assert parse(b"\xef\xbb\xbf" + EVENT.encode()).to_bytes() == EVENT.encode()
    assert parse("\ufeff" + EVENT).to_ics() == EVENT


def test_blank_lines_make_no_lines() -> None:
    assert [one.name for one in parse("BEGIN:X\n\nA:1\n\n\nB:2\n\nEND:X\n").lines] == ["A", "B"]


def test_nothing_is_no_component() -> None:
    assert parse_all(b"") == parse_all("\r\n\n") == []
    with pytest.raises(ICalError, match="BEGIN is missing"):
        parse("")


@pytest.mark.parametrize(
    ("text", "number", "reason"),
    [
        ("BEGIN:A\r\nnonsense\r\nEND:A\r\n", 2, "not a content line"),
        ("BEGIN:A\r\nX:1\r\n 2\r\n 3\r\nna me:x\r\nEND:A\r\n", 5, "not a content line"),
        ("BEGIN:A\nX;P=1\nEND:A\n", 2, "not a content line"),
        ("BEGIN:A\nX:1\n\n y:2\nEND:A\n", 4, "not a content line"),
        ("BEGIN:A\nS\x01:1\nEND:A\n", 2, "not a content line"),
        ("\n\nBEGIN:A\nSU\x7fM:1\nEND:A\n", 4, "not a content line"),
        ("BEGIN:A\nX:a\0b\nEND:A\n", 2, "NUL"),
        ("BEGIN:A\nX:1\n", 2, "END:A is missing"),
        ("BEGIN:A\nBEGIN:B\nEND:A\n", 3, "END:A closes BEGIN:B"),
        ("END:A\n", 1, "without BEGIN"),
        ("X:1\nBEGIN:A\nEND:A\n", 1, "outside any component"),
        ("BEGIN:A\nEND:A\nX:1\n", 3, "outside any component"),
        ("BEGIN:A\nEND:A\n\nX:1\nBEGIN:A\nEND:A\n", 4, "outside any component"),
        ("BEGIN:\nEND:\n", 1, "no component name"),
        ("BEGIN:A B\nEND:A B\n", 1, "no component name"),
        ("BEGIN:A\nX:\ud800\nEND:A\n", 2, "not UTF-8"),
        ("BEGIN:A\nEND:A\n\x1a", 3, "not a content line"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_line(text: str, number: int, reason: str) -> None:
    with pytest.raises(ICalError, match=reason) as caught:
        parse_all(text)
    assert caught.value.line == number


def test_two_roots_are_too_many_for_parse() -> None:
    with pytest.raises(ICalError, match="2 components, one expected") as caught:
        parse("BEGIN:A\nX:1\nEND:A\n\nBEGIN:A\nEND:A\n")
    assert caught.value.line == 5


@pytest.mark.parametrize(
    ("data", "number"),
    [
        (b"BEGIN:A\nX:\xff\nEND:A\n", 2),
        (b"BEGIN:A\nX:a\n b\n c\xe9\n d\nEND:A\n", 4),
        (b"BEGIN:A\nX:a\xc3\n \xa9b\nY:\xc3\n \xa9\xc3\nEND:A\n", 5),
    ],
)
def test_octets_that_are_no_utf8_are_refused_with_their_line(data: bytes, number: int) -> None:
    with pytest.raises(ICalError, match="not UTF-8") as caught:
        parse_all(data)
    assert caught.value.line == number


def test_a_fold_may_cut_a_character_in_two() -> None:
    """RFC 5545 §3.1: legal to receive, kept as it came, read as one character."""
    data = "BEGIN:A\r\nX:caf\xe9 \U0001f600\r\nEND:A\r\n".encode()
    cut = data.replace(b"\xc3\xa9", b"\xc3\r\n \xa9").replace(b"\x9f\x98", b"\x9f\r\n\t\x98")
    root = parse(cut)
    assert root.to_bytes() == cut
    assert root.value("X") == "caf\xe9 \U0001f600"
    assert mend_cut_folds(root)
    assert root.to_bytes() == data
    assert not mend_cut_folds(root)


def test_cap_lenient_reads_the_slips_of_the_rfc() -> None:
    """A-01 and A-02: REPLY for VREPLY, a VQUERY closed by END:VCAR."""
    text = (
        "BEGIN:VCALENDAR\r\nBEGIN:REPLY\r\nX:1\r\nEND:VREPLY\r\nBEGIN:VREPLY\r\nEND:REPLY\r\n"
        "BEGIN:VQUERY\r\nQUERY:SELECT * FROM VEVENT\r\nEND:VCAR\r\nEND:VCALENDAR\r\n"
    )
    root = parse(text, cap_lenient=True)
    assert [part.name for part in root.components] == ["VREPLY", "VREPLY", "VQUERY"]
    assert root.to_ics() == text
    with pytest.raises(ICalError, match="END:VREPLY closes BEGIN:REPLY"):
        parse(text)
    with pytest.raises(ICalError, match="END:VQUERY closes BEGIN:VCAR"):
        parse("BEGIN:VCAR\nEND:VQUERY\n", cap_lenient=True)


# --- lines


@pytest.mark.parametrize(
    ("raw", "params", "value"),
    [
        ("A:b:c;d", (), "b:c;d"),
        ("A;P=1:b", (("P", ("1",)),), "b"),
        ("a;p=1,2;Q=:b", (("P", ("1", "2")), ("Q", ("",))), "b"),
        ('A;P="x:y;z,w":b', (("P", ("x:y;z,w",)),), "b"),
        ('A;P="1","2",3:b', (("P", ("1", "2", "3")),), "b"),
        ('A;P=",":b', (("P", (",",)),), "b"),
        ("A;P=a^nb^^c^'d^x:b", (("P", ('a\nb^c"d^x',)),), "b"),
        ('A;P="a^nb, c":b', (("P", ("a\nb, c",)),), "b"),
        ("A;P:b", (), "b"),
        ("A; P =1:b", (("P", ("1",)),), "b"),
        ("A;P=1;;Q=2:b", (("P", ("1",)), ("Q", ("2",))), "b"),
        ('A;P="open:b', (("P", ('"open',)),), "b"),
        ("A:", (), ""),
    ],
)
def test_a_line_is_cut_into_parameters_and_value(
    raw: str, params: tuple[tuple[str, tuple[str, ...]], ...], value: str
) -> None:
    """RFC 5545 §3.1, §3.2; RFC 6868 §3."""
    one = line(raw)
    assert (one.name, one.params, one.value) == ("A", params, value)


def test_a_parameter_is_found_by_name() -> None:
    one = line('MEMBER;P=1;Q="a,b",c;P=2:x')
    assert one.param("P") == "1"
    assert one.param_values("P") == ("1", "2")
    assert one.param_values("Q") == ("a,b", "c")
    assert one.param("R") is None
    assert one.param_values("R") == ()
    assert repr(one) == "Line('MEMBER;P=1;Q=\"a,b\",c;P=2:x')"


def test_a_changed_value_leaves_the_parameters_as_written() -> None:
    one = line('sUMMARY;LANGUAGE="en";x-broken:\r\n old').with_value("new")
    assert one.raw == 'sUMMARY;LANGUAGE="en";x-broken:new\r\n'
    assert one.name == "SUMMARY"
    assert one.with_params((("P", ("a;b", "c")),)).raw == 'SUMMARY;P="a;b",c:new\r\n'


@pytest.mark.parametrize("value", ["a\nATTENDEE:x", "a\rb", "a\0b", "\udc80"])
def test_no_line_is_smuggled_in_by_a_value(value: str) -> None:
    with pytest.raises(ICalError, match="raw line break"):
        Line.make("SUMMARY", value)
    with pytest.raises(ICalError, match="raw line break"):
        line("SUMMARY:x").with_value(value)


@pytest.mark.parametrize("name", ["", "A B", "A:B", "A\r\nB", "\u212a"])
def test_no_line_is_made_with_a_bad_name(name: str) -> None:
    with pytest.raises(ICalError, match="not the name"):
        Line.make(name, "x")
    with pytest.raises(ICalError, match="not the name"):
        Line.make("A", "x", ((name, ("y",)),))


def test_parameters_cannot_break_out_of_their_quotes() -> None:
    """RFC 6868 §3.2."""
    evil = 'a";ROLE=CHAIR:mailto:x\r\nATTENDEE:y\x00^'
    made = Line.make("ATTENDEE", "mailto:z", (("CN", (evil,)),))
    assert line(made.raw.removesuffix("\r\n")).params == (("CN", ('a";ROLE=CHAIR:mailto:x\nATTENDEE:y^',)),)


# --- components


def test_items_are_found_replaced_and_removed_by_identity() -> None:
    root = parse(EVENT)
    part = root.children("VEVENT")[0]
    summary = part.first("SUMMARY")
    assert summary is not None
    part.replace(summary, summary.with_value("Dinner"))
    part.remove(part.all("ATTENDEE")[0])
    part.add("COMMENT", "a;b", ("LANGUAGE", ("en",)))
    assert root.to_ics() == EVENT.replace("Lunch\\, long", "Dinner").replace(
        'ATTENDEE;CN="Doe; Jane";ROLE=CHAIR:mailto:jane@example.com', "COMMENT;LANGUAGE=en:a;b"
    )
    assert part.value("NOTHING") is None
    assert repr(part) == "<VEVENT 4 items>"


def test_a_copy_is_independent() -> None:
    root = parse(EVENT)
    twin = root.copy()
    twin.components[0].items.clear()
    assert root.to_ics() == EVENT
    assert len(twin.to_ics()) < len(EVENT)


def test_a_root_without_last_line_break_can_be_put_into_another() -> None:
    inner = parse("BEGIN:VEVENT\nUID:1\nEND:VEVENT")
    outer = Component("VCALENDAR", [inner])
    assert parse(outer.to_ics()).components[0].value("UID") == "1"
    assert inner.to_ics().endswith("END:VEVENT")


def test_lines_are_numbered_as_in_the_text() -> None:
    text = "\nBEGIN:A\nX:1\n 2\n\nBEGIN:B\nY:1\nEND:B\nZ:1\nEND:A\n"
    rows = text.split("\n")
    for number, part, one in numbered(parse(text)):
        assert rows[number - 1].startswith(one.name if one else f"BEGIN:{part.name}")


# --- bounds


def test_texts_beyond_the_bounds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MAX_OCTETS", 200)
    monkeypatch.setattr(tree, "MAX_LINES", 10)
    for long in ("BEGIN:A\nX:" + "a" * 200 + "\nEND:A\n", "BEGIN:A\nX:" + "\xe9" * 95 + "\nEND:A\n"):
        with pytest.raises(ICalError, match="longer than 200 octets"):
            parse_all(long)
        with pytest.raises(ICalError, match="longer than 200 octets"):
            parse_all(long.encode())
    with pytest.raises(ICalError, match="more than 10 lines"):
        parse_all("BEGIN:A\n" + "X:1\n" * 10 + "END:A\n")
    assert parse("BEGIN:A\nX:1\n" + " 1\n\t2\n" * 10 + "END:A\n").value("X") == "1" + "12" * 10


def test_components_nest_only_so_deep() -> None:
    deep = tree.MAX_DEPTH
    assert len(list(parse("BEGIN:A\n" * deep + "END:A\n" * deep).walk())) == deep
    with pytest.raises(ICalError, match="nested deeper") as caught:
        parse("BEGIN:A\n" * (deep + 1) + "END:A\n" * (deep + 1))
    assert caught.value.line == deep + 1


def test_a_line_holds_only_so_many_parameters() -> None:
    one = ';A="b:c"'
    many = tree.MAX_PARAMS // len(one) + 1
    with pytest.raises(ICalError, match="name and parameters longer") as caught:
        parse(f"BEGIN:A\nX:1\nX{one * many}:v\nEND:A\n")
    assert caught.value.line == 3
    assert (
        len(parse(f"BEGIN:A\nX{one * (many // 2)}:{'v' * tree.MAX_PARAMS}\nEND:A\n").lines[0].params) > 1000
    )


@pytest.mark.parametrize(
    "body",
    [
        "X:" + "\r\n a" * 1_000_000 + "\r\n",
        "X:" + "\n\ta\r\n b" * 500_000 + "\r\n",
        "X\n " * 20_000 + ":1\n",
        "X:" + "a" * 4_000_000 + "\r\n",
        "X:1\r\n" + "\r\n" * 900_000,
        "X;P=" + '",' * 20_000 + ":1\n",
        'X;P="' * 10_000 + ":1\n",
        "X" + ";" * 60_000 + ":1\n",
    ],
    ids=["folds", "mixed-folds", "folded-name", "long", "blank", "quotes", "open-quotes", "semicolons"],
)
def test_hostile_texts_are_kept_in_one_pass(body: str) -> None:
    """A million folds, blank lines or parameters' worth: linear, or this test never ends."""
    text = f"BEGIN:A\r\n{body}END:A\r\n"
    root = parse(text)
    assert root.to_ics() == text
    assert len(root.lines[0].value) <= len(body)


# --- properties

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
VALUE = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=300)
NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True).filter(
    lambda name: name.upper() not in {"BEGIN", "END"}
)
PARAM_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(["\n", "^", '"', ",", ";", ":"]),
    max_size=30,
)
PARAMS = st.lists(
    st.tuples(NAME.map(str.upper), st.lists(PARAM_TEXT, min_size=1, max_size=3).map(tuple)), max_size=3
).map(tuple)


@given(NAME, PARAMS, VALUE)
def test_a_made_line_reads_back(
    name: str, params: tuple[tuple[str, tuple[str, ...]], ...], value: str
) -> None:
    """RFC 5545 §3.1; RFC 6868 §3.1, §3.2."""
    made = Line.make(name, value, params)
    read = parse(f"BEGIN:A\r\n{made.raw}END:A\r\n").lines[0]
    assert (read.name, read.params, read.value) == (name.upper(), params, value)
    assert (made.name, made.params, made.value) == (name.upper(), params, value)


SIMPLE = (
    st.text(st.sampled_from("abcXYZ 019.@/-+_\u00e9\u4e16"), min_size=1, max_size=30)
    .map(str.strip)
    .filter(bool)
)


@given(
    NAME,
    st.dictionaries(NAME.map(str.upper), st.lists(SIMPLE, min_size=1, max_size=3, unique=True), max_size=3),
    st.text(st.sampled_from("abc:;,=\"'^ \u00e9\U0001f600"), max_size=120),
)
def test_the_icalendar_package_cuts_a_line_at_the_same_places(
    name: str, params: dict[str, list[str]], value: str
) -> None:
    """RFC 5545 §3.1, §3.2: an independent reader agrees on name, parameters, value and folds."""
    made = Line.make(name, value, tuple((key, tuple(values)) for key, values in params.items()))
    their_name, their_params, their_value = Contentline.from_ical(made.raw.removesuffix("\r\n")).parts()
    assert (their_name.upper(), their_value) == (name.upper(), value)
    assert {
        key: list(found) if isinstance(found, list) else [found] for key, found in their_params.items()
    } == params


@given(VALUE)
def test_unfold_undoes_fold_and_folds_are_short(value: str) -> None:
    folded = fold("X:" + value)
    assert unfold(folded) == "X:" + value
    rows = folded.removesuffix("\r\n").split("\r\n")
    assert all(len(row.encode()) <= FOLD_AT for row in rows)


@given(
    st.lists(st.sampled_from(["BEGIN:A", "END:A", "X:1", " y", "", "\t", 'Z;p="a', "no", "\r"]), max_size=12)
)
@example(["BEGIN:A", "", " y", "END:A"])
def test_line_soup_is_kept_or_refused(rows: list[str]) -> None:
    _kept_or_refused("\n".join(rows))


@given(ANY_TEXT)
def test_any_text_is_kept_or_refused(text: str) -> None:
    _kept_or_refused(text)
    _kept_or_refused(f"BEGIN:A\r\n{text}\r\nEND:A\r\n")


@given(st.binary(max_size=200))
def test_any_octets_are_kept_or_refused(data: bytes) -> None:
    for whole in (data, b"BEGIN:A\r\nX:" + data + b"\r\nEND:A\r\n"):
        try:
            roots = parse_all(whole)
        except ICalError:
            continue
        assert b"".join(root.to_bytes() for root in roots) == (whole if roots else b"")


def _kept_or_refused(text: str) -> None:
    try:
        roots = parse_all(text)
    except ICalError:
        return
    joined = "".join(root.to_ics() for root in roots)
    assert joined == text.removeprefix("\ufeff") or (not roots and not text.strip("\r\n\ufeff"))
    for root in roots:
        for part in root.walk():
            for one in part.lines:
                assert isinstance(one.value, str)
                assert all(key == key.upper() for key, _ in one.params)
