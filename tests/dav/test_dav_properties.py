"""Live and dead properties, one after the other (RFC 4918 §15, RFC 4791 §5.2, RFC 3744, RFC 6638)."""

from __future__ import annotations

import pytest
from core_world import event
from dav_harness import DECLARED, Client, DavWorld, ics

HOME = "/dav/calendars/bill/"
CALENDAR = "/dav/calendars/bill/calendar/"
EVENT = CALENDAR + "a.ics"
ZONE = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//C//EN\r\nBEGIN:VTIMEZONE\r\nTZID:Area 51\r\nBEGIN:STANDARD\r\n"
    "DTSTART:19700101T000000\r\nTZOFFSETFROM:-0800\r\nTZOFFSETTO:-0800\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n"
)


def patch(client: Client, path: str, setting: str = "", removing: str = "", **headers: str):
    parts = f"<D:set><D:prop>{setting}</D:prop></D:set>" if setting else ""
    parts += f"<D:remove><D:prop>{removing}</D:prop></D:remove>" if removing else ""
    return client("PROPPATCH", path, f"<D:propertyupdate{DECLARED}>{parts}</D:propertyupdate>", **headers)


def test_the_principal_leads_to_home_addresses_and_boxes(bill: Client) -> None:
    answer = bill.propfind(
        "/dav/principals/bill/", "C:calendar-home-set", "C:calendar-user-address-set", "C:calendar-user-type",
        "C:schedule-inbox-URL", "C:schedule-outbox-URL", "CS:email-address-set", "D:principal-URL",
        "D:displayname", "D:resourcetype", "D:group-membership", "D:owner",
    )  # fmt: skip
    props = answer.props()
    assert props["C:calendar-home-set"][0].text == HOME
    assert [one.text for one in props["C:calendar-user-address-set"]] == [
        "mailto:bill@example.com", "/dav/principals/bill/",
    ]  # fmt: skip
    assert props["C:calendar-user-type"].text == "INDIVIDUAL"
    assert props["C:schedule-inbox-URL"][0].text == HOME + "inbox/"
    assert props["C:schedule-outbox-URL"][0].text == HOME + "outbox/"
    assert props["CS:email-address-set"][0].text == "bill@example.com"
    assert [one.tag for one in props["D:resourcetype"]] == ["{DAV:}collection", "{DAV:}principal"]
    assert props["D:owner"][0].text == "/dav/principals/bill/"


def test_a_home_lists_its_calendars_and_boxes(bill: Client, mary: Client) -> None:
    own = bill.propfind(HOME, "D:resourcetype", depth="1")
    assert own.hrefs() == [HOME, CALENDAR, HOME + "tasks/", HOME + "inbox/", HOME + "outbox/"]
    assert mary.propfind(HOME, "D:resourcetype", depth="1").hrefs() == [HOME]


def test_a_calendar_says_what_rfc_4791_asks(bill: Client) -> None:  # RFC 4791 §5.2
    answer = bill.propfind(
        CALENDAR, "C:supported-calendar-component-set", "C:supported-calendar-data", "C:max-resource-size",
        "C:min-date-time", "C:max-date-time", "C:max-instances", "C:max-attendees-per-instance",
        "C:calendar-timezone", "C:calendar-timezone-id", "C:supported-collation-set", "CS:getctag",
        "D:sync-token", "D:supported-report-set", "D:current-user-privilege-set", "D:owner",
        "C:schedule-calendar-transp", "D:add-member", "D:creationdate", "D:getlastmodified", "D:getetag",
    )  # fmt: skip
    props = answer.props()
    assert props["C:supported-calendar-component-set"][0].get("name") == "VEVENT"
    assert props["C:max-resource-size"].text == "10000000"
    assert "TZID:Europe/Berlin" in props["C:calendar-timezone"].text
    assert props["C:calendar-timezone-id"].text == "Europe/Berlin"
    assert props["CS:getctag"].text
    assert "D:getetag" in answer.props(status=404)
    privileges = {child.tag for one in props["D:current-user-privilege-set"] for child in one}
    assert {"{DAV:}read", "{DAV:}write", "{DAV:}bind", "{DAV:}unbind"} <= privileges


def test_ctag_and_sync_token_change_with_every_write(bill: Client) -> None:  # RFC 6578 §4
    before = bill.propfind(CALENDAR, "CS:getctag", "D:sync-token")
    bill.put(EVENT, ics(event("a")))
    after = bill.propfind(CALENDAR, "CS:getctag", "D:sync-token")
    assert before.prop("CS:getctag") != after.prop("CS:getctag")
    assert before.prop("D:sync-token") != after.prop("D:sync-token")


def test_what_proppatch_sets_is_a_vagenda_for_cap(world: DavWorld, bill: Client) -> None:
    answer = patch(
        bill, CALENDAR,
        "<D:displayname>Bill &amp; Mary; plans</D:displayname><A:calendar-color>#FF2968FF</A:calendar-color>"
        "<C:calendar-description>All\nof it</C:calendar-description><A:calendar-order>3</A:calendar-order>"
        "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>"
        f"<C:calendar-timezone>{ZONE}</C:calendar-timezone>",
    )  # fmt: skip
    assert answer.status == 207
    assert len(answer.props()) == 6
    text = world.text("SELECT * FROM VAGENDA WHERE CALID = 'bill/calendar'")
    assert "NAME:Bill & Mary\\; plans" in text
    assert "DESCRIPTION:All\\nof it" in text
    assert "DEFAULT-TZID:Area 51" in text
    seen = bill.propfind(
        CALENDAR, "D:displayname", "A:calendar-color", "C:calendar-description", "A:calendar-order",
        "C:calendar-timezone", "C:schedule-calendar-transp",
    )  # fmt: skip
    assert seen.prop("D:displayname") == "Bill & Mary; plans"
    assert seen.prop("A:calendar-color") == "#FF2968FF"
    assert seen.prop("C:calendar-description") == "All\nof it"
    assert "TZOFFSETFROM:-0800\r\n" in seen.prop("C:calendar-timezone")
    assert seen.props()["C:schedule-calendar-transp"][0].tag.endswith("transparent")
    patch(bill, CALENDAR, removing="<D:displayname/><C:calendar-timezone/><A:calendar-color/>")
    gone = bill.propfind(CALENDAR, "D:displayname", "A:calendar-color", "C:calendar-timezone-id")
    assert gone.prop("D:displayname") == "calendar"
    assert gone.prop("C:calendar-timezone-id") == "Europe/Berlin"
    assert list(gone.props(status=404)) == ["A:calendar-color"]


def test_a_refused_instruction_refuses_all(bill: Client) -> None:  # RFC 4918 §9.2.1
    answer = patch(bill, CALENDAR, "<D:displayname>New</D:displayname><D:getetag>x</D:getetag>")
    assert answer.status == 207
    assert list(answer.props(status=403)) == ["D:getetag"]  # §16: cannot-modify-protected-property
    assert list(answer.props(status=424)) == ["D:displayname"]
    assert "cannot-modify-protected-property" in answer.text
    assert bill.propfind(CALENDAR, "D:displayname").prop("D:displayname") == "calendar"
    protected = patch(bill, CALENDAR, "<D:resourcetype/><A:calendar-color>red</A:calendar-color>")
    assert list(protected.props(status=403)) == ["D:resourcetype"]


@pytest.mark.parametrize(
    "zone", ["nonsense", "BEGIN:VCALENDAR\r\nEND:VCALENDAR", ZONE.replace("TZID:Area 51\r\n", "")]
)
def test_a_time_zone_has_to_be_one(bill: Client, zone: str) -> None:  # RFC 4791 §5.3.1
    answer = patch(bill, CALENDAR, f"<C:calendar-timezone>{zone}</C:calendar-timezone>")
    assert list(answer.props(status=403)) == ["C:calendar-timezone"]
    assert "valid-calendar-data" in answer.text
    named = patch(bill, CALENDAR, "<C:calendar-timezone-id>Mars/Base</C:calendar-timezone-id>")
    assert "valid-timezone" in named.text


@pytest.mark.parametrize("path", [CALENDAR, EVENT, HOME, "/dav/principals/bill/", HOME + "inbox/"])
def test_dead_properties_are_kept_as_they_came(bill: Client, path: str) -> None:  # RFC 4918 §4.3
    bill.put(EVENT, ics(event("a")))
    value = (
        '<Z:note xmlns:Z="urn:z" Z:b="1" xml:lang="de">a &lt;b&gt; <Z:in>c</Z:in> d<plain xmlns=""/></Z:note>'
    )
    bare = '<size xmlns="">XL</size>'
    assert patch(bill, path, value + bare).status == 207
    asked = f'<D:propfind{DECLARED}><D:prop><Z:note xmlns:Z="urn:z"/><size xmlns=""/><Z:x xmlns:Z="urn:z"/></D:prop></D:propfind>'
    answer = bill("PROPFIND", path, asked, depth="0")
    note, size = answer.xml.xpath("//*[local-name() = 'note']")[0], answer.xml.xpath("//size")[0]
    assert note.tag == "{urn:z}note"
    assert dict(note.attrib) == {
        "{urn:z}b": "1",
        "{http://www.w3.org/XML/1998/namespace}lang": "de",
    }
    assert (note.text, note[0].tag, note[0].tail, note[1].tag) == ("a <b> ", "{urn:z}in", " d", "plain")
    assert size.text == "XL"
    assert [one.tag for one in answer.props(status=404).values()] == ["{urn:z}x"]
    everything = bill("PROPFIND", path, depth="0")
    assert "a &lt;b&gt; " in everything.text
    names = bill("PROPFIND", path, f"<D:propfind{DECLARED}><D:propname/></D:propfind>", depth="0")
    assert "XL" not in names.text
    assert "size" in names.text
    patch(bill, path, removing=bare)
    assert "XL" not in bill("PROPFIND", path, depth="0").text


def test_dead_properties_of_members_come_with_one_question(bill: Client) -> None:
    for name in "abc":
        bill.put(f"{CALENDAR}{name}.ics", ics(event(name)))
    patch(bill, f"{CALENDAR}b.ics", '<Z:mark xmlns:Z="urn:z">yes</Z:mark>')
    asked = f'<D:propfind{DECLARED}><D:prop><D:getetag/><Z:mark xmlns:Z="urn:z"/></D:prop></D:propfind>'
    answer = bill("PROPFIND", CALENDAR, asked, depth="1")
    assert [one.text for one in answer.xml.xpath("//*[local-name() = 'mark']")] == [None, None, "yes", None]


def test_dead_properties_go_with_their_object(bill: Client) -> None:
    bill.put(EVENT, ics(event("a")))
    patch(bill, EVENT, '<Z:mark xmlns:Z="urn:z">yes</Z:mark>')
    bill("DELETE", EVENT)
    bill.put(EVENT, ics(event("a")))
    assert "yes" not in bill("PROPFIND", EVENT, depth="0").text


def test_nobody_sets_properties_of_somebody_else(bill: Client, mary: Client) -> None:
    assert patch(mary, CALENDAR, "<D:displayname>x</D:displayname>").status == 404
    assert patch(mary, HOME, '<x xmlns="urn:x"/>').status == 403
    assert patch(bill, "/dav/", '<x xmlns="urn:x"/>').status == 403


def test_allprop_brings_what_rfc_4918_names_and_include(bill: Client) -> None:  # RFC 4918 §9.1.5, §9.1.6
    bill.put(EVENT, ics(event("a")))
    plain = bill("PROPFIND", EVENT, depth="0").props()
    assert {
        "D:getetag",
        "D:getcontenttype",
        "D:getcontentlength",
        "D:getlastmodified",
        "D:creationdate",
    } <= set(plain)
    assert "D:owner" not in plain
    body = f"<D:propfind{DECLARED}><D:allprop/><D:include><D:owner/></D:include></D:propfind>"
    assert "D:owner" in bill("PROPFIND", EVENT, body, depth="0").props()


def test_minimal_leaves_out_what_is_not_there(bill: Client) -> None:  # RFC 8144 §2.1
    answer = bill.propfind(CALENDAR, "D:getetag", prefer="return=minimal")
    assert "404" not in answer.text
    assert " 200 OK" in answer.text
    assert answer.headers["preference-applied"] == "return=minimal"
    assert patch(bill, CALENDAR, "<D:displayname>x</D:displayname>", prefer="return=minimal").status == 204


def test_noroot_leaves_out_the_collection(bill: Client) -> None:  # RFC 8144 §4
    bill.put(EVENT, ics(event("a")))
    assert bill.propfind(CALENDAR, "D:getetag", depth="1", prefer="depth-noroot").hrefs() == [EVENT]


@pytest.mark.parametrize("depth", ["infinity", None])
def test_infinity_is_refused_with_its_precondition(
    bill: Client, depth: str | None
) -> None:  # RFC 4918 §9.1.1
    answer = bill("PROPFIND", CALENDAR, **({} if depth is None else {"depth": depth}))
    assert (answer.status, answer.precondition) == (403, "D:propfind-finite-depth")
    assert bill("PROPFIND", CALENDAR, depth="9" * 500).status == 400


def test_expand_property_follows_hrefs(bill: Client) -> None:  # RFC 3253 §3.8
    body = (
        f'<D:expand-property{DECLARED}><D:property name="current-user-principal">'
        '<D:property name="displayname"/><D:property name="calendar-home-set"'
        ' namespace="urn:ietf:params:xml:ns:caldav"><D:property name="owner"/></D:property></D:property>'
        '<D:property name="displayname"/></D:expand-property>'
    )
    answer = bill("REPORT", "/dav/", body)
    assert answer.status == 207
    inner = answer.xml.xpath("//*[local-name()='current-user-principal']/*[local-name()='response']")[0]
    assert inner[0].text == "/dav/principals/bill/"
    assert answer.xml.xpath("//*[local-name()='calendar-home-set']/*/*[local-name()='href']")[0].text == HOME


def test_an_unknown_report_is_refused(bill: Client) -> None:  # RFC 3253 §3.6
    answer = bill("REPORT", CALENDAR, '<x xmlns="urn:x"/>')
    assert (answer.status, answer.precondition) == (403, "D:supported-report")


def test_the_default_calendar_can_be_chosen(bill: Client) -> None:  # RFC 6638 §9.2
    inbox = HOME + "inbox/"
    link = f"<C:schedule-default-calendar-URL><D:href>{HOME}tasks/</D:href></C:schedule-default-calendar-URL>"
    assert patch(bill, inbox, link).status == 207
    found = bill.propfind(inbox, "C:schedule-default-calendar-URL").props()
    assert found["C:schedule-default-calendar-URL"][0].text == HOME + "tasks/"
    bad = patch(bill, inbox, link.replace("tasks", "nowhere"))
    assert (bad.status, bad.precondition) == (403, "C:valid-schedule-default-calendar-URL")


def test_every_property_answers_on_every_kind_of_resource(bill: Client, world: DavWorld) -> None:
    bill.put(EVENT, ics(event("a")))
    world.create(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nCMD:CREATE\r\nTARGET:x\r\nMETHOD:REQUEST\r\n"
        + event("m", "ORGANIZER:mailto:mary@example.com", "ATTENDEE:mailto:bill@example.com").replace(
            "\n", "\r\n"
        )
        + "\r\nEND:VCALENDAR\r\n"
    )
    (message,) = bill.propfind(HOME + "inbox/", "D:getetag", depth="1").hrefs()[1:]
    assert b"METHOD:REQUEST" in bill("GET", message).body
    for path in ("/", "/dav/", "/dav/principals/", "/dav/principals/bill/", "/dav/calendars/", HOME, CALENDAR, EVENT, HOME + "inbox/", HOME + "outbox/", message):  # fmt: skip
        names = bill("PROPFIND", path, f"<D:propfind{DECLARED}><D:propname/></D:propfind>", depth="0")
        assert names.status == 207
        asked = "".join(f'<x:{one.tag.partition("}")[2]} xmlns:x="{one.tag[1:].partition("}")[0]}"/>' for one in names.props().values())  # fmt: skip
        answer = bill(
            "PROPFIND", path, f"<D:propfind{DECLARED}><D:prop>{asked}</D:prop></D:propfind>", depth="0"
        )
        assert set(answer.props()) == set(names.props())
    assert bill("DELETE", message).status == 204
    assert bill("GET", message).status == 404


def test_principals_are_searched_from_the_top_and_listed_without_a_term(
    bill: Client,
) -> None:  # RFC 3744 §9.4
    term = "<D:property-search><D:prop><D:displayname/></D:prop><D:match>bill</D:match></D:property-search>"
    ask = "<D:prop><D:displayname/></D:prop>"
    search = lambda inner: bill(  # noqa: E731
        "REPORT",
        "/dav/",
        f"<D:principal-property-search{DECLARED}>{inner}{ask}</D:principal-property-search>",
    )
    assert search(term).hrefs() == ["/dav/principals/bill/"]
    beside = f"<D:principal-property-search{DECLARED}>{term}<D:prop/><D:displayname/></D:principal-property-search>"
    assert bill("REPORT", "/dav/", beside).prop("D:displayname") == "bill"  # as python-caldav asks
    assert search("").hrefs() == [f"/dav/principals/{name}/" for name in ("bill", "mary", "root")]


LANG = "{http://www.w3.org/XML/1998/namespace}lang"


@pytest.mark.parametrize("name", ["C:calendar-description", "D:displayname"])
def test_the_language_of_a_text_comes_back(bill: Client, name: str) -> None:  # RFC 4791 §5.2.1; RFC 4918 §4.3
    patch(bill, CALENDAR, f'<{name} xml:lang="fr-CA">Calendrier de Mathilde Desruisseaux</{name}>')
    found = bill.propfind(CALENDAR, name).props()[name]
    assert (found.text, found.get(LANG)) == ("Calendrier de Mathilde Desruisseaux", "fr-CA")
    patch(bill, CALENDAR, f"<{name}>Calendar</{name}>")
    found = bill.propfind(CALENDAR, name).props()[name]
    assert (found.text, found.get(LANG)) == ("Calendar", None)
    answer = patch(bill, CALENDAR, f'<{name} xml:lang="f r">x</{name}>')
    assert list(answer.props(status=409)) == [name]


def test_names_in_other_languages_stay(bill: Client, world: DavWorld) -> None:  # RFC 4324 §8.23
    world.modify("SELECT * FROM VAGENDA", "", "NAME:Dienst\nNAME;LANGUAGE=en:Duty", kind="VAGENDA")
    patch(bill, CALENDAR, '<D:displayname xml:lang="fr">Service</D:displayname>')
    assert bill.propfind(CALENDAR, "D:displayname").prop("D:displayname") == "Service"
    (held,) = world.find("SELECT * FROM VAGENDA")
    names = {line.param("LANGUAGE"): line.value for line in held.all("NAME")}
    assert names == {"fr": "Service", "en": "Duty"}


def test_a_name_that_is_too_long_is_refused_and_not_cut(bill: Client) -> None:  # RFC 4918 §9.2.1
    answer = patch(bill, CALENDAR, f"<D:displayname>{'n' * 1001}</D:displayname>")
    assert list(answer.props(status=409)) == ["D:displayname"]
    assert bill.propfind(CALENDAR, "D:displayname").prop("D:displayname") == "calendar"


def test_an_object_has_a_displayname_once_a_client_gives_it_one(bill: Client) -> None:  # RFC 4918 §15.2
    etag = bill.put(EVENT, ics(event("a"))).headers["etag"]
    patch(bill, EVENT, "<D:displayname>Lunch</D:displayname>")
    seen = bill.propfind(EVENT, "D:displayname", "D:getetag")
    assert (seen.prop("D:displayname"), seen.prop("D:getetag")) == ("Lunch", etag)


def test_elements_that_nobody_knows_are_passed_over(bill: Client) -> None:  # RFC 4918 §17
    body = (
        f'<D:propertyupdate{DECLARED}><X:hint xmlns:X="urn:x"><D:prop><D:displayname>No</D:displayname></D:prop></X:hint>'
        "<D:set><D:prop><D:displayname>Yes</D:displayname></D:prop></D:set></D:propertyupdate>"
    )
    assert list(bill("PROPPATCH", CALENDAR, body).props()) == ["D:displayname"]
    assert bill.propfind(CALENDAR, "D:displayname").prop("D:displayname") == "Yes"
