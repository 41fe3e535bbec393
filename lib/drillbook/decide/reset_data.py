"""Plan a reset of what is stored: databases renamed, volumes copied, nothing of either removed."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Literal

from drillbook.decide.aside import database_aside, database_fresh, volume_aside
from drillbook.decide.plan import Object, Step
from drillbook.decide.proof import Proof
from drillbook.decide.reset_volumes import volume_objects, volume_steps
from drillbook.decide.sql import identifier, literal
from drillbook.decide.volume_choice import AUTO, volume_names
from drillbook.decide.volume_commands import shell
from drillbook.observe.facts import DatabaseFact, Snapshot
from drillbook.target import Target

__all__ = ["database_objects", "database_steps", "notes", "volume_names", "volume_objects", "volume_steps"]

SWAP_SECONDS = 120


def database_steps(target: Target, snapshot: Snapshot, proof: Proof, stamp: str) -> tuple[Step, ...]:
    """Every database renamed to a dated name, and an empty one of its kind in its place; both at once, or neither."""
    steps: list[Step] = []
    taken: list[str] = []
    for fact in snapshot.databases:
        aside = database_aside(fact.dbname, stamp, taken)
        fresh = database_fresh(fact.dbname, stamp, taken)
        taken += [aside, fresh]
        steps.append(_set_aside(target, snapshot, fact, proof, aside, fresh))
    return tuple(steps)


def _set_aside(target: Target, snapshot: Snapshot, fact: DatabaseFact, proof: Proof, aside: str, fresh: str) -> Step:
    return Step(
        f"aside-{fact.key}", "database.set_aside", fact.dbname,
        sql=_swap((fact.dbname, aside), (fresh, fact.dbname)),
        args={"key": fact.key, "aside": aside, "fresh": fresh, "backup": proof.backup.name},
        destroys=(f"database {fact.dbname} (renamed to {aside}, an empty one takes its place)",),
        recovers=_back(target, snapshot, fact, aside, fresh), timeout_seconds=SWAP_SECONDS,
    )  # fmt: skip


def _swap(*pairs: tuple[str, str]) -> str:
    renamed = (f"ALTER DATABASE {identifier(old)} RENAME TO {identifier(new)}" for old, new in pairs)
    return f"BEGIN; {'; '.join(renamed)}; COMMIT"


def _back(target: Target, snapshot: Snapshot, fact: DatabaseFact, aside: str, fresh: str) -> str:
    """The command that swaps the names back."""
    ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {literal(fact.dbname)}"
    swapped = _swap((fact.dbname, fresh), (aside, fact.dbname))
    declared = target.databases[fact.key]
    server = "template1" if fact.dbname == "postgres" else "postgres"
    psql = ["psql", "-U", declared.user, "-d", server, "-c", ended, "-c", swapped]
    if not declared.service:
        host = str(target.path(declared.host)) if "/" in declared.host else declared.host
        return shlex.join([psql[0], "-h", host, "-p", str(declared.port), *psql[1:]])
    container = next((c.name for c in snapshot.containers if c.service == declared.service), declared.service)
    return shell(target, "docker", "exec", container, *psql)


def database_objects(target: Target, snapshot: Snapshot, proof: Proof, stamp: str) -> tuple[Object, ...]:
    """Each database with its size and what brings it back."""
    steps = {str(step.args["key"]): step for step in database_steps(target, snapshot, proof, stamp)}
    return tuple(
        Object("database", "database", fact.dbname, step.id, step.destroys[0], step.recovers, fact.bytes)
        for fact in snapshot.databases
        for step in (steps[fact.key],)
    )


def notes(
    target: Target, snapshot: Snapshot, proof: Proof, scope: Literal["volumes", "database"], stamp: str,
    names: str | Iterable[str] = AUTO,
) -> tuple[str, ...]:  # fmt: skip
    """What a person must know beside the steps: the proof, what fills what is empty, how to be rid of what is kept."""
    if scope == "database":
        steps = database_steps(target, snapshot, proof, stamp)
        asides = [str(step.args["aside"]) for step in steps]
        filled = [_fill(target, step.subject, f"databases={step.args['key']}", proof) for step in steps]
    else:
        chosen = volume_names(target, snapshot, names)
        asides = [volume_aside(name, stamp) for name in chosen]
        filled = []
    rid = f"drillbook run restore --target {target.name} -p drop_kept={','.join(asides)}"
    kept = f"{', '.join(asides)} stay until a plan of their own drops them, when a proven backup holds them: {rid}"
    return (proof.said, *filled, *((kept,) if asides else ()))


def _fill(target: Target, dbname: str, choice: str, proof: Proof) -> str:
    command = f"drillbook run restore --target {target.name} -p backup={proof.backup.name} -p {choice}"
    return (
        f"afterwards {dbname} is empty: the application's migration must fill it, or 04-restore: {command} "
        "-p volumes=none"
    )
