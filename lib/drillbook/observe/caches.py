"""Caches between source and response: the engine's build records, and folders of the host that a build may reuse."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from drillbook.errors import RunbookError
from drillbook.observe.build_cache import build_records
from drillbook.observe.compose import compose_argv
from drillbook.observe.engine import stack_of
from drillbook.observe.facts import CachesFact, ContextFact, ServiceFact, SourceFact
from drillbook.observe.facts_signs import BuildRecord, FolderFact
from drillbook.target import Target

WELL_KNOWN = (
    ".next", "node_modules", "__pycache__", ".pytest_cache", "dist", "build", "target", ".turbo", ".parcel-cache",
    ".gradle", ".venv",
)  # fmt: skip
WITHIN = {".next": "cache", "node_modules": ".cache"}
DEPTH = 3
MOST_FILES = 200_000
"""Counting stops here, over all folders of a target: a map must not take longer than the incident allows."""


def caches(
    target: Target,
    services: tuple[ServiceFact, ...],
    sources: Mapping[str, SourceFact],
    contexts: Mapping[str, ContextFact],
) -> CachesFact:
    """Every cache that a build of *target* may draw from. Changes nothing.

    Where the engine's records cannot be listed, `unlisted` says why and the rest is there.

    Raises:
        RunbookError: the target has no stack.
    """
    host = stack_of(target).docker_host
    engine = ("docker", "-H", host) if host else ("docker",)
    records: tuple[BuildRecord, ...] = ()
    unlisted = ""
    try:
        records = build_records(target, time.time())
    except RunbookError as error:
        unlisted = error.fact
    return CachesFact(
        records=records,
        folders=_folders(target, sources, contexts),
        declared={s.name: named for s in services if (named := _declared(s))},
        compose=(*engine, *compose_argv(target)[1:]),
        engine=engine,
        unlisted=unlisted,
    )


def _declared(service: ServiceFact) -> tuple[str, ...]:
    return (*(f"from {name}" for name in service.cache_from), *(f"to {name}" for name in service.cache_to))


@dataclass
class _Budget:
    files: int


def _folders(
    target: Target, sources: Mapping[str, SourceFact], contexts: Mapping[str, ContextFact]
) -> tuple[FolderFact, ...]:
    """Each folder once, under the first service that has it; those that a build is given are counted first."""
    found: dict[Path, tuple[str, bool]] = {}
    for service, source in sources.items():
        base = Path(source.directory)
        for name in sorted(_names(target, service, source)):
            folder = base / name
            let_in = _in_context(folder, contexts.get(service)) or name in source.artifacts_in_context
            if folder not in found or let_in:
                found[folder] = (service, let_in)
    budget = _Budget(MOST_FILES)
    ordered = sorted(found.items(), key=lambda item: (not item[1][1], str(item[0])))
    return tuple(_folder(folder, service, budget, in_context=let_in) for folder, (service, let_in) in ordered)


def _names(target: Target, service: str, source: SourceFact) -> set[str]:
    """Declared artifacts that are there, and well-known ones that hold no file of the source itself."""
    base = Path(source.directory)
    code = stack_of(target).services[service].code if service in stack_of(target).services else None
    declared = {name for name in (code.artifacts if code else ()) if (base / name).is_dir()}
    above = {str(p) for path in source.tracked for p in Path(path).parents}
    return declared | {name for name in _well_known(base) if name not in above}


def _well_known(base: Path) -> Iterator[str]:
    """Paths below *base* with a well-known name, at most three folders deep; links are not followed."""
    for here, folders, _ in os.walk(base):
        above = Path(here).relative_to(base)
        there = [name for name in folders if not (Path(here) / name).is_symlink()]
        for name in (n for n in there if n in WELL_KNOWN):
            yield str(above / name)
            if name in WITHIN and (Path(here) / name / WITHIN[name]).is_dir():
                yield str(above / name / WITHIN[name])
        deeper = len(above.parts) + 1 < DEPTH
        folders[:] = [n for n in there if deeper and n not in WELL_KNOWN and n != ".git"]


def _in_context(folder: Path, context: ContextFact | None) -> bool:
    if context is None or not folder.is_relative_to(context.directory):
        return False
    inside = f"{folder.relative_to(context.directory)}/"
    return any(path.startswith(inside) for path in context.untracked)


def _folder(folder: Path, service: str, budget: _Budget, *, in_context: bool) -> FolderFact:
    files, size, newest = 0, 0, 0.0
    for here, _, names in os.walk(folder):
        for name in names[: max(0, budget.files)]:
            try:
                seen = (Path(here) / name).lstat()
            except OSError:  # gone between the list and the look
                continue
            files, size, newest = files + 1, size + seen.st_size, max(newest, seen.st_mtime)
            budget.files -= 1
        if budget.files <= 0:
            break
    return FolderFact(str(folder), service, files, size, newest, in_context, cut=budget.files <= 0)
