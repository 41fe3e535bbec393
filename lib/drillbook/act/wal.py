"""WAL of the live server: switched to its next segment, and waited for until the archive has it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from drillbook.act.executor import Context, verb
from drillbook.act.switch import writer
from drillbook.decide.plan import Step
from drillbook.errors import RunbookError
from drillbook.observe import pgbackrest
from drillbook.observe.server import one
from drillbook.target import Target

PAUSE_SECONDS = 0.3


@verb("pgbackrest.archive")
def archive(step: Step, context: Context) -> Mapping[str, Any]:
    """All WAL up to now in the archive, and in it the end of a transaction of ours, which changes nothing.

    Raises:
        RunbookError: the archive does not get it in time.
    """
    with writer(context.target, str(step.args["key"])) as connection:
        number = one(connection, "SELECT txid_current()")
        segment = segment_before(connection, one(connection, "SELECT pg_current_wal_insert_lsn()::text"))
        one(connection, "SELECT pg_switch_wal()::text")
    return {"transaction": number, "segment": segment, "seconds": wait_archived(context.target, segment)}


def segment_before(connection: psycopg.Connection, lsn: str) -> str:
    """The name of the WAL segment with the last byte before *lsn*: majors differ about one that ends there."""
    high, _, low = lsn.partition("/")
    last = (int(high, 16) << 32) + int(low, 16) - 1
    text = f"{last >> 32:X}/{last & 0xFFFFFFFF:X}"
    return one(connection, sql.SQL("SELECT pg_walfile_name({}::pg_lsn)").format(sql.Literal(text)))


def wait_archived(target: Target, segment: str) -> float:
    """Wait until the archive has *segment*; the seconds that it took.

    Raises:
        RunbookError: it has not within `archive_seconds`.
    """
    began, limit = time.monotonic(), pgbackrest.described(target).archive_seconds
    folder = pgbackrest.stanza(target).archive
    while not pgbackrest.has_segment(target, folder, segment):
        if time.monotonic() - began > limit:
            raise RunbookError(
                f"WAL segment {segment} did not reach the archive within {limit:.0f} s",
                "see archive_command and pg_stat_archiver on the server; pgbackrest check tells more",
            )
        time.sleep(PAUSE_SECONDS)
    return round(time.monotonic() - began, 3)
