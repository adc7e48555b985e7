"""A shared calendar in the home of who may see it: the same objects, one's own name and colour, leaving."""

from __future__ import annotations

import pytest
from core_world import event
from dav_harness import DECLARED, NS, Answer, Client, DavWorld, ics

from kalends.core.access import sharing
from kalends.core.model import Target
from kalends.core.people import groups, identity

CALENDAR = "/dav/calendars/bill/calendar/"
HOME = "/dav/calendars/mary/"
MOUNT = HOME + "bill~calendar/"
TEXT = ics(event("a", "SUMMARY:Board", "LOCATION:Attic"))


def share(world: DavWorld, how: str, whom: str = "mary", target: Target | None = None) -> None:
    world.store.write(lambda tx: sharing.share(tx, world.bill, target or world.calendar, whom, how))


def unshare(world: DavWorld, whom: str = "mary") -> None:
    world.store.write(lambda tx: sharing.unshare(tx, world.bill, world.calendar, whom))


def home(client: Client) -> list[str]:
    own = {HOME, HOME + "calendar/", HOME + "tasks/", HOME + "inbox/", HOME + "outbox/"}
    return [one for one in client.propfind(HOME, "D:displayname", depth="1").hrefs() if one not in own]


def patch(client: Client, path: str, inner: str, verb: str = "set") -> Answer:
    body = f"<D:propertyupdate{DECLARED}><D:{verb}><D:prop>{inner}</D:prop></D:{verb}></D:propertyupdate>"
    return client("PROPPATCH", path, body)


@pytest.mark.parametrize("how", ["titles", "read", "colleague", "secretary", "owner"])
def test_who_may_see_a_calendar_finds_it_at_home_until_it_is_taken_back(
    world: DavWorld, mary: Client, how: str
) -> None:
    assert home(mary) == []
    share(world, how)
    assert home(mary) == [MOUNT]
    assert "<CS:shared/>" in mary("PROPFIND", MOUNT, depth="0").text
    unshare(world)
    assert home(mary) == []
    assert mary.propfind(MOUNT, "D:displayname").status == 404


def test_who_may_only_ask_when_it_is_busy_has_no_calendar_at_home(world: DavWorld, mary: Client) -> None:
    share(world, "busy")
    assert home(mary) == []
    assert mary.propfind(MOUNT, "D:displayname").status == 404


def test_a_group_shares_it_as_soon_as_one_is_in_it(world: DavWorld) -> None:
    world.store.write(lambda tx: groups.add(tx, world.policy, "staff", now=0))
    share(world, "read", "staff")
    assert home(world.client("mary")) == []
    world.store.write(lambda tx: groups.add_member(tx, "staff@example.com", "mary@example.com"))
    assert home(world.client("mary")) == [MOUNT]
    world.store.write(lambda tx: groups.remove_member(tx, "staff@example.com", "mary@example.com"))
    assert home(world.client("mary")) == []


def test_what_is_for_everybody_is_in_nobodys_home_but_can_be_asked_for(world: DavWorld, mary: Client) -> None:
    share(world, "read", "*")
    assert home(mary) == []
    assert mary.propfind(CALENDAR, "D:displayname").status == 207


def test_a_vcar_written_over_cap_does_it_too(world: DavWorld, mary: Client) -> None:
    world.create(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VCAR\r\nCARID:by-hand\r\nBEGIN:VRIGHT\r\n"
        "GRANT:Mary@Example.com\r\nPERMISSION:SEARCH\r\nSCOPE:SELECT * FROM VAGENDA\r\nEND:VRIGHT\r\nEND:VCAR\r\n"
        "END:VCALENDAR\r\n"
    )
    assert home(mary) == [MOUNT]
    world.delete("SELECT * FROM VCAR WHERE CARID = 'by-hand'", world.calendar, mark=True)
    assert home(mary) == []


def test_a_second_owner_finds_it_at_home(world: DavWorld, mary: Client) -> None:
    world.modify("SELECT * FROM VAGENDA", "", "OWNER:mary@example.com", kind="VAGENDA")
    assert home(mary) == [MOUNT]


def test_it_holds_the_same_objects(world: DavWorld, bill: Client, mary: Client) -> None:
    bill.put(CALENDAR + "a.ics", TEXT)
    share(world, "secretary")
    got = mary("GET", MOUNT + "a.ics")
    assert (got.status, got.text) == (200, TEXT)
    assert got.headers["etag"] == bill("GET", CALENDAR + "a.ics").headers["etag"]
    changed = mary.put(MOUNT + "a.ics", TEXT.replace("Board", "Bored"), if_match=got.headers["etag"])
    assert changed.status == 204
    assert "Bored" in bill("GET", CALENDAR + "a.ics").text
    assert mary.put(MOUNT + "n.ics", ics(event("n"))).headers["location"].endswith(MOUNT + "n.ics")
    assert bill("DELETE", CALENDAR + "n.ics").status == 204
    assert mary.propfind(MOUNT, "D:getetag", depth="1").hrefs() == [MOUNT, MOUNT + "a.ics"]


def test_sync_goes_on_where_it_is_mounted(world: DavWorld, bill: Client, mary: Client) -> None:
    share(world, "read")
    body = f"<D:sync-collection{DECLARED}><D:sync-token>{{}}</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
    first = mary("REPORT", MOUNT, body.format(""))
    token = first.xml.xpath("string(//D:sync-token)", namespaces=NS)
    bill.put(CALENDAR + "a.ics", TEXT)
    assert mary("REPORT", MOUNT, body.format(token)).hrefs() == [MOUNT + "a.ics"]
    asked = f"<C:calendar-multiget{DECLARED}><D:prop><C:calendar-data/></D:prop><D:href>{MOUNT}a.ics</D:href></C:calendar-multiget>"
    assert "SUMMARY:Board" in mary("REPORT", MOUNT, asked).text


def test_everybody_has_their_own_name_and_colour_for_it(world: DavWorld, bill: Client, mary: Client) -> None:
    share(world, "read")
    patch(
        bill, CALENDAR, "<D:displayname>Board</D:displayname><A:calendar-color>#FF0000FF</A:calendar-color>"
    )
    assert mary.propfind(MOUNT, "D:displayname").prop("D:displayname") == "Board (bill)"
    mine = (
        "<D:displayname>Bill's</D:displayname><A:calendar-color>#00FF00FF</A:calendar-color>"
        "<A:calendar-order>7</A:calendar-order><x xmlns='urn:x'>own</x>"
        "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>"
    )
    before = bill("PROPFIND", CALENDAR, depth="0").text
    assert patch(mary, MOUNT, mine).status == 207
    held = mary("PROPFIND", MOUNT, depth="0").text
    assert "Bill's" in held
    assert "own" in held.replace("owner", "")
    found = mary.propfind(MOUNT, "A:calendar-color", "A:calendar-order", "C:schedule-calendar-transp")
    assert (found.prop("A:calendar-color"), found.prop("A:calendar-order")) == ("#00FF00FF", "7")
    assert "<C:transparent/>" in found.text
    assert bill("PROPFIND", CALENDAR, depth="0").text == before
    removed = patch(mary, MOUNT, "<D:displayname/><x xmlns='urn:x'/>", "remove")
    assert removed.status == 207
    assert mary.propfind(MOUNT, "D:displayname").prop("D:displayname") == "Board (bill)"
    assert mary.propfind(MOUNT, "A:calendar-order").prop("A:calendar-order") == "7"


def test_other_properties_are_the_calendars(world: DavWorld, bill: Client, mary: Client) -> None:
    share(world, "read")
    setting = "<C:calendar-description>x</C:calendar-description>"
    refused = patch(mary, MOUNT, setting)
    assert (refused.status, refused.precondition) == (403, "D:need-privileges")
    share(world, "owner")
    assert patch(mary, MOUNT, setting).status == 207
    assert bill.propfind(CALENDAR, "C:calendar-description").prop("C:calendar-description") == "x"


def test_deleting_it_is_leaving_it(world: DavWorld, bill: Client, mary: Client) -> None:
    bill.put(CALENDAR + "a.ics", TEXT)
    share(world, "owner")
    patch(mary, MOUNT, "<D:displayname>Mine</D:displayname>")
    assert mary("DELETE", MOUNT).status == 204
    assert home(mary) == []
    assert mary("GET", MOUNT + "a.ics").status == 404
    assert bill("GET", CALENDAR + "a.ics").text == TEXT
    assert mary("GET", CALENDAR + "a.ics").text == TEXT
    share(world, "read")
    assert home(mary) == [MOUNT]
    assert mary.propfind(MOUNT, "D:displayname").prop("D:displayname") == "Mine"


def test_it_says_whose_it_is_and_what_one_may_do(world: DavWorld, mary: Client) -> None:
    share(world, "read")
    found = mary.propfind(MOUNT, "D:owner", "D:current-user-privilege-set").props()
    assert found["D:owner"].xpath("string(D:href)", namespaces=NS) == "/dav/principals/bill/"
    may = {one[0].tag.rpartition("}")[2] for one in found["D:current-user-privilege-set"]}
    assert may == {"read", "read-free-busy", "write-properties", "read-current-user-privilege-set"}


def test_it_stands_in_ones_own_home_only(world: DavWorld, bill: Client) -> None:
    share(world, "read")
    for client in (bill, world.client("root")):
        assert client.propfind(MOUNT, "D:displayname").status == 404
        assert MOUNT not in client.propfind(HOME, "D:displayname", depth="1").hrefs()


def test_an_administrator_does_not_find_everybodys_calendars_at_home(world: DavWorld) -> None:
    root = "/dav/calendars/root/"
    found = world.client("root").propfind(root, "D:displayname", depth="1").hrefs()
    assert sorted(found) == [root] + [root + name for name in ("calendar/", "inbox/", "outbox/", "tasks/")]


def test_a_calendar_of_ones_own_comes_first(world: DavWorld, mary: Client) -> None:
    assert mary("MKCALENDAR", MOUNT).status == 201
    share(world, "read")
    assert mary.propfind(HOME, "D:displayname", depth="1").hrefs().count(MOUNT) == 1
    assert mary.propfind(MOUNT, "D:owner").props()["D:owner"][0].text == "/dav/principals/mary/"


def test_two_owners_with_the_mark_in_their_names(world: DavWorld) -> None:
    for name in ("a~b", "a"):
        world.store.write(lambda tx, name=name: identity.add_user(tx, world.policy, name, now=0))
    for name in ("a~b", "a"):
        owner = world.caller(name)
        target = world.target(f"{name}/calendar", owner)
        world.store.write(lambda tx, o=owner, t=target: sharing.share(tx, o, t, "mary", "read"))
    mary = world.client("mary")
    assert home(mary) == [HOME + "a~calendar/", HOME + "a~b~calendar/"]
    for owner in ("a", "a~b"):
        found = mary.propfind(f"{HOME}{owner}~calendar/", "D:owner").props()["D:owner"]
        assert found[0].text == f"/dav/principals/{owner}/"


@pytest.mark.parametrize("method", ["MOVE", "COPY"])
def test_it_is_neither_moved_nor_copied(world: DavWorld, mary: Client, method: str) -> None:
    share(world, "owner")
    assert mary(method, MOUNT, destination=HOME + "else/").status == 403


def test_what_is_left_and_removed_leaves_no_trace(world: DavWorld, bill: Client, mary: Client) -> None:
    assert bill("MKCALENDAR", "/dav/calendars/bill/extra/").status == 201
    target = world.target("bill/extra")
    share(world, "read", target=target)
    mount = HOME + "bill~extra/"
    patch(mary, mount, "<D:displayname>Mine</D:displayname>")
    assert bill("DELETE", "/dav/calendars/bill/extra/").status == 204
    assert home(mary) == []
    assert world.store.read(lambda tx: tx.rows("select 1 from mount")) == []
