"""New images by digest from a registry: pulled to a tag of their own, proven against the source; nothing is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from drillbook.decide.content import compares
from drillbook.decide.image_names import repository
from drillbook.decide.moves import moves
from drillbook.decide.plan import Step
from drillbook.decide.reset_images import NewImages, proofs
from drillbook.errors import RunbookError
from drillbook.observe.facts import FilesFact, ServiceFact, Snapshot, SourceFact
from drillbook.observe.registry import HUB, RegistryFact, registry_of
from drillbook.target import Stack

PULL_TIMEOUT_SECONDS = 1800
REVISION = "org.opencontainers.image.revision"


def pulled_services(stack: Stack, snapshot: Snapshot) -> list[str]:
    """The services whose images come from a registry: those with declared code, and what is built to a registry's name.

    Raises:
        RunbookError: one of them cannot be pulled, cannot be proven, or would have no way back.
    """
    code = {name for name, service in stack.services.items() if service.code}
    found = [s for s in snapshot.services if s.name in code or (s.context and registry_of(s.image))]
    for service in found:
        _refuse_nameless(service)
        _refuse_unread(snapshot, service.name, service.name in code)
    _refuse_no_way_back(stack, snapshot, found)
    return [service.name for service in found]


def references(stack: Stack, snapshot: Snapshot) -> dict[str, str]:
    """service → the reference that its registry is asked for; a digest in the compose file is what counts there.

    Raises:
        RunbookError: as `pulled_services`.
    """
    images = {service.name: service.image for service in snapshot.services}
    return {name: _asked(images[name]) for name in pulled_services(stack, snapshot)}


def _asked(image: str) -> str:
    return f"{repository(image)}@{image.partition('@')[2]}" if "@" in image else image


def _refuse_nameless(service: ServiceFact) -> None:
    if service.context and not registry_of(service.image):
        fact = f"image {service.image} of {service.name} is built here and has no registry, so it cannot be pulled"
        raise RunbookError(fact, "put `image: registry.example.com/…` into the compose file, or source=build")


def _refuse_unread(snapshot: Snapshot, name: str, declared: bool) -> None:
    if declared and name not in snapshot.sources:
        why = snapshot.unknown.get(f"source of {name}", "it was not observed")
        fact = f"a pulled image of {name} could not be held against its source: {why}"
        raise RunbookError(fact, "put the source where stack.services.*.code.source says, or mend that")


def _refuse_no_way_back(stack: Stack, snapshot: Snapshot, services: Sequence[ServiceFact]) -> None:
    """A tag can be given back to the image that ran; a digest in the compose file cannot."""
    pinned = [service.name for service in services if "@" in service.image]
    alone = [move for move in moves(stack, snapshot, pinned, {}) if move.alone]
    if alone:
        fact = f"{alone[0].name} is pinned by digest and can only be replaced in place ({alone[0].alone})"
        hint = "no way back could be planned: give its image a tag in the compose file; the plan pins the digest anyway"
        raise RunbookError(fact, hint)


def pulled(snapshot: Snapshot, names: Sequence[str], facts: Mapping[str, RegistryFact]) -> NewImages:
    """Pull each of *names* by the digest that its registry told, and prove what has source here against it.

    Raises:
        RunbookError: an image is not there for the engine's platform.
    """
    for name in names:
        _refuse_platform(name, facts[name])
    images = {name: own_tag(facts[name]) for name in names}
    steps = tuple(_pull(name, facts[name], images[name]) for name in names)
    known = {name: image for name, image in images.items() if name in snapshot.sources}
    proven = (replace(step, args={**step.args, "pulled": True}) for step in proofs(known))
    return NewImages((*steps, *proven), images, "")


def own_tag(fact: RegistryFact) -> str:
    """The tag of its own that a pulled image gets first."""
    return f"{repository(fact.reference)}:drillbook-pull-{fact.digest.partition(':')[2][:12]}"


def by_digest(fact: RegistryFact) -> str:
    """What is pulled: the repository at the digest, whatever a tag means by then."""
    return f"{repository(fact.reference)}@{fact.digest}"


def _pull(name: str, fact: RegistryFact, tag: str) -> Step:
    args = {"service": name, "image": by_digest(fact), "tag": tag, "platform": fact.engine}
    return Step(f"pull-{name}", "image.pull", by_digest(fact), ("docker", "pull", by_digest(fact)), args=args,
                timeout_seconds=PULL_TIMEOUT_SECONDS)  # fmt: skip


def _refuse_platform(name: str, fact: RegistryFact) -> None:
    if fact.platforms and fact.engine not in fact.platforms:
        told = f"{fact.reference} of {name} is there for {', '.join(fact.platforms)}, the engine runs {fact.engine}"
        raise RunbookError(told, f"push an image for {fact.engine}, then plan again; nothing was changed")


def notes(snapshot: Snapshot, names: Sequence[str], facts: Mapping[str, RegistryFact]) -> tuple[str, ...]:
    """Where the images come from, and which are proven by nothing but their digest."""
    places = sorted({registry_of(facts[name].reference) or HUB for name in names})
    said = [f"{', '.join(names)}: taken by digest from {', '.join(places)}, nothing is built here"]
    unread = [name for name in names if name not in snapshot.sources]
    if unread:
        said.append(f"{', '.join(unread)}: no code is declared, so the digest alone is the proof")
    return tuple(said)


def speaks(source: SourceFact, found: FilesFact) -> bool:
    """Whether something in an image can be held against the source at all: a file, a manifest, or its revision label.

    An image that was built from a clean context needs none; one that comes from elsewhere does.
    """
    if compares(source, found):
        return True
    label = found.labels.get(REVISION, "")
    return len(label) >= 7 and bool(source.revision) and (
        label.startswith(source.revision) or source.revision.startswith(label)
    )  # fmt: skip
