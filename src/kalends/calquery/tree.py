"""The query tree: what CAL-QUERY (and later CalDAV's filters) mean, free of any syntax.

A tree is *bound* when it holds no function of the session any more: `bind.bind` turns SELF(),
CAL-OWNERS() and CURRENT-TARGET() into literals. The store compiles bound trees to SQL and
`match` evaluates them in memory; both must agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal as OneOf

Operator = OneOf["=", "!=", "<", ">", "<=", ">="]


@dataclass(frozen=True, slots=True)
class Column:
    """A property, or one of its parameters, of the FROM component or of a component contained in it.

    Attributes:
        name: upper-case property name.
        component: upper-case name of the contained component (VALARM in VALARM.TRIGGER); None for FROM's own.
        param: upper-case parameter name of PARAM(name,param); None for the property's value.
    """

    name: str
    component: str | None = None
    param: str | None = None


@dataclass(frozen=True, slots=True)
class AllProperties:
    """`*`: the whole component with its contained ones; for VAGENDA and VCALSTORE properties only."""


@dataclass(frozen=True, slots=True)
class Everything:
    """`*.*`: a container with all its contents (RFC 4324 §6.1.1; A-25)."""


@dataclass(frozen=True, slots=True)
class Contained:
    """`VALARM` (wrapped) or, with `bare`, `VALARM.*` (its contents without BEGIN and END)."""

    component: str
    bare: bool = False


@dataclass(frozen=True, slots=True)
class OwnersColumn:
    """`CAL-OWNERS()` or `CAL-OWNERS(calid)` in SELECT."""

    calid: str | None = None


Selected = Column | AllProperties | Everything | Contained | OwnersColumn


@dataclass(frozen=True, slots=True)
class Literal:
    """A quoted value with quotes and escapes resolved; `pattern` keeps LIKE's own escapes."""

    text: str


@dataclass(frozen=True, slots=True)
class SelfUpn:
    """`SELF()`: the session's UPN."""


@dataclass(frozen=True, slots=True)
class Owners:
    """`CAL-OWNERS()` or `CAL-OWNERS(calid)` as a value list."""

    calid: str | None = None


@dataclass(frozen=True, slots=True)
class CurrentTarget:
    """`CURRENT-TARGET()`: the TARGET the command runs on."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Several equivalent literals: what a function becomes when bound (a user's UPN and addresses)."""

    texts: tuple[str, ...]


Value = Literal | SelfUpn | Owners | CurrentTarget | AnyOf


@dataclass(frozen=True, slots=True)
class Compare:
    """`column op value`."""

    column: Column
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Like:
    """`column [NOT] LIKE pattern`: % any run, _ one character, backslash escapes; case-blind, whole value."""

    column: Column
    pattern: Value
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Null:
    """`column IS [NOT] NULL`."""

    column: Column
    negated: bool = False


@dataclass(frozen=True, slots=True)
class In:
    """`value [NOT] IN column`."""

    value: Value
    column: Column
    negated: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """`STATE() = state`: BOOKED, UNPROCESSED, DELETED or an extension."""

    state: str


@dataclass(frozen=True, slots=True)
class OwnerTest:
    """`[NOT] CAL-OWNERS()` as a condition: the session's UPN is (not) an owner."""

    calid: str | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Constant:
    """True or false: what an OwnerTest becomes when bound."""

    value: bool


@dataclass(frozen=True, slots=True)
class And:
    """All terms hold."""

    terms: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one term holds."""

    terms: tuple[Condition, ...]


# --- what CalDAV's filters say and CAL-QUERY has no words for (RFC 4791 §9.7) ---

Collation = OneOf["i;ascii-casemap", "i;octet", "i;unicode-casemap"]
MatchType = OneOf["contains", "equals", "starts-with", "ends-with"]


@dataclass(frozen=True, slots=True)
class Contains:
    """A value of the property, or of its parameter, holds a text.

    Attributes:
        text: what to look for; '' is in every value.
        collation: how texts compare (RFC 4790, RFC 5051).
        negated: there is such a property or parameter, and no value of it holds the text.
        param: upper-case parameter name; None for the property's own values.
        kind: where in the value the text has to be.
    """

    text: str
    collation: Collation = "i;ascii-casemap"
    negated: bool = False
    param: str | None = None
    kind: MatchType = "contains"


@dataclass(frozen=True, slots=True)
class HasParam:
    """The property has (not) a parameter; defaults of parameters do not count."""

    param: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class During:
    """The property's time lies in a range: low <= time < high, seconds UTC; None is without end.

    DTSTART, DTEND and DUE are those of any instance (RFC 4791 §9.9).
    """

    low: int | None
    high: int | None


PropertyTest = Contains | HasParam | During


@dataclass(frozen=True, slots=True)
class Carries:
    """There is a property of that name which passes all tests, each on the same property; or there is none.

    Attributes:
        name: upper-case property name, of the component the condition is about.
        tests: what it has to pass; none for a property that only has to be there.
        negated: there is no property of that name; then there are no tests.
    """

    name: str
    tests: tuple[PropertyTest, ...] = ()
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Occurs:
    """An instance of the component touches a range (RFC 4791 §9.9): seconds UTC, `high` not included."""

    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class Inside:
    """There is a component of a kind directly inside for which a condition holds; or there is none.

    Columns in `where` are those of the inner component. Two of these need not mean the same component, which
    is what tells them from columns like VALARM.TRIGGER.

    Attributes:
        component: upper-case name.
        where: None for a component that only has to be there.
        negated: there is no such component; then there is no condition.
    """

    component: str
    where: Condition | None = None
    negated: bool = False


Condition = And | Or | Compare | Like | Null | In | State | OwnerTest | Constant | Carries | Occurs | Inside


@dataclass(frozen=True, slots=True)
class Query:
    """SELECT … FROM … WHERE ….

    Attributes:
        select: what to return, in written order.
        source: upper-case FROM component.
        where: the condition; None selects everything in the default states.
        text: the query as it was written, for messages and logs; two queries are equal without it.
    """

    select: tuple[Selected, ...]
    source: str
    where: Condition | None = None
    text: str = field(default="", compare=False)
