"""The smoke request: whether the app answers with the restored database behind it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from drillbook.act.drill import Drill, under_way
from drillbook.act.drill_checks import server_of
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.scratch import Scratch
from drillbook.act.smoke_app import Fault, answering, live_fault, private_network
from drillbook.decide.evidence import Verdict
from drillbook.decide.plan import Step
from drillbook.errors import CommandFailed, RunbookError
from drillbook.observe.command import run
from drillbook.target import Smoke, Target, secret

SHOWN = 200


@verb("drill.smoke")
@guarded
def smoke(step: Step, context: Context) -> Mapping[str, Any]:
    """One smoke request of the target's file: a service's image beside the scratch server, or a command run here.

    The live app is asked the same first: where one fails that fails with its live database too, that tells nothing
    of the backup, and the check is left out.
    """
    drill, name = under_way(context), str(step.args["name"])
    asked = context.target.drill.smoke[name]
    how = f"GET {asked.path} on port {asked.port}" if asked.service else asked.command[0]
    expected = f"HTTP {asked.status}" if asked.service else "exit code 0"
    live = live_fault(context, asked) if asked.service else None
    verdict, told = _answer(drill, asked, context, live)
    if verdict == "fail" and live:
        why = f"{told}; but {live.said}: the fault is the app's, and tells nothing of the backup"
        drill.left_out.append({"id": f"smoke:{name}", "why": why})
        return {"left_out": why}
    return {"verdict": drill.note(f"smoke:{name}", verdict, told, expected, how), "told": told}


def _answer(drill: Drill, asked: Smoke, context: Context, live: Fault | None) -> tuple[Verdict, str]:
    server = server_of(drill, asked.database)
    if server is None:
        return "unknown", f"the backup does not hold the database {asked.database}"
    dbname = drill.backup.whole().databases[asked.database].content.database
    try:
        if asked.command:
            return _ran(asked, server, context.target, dbname)
        if not server.container:
            return "unknown", f"database {asked.database} is in no service: a container cannot reach its scratch server"
        return _requested(asked, server, context, dbname, live)
    except RunbookError as error:
        return "fail", error.fact


def filled(asked: Smoke, host: str, port: int, target: Target, dbname: str) -> dict[str, str]:
    """The declared environment with its braces filled and its secrets read.

    Raises:
        BadTarget: a secret cannot be read.
    """
    places = {"user": target.databases[asked.database].user, "host": host, "port": port, "dbname": dbname}
    named = ("env:", "file:")
    return {
        name: secret(value, target) if value.startswith(named) else value.format(**places)
        for name, value in asked.environment.items()
    }


def _ran(asked: Smoke, server: Scratch, target: Target, dbname: str) -> tuple[Verdict, str]:
    """A command here; libpq's variables point it at the scratch server too."""
    place = server.place
    libpq = {"PGHOST": place.host, "PGPORT": str(place.port), "PGUSER": place.user, "PGDATABASE": dbname}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    declared = filled(asked, place.host, place.port, target, dbname)
    try:
        done = run(
            asked.command, timeout=asked.timeout_seconds, env={**inherited, **libpq, **declared}, cwd=target.file.parent
        )
    except CommandFailed as error:
        return "fail", error.fact
    told = f"exit code {done.code}"
    return ("pass", told) if done.code == 0 else ("fail", f"{told}: {without(declared, done.complaint)[:SHOWN]}")


def _requested(asked: Smoke, server: Scratch, context: Context, dbname: str, live: Fault | None) -> tuple[Verdict, str]:
    """The service's image beside the scratch server, in a network that leads nowhere else."""
    service = context.target.databases[asked.database].service
    with private_network(context, server, service) as network:
        declared = filled(asked, service, server.place.port, context.target, dbname)
        answer = answering(context, asked, network, declared, live)
    verdict: Verdict = "pass" if answer.status == asked.status else "fail"
    status = f"HTTP {answer.status}" if answer.status else "no answer"
    return verdict, status if verdict == "pass" else f"{status}: {without(answer.environment, answer.said)[:SHOWN]}"


def without(environment: Mapping[str, str], text: str) -> str:
    """*text* without any value of *environment* that is long enough to be a secret, on one line."""
    for value in sorted({v for v in environment.values() if len(v) >= 6}, key=len, reverse=True):
        text = text.replace(value, "…")
    return " ".join(text.split())
