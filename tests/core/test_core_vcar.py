"""The VCAR engine: what rules decide (RFC 4324 §4.2, §8.32, §8.33, §9.3, §9.4)."""

from __future__ import annotations

import pytest
from judging import selects

from kalends.calquery.bind import Bindings, bind
from kalends.calquery.parse import parse as parse_query
from kalends.calquery.plan import plan
from kalends.core import defaults
from kalends.core.access.circumstances import Context, Standing
from kalends.core.access.vcar import Judge, may
from kalends.core.access.vrights import Rule, reaches_down, rules_of
from kalends.core.model import Identity
from kalends.ical.tree import Component, parse

BOB = "bob@example.com"
ANN = "ann@example.com"
OWNER = "bill@example.com"
PERMISSIONS = ("SEARCH", "CREATE", "DELETE", "MODIFY", "MOVE", "X-PING")
UNPROCESSED = Standing("UNPROCESSED", "REQUEST")


def tree(text: str) -> Component:
    return parse(text.strip().replace("\n", "\r\n") + "\r\n")


AGENDA = tree("""
BEGIN:VAGENDA
CALID:cap://cal.example.com/bill
NAME:Bill
OWNER:bill@example.com
END:VAGENDA
""")
EVENT = tree("""
BEGIN:VEVENT
UID:1
DTSTART:20260101T100000Z
DTEND:20260101T110000Z
SUMMARY:Dentist
CLASS:PRIVATE
ORGANIZER:mailto:bill@example.com
ATTENDEE;CN=Bob;PARTSTAT=NEEDS-ACTION:mailto:bob@example.com
ATTENDEE;CN=Ann:mailto:ann@example.com
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT5M
DESCRIPTION:Go
END:VALARM
END:VEVENT
""")


def vright(*lines: str) -> str:
    return "\n".join(("BEGIN:VRIGHT", *lines, "END:VRIGHT"))


def vcar(*vrights: str, carid: str = "test", more: str = "") -> Component:
    body = "\n".join((f"CARID:{carid}", *([more] if more else []), *vrights))
    return tree(f"BEGIN:VCAR\n{body}\nEND:VCAR")


def rules(*vrights: str) -> tuple[Rule, ...]:
    return rules_of(vcar(*vrights))


def judge(found: tuple[Rule, ...] | list[Rule], upn: str = BOB, *, groups: tuple[str, ...] = ()) -> Judge:
    who = Identity(upn, 1, addresses=frozenset((f"mailto:{upn}",)), groups=frozenset(groups))
    bindings = Bindings(
        self_upn=upn,
        self_addresses=sorted(who.addresses),
        groups=groups,
        owners=lambda calid: (OWNER,),
        target="bill",
        csid="cal.example.com",
    )
    return Judge(found, who, Context(upn == OWNER, bindings, AGENDA))


def predefined() -> list[Rule]:
    return [rule for one in defaults.vcars() for rule in rules_of(one)]


def names(component: Component | None) -> list[str]:
    return [] if component is None else [item.name for item in component.items]


def changed(old: str, new: str, component: Component = EVENT) -> Component:
    text = component.to_ics()
    assert old in text
    return parse(text.replace(old, new))


# what nobody grants, and what somebody denies


@pytest.mark.parametrize("permission", PERMISSIONS)
@pytest.mark.parametrize("upn", [BOB, OWNER, "@"])
def test_nothing_is_allowed_that_nothing_grants_acl_01(permission: str, upn: str) -> None:
    """ACL-01."""
    nobody = judge((), upn)
    assert not nobody.may(permission)
    assert not nobody.may(permission, EVENT)
    assert nobody.visible(EVENT) is None
    assert not nobody.may_modify(EVENT, EVENT)
    assert nobody.explain(permission).rules == ()


@pytest.mark.parametrize("denies_first", [False, True])
def test_a_deny_wins_in_any_order_acl_02(denies_first: bool) -> None:
    """ACL-02, QRY order irrelevant: GRANT:* and DENY:bob."""
    grant, deny = vright("GRANT:*", "PERMISSION:SEARCH"), vright(f"DENY:{BOB}", "PERMISSION:SEARCH")
    found = rules(deny, grant) if denies_first else rules(grant, deny)
    assert judge(found).visible(EVENT) is None
    assert not judge(found).may("SEARCH")
    assert judge(found, ANN).visible(EVENT) is EVENT


def test_a_group_is_named_like_a_user_upn_07() -> None:
    """UPN-07."""
    found = rules(vright("GRANT:staff@example.com", "PERMISSION:*"))
    assert judge(found, groups=("staff@example.com",)).may("DELETE", EVENT)
    assert not judge(found).may("DELETE", EVENT)


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_each_permission_stands_for_itself_acl_20(permission: str) -> None:
    """ACL-20: each one alone; * for all, also in a DENY."""
    found = rules(vright("GRANT:*", f"PERMISSION:{permission.lower()}"))
    assert [one for one in PERMISSIONS if judge(found).may(one, EVENT)] == [permission]
    all_of_them = rules(vright("GRANT:*", "PERMISSION:*"))
    assert judge(all_of_them).may(permission, EVENT)
    but_one = all_of_them + rules(vright("DENY:*", f"PERMISSION:{permission}"))
    assert [one for one in PERMISSIONS if not judge(but_one).may(one, EVENT)] == [permission]


def test_several_lines_mean_any_of_them_a_51() -> None:
    """A-51."""
    found = rules(
        vright(
            f"GRANT:{ANN}",
            f"GRANT:{BOB}",
            "PERMISSION:DELETE",
            "PERMISSION:SEARCH",
            "SCOPE:SELECT SUMMARY FROM VEVENT",
            "SCOPE:SELECT UID FROM VEVENT",
        )
    )
    for upn in (ANN, BOB):
        assert names(judge(found, upn).visible(EVENT)) == ["UID", "SUMMARY"]
    assert not judge(found).may("DELETE", EVENT)  # only parts of it are in the SCOPEs


# SCOPE


def test_scope_limits_to_properties_and_keeps_their_text_acl_14() -> None:
    """ACL-14: the example of RFC 4324 §9.3."""
    seen = judge(rules(vright("GRANT:*", "PERMISSION:SEARCH", "SCOPE:SELECT DTSTART,DTEND FROM VEVENT")))
    shown = seen.visible(EVENT)
    assert shown is not None
    assert shown.to_ics() == (
        "BEGIN:VEVENT\r\nDTSTART:20260101T100000Z\r\nDTEND:20260101T110000Z\r\nEND:VEVENT\r\n"
    )
    assert all(any(line is one for one in EVENT.lines) for line in shown.lines)


def test_scope_limits_to_contained_components_acl_14() -> None:
    """ACL-14: contained components, and their properties."""
    for scope, shown in (
        ("SELECT VALARM FROM VEVENT", ["ACTION", "TRIGGER", "DESCRIPTION"]),
        ("SELECT VALARM.TRIGGER FROM VEVENT", ["TRIGGER"]),
        ("SELECT ACTION FROM VALARM", ["ACTION"]),
    ):
        seen = judge(rules(vright("GRANT:*", "PERMISSION:SEARCH", f"SCOPE:{scope}"))).visible(EVENT)
        assert names(seen) == ["VALARM"]
        assert seen is not None
        assert names(seen.components[0]) == shown
    hidden = judge(
        rules(
            vright("GRANT:*", "PERMISSION:*"), vright("DENY:*", "PERMISSION:*", "SCOPE:SELECT * FROM VALARM")
        )
    )
    assert "VALARM" not in names(hidden.visible(EVENT))
    assert not hidden.may("DELETE", EVENT)
    assert not hidden.may_modify(EVENT, changed("-PT5M", "-PT6M"))
    assert hidden.may_modify(EVENT, changed("Dentist", "Doctor"))


def test_scope_limits_to_parameters_acl_14() -> None:
    """ACL-14: parameters. Granted, one is shown alone; denied, it is taken out."""
    granted = judge(rules(vright("GRANT:*", "PERMISSION:*", "SCOPE:SELECT PARAM(ATTENDEE,CN) FROM VEVENT")))
    seen = granted.visible(EVENT)
    assert seen is not None
    assert [(line.params, line.value) for line in seen.lines] == [
        ((("CN", ("Bob",)),), "mailto:bob@example.com"),
        ((("CN", ("Ann",)),), "mailto:ann@example.com"),
    ]
    assert granted.may_modify(EVENT, changed("CN=Bob", "CN=Robert"))
    assert not granted.may_modify(EVENT, changed("NEEDS-ACTION", "ACCEPTED"))
    denied = judge(
        rules(
            vright("GRANT:*", "PERMISSION:*"),
            vright("DENY:*", "PERMISSION:*", "SCOPE:SELECT PARAM(ATTENDEE,CN) FROM VEVENT"),
        )
    )
    text = EVENT.to_ics().replace("CN=Bob;", "").replace(";CN=Ann", "")
    shown = denied.visible(EVENT)
    assert shown is not None
    assert shown.to_ics() == text
    assert denied.may_modify(EVENT, changed("NEEDS-ACTION", "ACCEPTED"))
    assert not denied.may_modify(EVENT, changed("CN=Bob", "CN=Robert"))
    assert not denied.may("DELETE", EVENT)


def test_scope_limits_by_content_acl_15() -> None:
    """ACL-15."""
    found = rules(vright("GRANT:*", "PERMISSION:SEARCH", "SCOPE:SELECT * FROM VEVENT WHERE CLASS = 'PUBLIC'"))
    assert judge(found).visible(EVENT) is None
    public = changed("CLASS:PRIVATE", "CLASS:PUBLIC")
    assert judge(found).visible(public) is public


def test_who_denies_an_end_denies_the_duration() -> None:
    """RFC 4324 §6.1.1.8: DTEND and DURATION say the same."""
    lasting = changed("DTEND:20260101T110000Z", "DURATION:PT1H")
    found = rules(
        vright("GRANT:*", "PERMISSION:SEARCH"),
        vright("DENY:*", "PERMISSION:SEARCH", "SCOPE:SELECT DTEND FROM VEVENT"),
    )
    assert "DURATION" not in names(judge(found).visible(lasting))


def test_a_vagenda_in_a_scope_covers_its_contents_a_50() -> None:
    """A-50: `*` and `*.*` cover the contents; a property is only itself; WHERE is about the calendar."""
    for scope, shown, name in (
        ("SELECT * FROM VAGENDA", True, True),
        ("SELECT *.* FROM VAGENDA", True, True),
        ("SELECT NAME FROM VAGENDA", False, True),
        ("SELECT * FROM VAGENDA WHERE NAME = 'Bill'", True, True),
        ("SELECT * FROM VAGENDA WHERE NAME = 'Mary'", False, False),
        ("SELECT VEVENT FROM VAGENDA", True, False),
        ("SELECT VTODO FROM VAGENDA", False, False),
        ("SELECT * FROM VCALENDAR", True, False),
        ("SELECT * FROM VCALSTORE", False, False),
    ):
        one = judge(rules(vright("GRANT:*", "PERMISSION:SEARCH", f"SCOPE:{scope}")))
        assert (one.visible(EVENT) is EVENT) is shown, scope
        assert ("NAME" in names(one.visible(AGENDA))) is name, scope
        denied = judge(
            rules(vright("GRANT:*", "PERMISSION:*"), vright("DENY:*", "PERMISSION:*", f"SCOPE:{scope}"))
        )
        if scope != "SELECT * FROM VCALSTORE":
            assert (denied.visible(EVENT) is None) is shown, scope


def test_states_in_scopes() -> None:
    """RFC 4324 §6.1.1.5: a GRANT without STATE() is not about DELETED objects, a DENY is."""
    deleted, waiting = Standing("DELETED"), Standing("UNPROCESSED", "REQUEST")
    for scope, seen in (
        ("SELECT * FROM VEVENT", (True, True, False)),
        ("SELECT * FROM VEVENT WHERE STATE() = 'BOOKED'", (True, False, False)),
        ("SELECT * FROM VAGENDA", (True, True, True)),
        ("SELECT * FROM VAGENDA WHERE STATE() = 'BOOKED'", (True, False, False)),
        ("SELECT * FROM VAGENDA WHERE METHOD = 'REQUEST'", (False, True, False)),
    ):
        one = judge(rules(vright("GRANT:*", "PERMISSION:*", f"SCOPE:{scope}")))
        found = tuple(one.visible(EVENT, state) is not None for state in (Standing(), waiting, deleted))
        assert found == seen, scope
    denied = judge(
        rules(
            vright("GRANT:*", "PERMISSION:*"), vright("DENY:*", "PERMISSION:*", "SCOPE:SELECT * FROM VEVENT")
        )
    )
    assert all(denied.visible(EVENT, state) is None for state in (Standing(), waiting, deleted))


def test_what_cannot_be_read_never_widens() -> None:
    """Defence in depth: admission lets no such VCAR in."""
    assert judge(rules(vright("GRANT:sam@*", "PERMISSION:*"))).visible(EVENT) is None
    assert judge(rules(vright("GRANT:*", "PERMISSION:*", "SCOPE:SELECT"))).visible(EVENT) is None
    assert not judge(rules(vright("GRANT:*", "PERMISSION:*", "RESTRICTION:SELECT"))).may("CREATE", EVENT)
    assert judge(rules(vright("GRANT:*"))).visible(EVENT) is None
    assert judge(rules(vright("GRANT:*", "PERMISSION:SEARCH,CREATE"))).visible(EVENT) is None
    everything = rules(vright("GRANT:*", "PERMISSION:*"))
    for broken in (
        vright("DENY:sam@*", "PERMISSION:SEARCH"),
        vright("DENY:*", "PERMISSION:SEARCH", "SCOPE:SELECT"),
        vright("DENY:*"),
        vright("DENY:*", "PERMISSION:SEARCH,CREATE"),
        vright("DENY:*", "PERMISSION:CREATE", "PERMISSION:READ"),
    ):
        assert judge(everything + rules(broken)).visible(EVENT) is None


# WHERE


def test_a_condition_sees_only_what_the_caller_sees_no_leak() -> None:
    """No leak through WHERE: a hidden SUMMARY is not there, for any condition."""
    one = judge(rules(vright("GRANT:*", "PERMISSION:SEARCH", "SCOPE:SELECT UID,DTSTART FROM VEVENT")))

    def found(where: str, component: Component) -> bool:
        query = bind(parse_query(f"SELECT * FROM VEVENT WHERE {where}"), Bindings())
        return selects(one, plan(query.where), component) is not None

    other = changed("Dentist", "Zoo")
    for where in ("SUMMARY = 'Dentist'", "SUMMARY LIKE 'D%'", "SUMMARY != 'Zoo'", "CLASS = 'PRIVATE'"):
        assert not found(where, EVENT)
        assert not found(where, other)
    for where in ("SUMMARY IS NULL", "SUMMARY NOT LIKE 'D%'", "UID = '1'", "VAGENDA.NAME IS NULL"):
        assert found(where, EVENT)
        assert found(where, other)


# the four predefined VCARs


def test_everybody_may_read_busy_times_and_nothing_else_acl_06() -> None:
    """ACL-06: READBUSYTIMEINFO."""
    busy = tree("BEGIN:VFREEBUSY\nDTSTART:20260101T000000Z\nEND:VFREEBUSY")
    for upn in (BOB, "@", "@other.org"):
        one = judge(predefined(), upn)
        assert one.visible(busy) is busy
        assert one.visible(EVENT) is None
        assert one.visible(AGENDA) is None
        assert not one.may("DELETE", EVENT)


def test_others_may_only_send_requests_acl_07() -> None:
    """ACL-07: REQUESTONLY."""
    one = judge(predefined())
    assert one.may("CREATE", EVENT, UNPROCESSED)
    assert not one.may("CREATE", EVENT)
    assert not one.may("CREATE", EVENT, Standing("UNPROCESSED", "CANCEL"))
    assert not one.may("CREATE", vcar(vright("GRANT:*", "PERMISSION:*")), UNPROCESSED)
    assert judge(predefined(), OWNER).may("CREATE", EVENT)


def test_attendees_may_change_their_own_parameters_acl_08() -> None:
    """ACL-08: UPDATEPARTSTATUS: parameters of one's own ATTENDEE, no value and nobody else's."""
    one = judge(predefined())
    assert one.may_modify(EVENT, changed("NEEDS-ACTION", "ACCEPTED"))
    assert one.may_modify(EVENT, changed("CN=Bob;", ""))
    for old, new in (
        ("ATTENDEE;CN=Ann", "ATTENDEE;PARTSTAT=DECLINED;CN=Ann"),
        ("NEEDS-ACTION:mailto:bob@", "NEEDS-ACTION:mailto:robert@"),
        ("Dentist", "Doctor"),
        ("-PT5M", "-PT6M"),
        ("ATTENDEE;CN=Ann:mailto:ann@example.com\r\n", ""),
        ("ATTENDEE;CN=Bob;PARTSTAT=NEEDS-ACTION:mailto:bob@example.com\r\n", ""),
        ("ATTENDEE;CN=Ann", "ATTENDEE:mailto:bob@example.com\r\nATTENDEE;CN=Ann"),
    ):
        assert not one.may_modify(EVENT, changed(old, new)), new
    assert not judge(predefined(), "eve@example.com").may_modify(EVENT, changed("NEEDS-ACTION", "ACCEPTED"))
    assert not one.may_modify(EVENT, changed("NEEDS-ACTION", "ACCEPTED"), UNPROCESSED)
    elsewhere = changed("ORGANIZER:mailto:bill@", "ORGANIZER:mailto:mary@")
    assert not one.may_modify(elsewhere, changed("NEEDS-ACTION", "ACCEPTED", elsewhere))
    assert not one.may("DELETE", EVENT)


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_owners_may_do_everything_acl_09(permission: str) -> None:
    """ACL-09: DEFAULTOWNER."""
    one = judge(predefined(), OWNER)
    for component in (EVENT, AGENDA, vcar(vright("GRANT:*", "PERMISSION:*"))):
        for standing in (Standing(), UNPROCESSED, Standing("DELETED")):
            assert one.may(permission, component, standing)
            assert one.visible(component, standing) is component
    assert one.may_modify(EVENT, changed("Dentist", "Doctor"))


# RESTRICTION


def test_results_must_meet_one_restriction_acl_16_acl_19() -> None:
    """ACL-16, ACL-19, A-51: any of several; of the result, not of what was there."""
    one = judge(
        rules(
            vright(
                "GRANT:*",
                "PERMISSION:*",
                "RESTRICTION:SELECT * FROM VEVENT WHERE CLASS = 'PUBLIC'",
                "RESTRICTION:SELECT * FROM VEVENT WHERE 'BUSINESS' IN CATEGORIES",
            )
        )
    )
    public = changed("CLASS:PRIVATE", "CLASS:PUBLIC")
    business = changed("CLASS:PRIVATE", "CLASS:PRIVATE\r\nCATEGORIES:BUSINESS,HOME")
    assert [one.may("CREATE", event) for event in (EVENT, public, business)] == [False, True, True]
    assert one.may_modify(EVENT, public)
    assert not one.may_modify(public, EVENT)
    assert one.may("DELETE", EVENT)  # a RESTRICTION is about results
    assert one.visible(EVENT) is EVENT
    limited = judge(rules(vright("GRANT:*", "PERMISSION:CREATE", "RESTRICTION:SELECT NAME FROM VAGENDA")))
    assert not limited.may("CREATE", EVENT)


def test_a_restriction_does_not_narrow_a_denial() -> None:
    """RFC 4324 §4.2: what is denied stays denied."""
    found = rules(
        vright("GRANT:*", "PERMISSION:CREATE"),
        vright("DENY:*", "PERMISSION:CREATE", "RESTRICTION:SELECT * FROM VEVENT WHERE CLASS = 'PUBLIC'"),
    )
    assert not judge(found).may("CREATE", EVENT)


# rights about rights


def test_rights_can_be_locked_for_everybody_acl_25() -> None:
    """ACL-25: the last example of RFC 4324 §9.3, beside the owner's default right."""
    found = [*predefined(), *rules(vright("DENY:*", "PERMISSION:*", "SCOPE:SELECT * FROM VCAR"))]
    one = judge(found, OWNER)
    right = vcar(vright("GRANT:*", "PERMISSION:*"))
    assert not any(one.may(permission, right) for permission in PERMISSIONS)
    assert one.may("DELETE", EVENT)


def test_an_administrator_of_rights_acl_14() -> None:
    """The third example of RFC 4324 §9.3: SCOPE and RESTRICTION on VCARs."""
    one = judge(
        rules(
            vright(
                f"GRANT:{BOB}", "PERMISSION:*", "SCOPE:SELECT * FROM VCAR", "RESTRICTION:SELECT * FROM VCAR"
            )
        )
    )
    right = vcar(vright("GRANT:*", "PERMISSION:*"))
    assert all(one.may(permission, right) for permission in PERMISSIONS)
    assert not any(one.may(permission, EVENT) for permission in PERMISSIONS)


def test_what_the_store_says_of_its_calendars_acl_10() -> None:
    """ACL-10: DENYs and DECREED VCARs of the store reach every calendar; patterns do not."""
    grant, deny = vright("GRANT:*", "PERMISSION:*"), vright("DENY:*", "PERMISSION:*")
    pattern = rules_of(vcar(grant, deny), "store")
    assert [reaches_down(rule) for rule in pattern] == [False, True]
    assert all(reaches_down(rule) for rule in rules_of(vcar(grant, deny, more="DECREED:TRUE"), "store"))


def test_a_denial_of_the_whole_store_reaches_its_calendars() -> None:
    """Doubt goes against the caller."""
    found = (
        *rules(vright("GRANT:*", "PERMISSION:*")),
        *rules_of(vcar(vright("DENY:*", "PERMISSION:*", "SCOPE:SELECT * FROM VCALSTORE")), "store"),
    )
    assert judge(found).visible(EVENT) is None


# reasons


def test_it_can_be_told_which_vright_decided() -> None:
    """`explain`: the DENYs that forbid, else the GRANTs that allow."""
    found = [
        *predefined(),
        *rules_of(
            vcar(
                vright("GRANT:*", "PERMISSION:SEARCH", "SCOPE:SELECT * FROM VEVENT"),
                vright(
                    f"DENY:{BOB}", "PERMISSION:SEARCH", "SCOPE:SELECT * FROM VEVENT WHERE CLASS = 'PRIVATE'"
                ),
                carid="mine",
            )
        ),
    ]

    def why(upn: str, component: Component | None = EVENT) -> tuple[bool, list[tuple[str, int]]]:
        verdict = judge(found, upn).explain("SEARCH", component)
        return verdict.allowed, [(rule.carid, rule.number) for rule in verdict.rules]

    assert why(BOB) == (False, [("mine", 2)])
    assert why(ANN) == (True, [("mine", 1)])
    assert why(OWNER) == (True, [("DEFAULTOWNER", 1), ("mine", 1)])
    assert why(BOB, AGENDA) == (False, [])
    assert why("@", None) == (True, [("READBUSYTIMEINFO", 1), ("mine", 1)])


def test_a_single_question() -> None:
    """`may` without a judge."""
    found = rules(vright(f"GRANT:{BOB}", "PERMISSION:SEARCH"))
    assert may(found, Identity(BOB), "SEARCH", EVENT)
    assert not may(found, Identity(ANN), "SEARCH", EVENT)
