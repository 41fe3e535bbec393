"""Who keeps everybody else from a table: sessions that hold or wait for an ACCESS EXCLUSIVE lock."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

LOCKS = """
SELECT l.relation::regclass::text, l.pid, coalesce(a.state, 'unknown') || ' since '
    || to_char(coalesce(a.xact_start, a.state_change, now()) AT TIME ZONE 'UTC', 'HH24:MI:SS') || ' UTC'
FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid JOIN pg_class AS c ON c.oid = l.relation
WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid()
    AND c.relkind IN ('r', 'p', 'm') AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY l.granted DESC, 2, 1
"""


@dataclass(frozen=True)
class LockFact:
    """A table that a session has, or wants, for itself alone."""

    table: str
    pid: int
    state: str


def exclusive_locks(connection: psycopg.Connection) -> tuple[LockFact, ...]:
    """The exclusive locks on tables of this database, those that are held first. Changes nothing."""
    return tuple(LockFact(*row) for row in connection.execute(LOCKS.encode()).fetchall())
