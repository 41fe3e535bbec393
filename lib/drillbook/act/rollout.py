"""Green beside blue: new containers started and asked, old ones drained, kept until all is asked, then retired."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from drillbook.act import evidence, replicas
from drillbook.act.executor import Context, verb
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed
from drillbook.observe import engine
from drillbook.observe.command import environment, run_checked
from drillbook.observe.facts import ContainerFact


@verb("service.green")
def green(step: Step, context: Context) -> Mapping[str, Any]:
    """Create the next new container beside the old ones, start it, wait until it is healthy, ask it straight.

    Compose only creates it: `up` itself would start old ones that are stopped. After a cut, one that is there counts.

    Raises:
        StepFailed: it runs another image than the proven one, does not get healthy, or tells another build.
    """
    name, new = str(step.args["service"]), _made(step, context)
    replicas.start(context, new)
    facts = replicas.wait_healthy(context, name, {f.id for f in new}, step.timeout_seconds)
    builds = {f.name: replicas.ask_straight(context, name, f.address, f.name) for f in facts}
    return {"containers": {f.name: f.image_id[7:19] for f in facts}, "builds": builds}


def _made(step: Step, context: Context) -> list[ContainerFact]:
    """As many new containers as the step is to have, made where they are not there yet; on the right image."""
    name, count = str(step.args["service"]), int(step.args["count"])
    new = _new(step, context)
    if len(new) < count:
        run_checked(step.argv, timeout=step.timeout_seconds, env=environment(context.target))
        new = _new(step, context)
    if len(new) < count:
        raise StepFailed(f"compose made no new container of {name}", "see `docker compose ps -a`; diagnose again")
    _right_image(step, context, new)
    return new


def _new(step: Step, context: Context) -> list[ContainerFact]:
    return [f for f in replicas.of(context, str(step.args["service"])) if f.id not in step.args["was"]]


def _right_image(step: Step, context: Context, facts: list[ContainerFact]) -> None:
    wanted = engine.image_id(engine.client(context.target), str(step.args["image"])) if step.args["image"] else ""
    wrong = [f.name for f in facts if f.image_id != (wanted or f.tag_image_id)]
    if wrong:
        raise StepFailed(f"{wrong[0]} was made from another image than the proven one", "diagnose again: who builds?")


@verb("service.drain")
def drain(step: Step, context: Context) -> Mapping[str, Any]:
    """Stop one old container, which gets its whole grace period for what it is answering; it stays.

    Raises:
        StepFailed: no other container of its service runs and is healthy.
    """
    facts = engine.containers(context.target)
    old = next((f for f in facts if f.id == step.args["id"]), None)
    if old is None or not old.running:
        return {"seen": "stopped before" if old else "gone before"}
    others = [f for f in facts if f.service == old.service and f.id != old.id and f.running]
    if not any(f.health in ("", "healthy") for f in others):
        raise StepFailed(f"{old.name} is the only one of {old.service} that runs", "it stays; diagnose again")
    done = run_checked(step.argv, timeout=step.timeout_seconds, env=environment(context.target))
    return {"stopped": old.name, "seconds": round(done.seconds, 1)}


@verb("service.replace")
def replace(step: Step, context: Context) -> Mapping[str, Any]:
    """Recreate one service in place on its tag's image and wait until it is healthy; its volumes stay.

    What the old containers said and what was edited in them is kept in the run's folder first.

    Raises:
        StepFailed: it is not healthy, runs another image, or a volume is gone.
    """
    target, name, was = context.target, str(step.args["service"]), list(step.args["was"])
    there, began = replicas.of(context, name), 0.0
    if not there or any(f.id in was for f in there):
        before = {v.name for v in engine.volumes(target)}
        for fact in there:
            evidence.keep(context, fact)
        began = time.monotonic()
        run_checked(step.argv, timeout=step.timeout_seconds, env=environment(target))
        if lost := sorted(before - {v.name for v in engine.volumes(target)}):
            raise StepFailed(f"after replacing {name} volumes are gone: {', '.join(lost)}", "stop; restore them")
    facts = replicas.wait_healthy(context, name, seconds=step.timeout_seconds)
    _right_image(step, context, facts)
    down = {"down_seconds": round(time.monotonic() - began, 1)} if began else {}
    return {"containers": {f.name: f.image_id[7:19] for f in facts}, **down}


@verb("service.swap")
def swap(step: Step, context: Context) -> Mapping[str, Any]:
    """One after the other: stop an old container, start a new one that was made before, wait until it is healthy.

    For what cannot run twice. The old ones stay, stopped, and what they mount is nobody's meanwhile.

    Raises:
        StepFailed: a new one runs another image than the proven one, or does not get healthy.
    """
    name, new = str(step.args["service"]), _made(step, context)
    old = [f for f in replicas.of(context, name) if f.id in step.args["was"] and f.running]
    began = time.monotonic()
    for fact in (f for f in new if not f.running):
        replicas.stop(context, old[:1])
        old = old[1:]
        replicas.start(context, [fact])
        replicas.wait_healthy(context, name, {fact.id}, step.timeout_seconds)
    replicas.stop(context, old)
    facts = replicas.wait_healthy(context, name, {f.id for f in new}, step.timeout_seconds)
    down = round(time.monotonic() - began, 1)
    return {"containers": {f.name: f.image_id[7:19] for f in facts}, "down_seconds": down}


@verb("service.retire")
def retire(step: Step, context: Context) -> Mapping[str, Any]:
    """Remove the drained containers by their ids, and give the new ones their names.

    Under compose's labels a stopped old one is a trap: the next `up` would start it and remove the new one. Its log,
    its configuration without values and every file that was edited in it are kept in the run's folder; its image
    keeps its tag; a nameless volume of it stays.

    Raises:
        StepFailed: one of them runs, or nothing new does.
    """
    target, was = context.target, dict(step.args["was"])
    there = replicas.of(context, str(step.args["service"]))
    old, new = [f for f in there if f.id in was.values()], [f for f in there if f.id not in was.values()]
    running = [f.name for f in old if f.running]
    if running or not any(f.running for f in new):
        why = f"{running[0]} runs again" if running else f"no new container of {step.args['service']} runs"
        raise StepFailed(f"{why}, so nothing is removed", "drain it first: --resume this run, or plan again")
    kept = {f.name: evidence.keep(context, f) for f in old}
    for fact in old:
        engine.client(target).api.remove_container(fact.id)
    renamed = _rename(context, new, sorted(was)[: int(step.args["replicas"])])
    return {"removed": sorted(kept), "kept": kept, "renamed": renamed}


def _rename(context: Context, new: list[ContainerFact], names: list[str]) -> dict[str, str]:
    """The new containers under the names that the old ones had; old name → new name."""
    taken = {f.name for f in new}
    free = [name for name in names if name not in taken]
    odd = [f for f in new if f.name not in names]
    pairs = list(zip(odd, free, strict=False))
    for fact, name in pairs:
        engine.client(context.target).api.rename(fact.id, name)
    return {fact.name: name for fact, name in pairs}
