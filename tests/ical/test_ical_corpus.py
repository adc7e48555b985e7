"""Every file of other projects' test data comes back octet for octet, or is refused with line and reason."""

from __future__ import annotations

from pathlib import Path

import icalendar
import pytest

from kalends.ical import tree
from kalends.ical.errors import ICalError
from kalends.ical.values import values

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
FILES = sorted(f.relative_to(CORPUS).as_posix() for f in CORPUS.rglob("*") if f.suffix in {".ics", ".vcf"})
REFUSED = {
    path: (int(line), reason)
    for path, line, reason in (
        row.rstrip("\n").split("\t")
        for row in (HERE / "data" / "corpus-refused.tsv")
        .read_text(encoding="utf-8")
        .splitlines(keepends=True)
        if not row.startswith("#")
    )
}


def test_the_list_of_refused_files_names_files_that_exist() -> None:
    assert len(FILES) == 248
    assert set(REFUSED) <= set(FILES)


@pytest.mark.parametrize("path", FILES)
def test_each_file_is_kept_whole_or_refused_as_listed(path: str) -> None:
    """RFC 5545 §3.1, §3.4: what is kept is kept octet for octet."""
    data = (CORPUS / path).read_bytes()
    if path in REFUSED:
        with pytest.raises(ICalError) as caught:
            tree.parse_all(data)
        assert (caught.value.line, caught.value.reason) == REFUSED[path]
        return
    roots = tree.parse_all(data)
    assert b"".join(root.to_bytes() for root in roots) == data.removeprefix(b"\xef\xbb\xbf")


def _paired(
    ours: tree.Component, theirs: icalendar.Component
) -> list[tuple[tree.Component, icalendar.Component]]:
    """Components of both trees side by side; the oracle sorts nothing, it keeps components in order."""
    pairs = [(ours, theirs)]
    assert len(ours.components) == len(theirs.subcomponents), (ours.name, theirs.name)
    for mine, other in zip(ours.components, theirs.subcomponents, strict=True):
        pairs.extend(_paired(mine, other))
    return pairs


def _oracle(data: bytes) -> list[icalendar.Component] | None:
    try:
        return icalendar.Component.from_ical(data, multiple=True)
    except Exception:  # noqa: BLE001 - whatever makes the oracle refuse a file, we have nothing to compare
        return None


def test_the_icalendar_package_sees_the_same_properties_and_parameters() -> None:
    """An independent reader finds the same components, property names and parameter values."""
    compared = 0
    for path in FILES:
        if path in REFUSED:
            continue
        data = (CORPUS / path).read_bytes()
        roots = tree.parse_all(data)
        theirs = _oracle(data)
        if theirs is None or b"\r\r" in data or any(part.errors for root in theirs for part in root.walk()):
            continue
        assert len(roots) == len(theirs), path
        for root, other in zip(roots, theirs, strict=True):
            for mine, their in _paired(root, other):
                assert mine.name == their.name, path
                names = {line.name for line in mine.lines if line.value}
                assert names <= set(their.keys()) <= {line.name for line in mine.lines}, path
                for line in mine.lines:
                    found = their.get(line.name)
                    if isinstance(found, icalendar.vText) and len(mine.all(line.name)) == 1:
                        assert values(line, lenient=True)[0].text == str(found), (path, line)
                        for key, written in line.params:
                            theirs_written = found.params[key]
                            assert list(written) == _as_list(theirs_written), (path, line)
                        compared += 1
    assert compared > 500


def _as_list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else [value]
