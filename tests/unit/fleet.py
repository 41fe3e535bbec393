"""A fleet of containers that are none: what an engine's client answers, and the commands that a rollout needs.

Compose makes, keeps and removes containers here by the same rules as its own convergence: what is beyond a service's
number goes, the highest numbers first, and a dependency that is not told its number gets the file's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import builders
import docker

from drillbook.errors import CommandFailed
from drillbook.observe.command import Completed

PROJECT = "com.docker.compose.project"


@dataclass
class Box:
    """A container of the fleet."""

    id: str
    name: str
    service: str
    number: int
    image: str
    running: bool = True

    def labels(self, fleet: Fleet) -> dict[str, str]:
        return {
            PROJECT: "connect", f"{PROJECT}.working_dir": str(fleet.directory),
            f"{PROJECT}.config_files": f"{fleet.directory}/compose.yaml", "com.docker.compose.service": self.service,
        }  # fmt: skip

    def inspected(self, fleet: Fleet) -> dict[str, Any]:
        health = {"Status": "unhealthy" if self.image in fleet.sick else "healthy"} if self.running else None
        return {
            "Id": self.id, "Name": f"/{self.name}", "Image": self.image, "Created": "2025-10-13T02:00:00Z",
            "State": {"Running": self.running, "ExitCode": 0, "StartedAt": "", "Health": health},
            "Config": {
                "Image": fleet.services[self.service], "Labels": self.labels(fleet), "Env": ["A=secret"], "Tty": True,
                "Cmd": ["app", "--password", "secret"],
            },
            "HostConfig": {"RestartPolicy": {"Name": "unless-stopped"}}, "RestartCount": 0,
            "NetworkSettings": {"Networks": {"default": {"IPAddress": "172.18.0.5"}}}, "Mounts": [],
        }  # fmt: skip


@dataclass
class Fleet:
    """`services`: service → its image's tag; `images`: tag → id; containers of a `sick` image get unhealthy.

    `least` is the smallest number of a service's containers that ran after any command; `said` are the commands.
    """

    directory: Path
    services: dict[str, str]
    images: dict[str, str]
    depends: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sick: set[str] = field(default_factory=set)
    boxes: list[Box] = field(default_factory=list)
    said: list[tuple[str, ...]] = field(default_factory=list)
    made: int = 0
    mute: bool = False
    effects: int = 0
    cut_after: int = -1
    least: dict[str, int] = field(default_factory=dict)

    def box(self, service: str, number: int, running: bool = True) -> Box:
        """A new container of *service* on what its tag means now."""
        self.made += 1
        name = f"connect-{service}-{number}"
        box = Box(builders.digest(f"{name} {self.made}"), name, service, number, self.images[self.services[service]])
        box.running = running
        self.boxes.append(box)
        return box

    def of(self, service: str) -> list[Box]:
        return sorted((box for box in self.boxes if box.service == service), key=lambda box: box.number)

    def running(self, service: str) -> list[Box]:
        return [box for box in self.of(service) if box.running]

    def as_it_is(self) -> tuple[list[Box], dict[str, str]]:
        """Its containers and tags, to be put back."""
        return [replace(box) for box in self.boxes], dict(self.images)

    def put_back(self, was: tuple[list[Box], dict[str, str]], cut_after: int, *sick: str) -> None:
        """As it was, with these images sick, and the next run cut after so many effects."""
        self.boxes, self.images, self.sick = [replace(box) for box in was[0]], dict(was[1]), set(sick)
        self.effects, self.cut_after = 0, cut_after

    def command(self, argv: Sequence[str], **_: Any) -> Completed:
        """What `run_checked` does, for the commands of a rollout."""
        self.said.append(tuple(argv))
        match list(argv):
            case ["docker", "tag", source, tag]:
                self.images[tag] = self.images.get(source, source)
            case ["docker", "start" | "stop" as verb, name]:
                self._find(name).running = verb == "start"
            case ["docker", "compose", *words] if "up" in words:
                self._up(words[words.index("up") + 1 :])
            case _:
                raise CommandFailed(f"no such command: {' '.join(argv)}")
        self._changed()
        return Completed(tuple(argv), 0, "", "", 0.1)

    def _changed(self) -> None:
        """Count an effect; the run is cut after the one numbered `cut_after`, before anybody can record it."""
        for service in self.services:
            self.least[service] = min(self.least.get(service, 99), len(self.running(service)))
        self.effects += 1
        if self.effects == self.cut_after:
            raise KeyboardInterrupt

    def _find(self, name: str) -> Box:
        found = [box for box in self.boxes if name in (box.id, box.name)]
        if not found:
            raise CommandFailed(f"no such container: {name}")
        return found[0]

    def _up(self, words: list[str]) -> None:
        scales = dict(word.split("=") for flag, word in pairwise(words) if flag == "--scale")
        chosen = {words[-1]} if "--no-deps" in words else self._with_dependencies(words[-1])
        for service in sorted(chosen):
            there = self.of(service)
            wanted = int(scales.get(service, 1))
            if "--force-recreate" in words:
                self.boxes = [box for box in self.boxes if box not in there]
                there = []
            for box in there[wanted:]:
                self.boxes.remove(box)
            first = max((box.number for box in there), default=0) + 1
            for number in range(first, first + wanted - len(there)):
                self.box(service, number, "--no-start" not in words)

    def _with_dependencies(self, service: str) -> set[str]:
        return {service}.union(*(self._with_dependencies(name) for name in self.depends.get(service, ())))

    # what the engine's client is asked for

    def ping(self) -> bool:
        return True

    @property
    def api(self) -> Fleet:
        return self

    def containers(self, all: bool, filters: dict[str, Any]) -> list[dict[str, Any]]:
        assert all
        asked = [filters["label"]] if isinstance(filters["label"], str) else filters["label"]
        wanted = {tuple(label.split("=", 1)) for label in asked}
        return [{"Id": box.id} for box in self.boxes if wanted <= box.labels(self).items()]

    def inspect_container(self, name: str) -> dict[str, Any]:
        return self._there(name).inspected(self)

    def inspect_image(self, reference: str) -> dict[str, Any]:
        found = self.images.get(reference, reference if reference in self.images.values() else "")
        if not found:
            raise docker.errors.ImageNotFound(f"no such image: {reference}")
        return {"Id": found}

    def volumes(self, filters: dict[str, str]) -> dict[str, Any]:
        return {"Volumes": []}

    def diff(self, name: str) -> None:
        self._there(name)

    def logs(self, name: str, **_: Any) -> bytes:
        if self.mute:
            raise docker.errors.APIError("501", explanation="configured logging driver does not support reading")
        return f"log of {self._there(name).name}\n".encode()

    def remove_container(self, name: str, **how: Any) -> None:
        box = self._there(name)
        assert not box.running, "the engine does not remove what runs"
        self.boxes.remove(box)
        self._changed()

    def rename(self, name: str, to: str) -> None:
        assert to not in [box.name for box in self.boxes], "the engine knows each name once"
        self._there(name).name = to
        self._changed()

    def _there(self, name: str) -> Box:
        try:
            return self._find(name)
        except CommandFailed as error:
            raise docker.errors.NotFound(error.fact) from error
