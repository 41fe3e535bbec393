"""Everything that can be seen of a target at one moment; what cannot be seen is named, never guessed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from drillbook.observe import caches, compose, config, database, endpoint, engine, schema, signs
from drillbook.observe.backups import backup_facts
from drillbook.observe.disks import disks
from drillbook.observe.facts import Snapshot, VolumeFact
from drillbook.observe.levels import code_levels
from drillbook.observe.unknowns import Unknowns
from drillbook.target import Target


def observe(target: Target) -> Snapshot:
    """The target as it is now: containers, images, files, responses, databases, disks and backups.

    Reads only. A part that cannot be observed is missing from the snapshot and
    named with its reason in `unknown`.
    """
    unknown = Unknowns()
    backups = unknown.attempt("vault", lambda: backup_facts(target), ())
    stack: dict[str, Any] = _stack(target, unknown) if target.stack else {"responses": endpoint.responses(target)}
    volumes: tuple[VolumeFact, ...] = stack.get("volumes", ())
    return Snapshot(
        target=target.name,
        identity=target.identity,
        databases=tuple(
            replace(database.database_fact(target, k), service=d.service) for k, d in target.databases.items()
        ),
        expected=unknown.attempt("expected schema", lambda: schema.expected(target), {}),
        filled={key: declared.filled for key, declared in target.databases.items() if declared.filled},
        disks=unknown.attempt("disks", lambda: disks(target, volumes), ()),
        backups=backups,
        unknown=unknown,
        **stack,
    )


def _stack(target: Target, unknown: Unknowns) -> dict[str, Any]:
    containers = unknown.attempt("containers", lambda: engine.containers(target), ())
    services = unknown.attempt("compose file", lambda: compose.services(target), ())
    without = {"containers", "compose file"} & unknown.keys()
    return {
        "containers": containers,
        "services": services,
        "volumes": () if "containers" in unknown else unknown.attempt("volumes", lambda: engine.volumes(target), ()),
        "configs": () if without else unknown.attempt(
            "configuration", lambda: config.configs(target, containers, services), ()
        ),
        "responses": endpoint.responses(target, containers),
        **code_levels(target, containers, services, unknown),
    }  # fmt: skip


def with_signs(target: Target, snapshot: Snapshot, healthy_at: float) -> Snapshot:
    """*snapshot* with what only a diagnosis shows: the caches between source and response, and early-warning signs.

    Reads only; *healthy_at* is when the target was last seen healthy, in seconds since 1970, 0 where unknown.
    """
    if target.stack is None:
        return snapshot
    unknown = Unknowns()
    revised = snapshot.deployed.revised if snapshot.deployed else 0.0
    found = unknown.attempt(
        "caches", lambda: caches.caches(target, snapshot.services, snapshot.sources, snapshot.contexts), None
    )
    warned = unknown.attempt(
        "signs",
        lambda: signs.signs(
            target, snapshot.containers, snapshot.engine_images, snapshot.responses, healthy_at, revised
        ),
        None,
    )
    return replace(snapshot, caches=found, signs=warned, unknown={**snapshot.unknown, **unknown})
