"""Cache mounts as Dockerfiles declare them: whose record of the engine is whose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from drillbook.observe.facts import DockerfileFact

OWNED = ("mode", "uid", "gid", "from", "source")
"""An option that gives the mount a parent; `--no-cache` misses such mounts in a BuildKit before September 2024."""

RECORD = re.compile(r"cached mount (.*?) from (?:exec )?(.*)$", re.DOTALL)
"""How BuildKit describes a cache mount: its path, then the command that it was made for."""


@dataclass(frozen=True)
class CacheMount:
    """`RUN --mount=type=cache,target=PATH` of a service's Dockerfile; `place` is file:line."""

    service: str
    place: str
    path: str
    command: str
    survives: bool

    def is_of(self, description: str) -> bool:
        """Whether the engine's record with this *description* is this mount: the same path of the same command."""
        match = RECORD.match(description)
        return bool(match and self.may_lie_at(description) and _plain(self.command) in _plain(match[2]))

    def may_lie_at(self, description: str) -> bool:
        """Whether the record's path can be this mount's; a variable in either, or a record without one, may be any."""
        match = RECORD.match(description)
        return not match or "$" in self.path or match[1].rstrip("/").endswith(self.path.rstrip("/"))


def mounts(dockerfiles: Mapping[str, DockerfileFact]) -> list[CacheMount]:
    """Every cache mount of the services' Dockerfiles."""
    return [mount for service, fact in dockerfiles.items() for mount in _of(service, fact)]


def _of(service: str, fact: DockerfileFact) -> Iterator[CacheMount]:
    for instruction in fact.instructions:
        flags = re.match(r"(?:--\S+\s+)*", instruction.value.lstrip())
        if instruction.word != "RUN" or not flags:
            continue
        command = instruction.value.lstrip()[flags.end() :]
        for text in re.findall(r"--mount=(\S+)", flags[0]):
            options = dict(part.partition("=")[::2] for part in text.split(","))
            path = options.get("target") or options.get("dst") or options.get("destination") or ""
            if options.get("type") == "cache" and path:
                survives = any(key in options for key in OWNED)
                yield CacheMount(service, f"{fact.path}:{instruction.line}", path, command, survives)


def _plain(command: str) -> str:
    """A command without the line ends that a Dockerfile's parser takes out."""
    return re.sub(r"\s+", " ", re.sub(r"\\\r?\n", " ", command)).strip()
