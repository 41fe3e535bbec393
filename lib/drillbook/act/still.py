"""A restore point at which databases hold exactly what their open snapshots see."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from drillbook.act.switch import writer
from drillbook.act.wal import segment_before
from drillbook.observe.database import connect, sequences
from drillbook.observe.server import one
from drillbook.target import Target
from drillbook.vault.content import SequenceState

TRIES = 100
PAUSE_SECONDS = 0.1
SNAPSHOT = "SELECT txid_current_snapshot()::text"
AT_WORK = """
SELECT CASE WHEN pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
  THEN (SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL) + (SELECT count(*) FROM pg_prepared_xacts)
  ELSE 1 END
"""
"""How many transactions have written something and not ended; 1 when we may not see that."""


@dataclass(frozen=True)
class Still:
    """A restore point, and for each database a session whose snapshot was taken just before it.

    `tied` when no transaction ended in between. `sequences` were read before
    both: they are bound to no snapshot, and only grow.
    """

    point: str
    lsn: str
    wal: str
    at: datetime
    tied: bool
    snapshot: str
    sessions: Mapping[str, psycopg.Connection]
    sequences: Mapping[str, tuple[SequenceState, ...]]


@contextmanager
def still(target: Target, keys: tuple[str, ...], name: str) -> Iterator[Still]:
    """A restore point called *name* and a number, tried again until the server is still for it, ten seconds at most.

    Writes nothing but restore points into the WAL, each under its own name, for recovery ends at the first of a name.
    """
    with ExitStack() as stack:
        watch = stack.enter_context(writer(target, keys[0]))
        sessions = {key: stack.enter_context(connect(target, key)) for key in keys}
        before = {key: sequences(session) for key, session in sessions.items()}
        for number in range(1, TRIES + 1):
            found = _attempt(watch, sessions, f"{name}-{number}", before)
            if found.tied:
                break
            time.sleep(PAUSE_SECONDS)
        yield found


def _attempt(
    watch: psycopg.Connection, sessions: Mapping[str, psycopg.Connection], point: str,
    states: Mapping[str, tuple[SequenceState, ...]],
) -> Still:  # fmt: skip
    """One restore point between two looks at the server's transactions.

    A transaction is in the WAL as ended a moment before others see it as ended.
    So the look at who is at work comes after the restore point, and before the
    last snapshot: whoever had ended in the WAL shows in one of the two.
    """
    seen = {_begun(session) for session in sessions.values()}
    lsn = one(watch, sql.SQL("SELECT pg_create_restore_point({})").format(sql.Literal(point)))
    at_work = one(watch, AT_WORK)
    after = one(watch, SNAPSHOT)
    tied = seen == {after} and at_work == "0"
    return Still(point, lsn, segment_before(watch, lsn), datetime.now(UTC), tied, after, sessions, states)


def _begun(session: psycopg.Connection) -> str:
    """Begin a transaction that sees one moment; what it sees, as the server writes it."""
    session.rollback()
    session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    session.read_only = True
    return one(session, SNAPSHOT)
