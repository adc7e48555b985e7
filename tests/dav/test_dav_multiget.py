"""C:calendar-multiget: objects by their paths, however these are written (RFC 4791 §7.9)."""

from __future__ import annotations

from core_world import event
from dav_harness import DECLARED, NS, Answer, Client, DavWorld, ics
from reports_world import WORK, bernard, shelve

DATA = "<D:getetag/><C:calendar-data/>"


def multiget(client: Client, *hrefs: str, path: str = WORK, prop: str = DATA, **headers: str) -> Answer:
    named = "".join(f"<D:href>{href}</D:href>" for href in hrefs)
    body = f"<C:calendar-multiget{DECLARED}><D:prop>{prop}</D:prop>{named}</C:calendar-multiget>"
    return client("REPORT", path, body, **headers)


def statuses(answer: Answer) -> list[tuple[str, str]]:
    """Path and status of each row, in order."""
    assert answer.status == 207, answer.text
    return [
        (row.findtext("{DAV:}href"), row.xpath("string(.//D:status)", namespaces=NS).split()[1])
        for row in answer.xml.iter("{DAV:}response")
    ]


class TestPaths:
    def test_what_is_there_and_what_is_not_in_the_order_asked(self, world: DavWorld, bill: Client) -> None:
        bernard(world)
        hrefs = [WORK + name for name in ("mtg1.ics", "abcd2.ics", "abcd1.ics", "abcd2.ics")]
        assert statuses(multiget(bill, *hrefs)) == [
            (hrefs[0], "404"), (hrefs[1], "200"), (hrefs[2], "200"),
        ]  # fmt: skip

    def test_paths_come_back_as_they_were_written(self, world: DavWorld, bill: Client) -> None:
        """Any percent-encoding, and URIs of this server."""
        shelve(world, "a b&c.ics", ics(event("a")))
        shelve(world, "ü@x.ics", ics(event("b")))
        written = [WORK + name for name in ("a%20b%26c.ics", "%C3%BC@x.ics", "%c3%bc%40x.ics")]
        absolute = "https://cal.example.com" + WORK + "a%20b&amp;c.ics"
        rows = statuses(multiget(bill, *written, absolute))
        assert rows == [*((path, "200") for path in written), (WORK + "a%20b&c.ics", "200")]

    def test_a_prefix_belongs_to_the_paths(self, world: DavWorld) -> None:
        bernard(world)
        client = world.client("bill", "/cal")
        rows = statuses(multiget(client, f"/cal{WORK}abcd1.ics", f"{WORK}abcd2.ics"))
        assert [status for _, status in rows] == ["200", "404"]

    def test_what_lies_elsewhere_is_not_found(self, world: DavWorld, bill: Client) -> None:
        bernard(world)
        world.create(ics(event("m")), world.marys, world.mary)
        hrefs = (
            "/dav/calendars/mary/calendar/m.ics", "/dav/calendars/bill/tasks/abcd1.ics", WORK, "/", "x", "",
            "https://elsewhere.example/dav/calendars/bill/calendar/abcd1.ics", f"{WORK}..", f"{WORK}%zz",
            f"{WORK}a%2Fb.ics", f"{WORK}a%00.ics", f"{WORK}{'x' * 2000}.ics", "http://[", f"{WORK}%ff.ics",
        )  # fmt: skip
        assert {status for _, status in statuses(multiget(bill, *hrefs))} == {"404"}

    def test_a_home_answers_for_all_its_calendars(self, world: DavWorld, bill: Client) -> None:
        bernard(world)
        rows = statuses(multiget(bill, f"{WORK}abcd1.ics", path="/dav/calendars/bill/"))
        assert rows == [(f"{WORK}abcd1.ics", "200")]

    def test_an_object_answers_for_itself_alone(self, world: DavWorld, bill: Client) -> None:
        bernard(world)
        own = f"{WORK}abcd1.ics"
        assert statuses(multiget(bill, own, path=own)) == [(own, "200")]
        assert multiget(bill, own, f"{WORK}abcd2.ics", path=own).status == 400

    def test_thousands_of_paths_are_read_page_by_page(self, world: DavWorld, bill: Client) -> None:
        for number in range(3):
            shelve(world, f"{number}.ics", ics(event(str(number))))
        hrefs = [f"{WORK}{number}.ics" for number in range(1_200)]
        rows = statuses(multiget(bill, *reversed(hrefs)))
        assert [path for path, _ in rows] == hrefs[::-1]
        assert sum(status == "200" for _, status in rows) == 3


class TestForm:
    def test_other_properties_come_along(self, world: DavWorld, bill: Client) -> None:
        bernard(world)
        answer = multiget(
            bill, f"{WORK}abcd1.ics", prop=DATA + "<D:getcontenttype/><D:resourcetype/><D:nope/>"
        )
        assert set(answer.props()) == {"D:getetag", "C:calendar-data", "D:getcontenttype", "D:resourcetype"}
        assert list(answer.props(status=404)) == ["D:nope"]
        quick = multiget(bill, f"{WORK}abcd1.ics")
        for name in ("D:getetag", "C:calendar-data"):
            assert quick.prop(name) == answer.prop(name)

    def test_no_path_or_a_body_that_is_none_is_refused(self, bill: Client) -> None:
        assert multiget(bill).status == 400
        assert bill("REPORT", WORK, "<C:calendar-multiget").status == 400
        bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><C:calendar-multiget xmlns:C="x">&a;</C:calendar-multiget>'
        assert bill("REPORT", WORK, bomb).status == 400

    def test_more_paths_than_anybody_needs_are_refused(self, bill: Client) -> None:
        """RFC 4791 §7.9: 507 with the limit's name."""
        answer = multiget(bill, *(f"/{number}" for number in range(50_001)))
        assert (answer.status, answer.precondition) == (507, "D:number-of-matches-within-limits")

    def test_nobody_sees_what_is_not_theirs(self, world: DavWorld, mary: Client) -> None:
        bernard(world)
        assert multiget(mary, f"{WORK}abcd1.ics").status == 404
        rows = statuses(multiget(mary, f"{WORK}abcd1.ics", path="/dav/calendars/mary/calendar/"))
        assert rows == [(f"{WORK}abcd1.ics", "404")]
