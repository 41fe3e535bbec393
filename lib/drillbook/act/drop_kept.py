"""Drop what an earlier run kept aside, after it was read once more and found in a proven backup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.switch import writer
from drillbook.decide.evidence import Evidence
from drillbook.decide.kept import NOTHING, holds_nothing, missing
from drillbook.decide.plan import Step
from drillbook.errors import NotProven, RunbookError
from drillbook.observe import engine
from drillbook.observe.kept import Kept, kept
from drillbook.observe.server import said
from drillbook.vault.catalog import Vault


@verb("restore.drop_kept")
@guarded
def drop(step: Step, context: Context) -> Mapping[str, Any]:
    """One database, schema or volume that carries our mark, gone; a second time there is nothing to do.

    Raises:
        NotProven: it holds something now that no proven backup holds; it stays.
        RunbookError: someone uses it; it stays.
    """
    found = [one for one in kept(context.target, (step.subject,)) if one.kind == step.args["kind"]]
    holder = str(step.args["holder"])
    told = "holds nothing" if holder == NOTHING else f"held by proven backup {holder}"
    if found:
        _is_held(found[0], holder, context)
        _gone(step, context)
    evidence = Evidence(f"{step.subject}:dropped", "host", step.subject, "pass", "gone", told)
    context.state.setdefault("dropped", []).append(evidence)
    return {"dropped": step.subject if found else "before this", "held": told}


def _is_held(one: Kept, holder: str, context: Context) -> None:
    if holder == NOTHING:
        why = "" if holds_nothing(one) else "it holds something now"
    elif Vault.of(context.target).get(holder).verdict != "proven":
        why = f"backup {holder} is not proven any more"
    else:
        why = missing(one, Vault.of(context.target).get(holder).whole())
    if why:
        raise NotProven(f"{one.kind} {one.name} is not dropped: {why}", "it stays as it is; plan again")


def _gone(step: Step, context: Context) -> None:
    if step.args["kind"] == "volume":
        _remove_volume(step.subject, context)
        return
    key = str(step.args["key"])
    dbname = context.target.databases[key].dbname if step.args["kind"] == "schema" else None
    try:
        with writer(context.target, key, dbname) as connection:
            connection.execute(step.sql.encode())
    except psycopg.Error as error:
        fact = f"{step.args['kind']} {step.subject} cannot be dropped: {said(error)} ({error.sqlstate})"
        raise RunbookError(fact, "it stays; see who uses it (pg_stat_activity), then run this again") from error


def _remove_volume(name: str, context: Context) -> None:
    import docker

    try:
        engine.client(context.target).api.remove_volume(name)
    except docker.errors.APIError as error:
        fact = f"volume {name} cannot be removed: {error.explanation}"
        raise RunbookError(fact, "it stays; see which container mounts it (docker ps -a --filter volume=…)") from error
