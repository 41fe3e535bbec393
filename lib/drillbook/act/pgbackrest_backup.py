"""A backup with pgBackRest: its set in the repository, and a restore point at which the content is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import psycopg

from drillbook.act.backup import opened, room
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.still import Still, still
from drillbook.act.switch import writer
from drillbook.act.wal import wait_archived
from drillbook.decide.pgbackrest import unlogged_as_empty
from drillbook.decide.plan import Step
from drillbook.errors import RunbookError
from drillbook.observe import database, pgbackrest
from drillbook.observe.command import run_checked
from drillbook.observe.pgbackrest import BackupSet
from drillbook.observe.role_facts import role_facts
from drillbook.observe.server import one
from drillbook.vault.content import DatabaseContent
from drillbook.vault.manifest import DumpEntry, PhysicalEntry, ServerEntry

SET = "pgbackrest_set"
FILE = "pgbackrest.json"
ROLES = "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1"
UNLOGGED = """
SELECT n.nspname || '.' || c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relpersistence = 'u' AND c.relkind IN ('r', 'S')
"""


@verb("pgbackrest.backup")
@guarded
def take_set(step: Step, context: Context) -> Mapping[str, Any]:
    """A new set in the repository; what the vault holds of it until now is nothing.

    Cut short, it leaves what pgBackRest itself resumes or sweeps at its next backup.

    Raises:
        CommandFailed: pgbackrest said no.
    """
    backup, before = opened(context), pgbackrest.stanza(context.target).labels
    hint = "pgbackrest check, run as the server's owner, tells what is missing"
    done = run_checked(step.argv, timeout=step.timeout_seconds, env=pgbackrest.environment(), hint=hint)
    new = [found for found in pgbackrest.stanza(context.target).sets if found.label not in before]
    if not new:
        raise RunbookError(
            "pgbackrest ended well, and there is no new set in its repository", "pgbackrest info lists what it has"
        )
    made = context.state[SET] = new[-1]
    (backup.folder / FILE).write_text(json.dumps(asdict(made), indent=1, default=str))
    told = {"set": made.label, "type": made.type, "bytes": made.bytes, "repository_bytes": made.repository_bytes}
    return {**told, "seconds": round(done.seconds, 3)}


@verb("pgbackrest.tie")
@guarded
def tie(step: Step, context: Context) -> Mapping[str, Any]:
    """The content of every database at a restore point after the set's end, with the WAL up to it in the archive.

    Where the server is never still, the content is recorded as not tied to it, and the backup cannot be proven.
    """
    backup, made = opened(context), context.state[SET]
    key, keys = str(step.args["key"]), tuple(step.args["databases"])
    with room(context), still(context.target, keys, f"drillbook-{backup.name}") as moment:
        backup.servers[key] = _server(step.args["server"], moment.sessions[keys[0]])
        with writer(context.target, key) as connection:
            one(connection, "SELECT pg_switch_wal()::text")
            folder = one(connection, "SHOW data_directory")
        unlogged = {name: _unlogged(session) for name, session in moment.sessions.items()}
        for name in keys:
            content = unlogged_as_empty(_content(context, name, moment), unlogged[name])
            backup.databases[name] = _entry(key, content, made)
    waited = wait_archived(context.target, moment.wal)
    left_out = tuple(f"{name}/{table}" for name in keys for table in unlogged[name])
    backup.physical[key] = _physical(made, moment, folder, step, left_out)
    rows = sum(entry.content.rows for entry in backup.databases.values())
    told = {"restore_point": moment.point, "lsn": moment.lsn, "tied": moment.tied, "rows": rows}
    return {**told, "segment": moment.wal, "archived_after_seconds": waited}


def _content(context: Context, name: str, moment: Still) -> DatabaseContent:
    session, dbname = moment.sessions[name], context.target.databases[name].dbname
    return database.content(session, dbname, moment.snapshot, moment.sequences[name])


def _unlogged(session: psycopg.Connection) -> tuple[str, ...]:
    """The unlogged tables and sequences, which no recovery brings back."""
    return tuple(sorted(str(row[0]) for row in session.execute(UNLOGGED).fetchall()))


def _entry(key: str, content: DatabaseContent, made: BackupSet) -> DumpEntry:
    seconds = (made.stopped - made.started).total_seconds()
    return DumpEntry(
        server=key, folder="", content=content, compression="", client_version=f"pgbackrest {made.version}",
        seconds=seconds, empty=content.is_empty,
    )  # fmt: skip


def _server(facts: Mapping[str, Any], session: psycopg.Connection) -> ServerEntry:
    """The server, with its roles as the snapshot of *session* sees them."""
    seen, passwords = role_facts(session, facts["superuser"]), bool(facts["superuser"])
    names = tuple(str(row[0]) for row in session.execute(ROLES).fetchall())
    return ServerEntry(
        version=facts["version"], user=facts["bootstrap_user"], system_identifier=facts["system_identifier"],
        preload=facts["preload"], role_names=names, role_passwords=passwords, role_facts=seen,
    )  # fmt: skip


def _physical(
    made: BackupSet, moment: Still, folder: str, step: Step, left_out: tuple[str, ...]
) -> PhysicalEntry:  # fmt: skip
    return PhysicalEntry(
        version=made.version, stanza=step.subject, label=made.label, type=made.type, reference=made.reference,
        stopped=made.stopped, stop_lsn=made.stop_lsn, restore_point=moment.point, at=moment.at, lsn=moment.lsn,
        wal=moment.wal, tied=moment.tied, system_identifier=str(step.args["server"]["system_identifier"]),
        data_directory=folder, bytes=made.bytes, repository_bytes=made.repository_bytes, unlogged=left_out,
    )  # fmt: skip
