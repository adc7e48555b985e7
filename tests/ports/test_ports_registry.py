"""The registry as data: look-ups, counts, ranges, and IANA's own files read as downloaded."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from kalends.ports import convert
from kalends.ports.registry import USER, Registry, evidence, load_file, person, range_of, record

REGISTRY = Registry.load()


def test_port_1026_is_cap_on_tcp_and_udp_with_its_attributes() -> None:
    records = REGISTRY.at(1026)
    assert [(r.transport, r.name, r.status) for r in records] == [
        ("tcp", "cap", "assigned"),
        ("udp", "cap", "assigned"),
    ]
    assert {r.description for r in records} == {"Calendar Access Protocol"}
    assert {r.registered for r in records} == {"2010-12-09"}
    assert {r.reference for r in records} == {""}, (
        "the registry gives no reference for cap; none may be invented"
    )
    assert person(records[0].assignee) == "Doug Royer"


def test_every_port_answers_what_a_full_read_of_the_table_says() -> None:
    lines = [line for line in REGISTRY.data.split(b"\n") if line[:1].isdigit()]
    for port in (0, 1, 20, 80, 230, 443, 1024, 1026, 1027, 1028, 5060, 6000, 6063, 8080, 49151, 49152, 65535):
        expected = {line for line in lines if int(line.split(b"\t")[0]) <= port <= int(line.split(b"\t")[1])}
        assert {record(line) for line in expected} == set(REGISTRY.at(port)), port


def test_the_counts_told_in_the_header_are_the_counted_ones_and_add_up() -> None:
    counted = REGISTRY.count(*USER)
    assert REGISTRY.counts() == counted
    assert sum(counted.values()) == 48_128


def test_the_snapshot_dates_are_told() -> None:
    assert (REGISTRY.snapshot, REGISTRY.names_snapshot) == ("2026-03-02", "2026-09-17")


@pytest.mark.parametrize(
    ("name", "ports"),
    [
        ("cap", [1026, 1026]),
        ("HTTPS", [443, 443, 443, None]),
        ("caldav", [None]),
        ("http-alt", [591, 591, 8008, 8008, 8080, 8080]),
    ],
)
def test_names_are_found_in_any_case_with_all_their_ports(name: str, ports: list[int | None]) -> None:
    assert [r.low for r in REGISTRY.named(name)] == ports


def test_an_alias_says_that_it_is_one() -> None:
    assert {r.status for r in REGISTRY.named("whois++")} == {"alias"}


def test_an_unknown_name_gets_the_nearest_ones() -> None:
    assert REGISTRY.named("kap") == []
    assert "cap" in REGISTRY.nearest("kap")
    assert REGISTRY.nearest("caldva")[0] == "caldav"


def test_a_name_that_is_a_whole_cell_elsewhere_is_not_taken_for_a_service() -> None:
    assert {r.name for r in REGISTRY.named("tcp")} == {"tcp"}, "the service called tcp, not 6,594 transports"
    assert REGISTRY.named("Doug_Royer") == []


def test_search_finds_all_words_in_any_column() -> None:
    assert {r.name for r in REGISTRY.search("Calendar ACCESS protocol")} == {"cap"}
    assert REGISTRY.search("   ") == []
    assert len(REGISTRY.search("protocol", limit=7)) == 7


def test_a_range_is_told_in_runs_that_cover_it_without_gaps() -> None:
    runs = REGISTRY.runs(1000, 1100)
    assert runs[0].low == 1000
    assert runs[-1].high == 1100
    assert all(a.high + 1 == b.low for a, b in itertools.pairwise(runs))
    assert next(r for r in runs if r.low <= 1026 <= r.high).names == ("cap",)
    assert next(r for r in runs if r.low <= 1028 <= r.high).status == "withdrawn"


@pytest.mark.parametrize(
    ("port", "name"),
    [
        (0, "system"),
        (1023, "system"),
        (1024, "user"),
        (49151, "user"),
        (49152, "dynamic"),
        (65535, "dynamic"),
    ],
)
def test_rfc6335_6_the_three_ranges(port: int, name: str) -> None:
    assert range_of(port)[0] == name


def test_every_documented_claim_has_a_source_and_a_place() -> None:
    claims = evidence(1026)
    assert len(claims) >= 6
    assert all(claim["source"] and claim["where"] for claim in claims)
    assert [c["port"] for c in evidence(2)] == ["*"], (
        "a port with no claims of its own has only the general rule"
    )


CSV = """Service Name,Port Number,Transport Protocol,Description,Assignee,Contact,Registration Date,Modification Date,Reference,Service Code,Unauthorized Use Reported,Assignment Notes
cap,1026,tcp,Calendar Access Protocol,[Doug_Royer],[Doug_Royer],2026-12-01,,[RFC4324][RFC3080],,,
cap,1026,udp,"Calendar
 Access Protocol",[Doug_Royer],[Doug_Royer],2010-12-09,,,,,
,1028,,Deprecated,,,,2004-02,,,,
,1032-1039,tcp,Unassigned,,,,,,,,
,1040,tcp,Reserved,,,,,,,,
old,63,tcp,whois,,,,,,,,"This entry is an alias to ""whoispp""."
caldav,,tcp,CalDAV,,,,,,,,
"""
XML = """<?xml version='1.0' encoding='UTF-8'?>
<registry xmlns="http://www.iana.org/assignments" id="service-names-port-numbers"><registry>
<record date="2026-12-01"><name>cap</name><protocol>tcp</protocol><number>1026</number>
<description>Calendar Access Protocol</description>
<assignee><xref type="person" data="Doug_Royer"/></assignee><contact><xref type="person" data="Doug_Royer"/></contact>
<xref type="rfc" data="rfc4324"/></record>
</registry></registry>"""


@pytest.mark.parametrize("text", [CSV, XML])
def test_a_newer_iana_file_is_read_as_downloaded(tmp_path: Path, text: str) -> None:
    path = tmp_path / "iana.dat"
    path.write_text(text, "utf-8")
    registry = load_file(path)
    cap = registry.at(1026)[0]
    assert (cap.name, cap.assignee, cap.reference.split("; ")[0]) == ("cap", "Doug_Royer", "RFC4324")
    assert registry.snapshot == "2026-12-01"
    assert registry.counts() == registry.count(*USER), "a downloaded file tells its own counts"


def test_statuses_are_derived_from_a_csv(tmp_path: Path) -> None:
    path = tmp_path / "iana.csv"
    path.write_text(CSV, "utf-8")
    registry = load_file(path)
    assert [registry.at(p)[0].status for p in (1028, 1033, 1040, 63)] == [
        "withdrawn",
        "unassigned",
        "reserved",
        "alias",
    ]
    assert registry.named("caldav")[0].low is None
    assert registry.at(1026)[1].description == "Calendar Access Protocol"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"a,b\n1,2\n", "neither IANA's csv nor its xml"),
        (b"<registry><record>", "not well-formed"),
        (b'<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>', "document type"),
        (CSV.replace("1026", "x26").encode(), "is no port number"),
        (CSV.split("\n", maxsplit=1)[0].encode(), "no registry records"),
    ],
)
def test_a_file_that_is_no_registry_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        convert.to_table(data)


def test_the_shipped_table_is_refreshed_by_one_command(tmp_path: Path) -> None:
    (tmp_path / "iana.csv").write_text(CSV, "utf-8")
    assert convert.main([str(tmp_path / "iana.csv"), str(tmp_path / "registry.tsv")]) == 0
    refreshed = load_file(tmp_path / "registry.tsv")
    assert refreshed.data.split(b"\n")[1].startswith(b"# user ports: assigned 1, reserved 1, withdrawn 1,")
    assert refreshed.counts() == refreshed.count(*USER)
    assert [r.name for r in refreshed.named("cap")] == ["cap", "cap"]
    assert convert.main([]) == 2
    assert convert.main([str(tmp_path / "none.csv"), str(tmp_path / "registry.tsv")]) == 1
