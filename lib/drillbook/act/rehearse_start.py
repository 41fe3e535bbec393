"""The copy started as the target is: the same images, the same number of containers, as well as there."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from drillbook.act import durable
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.rehearsal import NAMELESS, Rehearsal, under_way
from drillbook.decide.plan import Step
from drillbook.errors import CommandFailed, StepFailed
from drillbook.observe import endpoint, engine
from drillbook.observe.command import environment, run_checked
from drillbook.observe.compose import compose_argv
from drillbook.observe.facts import ContainerFact

POLL_SECONDS, ANSWER_SECONDS = 0.3, 30.0


@verb("rehearse.images")
@guarded
def images(step: Step, context: Context) -> Mapping[str, Any]:
    """The copy's own names for the images that the target runs, or that its tags mean; nothing is pulled or built."""
    return {"named": _named(under_way(context), step.args["images"])}


def _named(rehearsal: Rehearsal, pairs: Sequence[str]) -> list[str]:
    """Give each image of `service=image` the name that the service's image has in the copy; gives those names."""
    import docker

    api, names = engine.client(rehearsal.target).api, rehearsal.made.images
    for service, image in (pair.split("=") for pair in pairs):
        try:
            api.tag(image, names[service], "latest", force=True)
        except docker.errors.NotFound as error:
            raise StepFailed(f"image {image} of {service} is gone", "docker images; then run this anew") from error
    return sorted({names[pair.split("=")[0]] for pair in pairs})


@verb("rehearse.start")
@guarded
def start(step: Step, context: Context) -> Mapping[str, Any]:
    """These services started, in the order in which they depend on each other.

    Raises:
        StepFailed: compose could not.
    """
    rehearsal = under_way(context)
    _named(rehearsal, step.args.get("images", ()))
    scale = [word for number in step.args.get("scale", ()) for word in ("--scale", number)]
    argv = compose_argv(rehearsal.copy, "up", "-d", "--no-build", "--no-recreate", *scale, *step.args["services"])
    try:
        run_checked(argv, timeout=step.timeout_seconds, env=environment(rehearsal.copy))
    except CommandFailed as error:
        raise StepFailed(f"the copy does not start: {error.fact}", _hint(rehearsal)) from error
    return {"services": list(step.args["services"])}


@verb("rehearse.well")
@guarded
def well(step: Step, context: Context) -> Mapping[str, Any]:
    """The copy is well wherever the target is well.

    Raises:
        StepFailed: it is not: then the copy cannot tell how the reset of the target would go.
    """
    rehearsal = under_way(context)
    facts = _well(rehearsal, step.args["services"], step.timeout_seconds)
    nameless = [m.name for fact in facts for m in fact.mounts if m.anonymous]
    durable.replace(rehearsal.folder / NAMELESS, json.dumps(nameless).encode())
    return {"containers": len(facts), "answers": _answering(rehearsal, step.args["endpoints"])}


def _hint(rehearsal: Rehearsal) -> str:
    return f"nothing of {rehearsal.target.name} was touched; what it needs may lie outside: see the plan's notes"


def _well(rehearsal: Rehearsal, healthy: list[str], seconds: float) -> list[ContainerFact]:
    """The copy's containers, once those of each service in *healthy* run and are healthy."""
    until = time.monotonic() + seconds
    while True:
        facts = list(engine.containers(rehearsal.copy))
        wanted = [fact for fact in facts if fact.service in healthy]
        unwell = [fact for fact in wanted if not fact.running or fact.health not in ("", "healthy")]
        missing = sorted(set(healthy) - {fact.service for fact in wanted})
        if not unwell and not missing:
            return facts
        hopeless = [fact for fact in unwell if not fact.running or fact.health == "unhealthy"]
        if hopeless or time.monotonic() > until:
            raise StepFailed(_told(rehearsal, hopeless or unwell, missing), _hint(rehearsal))
        time.sleep(POLL_SECONDS)


def _told(rehearsal: Rehearsal, unwell: list[ContainerFact], missing: list[str]) -> str:
    if not unwell:
        return f"the copy has no container of {missing[0]}, which is well on {rehearsal.target.name}"
    first = unwell[0]
    state = f"is {first.health}" if first.running else f"has exited with {first.exit_code}"
    log = engine.client(rehearsal.target).api.logs(first.id, tail=3).decode(errors="replace").strip()
    said = " | ".join(log.splitlines())
    return f"the copy's {first.service} {state}, though {rehearsal.target.name}'s is well; it said: {said}"


def _answering(rehearsal: Rehearsal, well: list[str]) -> dict[str, int]:
    """What each endpoint of the copy answers, once those that are well on the target are.

    Raises:
        StepFailed: one is not after 30 s.
    """
    until, endpoints = time.monotonic() + ANSWER_SECONDS, rehearsal.copy.endpoints
    while True:
        with rehearsal.inside():
            facts = [endpoint.ask(key, declared, declared.url) for key, declared in endpoints.items()]
        bad = next((f for f in facts if f.endpoint in well and f.status != f.expected_status), None)
        if bad is None:
            return {fact.endpoint: fact.status for fact in facts}
        if time.monotonic() > until:
            said = bad.error or bad.body[:160]
            fact = f"the copy's {bad.endpoint} answers {bad.status or 'nothing'}, the target's {bad.expected_status}"
            raise StepFailed(f"{fact}: {said}", _hint(rehearsal))
        time.sleep(POLL_SECONDS)


@verb("rehearse.reset")
@guarded
def reset(step: Step, context: Context) -> Mapping[str, Any]:
    """The reset itself, planned for the copy and carried out on it; how it went. One that fails is an answer too."""
    rehearsal = under_way(context)
    with rehearsal.inside():
        return rehearsal.perform(rehearsal)
