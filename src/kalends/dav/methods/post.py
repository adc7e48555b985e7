"""POST: a new member (RFC 5995), free-busy of others (RFC 6638 §5), attachments (RFC 8607), invitations."""

from __future__ import annotations

import hashlib

from kalends.dav import asking_busy, incoming, paths
from kalends.dav.context import Context
from kalends.dav.finding import resolve
from kalends.dav.messages import Plan, Response
from kalends.dav.methods import attaching, inviting
from kalends.dav.methods.base import Method, not_allowed, register
from kalends.dav.methods.put import refuse_place, store_object
from kalends.dav.resources import Calendar, Outbox
from kalends.ical.tree import Component
from kalends.store import objects
from kalends.store.base import Tx


@register
class Post(Method):
    """To calendars: members, invitations; to objects: attachments; to an outbox: who is busy."""

    name = "POST"
    on = ("calendar", "outbox", "object")

    def plan(self, context: Context) -> Plan:
        """Read the text first, then write, or ask."""
        address = context.address
        if address.calendar == paths.OUTBOX and address.member is None:
            return self._ask(context)
        if address.member is not None and address.calendar not in paths.RESERVED and not address.slash:
            return attaching.plan(context)
        if address.calendar is None or address.member is not None or address.calendar in paths.RESERVED:
            return Plan("read", lambda tx: refuse_place(tx, context))
        if context.is_xml:
            return inviting.plan(context)
        tree = incoming.calendar_object(context)

        def work(tx: Tx) -> Response:
            found = resolve(tx, context, address)
            if not isinstance(found, Calendar):
                raise not_allowed(found)
            return store_object(tx, context, found, free_name(tx, found, tree), tree)

        return Plan("write", work)

    @staticmethod
    def _ask(context: Context) -> Plan:
        question = asking_busy.read_question(context)

        def ask(tx: Tx) -> Response:
            found = resolve(tx, context, context.address)
            if not isinstance(found, Outbox):
                raise not_allowed(found)
            return asking_busy.answer(tx, context, question)

        return Plan("read", ask)


def free_name(tx: Tx, calendar: Calendar, tree: Component) -> str:
    """A name made of the UID, which nothing in the calendar has yet."""
    stem = hashlib.blake2b(incoming.uid_of(tree).encode(), digest_size=12).hexdigest()
    name, number = f"{stem}.ics", 1
    while objects.by_name(tx, calendar.row.id, name) is not None:
        number += 1
        name = f"{stem}-{number}.ics"
    return name
