"""The copy's database servers: started alone, and filled from the backup before anything else of the copy runs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from psycopg import sql

from drillbook.act import pg_restore, replicas, settings
from drillbook.act.client_tools import ClientTools, client_tools
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.rehearsal import Rehearsal, under_way
from drillbook.act.restore import chosen, files
from drillbook.act.roles import without_role
from drillbook.decide.compare import compare
from drillbook.decide.evidence import overall
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed
from drillbook.observe import database
from drillbook.observe.command import environment, run_checked
from drillbook.observe.compose import compose_argv
from drillbook.observe.server import PINNED, READING, place, session
from drillbook.vault.content import DatabaseContent

READY_SECONDS, POLL_SECONDS = 180, 0.3
ROLES = "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_'"


@verb("rehearse.server")
@guarded
def server(step: Step, context: Context) -> Mapping[str, Any]:
    """The server's service started, and waited for until it answers over the network.

    Raises:
        StepFailed: it does not.
    """
    rehearsal, key = under_way(context), str(step.args["key"])
    target = rehearsal.copy
    argv = compose_argv(target, "up", "-d", "--no-build", "--no-deps", step.subject)
    run_checked(argv, timeout=step.timeout_seconds, env=environment(target))
    until = time.monotonic() + READY_SECONDS
    with _tools(step, context, rehearsal, key) as tools:
        # an image's first start has a temporary server that listens on its socket alone
        while not tools.succeeds("psql", "-X", "-d", "template1", "-c", "SELECT", timeout=60):
            if time.monotonic() > until:
                fact = f"the copy's {step.subject} does not answer after {READY_SECONDS} s"
                raise StepFailed(fact, f"run this with keep=true, then docker logs {_name(rehearsal, step.subject)}")
            time.sleep(POLL_SECONDS)
    return {"container": _name(rehearsal, step.subject)}


def _name(rehearsal: Rehearsal, service: str) -> str:
    found = replicas.of(Context(rehearsal.copy, rehearsal.folder), service)
    return found[0].name if found else service


@contextmanager
def _tools(step: Step, context: Context, rehearsal: Rehearsal, key: str) -> Iterator[ClientTools]:
    """The client programs of the copy's server: it is asked from its own loopback, which needs no network."""
    with client_tools(rehearsal.copy, key, files(context), context.folder.name, int(step.args["major"])) as tools:
        yield tools


@verb("rehearse.roles")
@guarded
def roles(step: Step, context: Context) -> Mapping[str, Any]:
    """The backup's roles, with their passwords; those that the server was born with are set as the backup has them."""
    rehearsal, key, began = under_way(context), str(step.args["key"]), time.monotonic()
    source = chosen(context).whole().servers[key]
    script = (files(context) / source.roles).read_text()
    with _tools(step, context, rehearsal, key) as tools:
        there = tools.run("psql", "-X", "-Atq", "-d", "template1", "-c", ROLES, timeout=60).stdout.splitlines()
        for name in there:
            script = without_role(script, name)
        words = ("-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "template1")
        tools.run("psql", *words, timeout=step.timeout_seconds, stdin=script)
    rehearsal.seconds[step.id] = time.monotonic() - began
    return {"roles": len(source.role_names), "born with": len(there)}


@verb("rehearse.restore")
@guarded
def restore(step: Step, context: Context) -> Mapping[str, Any]:
    """One database of the backup, in the place of the empty one that the server made for itself."""
    rehearsal, key, began = under_way(context), str(step.args["key"]), time.monotonic()
    entry = chosen(context).whole().databases[key]
    with rehearsal.inside():
        _create(rehearsal, key, step.subject, entry.content)
    with _tools(step, context, rehearsal, key) as tools:
        run = partial(tools.run, "pg_restore", timeout=step.timeout_seconds)
        words = ("-d", pg_restore.dsn(step.subject))
        pg_restore.restore(run, tools.path(entry.folder), words, int(step.args["jobs"]))
    with rehearsal.inside(), session(place(rehearsal.copy, key, dbname=_other(step.subject)), PINNED) as connection:
        settings.apply(connection, step.subject, entry.content)
    rehearsal.seconds[step.id] = time.monotonic() - began
    return {"database": step.subject, "rows": entry.content.rows}


def _create(rehearsal: Rehearsal, key: str, name: str, content: DatabaseContent) -> None:
    with session(place(rehearsal.copy, key, dbname=_other(name)), PINNED) as connection:
        connection.autocommit = True
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        settings.create(connection, name, content)


def _other(name: str) -> str:
    """A database that is none of the target's."""
    return "template1" if name == "postgres" else "postgres"


@verb("rehearse.compare")
@guarded
def compare_copy(step: Step, context: Context) -> Mapping[str, Any]:
    """What the copy's database holds, held against the manifest, before anything of the copy can write to it.

    Raises:
        StepFailed: it is not what was backed up.
    """
    rehearsal, key, began = under_way(context), str(step.args["key"]), time.monotonic()
    entry = chosen(context).whole().databases[key]
    with rehearsal.inside(), session(place(rehearsal.copy, key), READING) as connection:
        observed = database.content(connection, step.subject, algorithm=entry.content.algorithm)
    found = compare(entry.content, observed)
    bad = [evidence for evidence in found if evidence.verdict == "fail"]
    if bad:
        fact = f"the copy's {step.subject} is not what was backed up: {bad[0].id}: {bad[0].observed}"
        raise StepFailed(fact, "drill the backup: 06-drill", [evidence.as_json() for evidence in bad])
    rehearsal.seconds[step.id] = time.monotonic() - began
    return {"verdict": overall(evidence.verdict for evidence in found), "checks": len(found)}
