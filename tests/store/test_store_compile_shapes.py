"""Particular queries as SQL: instances, containers, envelopes, limits, and where the search begins."""

from __future__ import annotations

import pytest

from calquery.component_strategies import crowd
from kalends.calquery.bind import Bindings, bind
from kalends.calquery.parse import parse
from kalends.calquery.ranges import Range
from kalends.ical.tree import Component
from kalends.ical.tree import parse as parse_ical
from kalends.store.base import Store, Tx
from kalends.store.compiling.query import Compiled, compile_query
from store.compile_shelf import CALENDAR, Shelf, in_transaction

JULY = 962_409_600
"""2000-07-01T00:00:00Z."""
DAY = 86_400


def event(*lines: str, name: str = "VEVENT") -> Component:
    return parse_ical("\r\n".join([f"BEGIN:{name}", *lines, f"END:{name}", ""]))


def compiled(text: str, *, expand: bool = False) -> Compiled:
    return compile_query(bind(parse(text), Bindings()), [CALENDAR], expand=expand)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found


class TestInstances:
    """QRY-27, QRY-28: EXPAND:TRUE."""

    @staticmethod
    def fill(shelf: Shelf) -> dict[str, int]:
        daily = shelf.add(
            event("UID:daily", "DTSTART:20000629T100000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=5")
        )
        moved = shelf.add(event("UID:moved", "RECURRENCE-ID:20000701T100000Z", "DTSTART:20000901T100000Z"))
        single = shelf.add(
            event("UID:single", "DTSTART:20000702T100000Z", "BEGIN:VALARM", "TRIGGER:-PT15M", "END:VALARM")
        )
        undated = shelf.add(event("UID:undated"))
        for day in range(5):
            start = JULY + (day - 2) * DAY + 36_000
            shelf.instance(daily, start, start + 3600, start)
        shelf.instance(moved, JULY + 62 * DAY + 36_000, JULY + 62 * DAY + 39_600, JULY + 36_000)
        shelf.tx.run("update component set recurrence_at = ? where id = ?", (JULY + 36_000, moved))
        at = JULY + DAY + 36_000
        shelf.instance(single, at, at, at)
        shelf.instance(single + 1, at - 900, at - 900, at, busy="ALARM")
        return {"daily": daily, "moved": moved, "single": single, "undated": undated}

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (
                "RECURRENCE-ID >= '20000701T000000Z' AND RECURRENCE-ID <= '20000730T235959Z'",
                {"daily": 3, "moved": 1, "single": 1},
            ),
            ("DTSTART >= '20000701T000000Z' AND DTSTART < '20000702T000000Z'", {"daily": 1}),
            ("DTEND >= '20000702T000000Z' AND DTSTART <= '20000702T235959Z'", {"daily": 1, "single": 1}),
            ("UID = 'daily'", {"daily": 5}),
            ("UID = 'undated' OR UID = 'single'", {"undated": 1, "single": 1}),
            ("VALARM.TRIGGER >= '20000702T000000Z' AND VALARM.TRIGGER <= '20000702T094500Z'", {"single": 1}),
            ("VALARM.TRIGGER > '20000702T094500Z'", {}),
            ("DTSTART = '20000703'", {"daily": 1}),
        ],
    )
    def test_one_row_an_instance(self, store: Store, where: str, expected: dict[str, int]) -> None:
        def work(shelf: Shelf) -> None:
            names = {own: name for name, own in self.fill(shelf).items()}
            sql = compiled(f"SELECT * FROM VEVENT WHERE {where}", expand=True)
            found: dict[str, int] = {}
            for row in shelf.tx.rows(sql.sql, sql.params):
                name = names[int(row[1])]  # type: ignore[arg-type]
                found[name] = found.get(name, 0) + 1
            assert found == expected

        in_transaction(store, work)

    def test_the_window_is_told(self) -> None:
        one = compiled(
            "SELECT * FROM VEVENT WHERE DTEND >= '20000701T000000Z' AND DTSTART <= '20000702T000000Z'"
        )
        assert one.window == Range(JULY, JULY + DAY)
        assert compiled("SELECT * FROM VEVENT WHERE SUMMARY = 'x'").window == Range()
        either = "SELECT * FROM VEVENT WHERE DTSTART = '20000701' OR DTSTART = '20000703'"
        assert compiled(either).window == Range(JULY, JULY + 3 * DAY - 1)


class TestPlaces:
    def test_containers_envelopes_and_contents(self, store: Store) -> None:
        """A-23, A-24, QRY-01."""

        def work(shelf: Shelf) -> None:
            agenda = shelf.add(event("CALID:joe", "NAME:Work", name="VAGENDA"))
            request = shelf.add(event("UID:1"), "UNPROCESSED", "REQUEST")
            booked = shelf.add(event("UID:2"))

            def found(text: str) -> set[int]:
                return shelf.found(bind(parse(text), Bindings()))

            assert found("SELECT NAME FROM VAGENDA WHERE NAME LIKE 'w%'") == {agenda}
            assert found("SELECT VEVENT FROM VAGENDA WHERE CALID = 'joe'") == {request, booked}
            assert found("SELECT VEVENT FROM VAGENDA WHERE CALID = 'sue'") == set()
            assert found("SELECT VEVENT FROM VAGENDA WHERE METHOD = 'request'") == {request}
            assert found("SELECT * FROM VCALENDAR WHERE METHOD = 'REQUEST'") == {request}
            assert found("SELECT * FROM VEVENT WHERE METHOD IS NULL") == {booked}
            assert found("SELECT * FROM VEVENT WHERE METHOD LIKE 'req%'") == {request}
            assert found("SELECT * FROM VAGENDA WHERE VEVENT.UID = '2'") == {agenda}

        in_transaction(store, work)

    def test_only_the_calendars_asked_for(self, store: Store) -> None:
        def work(shelf: Shelf) -> None:
            own = shelf.add(event("UID:1", "DTSTART:20000701T000000Z"))
            Shelf(shelf.tx, CALENDAR + 1).add(event("UID:1", "DTSTART:20000701T000000Z"))
            for where in ("UID = '1'", "DTSTART = '20000701'", "UID LIKE '1'"):
                assert shelf.found(parse(f"SELECT * FROM VEVENT WHERE {where}")) == {own}
                for ids, count in (([], 0), ([CALENDAR, CALENDAR + 1], 2)):
                    one = compile_query(parse(f"SELECT * FROM VEVENT WHERE {where}"), ids)
                    assert len(shelf.tx.rows(one.sql, one.params)) == count

        in_transaction(store, work)

    @pytest.mark.parametrize(
        ("pattern", "count"), [("%T000000", 3), ("20000101%", 3), ("%T000000Z", 1), ("%T120000", 0)]
    )
    def test_like_finds_midnight_with_and_without_z(self, store: Store, pattern: str, count: int) -> None:
        """QRY-18."""

        def work(shelf: Shelf) -> None:
            for start in ("DTSTART:", "DTSTART;TZID=Europe/Berlin:"):
                shelf.add(event(f"{start}20000101T000000"))
            shelf.add(event("DTSTART:20000101T000000Z"))
            query = parse(f"SELECT * FROM VEVENT WHERE DTSTART LIKE '{pattern}'")
            assert len(shelf.found(query)) == count
            assert shelf.found(query) == shelf.matched(query)

        in_transaction(store, work)

    def test_an_alarm_is_the_same_alarm(self, store: Store) -> None:
        """ARCHITECTURE §11.4."""

        def work(shelf: Shelf) -> None:
            inner = (
                "BEGIN:VALARM",
                "ACTION:AUDIO",
                "REPEAT:1",
                "END:VALARM",
                "BEGIN:VALARM",
                "ACTION:EMAIL",
                "END:VALARM",
            )
            own = shelf.add(event("UID:1", *inner))
            both = "SELECT * FROM VEVENT WHERE VALARM.ACTION = '{}' AND VALARM.REPEAT = '1'"
            assert shelf.found(parse(both.format("AUDIO"))) == {own}
            assert shelf.found(parse(both.format("EMAIL"))) == set()

        in_transaction(store, work)


class TestSafety:
    @pytest.mark.parametrize(
        "text", ["'; drop table cell; --", "x' or '1'='1", "%", "?", "%s", '"', "\\", "日本", ":name", "$1"]
    )
    def test_text_is_a_parameter_never_sql(self, store: Store, text: str) -> None:
        def work(shelf: Shelf) -> None:
            line = Component("VEVENT")
            line.add("SUMMARY", text.replace("\\", "\\\\").replace(";", "\\;"))
            own, other = shelf.add(line), shelf.add(event("SUMMARY:other"))
            escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("%", "\\%")
            for where in (f"SUMMARY = '{escaped}'", f"SUMMARY LIKE '{escaped}'", f"'{escaped}' IN SUMMARY"):
                query = parse(f"SELECT * FROM VEVENT WHERE {where}")
                assert text not in compile_query(query, [CALENDAR]).sql or len(text) == 1
                assert shelf.found(query) == {own}
            assert shelf.found(parse("SELECT * FROM VEVENT")) == {own, other}

        in_transaction(store, work)

    @pytest.mark.parametrize("word", ["AND", "OR"])
    def test_the_largest_query_runs(self, store: Store, word: str) -> None:
        """QRY-34: what the parser lets through, the database takes."""
        text = f" {word} ".join(["SUMMARY LIKE '%x%'", "VALARM.ACTION = 'AUDIO'"] * 500)

        def work(shelf: Shelf) -> None:
            query = parse(f"SELECT * FROM VEVENT WHERE {text}")
            shelf.add(event("SUMMARY:x", "BEGIN:VALARM", "ACTION:AUDIO", "END:VALARM"))
            assert len(shelf.found(query)) == 1

        in_transaction(store, work)

    def test_the_statement_depends_on_the_shape_alone(self) -> None:
        one, two = (
            compiled("SELECT * FROM VEVENT WHERE UID = 'a'"),
            compiled("SELECT * FROM VEVENT WHERE UID = 'b'"),
        )
        assert one.sql == two.sql
        assert one.params != two.params


class TestBeginnings:
    """A calendar of many events is not walked for a UID or a month."""

    @staticmethod
    def steps(tx: Tx, text: str) -> str:
        one = compile_query(parse(text), [CALENDAR])
        return " ".join(str(row[3]) for row in tx.rows("explain query plan " + one.sql, one.params))

    @pytest.mark.parametrize(
        ("where", "index"),
        [
            ("UID = 'x'", "object_uid (uid=?)"),
            ("'x' IN UID AND STATE() = 'BOOKED'", "object_uid (uid=?)"),
            ("UID = 'x' OR UID = 'y'", "object_uid (uid=?)"),
            ("DTSTART >= '20000101' AND DTSTART <= '20000102'", "start_at>? AND start_at<?)"),
            ("DTEND >= '20000101' AND DTSTART <= '20000102'", "AND start_at<?)"),
        ],
    )
    def test_sqlite_searches_an_index(self, sqlite_store: Store, where: str, index: str) -> None:
        def work(shelf: Shelf) -> None:
            for component in crowd(1, 40):
                shelf.add(component)
            steps = self.steps(shelf.tx, f"SELECT * FROM VEVENT WHERE {where}")
            assert index in steps
            assert "SCAN component" not in steps
            assert "SCAN o" not in steps

        in_transaction(sqlite_store, work)
