"""The copy starts as the target is: which image each service runs, which one its tag means, what is started when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from drillbook.observe.facts import ContainerFact, ServiceFact


@dataclass(frozen=True)
class Wave:
    """Services that are started together: *images*, service → image id, get the copy's names first."""

    images: Mapping[str, str]

    @property
    def services(self) -> list[str]:
        return list(self.images)


def runs(containers: tuple[ContainerFact, ...]) -> str:
    """The image that most of a service's containers run, or ran last; empty for none."""
    often = Counter(c.image_id for c in containers if c.running) or Counter(c.image_id for c in containers)
    return often.most_common(1)[0][0] if often else ""


def waves(names: Mapping[str, str], there: Mapping[str, tuple[ContainerFact, ...]]) -> tuple[Wave, ...]:
    """In which order the services that have containers are started. *names*: service → its image's name in the copy.

    All at once, unless services that share a name run different images: a name means one at a time.
    """
    found: list[tuple[dict[str, str], dict[str, str]]] = []
    for service, containers in sorted(there.items()):
        if service not in names:
            continue
        name, image = names[service], runs(containers)
        wave = next((wave for wave in found if wave[0].get(name, image) == image), None)
        if wave is None:
            found.append(wave := ({}, {}))
        wave[0][name] = wave[1][service] = image
    return tuple(Wave(images) for _, images in found)


def meant(
    names: Mapping[str, str], there: Mapping[str, tuple[ContainerFact, ...]], services: Mapping[str, ServiceFact]
) -> dict[str, str]:
    """service → the image that its tag means on the target by now, where the last wave left its name another one."""
    last = {names[service]: image for wave in waves(names, there) for service, image in wave.images.items()}
    found = {}
    for service, containers in there.items():
        told = [c.tag_image_id for c in containers if c.image_ref == services[service].image and c.tag_image_id]
        if service in names and told and last[names[service]] != told[0]:
            found[service] = told[0]
    return found


def scale(there: Mapping[str, tuple[ContainerFact, ...]], services: Mapping[str, ServiceFact]) -> dict[str, int]:
    """service → how many of it run, where that is not what the compose file asks for."""
    running = {name: sum(c.running for c in containers) for name, containers in there.items()}
    return {name: n for name, n in running.items() if n > 1 and n != services[name].replicas}
