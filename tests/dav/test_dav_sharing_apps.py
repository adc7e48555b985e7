"""Sharing and delegates as apps speak of them: calendarserver-sharing, resource-sharing, calendar-proxy."""

from __future__ import annotations

import pytest
from core_world import event
from dav_harness import DECLARED, NS, Answer, Client, DavWorld, ics
from lxml import etree

from kalends.core.access import sharing
from kalends.core.people import groups

CALENDAR = "/dav/calendars/bill/calendar/"
MOUNT = "/dav/calendars/mary/bill~calendar/"
BILL, MARY, ROOT = (f"/dav/principals/{name}/" for name in ("bill", "mary", "root"))
XML = "application/xml; charset=utf-8"


def post(client: Client, body: str, path: str = CALENDAR) -> Answer:
    return client("POST", path, body, content_type=XML)


def invite(address: str = "mailto:mary@example.com", access: str = "CS:read") -> str:
    return f"<CS:set><D:href>{address}</D:href><CS:summary>x</CS:summary><{access}/></CS:set>"


def share(client: Client, *parts: str, path: str = CALENDAR) -> Answer:
    return post(client, f"<CS:share{DECLARED}>{''.join(parts)}</CS:share>", path)


def remove(address: str = "mailto:mary@example.com") -> str:
    return f"<CS:remove><D:href>{address}</D:href></CS:remove>"


def sharee(access: str, address: str = "mailto:mary@example.com") -> str:
    return f"<D:sharee><D:href>{address}</D:href><D:share-access><D:{access}/></D:share-access></D:sharee>"


def types(client: Client, path: str) -> set[str]:
    return {
        etree.QName(one).localname
        for one in client.propfind(path, "D:resourcetype").props()["D:resourcetype"]
    }


class TestShare:
    @pytest.mark.parametrize(
        ("access", "preset", "writes"), [("CS:read", "read", False), ("CS:read-write", "secretary", True)]
    )
    @pytest.mark.parametrize("address", ["mailto:mary@example.com", "MAILTO:Mary@Example.com", MARY])
    def test_who_is_invited_has_the_calendar_at_once(
        self,
        world: DavWorld,
        bill: Client,
        mary: Client,
        access: str,
        preset: str,
        writes: bool,
        address: str,
    ) -> None:
        bill.put(CALENDAR + "a.ics", ics(event("a")))
        assert types(bill, CALENDAR) == {"collection", "calendar"}
        answer = share(bill, invite(address, access))
        assert (answer.status, answer.body) == (200, b"")
        (one,) = world.store.read(lambda tx: sharing.shares(tx, world.calendar.calendar_id))
        assert (one.upn, one.preset) == ("mary@example.com", preset)
        assert types(bill, CALENDAR) == {"collection", "calendar", "shared-owner"}
        assert types(mary, MOUNT) == {"collection", "calendar", "shared"}
        assert mary.put(MOUNT + "a.ics", ics(event("a", "LOCATION:x"))).status == (204 if writes else 403)
        found = mary.propfind(MOUNT, "CS:shared-url", "CS:allowed-sharing-modes", "D:share-access").props()
        assert found["CS:shared-url"][0].text == CALENDAR
        assert len(found["CS:allowed-sharing-modes"]) == 0
        assert found["D:share-access"][0].tag == ("{DAV:}read-write" if writes else "{DAV:}read")
        assert share(bill, remove(address)).status == 200
        assert mary.propfind(MOUNT, "D:displayname").status == 404
        assert types(bill, CALENDAR) == {"collection", "calendar"}

    def test_who_is_invited_is_told(self, world: DavWorld, bill: Client, mary: Client) -> None:
        share(bill, invite(), invite("mailto:root@example.com", "CS:read-write"))
        found = bill.propfind(CALENDAR, "CS:invite", "D:invite", "CS:allowed-sharing-modes").props()
        assert found["CS:invite"].xpath("string(CS:organizer/D:href)", namespaces=NS) == BILL
        users = found["CS:invite"].xpath("CS:user", namespaces=NS)
        assert [
            (
                one.xpath("string(D:href)", namespaces=NS),
                etree.QName(one.xpath("CS:access/*", namespaces=NS)[0]).localname,
                etree.QName(one[-1]).localname,
            )
            for one in users
        ] == [
            ("mailto:mary@example.com", "read", "invite-accepted"),
            ("mailto:root@example.com", "read-write", "invite-accepted"),
        ]
        assert len(found["D:invite"]) == 2
        assert found["CS:allowed-sharing-modes"][0].tag == "{http://calendarserver.org/ns/}can-be-shared"
        mine = mary.propfind(MOUNT, "CS:invite").props()["CS:invite"]
        assert mine.xpath("CS:user/D:href/text()", namespaces=NS) == ["mailto:mary@example.com"]
        mary("DELETE", MOUNT)
        found = bill.propfind(CALENDAR, "CS:invite").props()["CS:invite"]
        assert len(found.xpath("CS:user/CS:invite-declined", namespaces=NS)) == 1
        share(bill, invite())
        assert mary.propfind(MOUNT, "D:displayname").status == 207

    @pytest.mark.parametrize(("access", "writes"), [("read", False), ("read-write", True)])
    def test_the_draft_that_came_after(self, bill: Client, mary: Client, access: str, writes: bool) -> None:
        body = f"<D:share-resource{DECLARED}>{{}}</D:share-resource>"
        answer = bill(
            "POST", CALENDAR, body.format(sharee(access)), content_type="application/davsharing+xml"
        )
        assert answer.status == 200
        assert mary.put(MOUNT + "a.ics", ics(event("a"))).status == (201 if writes else 403)
        found = mary.propfind(MOUNT, "D:share-resource-uri").props()["D:share-resource-uri"]
        assert found[0].text == CALENDAR
        assert (
            bill.propfind(CALENDAR, "D:share-access").props()["D:share-access"][0].tag == "{DAV:}shared-owner"
        )
        assert post(bill, body.format(sharee("no-access"))).status == 200
        assert mary.propfind(MOUNT, "D:displayname").status == 404
        assert (
            bill.propfind(CALENDAR, "D:share-access").props()["D:share-access"][0].tag == "{DAV:}not-shared"
        )

    def test_a_group_is_invited_too(self, world: DavWorld, bill: Client) -> None:
        world.store.write(lambda tx: groups.add(tx, world.policy, "staff", now=0))
        world.store.write(lambda tx: groups.add_member(tx, "staff@example.com", "mary@example.com"))
        assert share(bill, invite("/dav/principals/staff/")).status == 200
        assert world.client("mary").propfind(MOUNT, "D:displayname").status == 207

    @pytest.mark.parametrize(
        ("body", "status", "precondition"),
        [
            (f"<CS:share{DECLARED}/>", 400, ""),
            (f"<CS:share{DECLARED}><CS:set><D:href>x</D:href></CS:set></CS:share>", 400, ""),
            (f"<CS:share{DECLARED}><CS:set><CS:read/></CS:set></CS:share>", 400, ""),
            (f"<CS:share{DECLARED}><D:x/></CS:share>", 400, ""),
            (f"<CS:share{DECLARED}>{invite() * 101}</CS:share>", 413, ""),
            (f"<CS:share{DECLARED}>{invite()}{invite('mailto:who@example.com')}</CS:share>", 403, "D:recognized-principal"),
            (f"<CS:share{DECLARED}>{invite()}{invite(CALENDAR)}</CS:share>", 403, "D:recognized-principal"),
            (f"<CS:share{DECLARED}>{invite()}{invite('https://elsewhere.example/u/')}</CS:share>", 403, "D:recognized-principal"),
            (f"<CS:share{DECLARED}>{invite()}{invite('mailto:bill@example.com')}</CS:share>", 409, ""),
            (f"<D:share-resource{DECLARED}>{sharee('shared-owner')}</D:share-resource>", 400, ""),
            (f"<CS:publish{DECLARED}/>", 422, ""),
            ("<CS:share", 400, ""),
        ],
    )  # fmt: skip
    def test_what_is_no_invitation_changes_nothing(
        self, world: DavWorld, bill: Client, body: str, status: int, precondition: str
    ) -> None:
        answer = post(bill, body)
        assert (answer.status, answer.precondition) == (status, precondition), answer.text
        assert world.store.read(lambda tx: sharing.shares(tx, world.calendar.calendar_id)) == []

    def test_only_who_may_write_rights_shares(self, bill: Client, mary: Client) -> None:
        assert share(mary, invite()).status == 404
        share(bill, invite(access="CS:read-write"))
        for path in (CALENDAR, MOUNT):
            answer = share(mary, invite("mailto:root@example.com"), path=path)
            assert (answer.status, answer.precondition) == (403, "D:need-privileges")
            assert answer.xml.xpath("//D:privilege/D:write-acl", namespaces=NS)

    def test_what_is_shared_finer_is_told_and_replaced(self, world: DavWorld, bill: Client) -> None:
        world.store.write(lambda tx: sharing.share(tx, world.bill, world.calendar, "mary", "titles"))
        held = bill.propfind(CALENDAR, "CS:invite").props()["CS:invite"]
        assert len(held.xpath("CS:user/CS:access/CS:read", namespaces=NS)) == 1
        share(bill, invite())
        (one,) = world.store.read(lambda tx: sharing.shares(tx, world.calendar.calendar_id))
        assert one.preset == "read"


def delegate(client: Client, *paths: str, write: bool = True, whose: str = BILL) -> Answer:
    hrefs = "".join(f"<D:href>{path}</D:href>" for path in paths)
    body = (
        f"<D:propertyupdate{DECLARED}><D:set><D:prop><D:group-member-set>{hrefs}</D:group-member-set></D:prop>"
        "</D:set></D:propertyupdate>"
    )
    return client("PROPPATCH", f"{whose}calendar-proxy-{'write' if write else 'read'}/", body)


def hrefs(client: Client, path: str, name: str) -> list[str]:
    return client.propfind(path, name).props()[name].xpath("D:href/text()", namespaces=NS)


class TestDelegates:
    def test_they_are_two_principals_below_ones_own(self, bill: Client) -> None:
        found = bill.propfind(BILL, "D:resourcetype", depth="1")
        assert found.hrefs() == [BILL, BILL + "calendar-proxy-read/", BILL + "calendar-proxy-write/"]
        assert types(bill, BILL + "calendar-proxy-write/") == {
            "principal",
            "collection",
            "calendar-proxy-write",
        }
        assert types(bill, BILL + "calendar-proxy-read/") == {
            "principal",
            "collection",
            "calendar-proxy-read",
        }
        assert bill.propfind(BILL + "other/", "D:resourcetype").status == 404
        assert bill("PROPFIND", BILL + "calendar-proxy-read/", depth="0").status == 207

    @pytest.mark.parametrize("write", [False, True])
    def test_a_delegate_has_all_calendars_new_ones_too(
        self, world: DavWorld, bill: Client, mary: Client, write: bool
    ) -> None:
        assert delegate(bill, MARY, write=write).status == 207
        assert bill("MKCALENDAR", "/dav/calendars/bill/new/").status == 201
        group = f"{BILL}calendar-proxy-{'write' if write else 'read'}/"
        assert hrefs(bill, group, "D:group-member-set") == [MARY]
        assert hrefs(mary, group, "D:group-member-set") == [MARY]
        kind = "write" if write else "read"
        other = "read" if write else "write"
        assert hrefs(mary, MARY, f"CS:calendar-proxy-{kind}-for") == [BILL]
        assert hrefs(mary, MARY, f"CS:calendar-proxy-{other}-for") == []
        assert hrefs(mary, MARY, "D:group-membership") == [group]
        home = "/dav/calendars/bill/"
        assert mary.propfind(home, "D:displayname", depth="1").hrefs() == [
            home, home + "calendar/", home + "new/", home + "tasks/",
        ]  # fmt: skip
        assert mary.put(home + "new/a.ics", ics(event("a"))).status == (201 if write else 403)
        assert mary.propfind("/dav/calendars/mary/bill~calendar/", "D:owner").status == 207
        assert all(
            "~" not in one for one in mary.propfind("/dav/calendars/mary/", "D:owner", depth="1").hrefs()
        )
        assert delegate(bill, write=write).status == 207
        assert mary.propfind(home + "new/", "D:displayname").status == 404
        assert hrefs(mary, MARY, f"CS:calendar-proxy-{kind}-for") == []

    def test_one_kind_after_the_other(self, bill: Client, mary: Client) -> None:
        delegate(bill, MARY, write=False)
        delegate(bill, MARY, write=True)
        assert hrefs(bill, BILL + "calendar-proxy-read/", "D:group-member-set") == []
        assert hrefs(bill, BILL + "calendar-proxy-write/", "D:group-member-set") == [MARY]

    def test_what_was_shared_besides_stays(self, bill: Client, mary: Client) -> None:
        share(bill, invite())
        delegate(bill, MARY)
        delegate(bill)
        assert mary.propfind(MOUNT, "D:displayname").status == 207

    def test_a_group_of_delegates(self, world: DavWorld, bill: Client) -> None:
        world.store.write(lambda tx: groups.add(tx, world.policy, "staff", now=0))
        world.store.write(lambda tx: groups.add_member(tx, "staff@example.com", "mary@example.com"))
        assert delegate(bill, "/dav/principals/staff/").status == 207
        assert hrefs(world.client("mary"), MARY, "CS:calendar-proxy-write-for") == [BILL]
        assert types(world.client("mary"), CALENDAR) >= {"calendar"}

    def test_expanded_as_apple_calendar_asks(self, bill: Client, mary: Client) -> None:
        delegate(bill, MARY)
        body = (
            f"<D:expand-property{DECLARED}><D:property name='calendar-proxy-write-for' namespace='http://calendarserver.org/ns/'>"
            "<D:property name='displayname'/></D:property></D:expand-property>"
        )
        answer = mary("REPORT", MARY, body)
        assert (
            answer.xml.xpath("string(//CS:calendar-proxy-write-for//D:displayname)", namespaces=NS) == "bill"
        )

    def test_they_are_ones_own_to_name(self, world: DavWorld, bill: Client, mary: Client) -> None:
        answer = delegate(mary, MARY)
        assert (answer.status, answer.precondition) == (403, "D:need-privileges")
        assert delegate(world.client("root"), MARY).status == 207
        assert list(world.client("mary").propfind(BILL, "CS:calendar-proxy-read-for").props(status=403))
        delegate(bill)
        assert list(mary.propfind(BILL + "calendar-proxy-write/", "D:group-member-set").props(status=403))

    @pytest.mark.parametrize(
        ("path", "status"), [(BILL, 409), ("/dav/principals/who/", 403), (CALENDAR, 403)]
    )
    def test_who_cannot_be_one(self, bill: Client, path: str, status: int) -> None:
        assert delegate(bill, ROOT, path).status == status
        assert hrefs(bill, BILL + "calendar-proxy-write/", "D:group-member-set") == []
