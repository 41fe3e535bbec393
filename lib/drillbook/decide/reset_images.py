"""New images before anything that runs is touched: what runs kept by tag, a clean context, a build, a proof."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drillbook.decide.content import source_digest
from drillbook.decide.image_names import kept_tag, repository
from drillbook.decide.plan import Object, Step
from drillbook.errors import RunbookError
from drillbook.observe.facts import Snapshot, SourceFact
from drillbook.target import Stack

BUILD_TIMEOUT_SECONDS = 1800
LABELS = ("drillbook.build-id", "drillbook.source-digest", "org.opencontainers.image.revision")


@dataclass(frozen=True)
class Commands:
    """What compose commands start with, in the deployed folder and in the staged context, and where that is.

    `override` is the file that gives a build its own tag, labels and arguments, on top of the compose files.
    """

    compose: tuple[str, ...]
    staged: tuple[str, ...]
    staging: str
    override: str = ""


@dataclass(frozen=True)
class NewImages:
    """The steps that make them; `images`: service → the tag of its own that its new image gets first."""

    steps: tuple[Step, ...]
    images: Mapping[str, str]
    build_id: str


def built(stack: Stack, snapshot: Snapshot, names: Sequence[str], commands: Commands) -> NewImages:
    """Stage the tracked files, build *names* there to a tag of its own, and prove each image against the source.

    Raises:
        RunbookError: a build context lies outside the target's folder, so it cannot be staged.
    """
    source = snapshot.deployed
    services = [s for s in snapshot.services if s.name in names]
    outside = [s.context for s in services if not _inside(s.context, source)]
    if source is None or outside:
        where = outside[0] if outside else "the deployed folder"
        raise RunbookError(f"{where} cannot be staged: it is not inside the target's folder", "mend stack.directory")
    digest = source_digest(source.tracked)
    images = {s.name: f"{repository(s.image)}:drillbook-build-{digest[:12]}" for s in services}
    derived = sorted({c.placed(a) for s in stack.services.values() if (c := s.code) for a in c.artifacts})
    args = {
        "from": source.directory, "to": commands.staging, "digest": digest, "without": derived,
        "extras": list(stack.extras),
        "override": commands.override, "services": _override(images, digest, source.revision),
    }  # fmt: skip
    stage = Step("stage-context", "context.stage", f"{len(source.tracked)} tracked files", args=args)
    argv = (*commands.staged, "build", "--no-cache", *names)
    build = Step("build-images", "image.build", ", ".join(names), argv, timeout_seconds=BUILD_TIMEOUT_SECONDS,
                 args={"images": images, "labels": _labels(digest, source.revision)})  # fmt: skip
    return NewImages((stage, build, *proofs(images)), images, digest[:12])


def proofs(images: Mapping[str, str]) -> tuple[Step, ...]:
    """A step for each service that holds its new image against the source."""
    return tuple(
        Step(f"prove-{name}", "image.prove", image, args={"service": name, "image": image})
        for name, image in images.items()
    )


def _labels(digest: str, revision: str) -> dict[str, str]:
    return dict(zip(LABELS, (digest[:12], digest, revision or "unknown"), strict=True))


def _override(images: Mapping[str, str], digest: str, revision: str) -> dict[str, dict[str, object]]:
    """What is laid over each service for the build alone: a tag of its own, labels, BUILD_ID."""
    build = {"args": {"BUILD_ID": digest[:12]}, "labels": _labels(digest, revision)}
    return {name: {"image": image, "build": build} for name, image in images.items()}


def _inside(context: str, source: SourceFact | None) -> bool:
    if source is None or not context.startswith("/"):
        return False
    return f"{posixpath.normpath(context)}/".startswith(f"{source.directory}/")


def keep(snapshot: Snapshot, names: Sequence[str]) -> tuple[Step, ...]:
    """A tag for each image that containers of *names* run, so that nothing takes it away."""
    steps = []
    for container in snapshot.containers:
        if container.service in names:
            tag, image = kept_tag(container), container.image_id
            steps.append(
                Step(f"keep-{container.name}", "command", tag, ("docker", "tag", image, tag), timeout_seconds=60)
            )
    return tuple(steps)


def objects(snapshot: Snapshot, names: Sequence[str]) -> tuple[Object, ...]:
    """The images that are replaced: none is removed, each keeps a tag."""
    found = {}
    for c in snapshot.containers:
        if c.service in names:
            image = snapshot.engine_images.get(c.image_id)
            found[kept_tag(c)] = Object(
                "images", "image", f"{c.image_ref} {c.image_id[7:19]}", f"tag-{c.service}",
                f"loses the tag {c.image_ref}; stays as {kept_tag(c)}", f"docker tag {kept_tag(c)} {c.image_ref}",
                image.bytes if image else None, image.created if image else 0.0,
            )  # fmt: skip
    return tuple(found.values())
