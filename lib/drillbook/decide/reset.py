"""The reset's plan: build first, prove, green beside blue, switch, drain; destroy last, and only what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drillbook.decide import reset_images, reset_pull
from drillbook.decide.content import source_digest
from drillbook.decide.image_names import images_kept
from drillbook.decide.moves import moves
from drillbook.decide.plan import Object, Plan, Step
from drillbook.decide.reset_cache import cache_steps, diagnosed
from drillbook.decide.reset_images import Commands, NewImages
from drillbook.decide.rollout import rollout
from drillbook.decide.scope import built_services, services
from drillbook.errors import NotThisIncident, RunbookError
from drillbook.observe.facts import BackupFact, Snapshot
from drillbook.observe.registry import RegistryFact
from drillbook.target import Stack, Target

Registry = Mapping[str, RegistryFact] | None
KEPT = "no volume is removed; what is replaced stays as an image, tagged for rollback"


@dataclass(frozen=True)
class Parts:
    """What a scope adds to a plan."""

    steps: tuple[Step, ...] = ()
    objects: tuple[Object, ...] = ()
    notes: tuple[str, ...] = ()
    back: tuple[Step, ...] = ()
    turns: tuple[str, ...] = ()
    basis: Mapping[str, Any] = field(default_factory=dict)


def plan_reset(
    target: Target, snapshot: Snapshot, scope: str, backup: BackupFact, commands: Commands,
    registry: Registry = None,
) -> Plan:  # fmt: skip
    """The plan for *scope* on a stack, one of `containers`, `images`, `build-cache` and `artifacts`.

    Changes nothing. The same facts give the same plan. New images are built, or, where *registry* tells what
    each service's reference means there, pulled.

    Raises:
        RunbookError: the scope makes no sense for this target.
        NotThisIncident: there is nothing in it.
    """
    if target.stack is None:
        raise RunbookError(f"target {target.name} has no stack, so no {scope} to reset", "choose scope=database")
    match scope:
        case "artifacts":
            parts = _artifacts(target.stack, snapshot)
        case "build-cache":
            parts = Parts(*cache_steps(snapshot))
        case _:
            parts = _replaced(target.stack, snapshot, scope, commands, registry)
    notes = (f"rests on proven backup {backup.name}", KEPT)
    return assembled(target, basis(snapshot, scope, backup.name), parts, notes)


def assembled(target: Target, rests_on: Mapping[str, Any], parts: Parts, notes: tuple[str, ...]) -> Plan:
    """The plan of *parts*.

    Raises:
        NotThisIncident: they have no steps.
    """
    if not parts.steps:
        fact = f"there is nothing in scope {rests_on['scope']} to reset"
        raise NotThisIncident(fact, "choose another scope, or diagnose again")
    return Plan("reset", target.name, target.identity, {**rests_on, **parts.basis}, parts.steps, (*notes, *parts.notes),
                parts.back, parts.turns, parts.objects)  # fmt: skip


def schema_digest(columns: Mapping[str, str]) -> str:
    """A digest over schema.table.column → type; empty where nothing is known of them."""
    return source_digest(columns)[:16] if columns else ""


def basis(snapshot: Snapshot, scope: str, backup: str) -> dict[str, Any]:
    """What a plan rests on: while this stays the same, so does its fingerprint."""
    return {
        "scope": scope,
        "backup": backup,
        "containers": {c.name: [c.id, c.image_id] for c in snapshot.containers},
        "volumes": [v.name for v in snapshot.volumes],
        "sources": {name: source_digest(source.tracked) for name, source in snapshot.sources.items()},
        "artifacts": {name: source_digest(source.artifacts) for name, source in snapshot.sources.items()},
        "databases": {d.key: [d.dbname, d.oid, len(d.rows)] for d in snapshot.databases},
        "schemas": {d.key: schema_digest(d.columns) for d in snapshot.databases},
    }


def _artifacts(stack: Stack, snapshot: Snapshot) -> Parts:
    """What the host brings into an image, moved into the run's folder."""
    code = {name: service.code for name, service in stack.services.items() if service.code}
    names = [n for n in built_services(snapshot) if n in code]
    beside = sorted({code[n].placed(a) for n in names for a in snapshot.sources[n].artifacts_in_context})
    return Parts(tuple(map(_aside, beside)), tuple(_folder(snapshot, path) for path in beside))


def _aside(path: str) -> Step:
    return Step(
        f"aside-{path}", "artifact.set_aside", path, args={"path": path},
        destroys=(f"host artifact {path} (moved into the run's folder)",),
        recovers="move it back from aside/ in the run's folder",
    )  # fmt: skip


def _folder(snapshot: Snapshot, path: str) -> Object:
    folders = snapshot.caches.folders if snapshot.caches else ()
    seen = next((f for f in folders if f.path.endswith(f"/{path}")), None)
    return Object("artifacts", "folder", path, f"aside-{path}", "moved into the run's folder, aside/",
                  "move it back", seen.bytes if seen else None, seen.newest if seen else 0.0)  # fmt: skip


def _replaced(stack: Stack, snapshot: Snapshot, scope: str, commands: Commands, registry: Registry) -> Parts:
    """New containers, and before them new images where the scope is `images`."""
    own = built_services(snapshot) if registry is None else reset_pull.pulled_services(stack, snapshot)
    names = services(snapshot, own)
    if not names:
        return Parts()
    fresh, first = NewImages((), {}, ""), Parts()
    if scope == "images":
        fresh, first = _built(stack, snapshot, own, commands) if registry is None else _pulled(snapshot, own, registry)
    keep = reset_images.keep(snapshot, names)
    found = moves(stack, snapshot, names, _shared(snapshot, names, fresh.images))
    volumes = [v.name for v in snapshot.volumes]
    kept = {move.name: images_kept(move.old) for move in found if not move.idle}
    after = rollout(found, commands.compose, stack.proxy, volumes, fresh.build_id)
    return Parts((*after.checks, *keep, *first.steps, *after.steps), (*first.objects, *after.objects),
                 (*first.notes, *after.notes), after.back, after.turns, {**first.basis, "kept": kept})  # fmt: skip


def _shared(snapshot: Snapshot, names: list[str], images: Mapping[str, str]) -> dict[str, str]:
    """service → its new image, also for those whose image another service's build makes."""
    made = {s.image: images[s.name] for s in snapshot.services if s.name in images}
    return {s.name: images.get(s.name, made[s.image]) for s in snapshot.services if s.name in names and s.image in made}


def _built(stack: Stack, snapshot: Snapshot, own: list[str], commands: Commands) -> tuple[NewImages, Parts]:
    fresh, aside = reset_images.built(stack, snapshot, own, commands), _artifacts(stack, snapshot)
    cache = Parts(*cache_steps(snapshot)) if diagnosed(snapshot) else Parts()
    steps = (*cache.steps, *fresh.steps, *aside.steps)
    objects = (*reset_images.objects(snapshot, own), *cache.objects, *aside.objects)
    return fresh, Parts(steps, objects, cache.notes)


def _pulled(snapshot: Snapshot, own: list[str], registry: Mapping[str, RegistryFact]) -> tuple[NewImages, Parts]:
    fresh = reset_pull.pulled(snapshot, own, registry)
    told = {name: reset_pull.by_digest(registry[name]) for name in own}
    return fresh, Parts(fresh.steps, reset_images.objects(snapshot, own), reset_pull.notes(snapshot, own, registry),
                        basis={"pulled": told})  # fmt: skip
