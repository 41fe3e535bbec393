"""Dump a database, and take its content digest from the dump's own snapshot while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from drillbook.act.backup import opened, room
from drillbook.act.client_tools import ClientTools, client_tools
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.pg_restore import dsn
from drillbook.decide.plan import Step
from drillbook.errors import DatabaseDown, RunbookError
from drillbook.observe import database
from drillbook.observe.locks import exclusive_locks
from drillbook.observe.server import connect as connect_to
from drillbook.vault.content import DatabaseContent
from drillbook.vault.manifest import DumpEntry

PROBE_SECONDS = 60
LOCK_SECONDS = 60
"""How long a dump, and the digest beside it, wait for a table that another session holds."""


@verb("backup.database")
@guarded
def dump_database(step: Step, context: Context) -> dict[str, Any]:
    """One database into `databases/KEY/`, as a directory archive, with its content at the same snapshot."""
    backup, key = opened(context), str(step.args["key"])
    relative = f"databases/{key}"
    (backup.folder / "databases").mkdir(mode=0o700, exist_ok=True)
    label = context.folder.name
    with room(context), client_tools(context.target, key, backup.folder, label, int(step.args["major"])) as tools:
        method = compression(tools, step.subject, int(step.args["major"]))
        content, seconds = _dump(step, context, tools, relative, method)
    entry = DumpEntry(
        server=str(step.args["server"]), folder=relative, content=content, compression=method,
        client_version=tools.version, seconds=round(seconds, 3), empty=content.is_empty,
    )  # fmt: skip
    backup.databases[key] = entry
    counted = {"tables": len(content.tables), "rows": content.rows, "empty": entry.empty, "seconds": entry.seconds}
    return {"database": content.database, "algorithm": content.algorithm, "compression": method, **counted}


def _dump(
    step: Step, context: Context, tools: ClientTools, relative: str, method: str
) -> tuple[DatabaseContent, float]:
    key, jobs = str(step.args["key"]), str(step.args["jobs"])
    with database.connect(context.target, key) as connection:
        snapshot = database.begin_snapshot(connection)
        connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'".encode())
        states = database.sequences(connection)  # before the dump: they only grow, and no snapshot holds them
        words = (
            "-d", dsn(step.subject), "-Fd", "-j", jobs, "-Z", method, "--snapshot", snapshot, "--no-sync",
            "--lock-wait-timeout", f"{LOCK_SECONDS}s", "-f", tools.path(relative),
        )  # fmt: skip
        with _holders_told(context, key), tools.started("pg_dump", *words) as running:
            content = database.content(connection, step.subject, snapshot, states)
            done = running.wait(step.timeout_seconds)
        connection.rollback()
    return content, done.seconds


@contextmanager
def _holders_told(context: Context, key: str) -> Iterator[None]:
    """Within, a failure while other sessions hold tables for themselves alone names those tables and sessions.

    Raises:
        RunbookError: with what failed, and who holds what.
    """
    try:
        yield
    except DatabaseDown:
        raise
    except RunbookError as error:
        with connect_to(context.target, key) as connection:
            held = exclusive_locks(connection)
        if not held:
            raise
        told = "; ".join(f"table {lock.table} is locked by session {lock.pid} ({lock.state})" for lock in held)
        hint = f"let it end, or end it: SELECT pg_terminate_backend({held[0].pid}); then run 02-backup again"
        raise RunbookError(f"{told}: {error.fact}", hint) from error


def compression(tools: ClientTools, dbname: str, major: int) -> str:
    """`zstd:3` where these programs can, else `6`, which every version takes for gzip."""
    if (tools.binaries.major if tools.binaries else major) < 16:
        return "6"
    return "zstd:3" if compresses(tools, dbname, "zstd:3") else "6"


def compresses(tools: ClientTools, dbname: str, method: str) -> bool:
    """Whether these programs can compress by *method*, of which only versions from 16 on know.

    Asked by dumping nothing; not synced, for /dev/null cannot be.
    """
    words = ("-d", dsn(dbname), "-Fc", "-Z", method, "-s", "-N", "*", "--no-sync", "-f", "/dev/null")
    return tools.succeeds("pg_dump", *words, timeout=PROBE_SECONDS)
