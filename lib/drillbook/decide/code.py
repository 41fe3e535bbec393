"""One service's code as all levels saw it, brought together, and what follows from holding them side by side."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from drillbook.decide.content import below, is_code, matching, named
from drillbook.decide.derived import is_fetched, is_output
from drillbook.decide.dockerfile_lines import code_mounts, output_mounts
from drillbook.observe.facts import (
    BaseFact,
    ContainerFact,
    ContextFact,
    DockerfileFact,
    FilesFact,
    ImageFact,
    ProcessFact,
    Snapshot,
    SourceFact,
)

WHOLE = re.compile(r"^(?:--\S+\s+)*(?:\.|\./)\s")
REMOVES = re.compile(r"\brm\s|\bprune\b|\bmv\s")
TESTS = re.compile(r"(^|[/._-])(tests?|specs?|stories|__tests__|fixtures|d)([/._-]|$)")


@dataclass(frozen=True)
class ServiceCode:
    """Everything seen of one service's code. `image` is what its tag means now: what a recreation would run."""

    service: str
    source: SourceFact
    context: ContextFact | None
    dockerfile: DockerfileFact | None
    image: FilesFact | None
    images: Mapping[str, FilesFact]
    engine_image: ImageFact | None
    base: BaseFact | None
    containers: tuple[ContainerFact, ...]
    processes: tuple[ProcessFact, ...]
    generated: Callable[[str], bool]

    @cached_property
    def covered(self) -> tuple[str, ...]:
        """The paths that a mount covers in every running container: there the image's files do not run."""
        if not self.processes:
            return ()
        first, *others = [set(fact.covers) for fact in self.processes]
        return tuple(sorted(first.intersection(*others)))

    @cached_property
    def copied_whole(self) -> bool:
        """Whether the last stage copies the whole context and removes nothing from it."""
        if self.dockerfile is None or not self.dockerfile.instructions:
            return False
        last = max(i.stage for i in self.dockerfile.instructions)
        words = [i for i in self.dockerfile.instructions if i.stage == last]
        copies = any(i.word in ("COPY", "ADD") and WHOLE.match(i.value) for i in words)
        return copies and not any(i.word == "RUN" and REMOVES.search(i.value) for i in words)

    @cached_property
    def wrong(self) -> tuple[str, ...]:
        """Source files that the image should have as they are, and has not."""
        if self.image is None:
            return ()
        files, tracked = self.image.files, self.source.tracked
        there = {path for path in tracked if path in files and files[path] != tracked[path]}
        return tuple(sorted(p for p in {*there, *self._gone()} if self._counts(p)))

    def _gone(self) -> set[str]:
        assert self.image is not None
        files, tracked = self.image.files, self.source.tracked
        if not any(path in files for path in tracked):
            return set()
        if self.copied_whole and self.context is not None:
            return {path for path in self.context.tracked if path in tracked and path not in files}
        if self.dockerfile is not None and self.dockerfile.instructions:
            return set()
        copied = {path.rpartition("/")[0] for path in tracked if path in files}
        dropped = set(self.context.dropped) if self.context else set()
        return {
            p for p in tracked if p not in files and "/" in p and p.rpartition("/")[0] in copied and p not in dropped
        }

    def _counts(self, path: str) -> bool:
        return not self.generated(path) and not any(below(path, cover) for cover in self.covered)

    @cached_property
    def equal(self) -> tuple[str, ...]:
        """Source files that the image holds as they are."""
        if self.image is None:
            return ()
        return tuple(p for p, digest in self.source.tracked.items() if self.image.files.get(p) == digest)

    @cached_property
    def synced(self) -> tuple[str, ...]:
        """Wrong files that have the source's size and time: BuildKit's context sync takes such a file as unchanged."""
        if self.image is None:
            return ()
        ours, theirs = self.source.stamps, self.image.stamps
        return tuple(p for p in self.wrong if p in ours and p in theirs and ours[p] == theirs[p])

    @cached_property
    def outdated(self) -> tuple[str, ...]:
        """Wrong files that the context sync does not explain."""
        return tuple(p for p in self.wrong if p not in self.synced)

    @cached_property
    def bundled_wrong(self) -> tuple[str, ...]:
        """Sources that the image's bundle was made from in another content than the source has."""
        if self.image is None:
            return ()
        tracked = self.source.tracked
        return tuple(sorted(p for p, digest in self.image.built_from.items() if tracked.get(p) != digest))

    @cached_property
    def bundle_alone(self) -> tuple[str, ...]:
        """Of those, the ones that are not simply what lies beside the bundle in the image."""
        files = self.image.files if self.image else {}
        return tuple(p for p in self.bundled_wrong if files.get(p) != (self.image and self.image.built_from[p]))

    @cached_property
    def unbundled(self) -> tuple[str, ...]:
        """Source files that the bundle lacks although every other one of their kind in their top folder is in it."""
        bundled = set(self.image.built_from) if self.image else set()
        found = []
        for top, suffix in {(p.split("/")[0], p.rpartition(".")[2]) for p in bundled if "/" in p}:
            kind = [p for p in self.source.tracked if p.startswith(f"{top}/") and p.endswith(f".{suffix}")]
            found += [p for p in kind if p not in bundled and not TESTS.search(p)]
        return tuple(sorted(found))

    @cached_property
    def artifacts(self) -> tuple[str, ...]:
        """Untracked files of the host that lie byte for byte in the image, and that no package manager fetched."""
        files = self.image.files if self.image else {}
        known = {p for p, digest in self.source.artifacts.items() if files.get(p) == digest}
        through = {p for p in self.context.identical if is_code(p) and not is_fetched(p)} if self.context else set()
        allowed = known if self.context is None else known & set(self.context.untracked)
        return tuple(sorted(allowed | through))

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Of those, what a build of the sources made on the host: declared so, or told by its place."""
        return tuple(p for p in self.artifacts if p in self.source.artifacts or is_output(p))

    @cached_property
    def shipped(self) -> bool:
        """Whether the manifest in the image is the host's, byte for byte: then so is the bundle that it tells of."""
        if self.image is None or self.image.manifest not in self.image.files:
            return bool(self.artifacts)
        host = {**self.source.artifacts, **(self.context.identical if self.context else {})}
        let_in = self.context is None or self.image.manifest in self.context.untracked
        return let_in and host.get(self.image.manifest) == self.image.files[self.image.manifest]

    @cached_property
    def cache_mounts(self) -> tuple[tuple[int, str], ...]:
        """Line and text of every RUN of the Dockerfile that mounts a cache which is no package manager's."""
        words = self.dockerfile.instructions if self.dockerfile else ()
        return tuple((i.line, i.value) for i in words if i.word == "RUN" and code_mounts(i))

    @cached_property
    def untied(self) -> str:
        """Why nothing ties what was built in the image to its sources; empty where something does, or none was."""
        if self.image is None or self.image.built_from or "." in self.covered:
            return ""
        if self.outputs:
            return f"{len(self.outputs)} are byte-identical to untracked files of the host: {named(self.outputs)}"
        words = self.dockerfile.instructions if self.dockerfile else ()
        kept = next((i for i in words if i.word == "RUN" and output_mounts(i)), None)
        made = [p for p in self.image.files if is_code(p) and is_output(p) and p not in self.source.tracked]
        if kept and made:
            return f"{len(made)} were made in a cache mount, line {kept.line} of its Dockerfile: {named(sorted(made))}"
        return ""


def services_code(snapshot: Snapshot) -> tuple[ServiceCode, ...]:
    """Every service whose code the target's file places, in the file's order."""
    return tuple(_service(snapshot, name, source) for name, source in snapshot.sources.items())


def _service(snapshot: Snapshot, name: str, source: SourceFact) -> ServiceCode:
    containers = tuple(c for c in snapshot.containers if c.service == name and c.running)
    image = tagged_image(snapshot, name)
    return ServiceCode(
        service=name,
        source=source,
        context=snapshot.contexts.get(name),
        dockerfile=snapshot.dockerfiles.get(name),
        image=image,
        images={f.subject: f for f in snapshot.images if f.service == name},
        engine_image=snapshot.engine_images.get(image.subject) if image else None,
        base=snapshot.bases.get(name),
        containers=containers,
        processes=tuple(p for p in snapshot.processes if p.service == name),
        generated=matching(snapshot.generated.get(name, ())),
    )


def tagged_image(snapshot: Snapshot, service: str) -> FilesFact | None:
    """The code in the image that the service's tag means now; where the tag is gone, in what runs."""
    images = [f for f in snapshot.images if f.service == service]
    tags = {c.tag_image_id for c in snapshot.containers if c.service == service}
    return next((f for f in images if f.subject in tags), images[0] if images else None)
