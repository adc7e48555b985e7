"""Jobs: the outbox for what must happen outside of a transaction, at least once, idempotent by key."""

from __future__ import annotations

from dataclasses import dataclass

from kalends.store.base import Row, Tx


@dataclass(frozen=True, slots=True)
class JobRow:
    """One thing to do.

    Attributes:
        id: key. key: the same job is never queued twice. kind: who does it.
        due_at: not before, seconds UTC. payload: text that the doer understands.
        attempts: how often it was tried. held_until: a runner has it until then.
        last_error: why the last attempt failed.
    """

    id: int
    key: str
    kind: str
    due_at: int
    payload: str
    attempts: int
    held_until: int | None
    last_error: str | None


_TAKE = (
    "update job set held_until = ?, attempts = attempts + 1 where id in (select id from job"
    " where due_at <= ? and (held_until is null or held_until <= ?) order by due_at, id limit ?)"
    " returning id, key, kind, due_at, payload, attempts, held_until, last_error"
)


def _row(row: Row) -> JobRow:
    return JobRow(*row)  # type: ignore[arg-type]  # the columns' types are the schema's


def add(tx: Tx, *, id: int, key: str, kind: str, due_at: int, payload: str = "") -> bool:  # noqa: A002 - the column's name
    """Queue a job. Returns False, and changes nothing, when one with that key is queued."""
    return (
        tx.run(
            "insert into job (id, key, kind, due_at, payload) values (?, ?, ?, ?, ?)"
            " on conflict (key) do nothing",
            (id, key, kind, due_at, payload),
        )
        == 1
    )


def due(tx: Tx, now: int, *, hold: int = 60, limit: int = 10) -> list[JobRow]:
    """Take jobs that are due and that nobody holds, and hold them.

    Args:
        tx: a write transaction.
        now: seconds UTC.
        hold: seconds for which nobody else gets them.
        limit: how many at most.
    """
    # Without the lock two runners on PostgreSQL would take the same jobs; SQLite has one writer.
    sql = _TAKE.replace("limit ?", "limit ? for update skip locked") if tx.dialect == "postgres" else _TAKE
    rows = tx.rows(sql, (now + hold, now, now, limit))
    return sorted(map(_row, rows), key=lambda job: (job.due_at, job.id))


def done(tx: Tx, job_id: int) -> None:
    """Forget a job that was done."""
    tx.run("delete from job where id = ?", (job_id,))


def failed(tx: Tx, job_id: int, error: str, due_at: int) -> None:
    """Let a job that failed be tried again at `due_at`."""
    tx.run(
        "update job set held_until = null, last_error = ?, due_at = ? where id = ?", (error, due_at, job_id)
    )
