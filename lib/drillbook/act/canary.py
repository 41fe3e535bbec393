"""A canary: one container of the new image with the service's own configuration, that no name leads to."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from drillbook.act import durable, evidence, replicas
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded, undo
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed
from drillbook.observe import engine
from drillbook.observe.command import environment, run_checked
from drillbook.observe.compose import image_name, rendered
from drillbook.observe.facts import ContainerFact
from drillbook.target import Target

LABEL = "drillbook.canary"
LOG_LINES = 1000
LEFT_OUT = (
    "build", "ports", "container_name", "depends_on", "links", "deploy", "scale", "profiles", "hostname", "labels",
)  # fmt: skip
"""What would bind the canary to a name, a port or another start than its own."""


@verb("service.canary")
@guarded
def canary(step: Step, context: Context) -> Mapping[str, Any]:
    """Start one container of the new image beside the service, wait until it is healthy, ask it straight; then it goes.

    It has the service's environment, secrets, mounts and networks, but no alias: no request of a user reaches it.

    Raises:
        StepFailed: it does not get healthy, does not answer, or tells another build; nothing that runs was touched.
    """
    service = str(step.args["service"])
    if context.resumes and (serving := _serving(step, context, service)):
        return {"image": serving.image_id[7:19], "seen": f"{serving.name} runs it and is healthy"}
    remove(context.target)
    undo(context, lambda: remove(context.target))
    project = f"drillbook-canary-{context.target.identity[:8]}"
    config = variant(rendered(context.target), service, str(step.args["image"]), context.target.identity)
    argv = ("docker", "compose", "-p", project, "--project-directory", str(context.target.directory), "-f", "-")
    run_checked(
        (*argv, "up", "-d", "--no-build", "canary"), timeout=step.timeout_seconds,
        env=environment(context.target), stdin=json.dumps({**config, "name": project}),
    )  # fmt: skip
    try:
        fact = _healthy(context, step.timeout_seconds)
        build = replicas.ask_straight(context, service, fact.address, fact.name)
    finally:
        keep_log(context, service)
        remove(context.target)
    return {"image": fact.image_id[7:19], "healthy": True, "build_id": build}


def _serving(step: Step, context: Context, service: str) -> ContainerFact | None:
    """A container of the service that runs the new image already, which says more than any canary."""
    image = str(step.args["image"])
    wanted = engine.image_id(engine.client(context.target), image) if image else ""
    there = [f for f in replicas.of(context, service) if wanted and f.image_id == wanted]
    return next((f for f in there if f.running and f.health in ("", "healthy")), None)


def variant(config: Mapping[str, Any], service: str, image: str, identity: str) -> dict[str, Any]:
    """*config*, as compose renders it, with nothing but *service* on *image*, called `canary`, in the same networks."""
    body = deepcopy(dict(config["services"][service]))
    image = image or image_name(config, service, body)
    for key in LEFT_OUT:
        body.pop(key, None)
    networks = list(body.get("networks") or {})
    body |= {"image": image, "pull_policy": "never", "restart": "no", "labels": {LABEL: identity}}
    if networks:
        body["networks"] = dict.fromkeys(networks)
    used = {m["source"] for m in body.get("volumes") or () if m["type"] == "volume" and m.get("source")}
    return {
        "services": {"canary": body},
        "networks": {n: {"external": True, "name": config["networks"][n]["name"]} for n in networks},
        "volumes": {v: {"external": True, "name": config["volumes"][v]["name"]} for v in used},
        **{kind: config[kind] for kind in ("secrets", "configs") if config.get(kind)},
    }


def _healthy(context: Context, seconds: float) -> ContainerFact:
    until = time.monotonic() + seconds
    while True:
        fact = next(iter(canaries(context.target)), None)
        if fact and fact.running and fact.health in ("", "healthy"):
            return fact
        if fact is None or fact.health == "unhealthy" or not fact.running or time.monotonic() > until:
            state = "is gone" if fact is None else f"is {'running' if fact.running else f'exited {fact.exit_code}'}"
            raise StepFailed(
                f"the new image did not get healthy: its canary {state} {fact.health if fact else ''}".rstrip(),
                "nothing that runs was touched; canary-*.log in the run's folder says why",
            )
        time.sleep(replicas.POLL_SECONDS)


def canaries(target: Target) -> list[ContainerFact]:
    """The canaries of this target that are there, running or not."""
    return list(engine.labelled(target, f"{LABEL}={target.identity}"))


def keep_log(context: Context, service: str) -> None:
    """Put what the canary said into the run's folder, mode 0600."""
    api = engine.client(context.target).api
    for fact in canaries(context.target):
        durable.replace(context.folder / f"canary-{service}.log", evidence.log(api, fact.id, LOG_LINES))


def remove(target: Target) -> None:
    """Remove this target's canaries, those of a run that was killed too, and the nameless volumes that are theirs."""
    api = engine.client(target).api
    for fact in canaries(target):
        api.remove_container(fact.id, force=True, v=True)
