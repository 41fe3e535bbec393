"""The rollback's plan: the images that a reset kept, through the same rollout; not when the schema has moved on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drillbook.decide.image_names import images_kept
from drillbook.decide.moves import moves
from drillbook.decide.plan import Plan, Step
from drillbook.decide.reset import basis, schema_digest
from drillbook.decide.reset_images import keep
from drillbook.decide.rollout import rollout
from drillbook.errors import NotThisIncident, SchemaMovedOn
from drillbook.observe.facts import Snapshot
from drillbook.target import Target


def plan_rollback(
    target: Target, snapshot: Snapshot, replaced: Mapping[str, Any], backup: str, compose: tuple[str, ...]
) -> Plan:
    """The plan that brings back what *replaced*, an earlier run's plan as it is kept, replaced.

    Changes nothing. What runs now is kept in its turn, so that a rollback can be rolled back.

    Raises:
        NotThisIncident: everything that it replaced serves already, or it replaced no container.
        SchemaMovedOn: a database's columns are not those that the kept code ran on, or cannot be seen.
    """
    stack = target.stack
    kept: Mapping[str, Mapping[str, str]] = replaced["basis"].get("kept", {})
    wanted = {name: _image(tags) for name, tags in kept.items() if tags}
    declared = {service.name for service in snapshot.services}
    names = [n for n, tag in wanted.items() if n in declared and not _serves(snapshot, n, kept[n][tag])]
    if stack is None or not names:
        fact = f"there is nothing to roll back: {_why(snapshot, wanted)}"
        raise NotThisIncident(fact, "drillbook runs lists the resets")
    _same_schema(snapshot, replaced["basis"].get("schemas", {}))
    images = {name: wanted[name] for name in names}
    recalled = [
        Step(f"recall-{name}", "image.recall", tag, args={"service": name, "image": tag, "id": kept[name][tag]})
        for name, tag in images.items()
    ]
    found = moves(stack, snapshot, names, images)
    after = rollout(found, compose, stack.proxy, [v.name for v in snapshot.volumes])
    rests_on = basis(snapshot, "containers", backup) | {
        "of": replaced["fingerprint"],
        "kept": {m.name: images_kept(m.old) for m in found if not m.idle},
    }
    notes = [f"rests on proven backup {backup}", "the compose file as it is now configures the containers"]
    gone = sorted(wanted.keys() - declared)
    notes += [f"{name} is not in the compose file any more: it is left alone" for name in gone]
    return Plan(
        "rollback", target.name, target.identity, rests_on,
        (*after.checks, *keep(snapshot, names), *recalled, *after.steps),
        (*notes, *after.notes), after.back, after.turns, after.objects,
    )  # fmt: skip


def _why(snapshot: Snapshot, wanted: Mapping[str, str]) -> str:
    if "compose file" in snapshot.unknown:
        return f"the compose file cannot be read: {snapshot.unknown['compose file']}"
    return "what it kept serves already" if wanted else "it replaced no container"


def _image(tags: Mapping[str, str]) -> str:
    return next(iter(tags))


def _serves(snapshot: Snapshot, name: str, image: str) -> bool:
    there = [c for c in snapshot.containers if c.service == name]
    return bool(there) and all(c.image_id == c.tag_image_id == image and c.running for c in there)


def _same_schema(snapshot: Snapshot, before: Mapping[str, str]) -> None:
    for fact in snapshot.databases:
        was = before.get(fact.key, "")
        if not fact.reachable or not was:
            why = fact.error or "what its columns were then is not known"
            raise SchemaMovedOn(
                f"whether database {fact.key} still has the schema of the kept code cannot be said: {why}",
                "start it, then run this again; to go back with its data too: 04-restore",
            )
        if schema_digest(fact.columns) != was:
            raise SchemaMovedOn(
                f"the schema of database {fact.key} has moved on since ({len(fact.columns)} columns now, digest "
                f"{schema_digest(fact.columns)}, then {was}): the kept code was made for another one",
                "undo the migration first, or go forward: 03-reset with mended sources; with the data: 04-restore",
            )
