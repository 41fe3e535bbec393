"""The way back: what served before serves again, from the containers that are kept, or from their images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drillbook.act import canary, replicas
from drillbook.act.executor import Context, verb
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed
from drillbook.observe import engine
from drillbook.observe.command import environment, run_checked

WAIT_SECONDS = 120


@verb("service.back")
def back(step: Step, context: Context) -> Mapping[str, Any]:
    """The service's tag as it was, and its old containers running: started again, or made anew where they went.

    Raises:
        StepFailed: an old container or its image is gone, or it does not get healthy.
    """
    name, was = str(step.args["service"]), dict(step.args["was"])
    if step.args["tag_was"]:
        _tag(context, step.args["tag_was"], step.args["tag"])
    if step.args["how"] == "anew":
        return _in_place(step, context, was)
    there = [f for f in replicas.of(context, name) if f.id in was]
    if gone := sorted(set(was) - {f.id for f in there}):
        hint = "its image is kept: drillbook run rollback"
        raise StepFailed(f"the old container {gone[0][:12]} of {name} is not there any more", hint)
    if step.args["how"] == "swap":
        replicas.stop(context, [f for f in replicas.of(context, name) if f.id not in was])
    ran = set(step.args["ran"])
    replicas.start(context, [f for f in there if f.id in ran])
    facts = replicas.wait_healthy(context, name, ran, WAIT_SECONDS) if ran else []
    return {"started": [f.name for f in there if not f.running], "runs": [f.name for f in facts]}


def _in_place(step: Step, context: Context, was: dict[str, str]) -> Mapping[str, Any]:
    """Where its old containers are gone: new ones from the image that they ran; the tag is then as it was.

    What did not run before does not run afterwards.
    """
    name, ran = str(step.args["service"]), list(step.args["ran"])
    there = replicas.of(context, name)
    if not was:
        return {"runs": [f.name for f in there if f.running], "seen": "it had no container"}
    if all(f.id in was for f in there) and len(there) == len(was):
        replicas.start(context, [f for f in there if f.id in ran])
        return {"runs": [f.name for f in there if f.id in ran], "seen": "never replaced"}
    image = next(iter(was.values()), "")
    if any(f.image_id != image for f in there) or not there:
        _tag(context, image, step.args["tag"])
        run_checked(step.argv, timeout=step.timeout_seconds, env=environment(context.target))
    facts = replicas.wait_healthy(context, name, seconds=WAIT_SECONDS) if ran else []
    if step.args["tag_was"]:
        _tag(context, step.args["tag_was"], step.args["tag"])
    return {"runs": [f.name for f in facts], "image": image[7:19]}


def _tag(context: Context, image: str, reference: str) -> None:
    if engine.image_id(engine.client(context.target), reference) != image:
        run_checked(("docker", "tag", image, reference), timeout=60, env=environment(context.target))


@verb("service.remove_new")
def remove_new(step: Step, context: Context) -> Mapping[str, Any]:
    """Stop and remove the new containers of a service whose old ones serve again.

    Raises:
        StepFailed: no old one runs.
    """
    name, was = str(step.args["service"]), set(step.args["was"])
    canary.remove(context.target)
    there = replicas.of(context, name)
    new = [f for f in there if f.id not in was]
    if new and step.args["ran"] and not any(f.running for f in there if f.id in was):
        raise StepFailed(f"no old container of {name} runs, so the new ones stay", "diagnose what serves")
    replicas.stop(context, new)
    for fact in new:
        engine.client(context.target).api.remove_container(fact.id, v=True)
    return {"removed": [f.name for f in new]}
