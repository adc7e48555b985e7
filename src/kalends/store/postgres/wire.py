"""Statements on their way to PostgreSQL and back: any number of them in one round trip.

psycopg's cursors cost ten microseconds a statement and twenty more in a pipeline. This is the same without
cursors: its adapters make the octets of parameters and the values of rows, libpq's pipeline carries them.
"""

from __future__ import annotations

import select
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

import psycopg
from psycopg import errors as pg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus

from kalends.store.base import Row
from kalends.store.sqltext import numbered

if TYPE_CHECKING:
    from psycopg import abc
    from psycopg.pq.abc import PGresult

    from kalends.store.postgres.text import Statement

PREPARE_AFTER: Final = 2
"""A statement that comes back this often is prepared on the server."""
STATEMENTS: Final = 256
"""Prepared at once in a session; as many are watched for coming back."""

_Key = tuple[bytes, tuple[int, ...]]


@lru_cache(maxsize=1024)
def _octets(sql: str) -> bytes:
    return numbered(sql).encode()


class Session(psycopg.Connection[tuple[Any, ...]]):
    """A session with the database, and its wire."""

    _wire: Wire | None = None

    @property
    def wire(self) -> Wire:
        """What carries its statements."""
        if self._wire is None:
            self._wire = Wire(self)
        return self._wire


class Answer:
    """What one statement gave.

    Args:
        loader: makes values of octets; it is shared.
        result: libpq's.
    """

    __slots__ = ("_loader", "_result")

    def __init__(self, loader: abc.Transformer, result: PGresult) -> None:
        self._loader = loader
        self._result = result

    def __len__(self) -> int:
        return self._result.ntuples

    @property
    def changed(self) -> int:
        """How many rows the statement wrote, or gave."""
        return self._result.command_tuples or 0

    def rows(self, first: int, last: int) -> list[Row]:
        """Its rows from one to before another."""
        if first >= last:
            return []
        if self._loader.pgresult is not self._result:
            self._loader.set_pgresult(self._result)
        return cast("list[Row]", self._loader.load_rows(first, last, tuple))


class _Message:
    """A statement, ready to be sent."""

    __slots__ = ("formats", "key", "params")

    def __init__(self, dumper: abc.Transformer, statement: Statement) -> None:
        sql, params = statement
        if params:
            self.params: Sequence[Any] | None = dumper.dump_sequence(params, [PyFormat.AUTO] * len(params))
            self.formats = dumper.formats
            self.key: _Key = (_octets(sql), dumper.types or ())
        else:
            self.params, self.formats, self.key = None, None, (_octets(sql), ())


class Wire:
    """A session's way to the database and back.

    Args:
        session: whose.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._libpq = session.pgconn
        self._dumper = Transformer.from_context(session)
        self._loader = Transformer.from_context(session)
        self._socket = select.poll()
        self._socket.register(self._libpq.socket, select.POLLIN)
        self._named: OrderedDict[_Key, bytes] = OrderedDict()
        self._seen: OrderedDict[_Key, int] = OrderedDict()
        self._made = 0

    def run(self, statements: Sequence[Statement]) -> list[Answer]:
        """Run statements, one after the other, in one round trip. The first one that fails ends them.

        Args:
            statements: SQL with `?` for parameters, and the parameters.

        Returns:
            What each of them gave.

        Raises:
            psycopg.Error: what the first of them failed with; the session was lost.
        """
        messages = [_Message(self._dumper, one) for one in statements]
        named: dict[int, _Key] = {}
        own: list[int] = []
        sent = 0
        results: list[PGresult] = []
        try:
            self._libpq.enter_pipeline_mode()
            for message in messages:
                name = self._name(message)
                if name is not None and message.key not in self._named:
                    named[sent] = message.key
                    self._named[message.key] = name
                    self._libpq.send_prepare(name, message.key[0], message.key[1])
                    sent += 1
                self._send(name, message)
                own.append(sent)
                sent += 1
            self._drop_oldest()
            self._libpq.pipeline_sync()
            self._receive(results)
            self._libpq.exit_pipeline_mode()
        except BaseException as error:
            self._session.close()
            self._raise_first(results, error)
            raise
        for at, key in named.items():
            if results[at].status != ExecStatus.COMMAND_OK:
                self._named.pop(key, None)
        self._raise_first(results)
        return [Answer(self._loader, results[at]) for at in own]

    def _name(self, message: _Message) -> bytes | None:
        """The name a statement is, or is to be, prepared under; None when it has not come back yet."""
        key = message.key
        name = self._named.get(key)
        if name is not None:
            self._named.move_to_end(key)
            return name
        times = self._seen.pop(key, 0) + 1
        if times > PREPARE_AFTER:
            self._made += 1
            return b"kalends_%d" % self._made
        self._seen[key] = times
        if len(self._seen) > STATEMENTS:
            self._seen.popitem(last=False)
        return None

    def _send(self, name: bytes | None, message: _Message) -> None:
        if name is not None:
            self._libpq.send_query_prepared(name, message.params, message.formats)
        else:
            sql, types = message.key
            self._libpq.send_query_params(sql, message.params, types, message.formats)

    def _drop_oldest(self) -> None:
        while len(self._named) > STATEMENTS:
            _, name = self._named.popitem(last=False)
            self._libpq.send_query_params(b"deallocate " + name, None)

    def _receive(self, results: list[PGresult]) -> None:
        """Take in what comes until all has been answered."""
        libpq, poll = self._libpq, self._socket
        unsent = libpq.flush()
        before: PGresult | None = None
        while True:
            if unsent:
                poll.modify(libpq.socket, select.POLLIN | select.POLLOUT)
            poll.poll()
            libpq.consume_input()
            if unsent:
                poll.modify(libpq.socket, select.POLLIN)
                unsent = libpq.flush()
            while not libpq.is_busy():
                result = libpq.get_result()
                if result is not None and result.status == ExecStatus.PIPELINE_SYNC:
                    return
                if result is not None:
                    results.append(result)
                elif before is None:  # once is the end of a statement
                    raise psycopg.OperationalError("the connection is lost")
                before = result

    @staticmethod
    def _raise_first(results: Sequence[PGresult], cause: BaseException | None = None) -> None:
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise pg.error_from_result(result, encoding="utf-8") from cause
