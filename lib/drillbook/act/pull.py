"""Images from a registry: taken by digest, held against it, and given a tag of their own; nothing that runs changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drillbook.act.executor import Context, verb
from drillbook.decide.content import source_digest
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed
from drillbook.observe import engine
from drillbook.observe.command import environment, run_checked
from drillbook.observe.source import source_tree

LABEL = "drillbook.source-digest"
UNTOUCHED = "nothing that runs was touched; see that the registry answers, then run the reset again"


@verb("image.pull")
def pull(step: Step, context: Context) -> Mapping[str, Any]:
    """Have the image of this very digest on the engine, under its own tag; one that is there already counts.

    Raises:
        CommandFailed: the registry does not give it.
        StepFailed: what came is not of this digest, or not for the engine's platform.
    """
    target, tag = context.target, str(step.args["tag"])
    seen = _image(context, step)
    was_there = bool(seen)
    if not was_there:
        run_checked(step.argv, timeout=step.timeout_seconds, env=environment(target), hint=UNTOUCHED)
        seen = _image(context, step)
    _hold(step, seen)
    run_checked(("docker", "tag", seen["Id"], tag), timeout=60, env=environment(target))
    if engine.image_id(engine.client(target), tag) != seen["Id"]:
        raise StepFailed(f"{tag} is not what was pulled", "somebody else tags; diagnose again")
    told = {"image": seen["Id"][7:19], "tag": tag, "bytes": int(seen.get("Size", 0)), "label": _label(context, seen)}
    return {**told, "seen": "there before"} if was_there else told


def _image(context: Context, step: Step) -> dict[str, Any]:
    """The engine's own word on the image; empty when it has none of this digest."""
    import docker

    client = engine.client(context.target)
    with engine.answering(f"what {step.subject} is"):
        try:
            return dict(client.api.inspect_image(step.args["image"]))
        except docker.errors.NotFound:
            return {}


def _hold(step: Step, seen: Mapping[str, Any]) -> None:
    name, digest = step.args["service"], step.subject.partition("@")[2]
    held = [one.partition("@")[2] for one in seen.get("RepoDigests") or ()]
    if digest not in held:
        raise StepFailed(f"what was pulled for {name} is not {digest}", UNTOUCHED, held)
    own = f"{seen['Os']}/{seen['Architecture']}"
    if own != step.args["platform"]:
        fact = f"the image of {name} is for {own}, the engine runs {step.args['platform']}"
        raise StepFailed(fact, "push one for it; nothing that runs was touched")


def _label(context: Context, seen: Mapping[str, Any]) -> str:
    """Whether the label of a build of ours tells the source as deployed here; empty where there is no such label.

    Another one is told and not judged: it is a digest of the whole folder, the compose file that names the image too.
    """
    target, label = context.target, str(((seen.get("Config") or {}).get("Labels") or {}).get(LABEL, ""))
    if not label or target.stack is None:
        return ""
    code = [service.code for service in target.stack.services.values() if service.code]
    derived = tuple(sorted({place.placed(name) for place in code for name in place.artifacts}))
    same = label == source_digest(source_tree(target.directory, derived).tracked)
    return "this source" if same else f"another source, {label[:12]}: the content decides"
