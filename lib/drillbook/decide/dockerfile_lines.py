"""Single instructions that make a build stale or its image nameless."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from drillbook.decide.derived import DERIVED
from drillbook.decide.dockerfile_context import builds
from drillbook.decide.finding import CARRIES_BUILD, Finding, Severity, Subject
from drillbook.observe.dockerfile_syntax import From, bases, stage_of
from drillbook.observe.facts_code import Instruction

MOVING = frozenset({"", "latest", "stable", "edge", "lts", "current", "main", "master", "nightly", "dev"})
CONTENT = re.compile(r"[0-9a-f]{12,}")
"""A tag with this in it is made from content."""
MOUNT = re.compile(r"--mount=(\S+)")
PACKAGES = re.compile(
    r"(?:^|/)(?:\.npm|\.yarn|\.pnpm-store|pnpm(?:/store)?|\.bun|pip|pypoetry|uv|go-build|pkg/mod|\.m2|\.gradle|\.ivy2"
    r"|\.cargo(?:/\w+)*|cargo/(?:registry|git)|composer|\.composer|\.nuget(?:/packages)?|apt|apk|dnf|yum|apt/lists"
    r"|\.bundle|ccache|sccache|\.deno|Cypress|ms-playwright)(?:/cache|/[\w.-]+)?/?$"
)
"""Caches of package managers and compilers that look things up by content or version: they give nothing old."""
LABELLED = ("ARG REVISION=unknown", 'LABEL org.opencontainers.image.revision="${REVISION}"')


def cache_mount(subject: Subject) -> Iterator[Finding]:
    """A RUN that builds into, or beside, what an earlier build left in a cache mount."""
    for run in subject.words("RUN"):
        kept = output_mounts(run)
        if kept:
            places = ", ".join(_target(mount) for mount in kept)
            says = (
                f"what earlier builds left in {places} is built upon again; --no-cache need not clear it, "
                "docker buildx prune --filter type=exec.cachemount does"
            )
            yield subject.at("cache-mount", run, says, _without(subject.lines(run), kept), "warn")


def output_mounts(run: Instruction) -> list[str]:
    """The cache mounts of a RUN that keep what it makes, and not only what it fetches."""
    return [m for m in code_mounts(run) if _holds_output(m, run)]


def code_mounts(run: Instruction) -> list[str]:
    """The cache mounts of a RUN but those of package managers: what is in these is looked up by version."""
    flags = re.match(r"(?:--\S+\s+)*", run.value)
    return [m for m in MOUNT.findall(flags[0] if flags else "") if _is_cache(m) and not PACKAGES.search(_target(m))]


def _options(mount: str) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in mount.split(","))


def _is_cache(mount: str) -> bool:
    return _options(mount).get("type") == "cache"


def _target(mount: str) -> str:
    options = _options(mount)
    return options.get("target") or options.get("dst") or options.get("destination") or ""


def _holds_output(mount: str, run: Instruction) -> bool:
    place = _target(mount).strip("'\"")
    if any(part in DERIVED - {".cache", ".gradle"} for part in PurePosixPath(place).parts):
        return True
    return builds(run.value) and not PACKAGES.search(place)


def _without(lines: tuple[str, ...], mounts: list[str]) -> list[str]:
    text = "\n".join(lines)
    for mount in mounts:
        text = re.sub(rf"--mount={re.escape(mount)}[ \t]*(?:[\\`][ \t]*\n[ \t]*)?", "", text)
    return text.split("\n")


def floating_base(subject: Subject) -> Iterator[Finding]:
    """A FROM whose tag will mean another image one day, without a change of the Dockerfile."""
    stages = bases(subject.fact.instructions, subject.declared.build_args if subject.declared else {})
    names = {stage.name for stage in stages if stage.name}
    for stage in stages:
        reference = stage.reference
        if reference in ("", "scratch") or reference.lower() in names or "@sha256:" in reference:
            continue
        tag = reference.rpartition("/")[2].partition(":")[2]
        if not CONTENT.search(tag):
            says = f"{reference} is whatever its tag means on the day; `build` does not even ask, without --pull"
            severity: Severity = "warn" if tag.lower() in MOVING else "note"
            yield subject.at("floating-base", stage.instruction, says, _pinned(subject, stage), severity)


def _pinned(subject: Subject, stage: From) -> list[str]:
    """The FROM with a digest: the one that the tag has now, else the command that tells it."""
    lines = list(subject.lines(stage.instruction))
    match = re.match(r"\s*FROM\s+(?:--\S+\s+)*(\S+)", lines[0], re.IGNORECASE)
    known = subject.base.digest if subject.base and subject.base.reference == stage.reference else ""
    if match:
        written = match[1].strip("\"'")
        lines[0] = f"{lines[0][: match.start(1)]}{written}@{known or 'sha256:<digest>'}{lines[0][match.end(1) :]}"
    else:
        lines = [f"FROM {stage.reference}@{known or 'sha256:<digest>'}" + (f" AS {stage.name}" if stage.name else "")]
    asks = f"# docker buildx imagetools inspect {stage.reference} tells the digest"
    return lines if known else [asks, *lines]


def no_build_id(subject: Subject) -> Iterator[Finding]:
    """An image in which nothing says of which build or revision it is."""
    carriers = subject.words("ARG", "ENV", "LABEL")
    stages = bases(subject.fact.instructions, subject.declared.build_args if subject.declared else {})
    if not stages or any(CARRIES_BUILD.search(i.value) for i in carriers):
        return
    built = stage_of(stages, subject.declared.build_target if subject.declared else "")
    last = [i for i in subject.fact.instructions if i.stage == built][-1]
    says = "nothing in the image tells of which revision it is; give --build-arg REVISION=$(git rev-parse HEAD)"
    yield Finding("no-build-id", subject.service, subject.fact.path, last.end, says, LABELLED, "note")
