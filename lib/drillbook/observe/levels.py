"""The code of a target's services at every level: source, context, Dockerfile, images, processes."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from drillbook.observe import context, dockerfile, engine, files, image, process
from drillbook.observe.facts import ContainerFact, FilesFact, ProcessFact, ServiceFact, SourceFact
from drillbook.observe.generated import GENERATED
from drillbook.observe.source import source_tree
from drillbook.observe.unknowns import Unknowns
from drillbook.target import Code, Target

Containers = tuple[ContainerFact, ...]


@dataclass(frozen=True)
class Sources:
    """service → its source, and the whole deployed folder; what could not be observed is missing."""

    of: dict[str, SourceFact]
    deployed: SourceFact | None


def code_levels(
    target: Target, containers: Containers, services: tuple[ServiceFact, ...], sources: Future[Sources],
    unknown: Unknowns, pool: Executor,
) -> dict[str, Any]:  # fmt: skip
    """The part of a snapshot that is about code; what cannot be observed goes into *unknown*."""
    code = declared(target)
    declarations = {s.name: s for s in services if s.name in code and s.context}
    read = sources.result()  # before the images: reading both at once, two threads wait for each other's interpreter
    images = _images(target, code, containers, services, unknown)
    processes = pool.submit(lambda: tuple(_processes(target, code, containers, images, unknown)))
    dockerfiles = {name: dockerfile.dockerfile(service) for name, service in declarations.items()}
    here = {name: fact for name, fact in dockerfiles.items() if fact}
    engine_images, bases = _engine_images(target, images, declarations, here, unknown)
    return {
        "deployed": read.deployed,
        "sources": read.of,
        "generated": {name: (*GENERATED, *place.generated) for name, place in code.items()},
        "contexts": _contexts(declarations, read.of, images, containers, unknown),
        "dockerfiles": here,
        "images": tuple(images.values()),
        "engine_images": engine_images,
        "bases": bases,
        "processes": processes.result(),
    }


def declared(target: Target) -> dict[str, Code]:
    """service → where its code lies, for each service whose code the target's file places."""
    return {n: s.code for n, s in target.stack.services.items() if s.code} if target.stack else {}


def sources(target: Target, unknown: Unknowns) -> Sources:
    """The sources of each service whose code is declared; each folder is read once."""
    code, seen = declared(target), dict[str, SourceFact | None]()
    trees: dict[tuple[Path, tuple[str, ...]], SourceFact | None] = {}
    for name, place in code.items():
        key = ((target.directory / place.source).resolve(), place.artifacts)
        if key not in trees:
            trees[key] = unknown.attempt(f"source of {name}", partial(source_tree, *key), None)
        seen[name] = trees[key]
    artifacts = tuple(sorted({place.placed(name) for place in code.values() for name in place.artifacts}))
    deployed = trees.get((target.directory.resolve(), artifacts))
    if deployed is None:
        deployed = unknown.attempt("deployed folder", lambda: source_tree(target.directory, artifacts), None)
    return Sources({name: fact for name, fact in seen.items() if fact}, deployed)


def _images(
    target: Target, code: dict[str, Code], containers: Containers, services: Iterable[ServiceFact], unknown: Unknowns
) -> dict[tuple[str, str], FilesFact]:
    """(service, image id) → the code in it, for what the tag means and for what runs, the tag's first."""
    if "containers" in unknown:
        return {}
    found: dict[tuple[str, str], FilesFact] = {}
    for name, place in code.items():
        there = [c for c in containers if c.service == name]
        wanted = [c.tag_image_id for c in there] + [c.image_id for c in there if c.running]
        wanted += [_tagged(target, s, unknown) for s in services if s.name == name and not there]
        for image_id in dict.fromkeys(filter(None, wanted)):
            same = [
                f for (_, other), f in found.items() if other == image_id and _place(code[f.service]) == _place(place)
            ]
            look = partial(files.image_files, engine.client(target), image_id, name, place)
            fact = same[0] if same else unknown.attempt(f"image of {name}", look, None)
            if fact:
                found[name, image_id] = replace(fact, service=name)
    return found


def _place(code: Code) -> tuple[str, str, str]:
    return code.image, code.manifest, code.build_id


def _tagged(target: Target, service: ServiceFact, unknown: Unknowns) -> str:
    look = partial(engine.image_id, engine.client(target), service.image)
    return unknown.attempt(f"image of {service.name}", look, "")


def _engine_images(
    target: Target, images: Any, declarations: Any, dockerfiles: Any, unknown: Unknowns
) -> tuple[dict[str, Any], dict[str, Any]]:
    if "containers" in unknown:
        return {}, {}
    client = engine.client(target)
    seen = {}
    for service, image_id in images:
        reference = declarations[service].image if service in declarations else image_id[:19]
        if image_id not in seen:
            look = partial(image.image_fact, client, image_id, reference)
            seen[image_id] = unknown.attempt(f"image {image_id[7:19]}", look, None)
    bases = {
        name: unknown.attempt(f"base of {name}", partial(dockerfile.base_of, client, declarations[name], fact), None)
        for name, fact in dockerfiles.items()
    }
    return {i: f for i, f in seen.items() if f}, {n: b for n, b in bases.items() if b}


def _contexts(
    declarations: dict[str, ServiceFact], sources: dict[str, SourceFact], images: dict[tuple[str, str], FilesFact],
    containers: Containers, unknown: Unknowns,
) -> dict[str, Any]:  # fmt: skip
    found = {}
    for name, service in declarations.items():
        if name in sources:
            tags = [c.tag_image_id for c in containers if c.service == name]
            image = next((f for (n, i), f in images.items() if n == name and (not tags or i in tags)), None)
            folder = context.folder(service)
            if folder is None:
                continue
            look = partial(context.build_context, name, folder, service.dockerfile, sources[name], image)
            found[name] = unknown.attempt(f"build context of {name}", look, None)
    return {name: fact for name, fact in found.items() if fact}


def _processes(
    target: Target, code: dict[str, Code], containers: Containers, images: dict[tuple[str, str], FilesFact],
    unknown: Unknowns,
) -> Iterable[ProcessFact]:  # fmt: skip
    for container in containers:
        if container.running and container.service in code:
            image = images.get((container.service, container.image_id))
            look = partial(process.process_files, engine.client(target), container, image, code[container.service])
            fact = unknown.attempt(f"files of {container.name}", look, None)
            if fact:
                yield fact
