"""The Python client of CAP: one engine without I/O, a blocking shell and an asyncio shell."""

from kalends.client.address import Address
from kalends.client.aio import AsyncClient, connect_async
from kalends.client.errors import (
    AddressError,
    AuthError,
    ClientError,
    ConflictError,
    ConnectError,
    DeniedError,
    DuplicateError,
    LostError,
    NotFoundError,
    RefusedError,
    ReplyError,
    StaleError,
    TimedOutError,
    TrustError,
)
from kalends.client.options import Options
from kalends.client.results import Capability, Change, Found, Outcome, Reply, Status
from kalends.client.sync import Client, connect
from kalends.client.trust import Trust

__all__ = [
    "Address",
    "AddressError",
    "AsyncClient",
    "AuthError",
    "Capability",
    "Change",
    "Client",
    "ClientError",
    "ConflictError",
    "ConnectError",
    "DeniedError",
    "DuplicateError",
    "Found",
    "LostError",
    "NotFoundError",
    "Options",
    "Outcome",
    "RefusedError",
    "Reply",
    "ReplyError",
    "StaleError",
    "Status",
    "TimedOutError",
    "Trust",
    "TrustError",
    "connect",
    "connect_async",
]
