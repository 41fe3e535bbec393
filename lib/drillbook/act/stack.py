"""The actions of a reset on a compose stack: keep, stage, build, prove, replace, hold."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drillbook.act import durable
from drillbook.act.executor import Context, verb
from drillbook.decide.content import differing, source_digest
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed
from drillbook.observe import endpoint, engine
from drillbook.observe.command import environment, run_checked
from drillbook.observe.compose import services
from drillbook.observe.facts import ContainerFact
from drillbook.observe.files import image_files
from drillbook.observe.source import sha256, source_tree

HEALTHY_SECONDS = 120
POLL_SECONDS = 0.3


@verb("command")
def command(step: Step, context: Context) -> Mapping[str, Any]:
    """Run the step's argv as it stands."""
    done = run_checked(step.argv, timeout=step.timeout_seconds, env=environment(context.target))
    return {"code": done.code, "said": done.complaint}


@verb("context.stage")
def stage(step: Step, context: Context) -> Mapping[str, Any]:
    """Copy the source files, and nothing else, to a new folder with fresh times; prove the copy by digest."""
    origin, staging = Path(step.args["from"]), Path(step.args["to"])
    source = source_tree(origin, tuple(step.args["without"]))
    if staging.exists():
        shutil.rmtree(staging)
    staging.mkdir(parents=True, mode=0o700)
    for name in source.tracked:
        to = staging / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(origin / name, to, follow_symlinks=False)
    digest = source_digest({name: sha256(staging / name) for name in source.tracked})
    if digest != step.args["digest"]:
        raise StepFailed(
            "the source changed while it was staged", "let the deployment finish, then run the reset again"
        )
    return {"files": len(source.tracked), "digest": digest}


@verb("image.build")
def build(step: Step, context: Context) -> Mapping[str, Any]:
    """Build from the staged context; what runs is not touched."""
    env = environment(context.target, DOCKER_BUILDKIT="1")
    hint = "nothing that runs was touched; mend the build, then run the reset again"
    done = run_checked(step.argv, timeout=step.timeout_seconds, env=env, hint=hint)
    durable.replace(context.folder / "build.log", (done.stdout + done.stderr).encode())
    images = {s.name: engine.image_id(engine.client(context.target), s.image) for s in services(context.target)}
    return {"images": {name: images[name] for name in step.argv if name in images}, "seconds": round(done.seconds, 1)}


@verb("image.prove")
def prove(step: Step, context: Context) -> Mapping[str, Any]:
    """Hold the new image against the source, file by file and by its bundle's manifest, before anything runs it."""
    target, name = context.target, step.args["service"]
    image = next(s.image for s in services(target) if s.name == name)
    code = target.stack.services[name].code if target.stack else None
    assert code is not None
    source = source_tree((target.directory / code.source).resolve(), code.artifacts)
    found = image_files(engine.client(target), image, name, code)
    wrong = differing(source, found.files)
    wrong += [path for path, digest in found.built_from.items() if source.tracked.get(path) != digest]
    if wrong or not found.files:
        raise StepFailed(f"the new image of {name} is not the source: {', '.join(wrong[:3]) or 'no files'}",
                         "what runs was not touched; mend the Dockerfile, then run the reset again", wrong)  # fmt: skip
    return {"image": image, "files": len(found.files), "bundled": len(found.built_from), "differing": 0}


@verb("service.replace")
def replace(step: Step, context: Context) -> Mapping[str, Any]:
    """Recreate one service on its tag's image and wait until it is healthy; its volumes stay."""
    target, name = context.target, step.args["service"]
    before = {v.name for v in engine.volumes(target)}
    done = run_checked(step.argv, timeout=step.timeout_seconds, env=environment(target))
    facts = wait_healthy(context, name)
    stale = [f.name for f in facts if f.image_id != f.tag_image_id]
    lost = before - {v.name for v in engine.volumes(target)}
    if stale or lost:
        raise StepFailed(f"after replacing {name}: stale {stale}, volumes lost {sorted(lost)}", "stop; diagnose again")
    return {"containers": {f.name: f.image_id[7:19] for f in facts}, "seconds": round(done.seconds, 1)}


def wait_healthy(context: Context, service: str, seconds: float = HEALTHY_SECONDS) -> list[ContainerFact]:
    """The service's containers once every one runs and is healthy.

    Raises:
        StepFailed: one is not, after *seconds*.
    """
    until = time.monotonic() + seconds
    while True:
        facts = [f for f in engine.containers(context.target) if f.service == service]
        if facts and all(f.running and f.health in ("", "healthy") for f in facts):
            return facts
        if time.monotonic() > until:
            state = (
                ", ".join(f"{f.name} {'running' if f.running else 'exited'} {f.health}" for f in facts)
                or "no container"
            )
            raise StepFailed(
                f"{service} was not healthy within {seconds:.0f} s: {state}", f"docker compose logs {service}"
            )
        time.sleep(POLL_SECONDS)


@verb("artifact.set_aside")
def set_aside(step: Step, context: Context) -> Mapping[str, Any]:
    """Move a host artifact into the run's folder."""
    origin = context.target.directory / step.args["path"]
    if not origin.exists():
        return {"was": "not there any more"}
    place = context.folder / "aside" / step.args["path"]
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = sum(len(names) for _, _, names in os.walk(origin))
    shutil.move(origin, place)
    return {"moved_to": str(place), "files": files}


@verb("volumes.hold")
def hold(step: Step, context: Context) -> Mapping[str, Any]:
    """Every volume that was there when the plan was made is there now."""
    now = {v.name for v in engine.volumes(context.target)}
    lost = sorted(set(step.args["names"]) - now)
    if lost:
        raise StepFailed(
            f"volumes are gone that no step removes: {', '.join(lost)}", "stop; restore from the proven backup"
        )
    return {"volumes": sorted(now), "lost": []}


@verb("endpoints.answer")
def answer(step: Step, context: Context) -> Mapping[str, Any]:
    """Every endpoint answers as it must, N times in a row, with the new build's id where it tells one."""
    seen: dict[str, list[int]] = {}
    for _ in range(step.args["times"]):
        for fact in endpoint.responses(context.target):
            seen.setdefault(fact.endpoint, []).append(fact.status)
            stale = bool(step.args["build_id"] and fact.build_id and fact.build_id != step.args["build_id"])
            if fact.status != fact.expected_status or stale:
                said = fact.error or fact.body[:160]
                raise StepFailed(
                    f"{fact.url} answers {fact.status} with build {fact.build_id or '?'}: {said}",
                    "diagnose again; the replaced images are kept, tagged drillbook-kept-…",
                )
    return {"answers": seen}
