"""Acting as somebody else: who may, and who a session is at any moment (RFC 4324 §4.3, §10.8)."""

from __future__ import annotations

from dataclasses import replace

from kalends.core.access.upns import parse_filter
from kalends.core.errors import DeniedError, InvalidError, KalendsError, NotFoundError
from kalends.core.model import Identity, Policy
from kalends.core.names import complete_upn
from kalends.core.people import identity
from kalends.store import groups, principals
from kalends.store.base import Tx
from kalends.store.principals import PrincipalRow

_DENIED = "Acting as that identity is not permitted."
_NO_NAMES = frozenset(("owners", "others"))
"""Filters about a calendar say nothing of people."""


# -- permissions ------------------------------------------------------------------------------------------


def allow(tx: Tx, upn: str, whom: str) -> str:
    """Let a user, or all in a group, act as others.

    Args:
        tx: a write transaction.
        upn: the user or group.
        whom: a UPN-FILTER: a user, room or group; `@` for anonymous; `@realm`; `*@realm` or `*` for many.

    Returns:
        The filter as it is stored.

    Raises:
        NotFoundError, InvalidError.

    Source: RFC 4324 §4.3 (the method is the server's), §6.1.3.
    """
    row, text = _known(tx, upn), _filter(whom)
    groups.allow_acting(tx, row.id, text)
    return text


def forbid(tx: Tx, upn: str, whom: str) -> None:
    """Take such a permission back; sessions that use it lose it with their next command.

    Raises:
        NotFoundError: there is none.
    """
    row, text = _known(tx, upn), _filter(whom)
    if not groups.forbid_acting(tx, row.id, text):
        raise NotFoundError(f"{row.upn} was not allowed to act as {text}")


def permissions(tx: Tx, upn: str | None = None) -> list[tuple[str, str]]:
    """Who may act as whom: pairs of a UPN and a UPN-FILTER, in order; of one user or group, or all."""
    if upn is None:
        return groups.every_acting(tx)
    row = _known(tx, upn)
    return [(row.upn, whom) for whom in groups.acting(tx, row.id)]


def _filter(whom: str) -> str:
    read = parse_filter(whom)
    if read.form in _NO_NAMES:
        raise InvalidError("say as whom: a UPN, @, @realm, *@realm or *")
    return " ".join(whom.split()).lower()


def _known(tx: Tx, upn: str) -> PrincipalRow:
    found = principals.by_upn(tx, upn.strip().lower())
    if found is None:
        raise NotFoundError(f"there is no user or group {upn}")
    return found


# -- judging ----------------------------------------------------------------------------------------------


def assume(tx: Tx, login: Identity, upn: str) -> Identity:
    """The identity of somebody else, for who may act as them.

    Administrators may act as anybody. Others need a permission, their own or a group's of theirs. One that
    speaks of many (`*`, `*@realm`) leads to no administrator: that needs to be said by name.

    Args:
        tx: a transaction.
        login: who authenticated; never whom they act as already.
        upn: who they want to be, in the spelling that `names.check_upn` gives.

    Returns:
        The wanted identity, with who stands behind it; `login` itself for oneself.

    Raises:
        DeniedError: not permitted, or nobody is called so: both look the same.

    Source: RFC 4324 §4.3, §10.8, §14; IDN-04.
    """
    if upn == login.upn:
        return login
    wanted = identity.identify(tx, upn)
    if wanted is None or not _may(tx, login, wanted):
        raise DeniedError(_DENIED)
    return replace(wanted, behind=login.principal_id)


def permitted(tx: Tx, login: str, upn: str) -> bool:
    """Whether somebody who authenticates may act as somebody else from the beginning (RFC 4422 §2).

    Args:
        tx: a transaction.
        login: UPN of who authenticates.
        upn: UPN of who they want to be; oneself is always permitted.
    """
    if login == upn:
        return True
    who = identity.identify(tx, login)
    try:
        return who is not None and assume(tx, who, upn).upn == upn
    except DeniedError:
        return False


def _may(tx: Tx, login: Identity, wanted: Identity) -> bool:
    if login.principal_id is None:
        return False
    if login.admin:
        return True
    allowed = groups.acting(tx, login.principal_id)
    for group in groups.groups_of(tx, login.principal_id):
        allowed += groups.acting(tx, group)
    for text in allowed:
        one = parse_filter(text)
        if one.matches(wanted.upn) and (not wanted.admin or one.form == "one"):
            return True
    return False


# -- sessions ---------------------------------------------------------------------------------------------


class Standing:
    """Who a session is: who authenticated, and as whom they act just now.

    Everything is judged anew as soon as any principal, group or permission changed, so that all of it takes
    effect with the next command. Threads may ask at the same time.

    Args:
        login: UPN whose credentials were shown; '@' for anonymous.
        home: UPN the session began with: `login`, or whom the client asked to be while it authenticated.
    """

    def __init__(self, login: str, home: str = "") -> None:
        self.login = login
        self.home = home or login
        self._acting = self.home
        self._known: tuple[str, str, Identity] | None = None

    @property
    def upn(self) -> str:
        """As whom the session acts."""
        return self._acting

    def identity(self, tx: Tx) -> Identity:
        """Who acts, now. One point read, as long as nothing changed.

        Raises:
            NotFoundError: who authenticated is gone.
            DeniedError: they may no longer act as whom they act.
        """
        now, acting = principals.generation(tx), self._acting
        known = self._known
        if known is not None and known[:2] == (now, acting):
            return known[2]
        who = assume(tx, self._login(tx), acting)
        self._known = now, acting, who
        return who

    def wanted(self, tx: Tx, given: str | None, policy: Policy) -> str:
        """The UPN that an IDENTIFY leads to; `become` makes it so.

        Args:
            tx: a transaction.
            given: its option; None to go back to the identity the session began with.
            policy: the realm that completes a name.

        Raises:
            DeniedError: not permitted, unknown, or not a UPN.

        Source: RFC 4324 §10.8, §14; IDN-02 to IDN-04.
        """
        try:
            upn = self.home if given is None else complete_upn(given, policy)
            return assume(tx, self._login(tx), upn).upn
        except KalendsError as error:
            raise DeniedError(_DENIED) from error

    def become(self, upn: str) -> None:
        """Act as somebody from now on; `wanted` said that it is permitted."""
        self._acting = upn

    def _login(self, tx: Tx) -> Identity:
        who = identity.identify(tx, self.login)
        if who is None:
            raise NotFoundError("This user is no longer known here.")
        return who
