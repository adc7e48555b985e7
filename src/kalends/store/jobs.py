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
    " where due_at <= ? and (held_until is null or held_until <= ?) and (kind = ? or ? = '')"
    " order by due_at, id limit ?) returning id, key, kind, due_at, payload, attempts, held_until, last_error"
)
_NEXT = (
    "select min(case when held_until is null or held_until < due_at then due_at else held_until end)"
    " from job where kind = ?"
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


def due(tx: Tx, now: int, *, kind: str = "", hold: int = 60, limit: int = 10) -> list[JobRow]:
    """Take jobs that are due and that nobody holds, and hold them.

    Args:
        tx: a write transaction.
        now: seconds UTC.
        kind: who asks; '' takes jobs of every kind.
        hold: seconds for which nobody else gets them.
        limit: how many at most.
    """
    # Without the lock two runners on PostgreSQL would take the same jobs; SQLite has one writer.
    sql = _TAKE.replace("limit ?", "limit ? for update skip locked") if tx.dialect == "postgres" else _TAKE
    rows = tx.rows(sql, (now + hold, now, now, kind, kind, limit))
    return sorted(map(_row, rows), key=lambda job: (job.due_at, job.id))


def done(tx: Tx, job_id: int, attempt: int | None = None) -> bool:
    """Forget a job that was done.

    Args:
        tx: a write transaction.
        job_id: which.
        attempt: what `attempts` was when it was taken; None for whoever has it now.

    Returns:
        False when it is gone, or somebody else took it since: then it is theirs.
    """
    if attempt is None:
        return tx.run("delete from job where id = ?", (job_id,)) == 1
    return tx.run("delete from job where id = ? and attempts = ?", (job_id, attempt)) == 1


def failed(tx: Tx, job_id: int, error: str, due_at: int, attempt: int | None = None) -> bool:
    """Let a job that failed be tried again at `due_at`; `attempt` and what is returned are as in `done`."""
    sql = "update job set held_until = null, last_error = ?, due_at = ? where id = ?"
    if attempt is None:
        return tx.run(sql, (error, due_at, job_id)) == 1
    return tx.run(sql + " and attempts = ?", (error, due_at, job_id, attempt)) == 1


def give_back(tx: Tx, job: JobRow, due_at: int, why: str | None = None) -> None:
    """Put back a job that was taken and not tried: it counts as no attempt.

    Args:
        tx: a write transaction.
        job: as `due` gave it.
        due_at: not before, seconds UTC.
        why: what keeps it; None leaves what was said last.
    """
    tx.run(
        "update job set held_until = null, attempts = attempts - 1, due_at = ?,"
        " last_error = coalesce(?, last_error) where id = ? and attempts = ?",
        (due_at, why, job.id, job.attempts),
    )


def hasten(tx: Tx, kind: str, now: int) -> int:
    """Make all waiting jobs of a kind that nobody holds due now; returns how many there are."""
    return tx.run(
        "update job set due_at = case when due_at < ? then due_at else ? end"
        " where kind = ? and (held_until is null or held_until <= ?)",
        (now, now, kind, now),
    )


def waiting(tx: Tx, kind: str, limit: int) -> list[JobRow]:
    """The jobs of a kind, the next one first; `limit` is how many at most."""
    sql = (
        "select id, key, kind, due_at, payload, attempts, held_until, last_error from job"
        " where kind = ? order by due_at, id limit ?"
    )
    return [_row(row) for row in tx.rows(sql, (kind, limit))]


def count(tx: Tx, kind: str) -> int:
    """How many jobs of a kind there are."""
    row = tx.row("select count(*) from job where kind = ?", (kind,))
    return 0 if row is None or row[0] is None else int(row[0])


def next_due(tx: Tx, kind: str) -> int | None:
    """When the next job of a kind can be taken, seconds UTC; None when there is none."""
    row = tx.row(_NEXT, (kind,))
    return None if row is None or row[0] is None else int(row[0])
