"""New images: a clean context staged, built to a tag of its own, proven against the source, and tagged only then."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drillbook.act import durable
from drillbook.act.executor import Context, verb
from drillbook.decide.content import compares, differing, matching, source_digest
from drillbook.decide.plan import Step
from drillbook.decide.reset_pull import speaks
from drillbook.errors import CommandFailed, StepFailed
from drillbook.observe import engine
from drillbook.observe.command import environment, run, run_checked
from drillbook.observe.files import image_files
from drillbook.observe.generated import GENERATED
from drillbook.observe.source import sha256, source_tree

UNTOUCHED = "nothing that runs was touched; mend the build, then run the reset again"


@verb("command")
def command(step: Step, context: Context) -> Mapping[str, Any]:
    """Run the step's argv as it stands."""
    done = run_checked(step.argv, timeout=step.timeout_seconds, env=environment(context.target))
    return {"code": done.code, "said": done.complaint}


@verb("context.stage")
def stage(step: Step, context: Context) -> Mapping[str, Any]:
    """Copy the source files and the declared extras, nothing else, to a new folder with fresh times; prove the copy.

    Beside the folder, never in it, lies what is laid over the compose files for this build.

    Raises:
        StepFailed: the source is not any more what the plan rests on.
    """
    origin, staging = Path(step.args["from"]), Path(step.args["to"])
    source = source_tree(origin, tuple(step.args["without"]))
    if staging.exists():
        shutil.rmtree(staging)
    staging.mkdir(parents=True, mode=0o700)
    for name in source.tracked:
        _copied(origin / name, staging / name)
    extras = [name for extra in step.args.get("extras", ()) for name in _below(origin, extra)]
    for name in (name for name in extras if name not in source.tracked):
        _copied(origin / name, staging / name)
    digest = source_digest({name: sha256(staging / name) for name in source.tracked})
    if digest != step.args["digest"]:
        raise StepFailed(
            "the source changed while it was staged", "let the deployment finish, then run the reset again"
        )
    durable.replace(Path(step.args["override"]), json.dumps({"services": step.args["services"]}, indent=1).encode())
    return {"files": len(source.tracked), "extras": len(extras), "digest": digest}


def _copied(origin: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(origin, to, follow_symlinks=False)


def _below(origin: Path, extra: str) -> list[str]:
    """The files of a declared extra, which is a file or a folder.

    Raises:
        StepFailed: it is not there.
    """
    place = origin / extra
    if not place.is_dir():
        if not place.exists():
            raise StepFailed(f"the declared extra {extra} is not in {origin}", "put it there, or mend stack.extras")
        return [extra]
    found = (Path(here) / name for here, folders, names in os.walk(place) for name in (*names, *folders))
    return sorted(str(path.relative_to(origin)) for path in found if path.is_symlink() or not path.is_dir())


@verb("image.build")
def build(step: Step, context: Context) -> Mapping[str, Any]:
    """Build from the staged context, each image to its own tag; what runs and what its tags mean is not touched.

    A resumed run takes what it built before its cut, when labels and digest are this plan's.

    Raises:
        CommandFailed: the build failed; its whole log is in the run's folder.
        StepFailed: an image does not carry its labels.
    """
    if context.resumes and (ids := _labelled(step, context)):
        return {"images": ids, "seen": "built before the cut"}
    env = environment(context.target, DOCKER_BUILDKIT="1")
    done = run(step.argv, timeout=step.timeout_seconds, env=env)
    durable.replace(context.folder / "build.log", (done.stdout + done.stderr).encode())
    if done.code != 0:
        raise CommandFailed(f"the build ended with {done.code}: {done.complaint}", UNTOUCHED, done)
    ids = _labelled(step, context)
    if not ids:
        raise StepFailed("the build ended well, but its images do not carry this plan's labels", UNTOUCHED)
    return {"images": ids, "seconds": round(done.seconds, 1)}


def _labelled(step: Step, context: Context) -> dict[str, str]:
    """service → the short id of its new image; nothing unless all are there with the plan's labels."""
    import docker

    api, found = engine.client(context.target).api, {}
    for name, reference in step.args["images"].items():
        try:
            seen = api.inspect_image(reference)
        except docker.errors.NotFound:
            return {}
        labels = seen["Config"].get("Labels") or {}
        if any(labels.get(key) != value for key, value in step.args["labels"].items()):
            return {}
        found[name] = str(seen["Id"])[7:19]
    return found


@verb("image.prove")
def prove(step: Step, context: Context) -> Mapping[str, Any]:
    """Hold the new image against the source, file by file and by its bundle's manifest, before anything runs it.

    Files that a build makes anew (`code.generated`) may differ, as in a diagnosis. A built image in which nothing can
    be compared is `unknown`: it came from the staged source, and nothing in it says so.

    Raises:
        StepFailed: a file differs, none is there, or in a pulled image nothing could be compared.
    """
    target, name, image = context.target, str(step.args["service"]), str(step.args["image"])
    code = target.stack.services[name].code if target.stack else None
    assert code is not None
    source = source_tree((target.directory / code.source).resolve(), code.artifacts)
    found = image_files(engine.client(target), image, name, code)
    anew = matching((*GENERATED, *code.generated))
    wrong = [path for path in differing(source, found.files) if not anew(path)]
    wrong += [path for path, digest in found.built_from.items() if source.tracked.get(path) != digest]
    pulled = bool(step.args.get("pulled"))
    if wrong or not found.files:
        raise _not_the_source(name, wrong, pulled)
    if pulled and not speaks(source, found):
        raise StepFailed(f"nothing in the pulled image of {name} can be held against the source",
                         "what runs was not touched; mend code.image, or give the image a manifest")  # fmt: skip
    context.state.setdefault("builds", {})[name] = found.build_id
    return {
        "verdict": "pass" if compares(source, found) else "unknown", "image": image, "files": len(found.files),
        "bundled": len(found.built_from), "differing": 0, "build_id": found.build_id,
    }  # fmt: skip


def _not_the_source(name: str, wrong: list[str], pulled: bool) -> StepFailed:
    mend = "push one that is built from this source" if pulled else "mend the Dockerfile"
    return StepFailed(f"the new image of {name} is not the source: {', '.join(wrong[:3]) or 'no files'}",
                      f"what runs was not touched; {mend}, then run the reset again", wrong)  # fmt: skip


@verb("image.tag")
def tag(step: Step, context: Context) -> Mapping[str, Any]:
    """Give the proven image the name that compose starts containers from.

    Raises:
        StepFailed: the name means something else afterwards.
    """
    run_checked(step.argv, timeout=step.timeout_seconds, env=environment(context.target))
    client = engine.client(context.target)
    wanted, now = engine.image_id(client, str(step.args["image"])), engine.image_id(client, step.subject)
    if not wanted or wanted != now:
        raise StepFailed(f"{step.subject} is {now[7:19]}, not {wanted[7:19]}", "somebody else tags; diagnose again")
    return {"image": now[7:19]}


@verb("image.recall")
def recall(step: Step, context: Context) -> Mapping[str, Any]:
    """That the kept tag still means the image that ran, and which build that is.

    Raises:
        StepFailed: it means another image, or none.
    """
    target, name, image = context.target, str(step.args["service"]), str(step.args["image"])
    client = engine.client(target)
    now = engine.image_id(client, image)
    if now != step.args["id"]:
        raise StepFailed(f"{image} is {now[7:19] or 'gone'}, not the {step.args['id'][7:19]} that ran",
                         "nothing was touched; docker image ls shows what is kept")  # fmt: skip
    code = target.stack.services[name].code if target.stack and name in target.stack.services else None
    found = image_files(client, image, name, code) if code else None
    context.state.setdefault("builds", {})[name] = found.build_id if found else ""
    return {"image": now[7:19], "build_id": found.build_id if found else ""}
