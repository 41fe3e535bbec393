"""What is asked of a restored database beyond the manifest: the target's own assertions, and pg_amcheck."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from drillbook.act.drill import Drill, under_way
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.pg_restore import dsn
from drillbook.act.scratch import Scratch
from drillbook.decide.evidence import Verdict
from drillbook.decide.plan import Step
from drillbook.errors import CommandFailed, RunbookError
from drillbook.observe.command import run
from drillbook.observe.server import READING, said

ASKING = {name: value for name, value in READING.items() if name not in ("search_path", "row_security")}
"""As a session that reads, with the database's own search path: an assertion is written as the app would ask."""
EXTENSION = "SELECT FROM pg_available_extensions WHERE name = 'amcheck'"
DAMAGED = 2
"""pg_amcheck's exit code for damage that it found; 1 is for what kept it from looking."""


def server_of(drill: Drill, key: str) -> Scratch | None:
    """The scratch server that holds the database *key*; None when the backup has none of that name."""
    entry = drill.backup.whole().databases.get(key)
    return drill.scratch.get(entry.server) if entry else None


@verb("drill.assertion")
@guarded
def ask(step: Step, context: Context) -> Mapping[str, Any]:
    """One assertion of the target's file, asked of the restored database in a session that only reads."""
    drill, server = under_way(context), server_of(under_way(context), str(step.args["key"]))
    name, expected = f"{step.subject}:assertion:{step.args['name']}", "one row with one column that is true"
    if server is None:
        return {"verdict": drill.note(name, "unknown", "the backup does not hold this database", expected, step.sql)}
    timeout = {"statement_timeout": f"{float(step.args['timeout_seconds']) * 1000:.0f}ms"}
    try:
        with server.connect(step.subject, {**ASKING, **timeout}) as connection:
            cursor = connection.execute(step.sql.encode())
            verdict, told = judged(cursor.fetchmany(2) if cursor.description else [])
            if cursor.nextset():
                verdict, told = "fail", "more than one statement"
    except (psycopg.Error, RunbookError) as error:
        verdict, told = "fail", said(error) if isinstance(error, psycopg.Error) else error.fact
    return {"verdict": drill.note(name, verdict, told, expected, step.sql)}


def judged(rows: list[Any]) -> tuple[Verdict, str]:
    """Whether an assertion's answer is exactly one row of one column that is true, and what it was."""
    if len(rows) != 1:
        return "fail", "no row" if not rows else "more than one row"
    if len(rows[0]) != 1:
        return "fail", f"{len(rows[0])} columns"
    value = rows[0][0]
    if isinstance(value, bool):
        return ("pass", "true") if value else ("fail", "false")
    return "fail", "NULL" if value is None else f"no boolean, but {type(value).__name__}"


@verb("drill.amcheck")
@guarded
def amcheck(step: Step, context: Context) -> Mapping[str, Any]:
    """pg_amcheck over every table and B-tree index of the restored database, after everything was compared."""
    drill, server = under_way(context), server_of(under_way(context), str(step.args["key"]))
    assert server is not None
    name, expected = f"{step.subject}:amcheck", "no damage"
    try:
        why = _impossible(server, step.subject)
    except (RunbookError, psycopg.Error) as error:
        return {"verdict": drill.note(name, "unknown", str(getattr(error, "fact", error)), expected)}
    if why:
        drill.left_out.append({"id": name, "why": why})
        return {"left_out": why}
    argv = server.argv("pg_amcheck", "-j", str(step.args["jobs"]), "--install-missing", dsn(step.subject))
    done = run(argv, timeout=step.timeout_seconds, env=server.env)
    verdict: Verdict = "pass" if done.code == 0 else "fail" if done.code == DAMAGED else "unknown"
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    told = "no damage" if verdict == "pass" else " | ".join(lines[:4]) or done.complaint
    return {"verdict": drill.note(name, verdict, told, expected, "pg_amcheck")}


def _impossible(server: Scratch, dbname: str) -> str:
    """Why pg_amcheck cannot be asked there; empty when it can.

    Raises:
        DatabaseDown: the database does not answer.
    """
    try:
        there = run((*server.program("pg_amcheck"), "--version"), timeout=60, env=server.env).code == 0
    except CommandFailed:
        there = False
    if not there:
        return "the scratch server's programs have no pg_amcheck"
    with server.connect(dbname) as connection:
        found = connection.execute(EXTENSION).fetchone() is not None
    return "" if found else "the scratch server has no extension amcheck"
