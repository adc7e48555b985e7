"""Access control lists as a view of VCARs (RFC 3744)."""

from __future__ import annotations

import pytest
from core_world import event, preset_text
from dav_harness import DECLARED, NS, Answer, Client, DavWorld, ics
from lxml import etree

from kalends.core.people import groups
from kalends.ical.tree import parse

CALENDAR = "/dav/calendars/bill/calendar/"
HOME = "/dav/calendars/bill/"
MARY = "/dav/principals/mary/"


def ace(who: str, *names: str, verb: str = "grant", more: str = "") -> str:
    said = "".join(f"<D:privilege><{name}/></D:privilege>" for name in names)
    principal = who if who.startswith("<D:invert") else f"<D:principal>{who}</D:principal>"
    return f"<D:ace>{principal}<D:{verb}>{said}</D:{verb}>{more}</D:ace>"


def href(path: str) -> str:
    return f"<D:href>{path}</D:href>"


def acl(client: Client, *aces: str, path: str = CALENDAR, **headers: str) -> Answer:
    return client("ACL", path, f"<D:acl{DECLARED}>{''.join(aces)}</D:acl>", **headers)


def names(found: etree._Element) -> list[str]:
    return sorted(etree.QName(one[0]).localname for one in found.iter("{DAV:}privilege"))


def told(client: Client, path: str = CALENDAR) -> list[tuple[str, str, str]]:
    """Who, what, and which guards, of each ACE."""
    held = client.propfind(path, "D:acl").props()["D:acl"]
    out = []
    for one in held:
        first = (
            one[0].xpath("string(.//D:href)", namespaces=NS)
            or etree.QName(one[0][0][0] if len(one[0][0]) else one[0][0]).localname
        )
        verb = one.xpath("D:grant|D:deny", namespaces=NS)[0]
        guards = [etree.QName(child).localname for child in one[2:]]
        out.append((first, " ".join(names(verb)), " ".join(guards)))
    return out


class TestTold:
    def test_a_new_calendar_is_its_owners_and_tells_everybody_when_it_is_busy(self, bill: Client) -> None:
        """RFC 3744 §5.5; RFC 4324 §8.14."""
        assert told(bill) == [
            ("owner", "all", "protected"),
            ("all", "read-free-busy", "protected"),
        ]  # fmt: skip

    def test_an_object_inherits_from_its_calendar(self, bill: Client) -> None:
        """RFC 3744 §5.5.4."""
        bill.put(CALENDAR + "a.ics", ics(event("a")))
        acl(bill, ace(href(MARY), "D:read"))
        for _, _, guards in told(bill, CALENDAR + "a.ics"):
            assert guards in ("inherited", "protected inherited")
        held = bill.propfind(CALENDAR + "a.ics", "D:acl").props()["D:acl"]
        assert set(held.xpath("//D:inherited/D:href/text()", namespaces=NS)) == {CALENDAR}

    @pytest.mark.parametrize(
        ("how", "nearest"),
        [("titles", "read"), ("colleague", "read")],
    )
    def test_what_privileges_cannot_say_is_protected_and_shown_as_the_nearest(
        self, world: DavWorld, bill: Client, how: str, nearest: str
    ) -> None:
        world.create(parse(preset_text(how, "mary@example.com")))
        assert (MARY, nearest, "protected") in told(bill)
        acl(bill)
        assert (MARY, nearest, "protected") in told(bill)

    @pytest.mark.parametrize(
        ("how", "privileges"),
        [
            ("busy", "read-free-busy"),
            ("read", "read"),
            ("secretary", "bind read unbind write-content"),
            ("owner", "all"),
        ],
    )
    def test_what_privileges_can_say_is_said(
        self, world: DavWorld, bill: Client, how: str, privileges: str
    ) -> None:
        world.create(parse(preset_text(how, "mary@example.com")))
        assert (MARY, privileges, "") in told(bill)

    def test_denials_are_told_where_they_are_whole(self, world: DavWorld, bill: Client) -> None:
        for carid, scope in (
            ("whole", "SELECT * FROM VEVENT"),
            ("part", "SELECT * FROM VTODO WHERE SUMMARY = 'x'"),
        ):
            world.create(
                "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VCAR\r\n"
                f"CARID:{carid}\r\nBEGIN:VRIGHT\r\nDENY:mary@example.com\r\nPERMISSION:MODIFY\r\n"
                f"SCOPE:{scope}\r\nEND:VRIGHT\r\nEND:VCAR\r\nEND:VCALENDAR\r\n"
            )
        held = bill.propfind(CALENDAR, "D:acl").props()["D:acl"]
        assert len(held.xpath(".//D:deny", namespaces=NS)) == 1
        assert (MARY, "write-content", "protected") in told(bill)

    def test_the_list_is_not_everybodys_to_read(self, world: DavWorld, bill: Client, mary: Client) -> None:
        """RFC 3744 §3.6, §7.1.1."""
        acl(bill, ace(href(MARY), "D:read"))
        answer = mary.propfind(CALENDAR, "D:acl")
        assert list(answer.props(status=403)) == ["D:acl"]
        needed = answer.xml.xpath("//D:need-privileges/D:resource", namespaces=NS)[0]
        assert needed.xpath("string(D:href)", namespaces=NS) == CALENDAR
        assert needed.xpath("D:privilege/D:read-acl", namespaces=NS)
        for path in ("/dav/principals/bill/", HOME):
            assert list(mary.propfind(path, "D:acl").props(status=403)) == ["D:acl"], path

    @pytest.mark.parametrize("path", [HOME, "/dav/principals/bill/", HOME + "inbox/", HOME + "outbox/"])
    def test_lists_that_nobody_can_change(self, bill: Client, path: str) -> None:
        held = told(bill, path)
        assert held[0] == ("owner", "all", "protected")
        assert acl(bill, ace(href(MARY), "D:read"), path=path).precondition == "D:no-protected-ace-conflict"

    @pytest.mark.parametrize("path", ["/dav/", CALENDAR, HOME, HOME + "inbox/", HOME + "outbox/", MARY])
    def test_the_tree_of_privileges_and_the_restrictions(self, bill: Client, path: str) -> None:
        """RFC 3744 §5.3, §5.6, §5.7; RFC 4791 §6.1.1; RFC 6638 §6."""
        found = bill.propfind(
            path, "D:supported-privilege-set", "D:acl-restrictions", "D:inherited-acl-set"
        ).props()
        tree = found["D:supported-privilege-set"]
        assert tree.xpath(".//D:supported-privilege[D:privilege/D:read]//C:read-free-busy", namespaces=NS)
        below = tree.xpath(".//D:supported-privilege[D:privilege/D:write]//D:privilege/*", namespaces=NS)
        assert {etree.QName(one).localname for one in below} == {
            "write", "write-properties", "write-content", "bind", "unbind",
        }  # fmt: skip
        box = {HOME + "inbox/": "C:schedule-deliver", HOME + "outbox/": "C:schedule-send"}.get(path)
        assert bool(tree.xpath(".//C:schedule-deliver|.//C:schedule-send", namespaces=NS)) is (
            box is not None
        )
        if box is not None:
            assert (
                len(tree.xpath(f".//D:supported-privilege[D:privilege/{box}]//D:privilege", namespaces=NS))
                == 4
            )
        assert [one.tag for one in found["D:acl-restrictions"]] == ["{DAV:}grant-only", "{DAV:}no-invert"]
        assert len(found["D:inherited-acl-set"]) == 0

    def test_what_one_may_do_is_what_the_list_says(self, bill: Client, mary: Client) -> None:
        """RFC 3744 §5.4: what is granted, and what that contains."""
        for granted, expected in (
            (["D:read"], {"read", "read-free-busy"}),
            (["D:read", "D:write-content"], {"read", "read-free-busy", "write-content"}),
            (["D:read", "D:write"],
             {"read", "read-free-busy", "write", "write-content", "write-properties", "bind", "unbind"}),
            (["D:read", "D:read-acl", "D:write-acl"], {"read", "read-free-busy", "read-acl", "write-acl"}),
        ):  # fmt: skip
            assert acl(bill, ace(href(MARY), *granted)).status == 200
            found = mary.propfind(CALENDAR, "D:current-user-privilege-set").props()
            held = set(names(found["D:current-user-privilege-set"]))
            assert held == expected | {"read-current-user-privilege-set"}, granted


class TestWritten:
    @pytest.mark.parametrize(
        "granted",
        [
            ["C:read-free-busy"], ["D:read"], ["D:read", "D:write"], ["D:read", "D:bind"], ["D:all"],
            ["D:read", "D:read-acl"], ["D:read-acl", "D:write-acl"], ["D:read", "D:write-properties"],
            ["D:read", "D:write-content", "D:unbind"], ["D:write"],
        ],
    )  # fmt: skip
    def test_what_is_written_is_read_back(self, bill: Client, granted: list[str]) -> None:
        """RFC 3744 §8.1: exactly the value that was specified."""
        assert acl(bill, ace(href(MARY), *granted)).status == 200
        mine = [one for one in told(bill) if one[0] == MARY]
        assert mine == [(MARY, " ".join(sorted(one[2:] for one in granted)), "")]

    @pytest.mark.parametrize(
        ("who", "shown"),
        [("<D:all/>", "all"), ("<D:authenticated/>", "authenticated"), ("<D:unauthenticated/>", "unauthenticated"),
         ("<D:property><D:owner/></D:property>", "owner"), (href("https://cal.example.com" + MARY), MARY)],
    )  # fmt: skip
    def test_principals_of_all_kinds(self, bill: Client, who: str, shown: str) -> None:
        assert acl(bill, ace(who, "D:read")).status == 200
        assert (shown, "read", "") in told(bill)

    def test_groups_too(self, world: DavWorld, bill: Client, mary: Client) -> None:
        world.store.write(lambda tx: groups.add(tx, world.policy, "staff", now=0))
        world.store.write(lambda tx: groups.add_member(tx, "staff@example.com", "mary@example.com"))
        bill.put(CALENDAR + "a.ics", ics(event("a")))
        assert world.client("mary")("GET", CALENDAR + "a.ics").status == 404
        assert acl(bill, ace(href("/dav/principals/staff/"), "D:read")).status == 200
        assert world.client("mary")("GET", CALENDAR + "a.ics").status == 200

    def test_the_whole_list_is_replaced(self, world: DavWorld, bill: Client) -> None:
        root = "/dav/principals/root/"
        acl(bill, ace(href(MARY), "D:read"), ace(href(root), "D:read"))
        before = told(bill)
        acl(bill, ace(href(root), "D:read"), ace(href(root), "D:write"))
        assert [one for one in told(bill) if not one[2]] == [(root, "read write", "")]
        assert [one for one in before if one[2]] == [one for one in told(bill) if one[2]]
        acl(bill)
        assert [one for one in told(bill) if not one[2]] == []

    def test_what_is_protected_can_be_sent_back_and_stays(self, bill: Client) -> None:
        """Clients that send the list as they read it mean no harm."""
        held = bill.propfind(CALENDAR, "D:acl").props()["D:acl"]
        all_of_it = "".join(etree.tostring(one).decode() for one in held)
        assert acl(bill, all_of_it, ace(href(MARY), "D:read")).status == 200
        assert [one[0] for one in told(bill) if not one[2]] == [MARY]

    def test_it_is_seen_over_cap(self, world: DavWorld, bill: Client) -> None:
        acl(bill, ace(href(MARY), "D:read"))
        found = world.text("SELECT * FROM VCAR WHERE CARID = 'share-mary@example.com'")
        assert "GRANT:mary@example.com" in found

    @pytest.mark.parametrize(
        ("body", "precondition"),
        [
            (ace(href(MARY), "D:read", verb="deny"), "D:grant-only"),
            (ace(href("/dav/principals/bill/"), "D:write", verb="deny"), "D:no-protected-ace-conflict"),
            (
                ace("<D:property><D:owner/></D:property>", "D:read", verb="deny"),
                "D:no-protected-ace-conflict",
            ),
            (ace(f"<D:invert><D:principal>{href(MARY)}</D:principal></D:invert>", "D:read"), "D:no-invert"),
            (ace(href(MARY), "D:read-current-user-privilege-set"), "D:no-abstract"),
            (ace(href(MARY), "D:unlock"), "D:not-supported-privilege"),
            (ace(href(MARY), "C:schedule-deliver"), "D:not-supported-privilege"),
            (ace(href("/dav/principals/nobody/"), "D:read"), "D:recognized-principal"),
            (ace(href(CALENDAR), "D:read"), "D:recognized-principal"),
            (ace(href("https://elsewhere.example/users/x"), "D:read"), "D:recognized-principal"),
            (ace("<D:self/>", "D:read"), "D:allowed-principal"),
            (ace("<D:property><D:displayname/></D:property>", "D:read"), "D:allowed-principal"),
            (ace(href(MARY), "D:read") * 101, "D:limited-number-of-aces"),
        ],
    )
    def test_what_cannot_be_said_is_refused_with_its_precondition(
        self, bill: Client, body: str, precondition: str
    ) -> None:
        """RFC 3744 §8.1.1."""
        before = told(bill)
        answer = acl(bill, ace(href("/dav/principals/root/"), "D:read"), body)
        assert (answer.status, answer.precondition) == (403, precondition), answer.text
        assert told(bill) == before

    @pytest.mark.parametrize(
        "body",
        [
            "<D:x/>",
            "<D:ace/>",
            ace(href(MARY)),
            ace(href(MARY) + href(MARY), "D:read"),
            # RFC 3744 §8.1.5
            ace(href(MARY), "D:read")[: -len("</D:ace>")] + ace(href(MARY), "D:read", verb="deny")[len("<D:ace>") :],
        ],
    )  # fmt: skip
    def test_what_is_no_list_is_400(self, bill: Client, body: str) -> None:
        assert acl(bill, body).status == 400

    def test_finer_rights_are_not_overwritten(self, world: DavWorld, bill: Client) -> None:
        world.create(parse(preset_text("titles", "mary@example.com")))
        answer = acl(bill, ace(href(MARY), "D:read"))
        assert (answer.status, answer.precondition) == (403, "D:no-protected-ace-conflict")
        assert "mary@example.com" in answer.text

    def test_objects_have_the_list_of_their_calendar(self, bill: Client) -> None:
        """RFC 3744 §8.1.4."""
        bill.put(CALENDAR + "a.ics", ics(event("a")))
        answer = acl(bill, ace(href(MARY), "D:write"), path=CALENDAR + "a.ics")
        assert (answer.status, answer.precondition) == (403, "D:no-inherited-ace-conflict")

    def test_who_may_not_write_rights_writes_none(self, bill: Client, mary: Client) -> None:
        assert acl(mary, ace(href(MARY), "D:all")).status == 404
        acl(bill, ace(href(MARY), "D:read", "D:write", "D:read-acl"))
        answer = acl(mary, ace(href(MARY), "D:all"))
        assert (answer.status, answer.precondition) == (403, "D:need-privileges")
        assert answer.xml.xpath("//D:privilege/D:write-acl", namespaces=NS)
        acl(bill, ace(href(MARY), "D:read", "D:read-acl", "D:write-acl"))
        assert acl(mary, ace(href(MARY), "D:read"), ace("<D:all/>", "D:read")).status == 200
        assert ("all", "read", "") in told(bill)


class TestNeedPrivileges:
    @pytest.mark.parametrize(
        ("method", "name", "privilege"),
        [("PUT", "a.ics", "write-content"), ("PUT", "n.ics", "bind"), ("DELETE", "a.ics", "unbind"),
         ("PROPPATCH", "", "write-properties"), ("ACL", "", "write-acl"), ("POST", "", "bind")],
    )  # fmt: skip
    def test_a_refusal_says_what_is_missing_where(
        self, bill: Client, mary: Client, method: str, name: str, privilege: str
    ) -> None:
        """RFC 3744 §7.1.1."""
        bill.put(CALENDAR + "a.ics", ics(event("a")))
        acl(bill, ace(href(MARY), "D:read"))
        bodies = {
            "PROPPATCH": f"<D:propertyupdate{DECLARED}><D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set></D:propertyupdate>",
            "ACL": f"<D:acl{DECLARED}/>",
        }
        uid = name[:-4] or "p"
        kind = "text/calendar" if method in ("PUT", "POST") else "application/xml"
        answer = mary(
            method, CALENDAR + name, bodies.get(method, ics(event(uid, "LOCATION:x"))), content_type=kind
        )
        assert (answer.status, answer.precondition) == (403, "D:need-privileges"), answer.text
        (needed,) = answer.xml.xpath("//D:need-privileges/D:resource", namespaces=NS)
        at = CALENDAR if privilege in ("bind", "unbind") else CALENDAR + name
        assert needed.xpath("string(D:href)", namespaces=NS) == at
        assert names(needed) == [privilege]

    def test_no_calendar_is_made_in_another_home(self, mary: Client) -> None:
        answer = mary("MKCALENDAR", HOME + "new/")
        assert (answer.status, answer.precondition) == (403, "D:need-privileges")
        assert answer.xml.xpath("//D:resource/D:privilege/D:bind", namespaces=NS)
        assert answer.xml.xpath("string(//D:resource/D:href)", namespaces=NS) == HOME


class TestGroups:
    def test_administrators_say_who_is_in_a_group(self, world: DavWorld, bill: Client) -> None:
        """RFC 3744 §4.3."""
        world.store.write(lambda tx: groups.add(tx, world.policy, "staff", now=0))
        path = "/dav/principals/staff/"
        body = f"<D:propertyupdate{DECLARED}><D:set><D:prop><D:group-member-set>{href(MARY)}{href('/dav/principals/bill/')}</D:group-member-set></D:prop></D:set></D:propertyupdate>"
        assert bill("PROPPATCH", path, body).status == 403
        assert world.client("root")("PROPPATCH", path, body).status == 207
        found = bill.propfind(path, "D:group-member-set").props()["D:group-member-set"]
        assert found.xpath("D:href/text()", namespaces=NS) == ["/dav/principals/bill/", MARY]
        mine = bill.propfind("/dav/principals/bill/", "D:group-membership").props()["D:group-membership"]
        assert mine.xpath("D:href/text()", namespaces=NS) == [path]
        removed = f"<D:propertyupdate{DECLARED}><D:remove><D:prop><D:group-member-set/></D:prop></D:remove></D:propertyupdate>"
        assert world.client("root")("PROPPATCH", path, removed).status == 207
        assert len(bill.propfind(path, "D:group-member-set").props()["D:group-member-set"]) == 0

    def test_who_is_nobody_is_in_no_group(self, world: DavWorld) -> None:
        world.store.write(lambda tx: groups.add(tx, world.policy, "staff", now=0))
        body = f"<D:propertyupdate{DECLARED}><D:set><D:prop><D:group-member-set>{href('/dav/principals/who/')}</D:group-member-set></D:prop></D:set></D:propertyupdate>"
        answer = world.client("root")("PROPPATCH", "/dav/principals/staff/", body)
        assert (answer.status, answer.precondition) == (403, "D:recognized-principal")

    def test_a_user_has_no_members(self, world: DavWorld, bill: Client) -> None:
        body = f"<D:propertyupdate{DECLARED}><D:set><D:prop><D:group-member-set>{href(MARY)}</D:group-member-set></D:prop></D:set></D:propertyupdate>"
        answer = bill("PROPPATCH", "/dav/principals/bill/", body)
        assert (answer.status, answer.precondition) == (403, "D:cannot-modify-protected-property")


def test_who_stands_in_a_list_is_told(world: DavWorld, bill: Client, mary: Client) -> None:
    """RFC 3744 §9.2: acl-principal-prop-set."""
    acl(bill, ace(href(MARY), "D:read"), ace("<D:all/>", "C:read-free-busy"))
    body = f"<D:acl-principal-prop-set{DECLARED}><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>"
    answer = bill("REPORT", CALENDAR, body)
    assert answer.hrefs() == ["/dav/principals/bill/", MARY]
    assert answer.prop("D:displayname", MARY)
    refused = mary("REPORT", CALENDAR, body)
    assert (refused.status, refused.precondition) == (403, "D:need-privileges")
