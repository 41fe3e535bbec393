"""Everything that can be seen of a target at one moment; what cannot be seen is named, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from drillbook.observe import caches, compose, config, database, endpoint, engine, levels, schema, signs, strangers
from drillbook.observe.backups import backup_facts
from drillbook.observe.disks import disks
from drillbook.observe.facts import ConfigFact, ContainerFact, SchemaFact, ServiceFact, Snapshot, VolumeFact
from drillbook.observe.unknowns import Unknowns
from drillbook.target import Target


def observe(target: Target) -> Snapshot:
    """The target as it is now: containers, images, files, responses, databases, disks and backups.

    Reads only; what does not wait for another is asked at once. A part that cannot be
    observed is missing from the snapshot and named with its reason in `unknown`.
    """
    unknown = Unknowns()
    with ThreadPoolExecutor() as pool:
        backups = pool.submit(unknown.attempt, "vault", lambda: backup_facts(target), ())
        databases = [(d, pool.submit(database.database_fact, target, k)) for k, d in target.databases.items()]
        expected = pool.submit(_expected, target, unknown)
        stack: dict[str, Any] = (
            _stack(target, unknown, pool) if target.stack else {"responses": endpoint.responses(target)}
        )
        volumes: tuple[VolumeFact, ...] = stack.get("volumes", ())
        return Snapshot(
            target=target.name,
            identity=target.identity,
            databases=tuple(replace(fact.result(), service=declared.service) for declared, fact in databases),
            expected=expected.result(),
            filled={key: declared.filled for key, declared in target.databases.items() if declared.filled},
            disks=unknown.attempt("disks", lambda: disks(target, volumes), ()),
            backups=backups.result(),
            unknown=dict(sorted(unknown.items())),
            **stack,
        )


def _stack(target: Target, unknown: Unknowns, pool: Executor) -> dict[str, Any]:
    sources = pool.submit(levels.sources, target, unknown)
    declared = pool.submit(unknown.attempt, "compose file", lambda: compose.services(target), ())
    containers = unknown.attempt("containers", lambda: engine.containers(target), ())
    responses = pool.submit(endpoint.responses, target, containers)
    services = declared.result()
    configs = pool.submit(_configs, target, containers, services, unknown)
    seen = "containers" not in unknown
    return {
        "containers": containers,
        "strangers": unknown.attempt("project name", lambda: strangers.strangers(target), ()),
        "services": services,
        "volumes": unknown.attempt("volumes", lambda: engine.volumes(target), ()) if seen else (),
        **levels.code_levels(target, containers, services, sources, unknown, pool),
        "configs": configs.result(),
        "responses": responses.result(),
    }


def _expected(target: Target, unknown: Unknowns) -> Mapping[str, SchemaFact]:
    return unknown.attempt("expected schema", lambda: schema.expected(target), {})


def _configs(
    target: Target, containers: tuple[ContainerFact, ...], services: tuple[ServiceFact, ...], unknown: Unknowns
) -> tuple[ConfigFact, ...]:
    if {"containers", "compose file"} & unknown.keys():
        return ()
    return unknown.attempt("configuration", lambda: config.configs(target, containers, services), ())


def with_caches(target: Target, snapshot: Snapshot) -> Snapshot:
    """*snapshot* with the caches between source and response, for a plan that clears some. Reads only."""
    if target.stack is None:
        return snapshot
    unknown = Unknowns()
    found = unknown.attempt(
        "caches", lambda: caches.caches(target, snapshot.services, snapshot.sources, snapshot.contexts), None
    )
    return replace(snapshot, caches=found, unknown={**snapshot.unknown, **unknown})


def with_signs(target: Target, snapshot: Snapshot, healthy_at: float) -> Snapshot:
    """*snapshot* with what only a diagnosis shows: the caches between source and response, and early-warning signs.

    Reads only; *healthy_at* is when the target was last seen healthy, in seconds since 1970, 0 where unknown.
    """
    if target.stack is None:
        return snapshot
    unknown, seen = Unknowns(), with_caches(target, snapshot)
    revised = snapshot.deployed.revised if snapshot.deployed else 0.0
    warned = unknown.attempt(
        "signs",
        lambda: signs.signs(
            target, snapshot.containers, snapshot.engine_images, snapshot.responses, healthy_at, revised
        ),
        None,
    )
    return replace(seen, signs=warned, unknown={**seen.unknown, **unknown})
