"""A moment of the past brought beside the live databases: recovered on a scratch server, then moved over as a dump."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from drillbook.act import pg_restore, roles, settings
from drillbook.act.client_tools import client_tools
from drillbook.act.executor import Context, verb
from drillbook.act.guard import cleanup, guarded
from drillbook.act.pgbackrest_backup import ROLES
from drillbook.act.recovered import recovered
from drillbook.act.restore import begun, chosen, compare_restored, is_switched, marked
from drillbook.act.scratch import Scratch
from drillbook.act.switch import exists, oid, reopen, writer
from drillbook.decide.compare import compare
from drillbook.decide.evidence import Evidence, overall
from drillbook.decide.plan import Step
from drillbook.errors import CheckFailed, RunbookError
from drillbook.observe import database
from drillbook.observe.kept import unmarked
from drillbook.observe.server import READING, session
from drillbook.observe.server import place as place_of
from drillbook.vault.content import DatabaseContent

SOURCE, GOAL, HELD = "pgbackrest_source", "pgbackrest_goal", "pgbackrest_held"


def source(context: Context) -> Scratch:
    """The scratch server that `pgbackrest.recover` brought up.

    Raises:
        RunbookError: it has not in this run.
    """
    server = context.state.get(SOURCE)
    if not isinstance(server, Scratch):
        raise RunbookError("no recovered server is there in this run", "run 04-restore from its first step")
    return server


@verb("pgbackrest.recover")
@guarded
def recover(step: Step, context: Context) -> Mapping[str, Any]:
    """A scratch server beside the live one, recovered to the restore point or to the moment.

    Raises:
        RunbookError: recovery did not come there; nothing of the target has been touched.
    """
    key, manifest = str(step.args["key"]), chosen(context).whole()
    entry = manifest.physical[key]
    server = cleanup(context).enter_context(recovered(context.target, manifest.servers[key], entry, step))
    ended, wanted = str(server.facts["ended"]), str(step.args["target"])
    own = step.args["type"] == "name"
    if own and f'"{wanted}"' not in ended:
        raise RunbookError(f"recovery ended elsewhere than at {wanted}: {ended}", "nothing was changed")
    context.state[SOURCE], context.state[GOAL] = server, wanted
    context.state[HELD] = dict(manifest.databases) if own and entry.tied else {}
    return server.facts


@verb("pgbackrest.roles")
@guarded
def add_roles(step: Step, context: Context) -> Mapping[str, Any]:
    """The roles of that moment that the live server lacks; those that are there stay as they are."""
    server, key = source(context), str(step.args["key"])
    with server.connect("postgres") as connection:
        then = [str(row[0]) for row in connection.execute(ROLES).fetchall()]
    missing = tuple(sorted(set(then) - set(roles.role_names(context, key))))
    if missing:
        script = server.client("pg_dumpall", "--roles-only", timeout=step.timeout_seconds).stdout
        with writer(context.target, key) as connection, connection.transaction():
            for line in filter(None, roles.only_roles(script, missing).split("\n")):
                connection.execute(line.encode())
    return {"made": list(missing), "there": len(then) - len(missing)}


@verb("pgbackrest.transfer")
@guarded
def transfer(step: Step, context: Context) -> Mapping[str, Any]:
    """The database of that moment under its own new name, beside the live one."""
    server, key, name = source(context), str(step.args["key"]), str(step.args["beside"])
    content = _then(context, key)
    named = replace(chosen(context), name=str(context.state[GOAL]))
    with writer(context.target, key) as connection:
        reopen(connection, (name, content.database), context.target)
        switched = not exists(connection, name) and is_switched(connection, step, context)
    if switched or not begun(context.target, key, name, content, named):
        return {"database": name, "restored": "before this"}
    seconds = _moved(step, context, server, content.database)
    with writer(context.target, key) as connection:
        settings.apply(connection, name, marked(content, name, context))
    return {"database": name, "rows": content.rows, "seconds": round(seconds, 3)}


def _then(context: Context, key: str) -> DatabaseContent:
    """What the recovered server holds of database *key*; kept, for it does not change."""
    known: dict[str, DatabaseContent] = context.state.setdefault("pgbackrest_then", {})
    if key not in known:
        name = context.target.databases[key].dbname
        with source(context).connect(name) as connection:
            known[key] = unmarked(database.content(connection, name))
    return known[key]


def _moved(step: Step, context: Context, server: Scratch, dbname: str) -> float:
    """Dump from the recovered server, restore into the database beside; the seconds that both take."""
    key, jobs, limit = str(step.args["key"]), str(step.args["jobs"]), step.timeout_seconds
    folder = f"dump-{key}"
    words = ("-d", pg_restore.dsn(dbname), "-Fd", "-j", jobs, "-Z", "1", "--no-sync", "-f", f"{server.backup}/{folder}")
    began = time.monotonic()
    server.client("pg_dump", *words, timeout=limit)
    label, major = context.folder.name, int(step.args["major"])
    with client_tools(context.target, key, Path(server.backup), label, major) as tools:
        run = partial(tools.run, "pg_restore", timeout=limit)
        pg_restore.restore(run, tools.path(folder), ("-d", pg_restore.dsn(str(step.args["beside"]))), int(jobs))
    shutil.rmtree(Path(server.backup) / folder)
    return time.monotonic() - began


@verb("pgbackrest.check")
@guarded
def check_beside(step: Step, context: Context) -> Mapping[str, Any]:
    """What was moved over held against the manifest, or for a moment, which has none, against the recovered server.

    Raises:
        CheckFailed: it differs; the live database is untouched.
    """
    key, name = str(step.args["key"]), str(step.args["beside"])
    with writer(context.target, key) as connection:
        if not exists(connection, name) and is_switched(connection, step, context):
            return {"switched": "before this"}
        number = oid(connection, name)
    with session(place_of(context.target, key, dbname=name), READING) as connection:
        observed = unmarked(database.content(connection, name))
    found = (_moment(context, key), *compare(_expected(context, key), observed))
    context.state.setdefault("checked", {})[key] = (number, found)
    bad = [evidence for evidence in found if evidence.verdict != "pass"]
    worst = next((evidence for evidence in bad if evidence.verdict == "fail"), None)
    if worst is not None:
        raise CheckFailed(
            f"the restored {name} is not what was recovered: {worst.id}: {worst.observed}, expected {worst.expected}",
            "the live database is untouched; drill the backup, or choose another",
            [evidence.as_json() for evidence in bad],
        )
    return {"verdict": overall(e.verdict for e in found), "checks": len(found), "not_passed": [e.id for e in bad]}


def _expected(context: Context, key: str) -> DatabaseContent:
    held = context.state[HELD]
    return held[key].content if key in held else _then(context, key)


def _moment(context: Context, key: str) -> Evidence:
    """Where recovery ended, and what it could be held against."""
    ended, name = str(source(context).facts["ended"]), context.target.databases[key].dbname
    against = "the manifest" if key in context.state[HELD] else "the recovered server: this moment has no digest"
    observed = f"{ended.expandtabs(1)}; compared with {against}"
    return Evidence(f"{name}:moment", "database", name, "pass", observed, f"recovered to {context.state[GOAL]}")


@verb("pgbackrest.compare")
@guarded
def compare_live(step: Step, context: Context) -> Mapping[str, Any]:
    """That what is live now is what was compared beside.

    Raises:
        CheckFailed: it is not, or an earlier run switched it and nothing tells what that moment held.
    """
    known = {**context.state.get("checked", {}), **context.state.get(HELD, {})}
    blind = [key for key in step.args["databases"] if key not in known]
    if blind:
        fact = f"{', '.join(blind)} was switched by an earlier run, and no manifest tells what that moment held"
        result = {"verdict": "unknown", "checks": []}
        raise CheckFailed(fact, "what was there before is kept aside; look at the restored database", result)
    return compare_restored(step, context)
