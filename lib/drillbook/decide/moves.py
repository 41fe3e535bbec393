"""How each service gets its new containers: beside the old ones, or in their place with an honest downtime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drillbook.decide.health import is_done
from drillbook.observe.facts import ContainerFact, ServiceFact, Snapshot
from drillbook.target import Stack

START_SECONDS = 10.0
"""How long a start is reckoned with where no health check tells."""


@dataclass(frozen=True)
class Move:
    """One service on its way to new containers.

    `image` is the reference of the image that they are to run, empty: as the tag means now. `old` are
    the containers that it has. `alone` says why new ones cannot run beside them; empty: they can. `needs` are
    the services that it depends on, near and far, with the number of their containers.
    """

    service: ServiceFact
    old: tuple[ContainerFact, ...]
    image: str = ""
    alone: str = ""
    replicas: int = 1
    needs: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def idle(self) -> bool:
        """Whether its work is done, or it asks for no container: then its image is renewed, and nothing is started."""
        return all(map(is_done, self.old)) if self.old else not self.service.replicas

    @property
    def recreated(self) -> str:
        """Why even a second container that does not run cannot be made, so that compose must recreate it; else empty.

        Compose hands a nameless volume on to the container that takes the old one's place, and only then.
        """
        if self.service.named:
            return f"its container has a fixed name, {self.service.named}"
        nameless = next((m.destination for c in self.old for m in c.mounts if m.anonymous), "")
        return f"it keeps files in a nameless volume at {nameless}" if nameless else ""

    @property
    def keeps_old(self) -> bool:
        """Whether its old containers stay, stopped, until every endpoint was asked."""
        return bool(self.old) and not self.idle and not (self.alone and self.recreated)

    @property
    def tag_was(self) -> str:
        """The image that the service's tag meant when it was seen; empty where none of it tells, or for a digest."""
        told = (c.tag_image_id for c in self.old if c.image_ref == self.service.image)
        return "" if "@" in self.service.image else next(told, "")

    @property
    def down_seconds(self) -> float:
        """How long it is down at the most: until the old one has stopped and the new one is healthy."""
        return 0.0 if not self.alone else self.service.grace_seconds + (self.service.ready_seconds or START_SECONDS)


def moves(stack: Stack, snapshot: Snapshot, names: Sequence[str], images: Mapping[str, str]) -> tuple[Move, ...]:
    """A move for each service of *names*, those that can run beside first; *images*: service → its new image."""
    facts = {service.name: service for service in snapshot.services}
    found = [_move(stack, snapshot, facts[name], images.get(name, "")) for name in names if name in facts]
    return tuple(sorted(found, key=lambda move: bool(move.alone)))


def _move(stack: Stack, snapshot: Snapshot, service: ServiceFact, image: str) -> Move:
    old = tuple(c for c in snapshot.containers if c.service == service.name)
    replicas = replicas_of(service, old)
    declared = stack.services.get(service.name)
    asked = bool(declared and declared.response)
    alone = service.alone or Move(service, old).recreated
    if not alone and not asked and replicas == 1:
        alone = "it is one container, and nothing (stack.services.*.response) says how to ask a second one"
    if not alone and not any(c.running for c in old):
        alone = "it does not run"
    return Move(service, old, image, alone, replicas, _needs(snapshot, service))


def _needs(snapshot: Snapshot, service: ServiceFact) -> dict[str, int]:
    facts, found = {fact.name: fact for fact in snapshot.services}, dict[str, int]()
    left = list(service.depends)
    while left:
        name = left.pop(0)
        if name in facts and name not in found:
            found[name] = sum(c.service == name for c in snapshot.containers)
            left += facts[name].depends
    return found


def replicas_of(service: ServiceFact, old: Sequence[ContainerFact]) -> int:
    """How many containers it is to have: what the compose file asks for, or what `--scale` gave it.

    A reset that was cut leaves old and new ones side by side; so those of one image are counted.
    """
    running = Counter(c.image_id for c in old if c.running)
    return max(service.replicas, *running.values(), 1) if running else max(service.replicas, 1)
