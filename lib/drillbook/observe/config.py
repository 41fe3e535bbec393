"""Containers held against the compose file as it is now: by compose's own hash, and file by mounted file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from drillbook.observe.command import environment, run_checked
from drillbook.observe.compose import compose_argv, rendered, require_compose
from drillbook.observe.config_parts import parts_that_differ
from drillbook.observe.engine import answering, client, is_local, stack_of
from drillbook.observe.facts import ConfigFact, ContainerFact, ServiceFact
from drillbook.observe.file_mounts import FileMounts, file_mounts
from drillbook.target import Target

LABEL = "com.docker.compose"
Hashes = Mapping[str, str]


def configs(
    target: Target, containers: Sequence[ContainerFact], services: Sequence[ServiceFact]
) -> tuple[ConfigFact, ...]:
    """Each container of *services*, and whether it is what the compose file asks for now.

    Changes nothing. Compose's hash knows no build and no code. Where it is not the
    container's, that is drift only if what the container was started without, its
    dependencies (`up --no-deps`), does not explain it. Of a value nothing is kept.

    Raises:
        CommandFailed: compose cannot tell.
        EngineDown: the engine does not answer.
        RunbookError: the engine could not tell.
    """
    config = rendered(target)
    known = {service.name for service in services} & set(config.get("services") or {})
    there = [c for c in containers if c.service in known]
    hashes = _hashes(target, config) if there else {}
    return tuple(_fact(target, config, c, hashes) for c in there)


def _fact(target: Target, config: Mapping[str, Any], container: ContainerFact, hashes: Hashes) -> ConfigFact:
    wanted = hashes.get(container.service, "")
    binds = [m for m in container.mounts if m.kind == "bind"]
    if wanted == container.config_hash and not (binds and container.running):
        return ConfigFact(container.name, container.service, wanted, wanted)
    seen = _inspected(target, container)
    if not seen:
        return ConfigFact(container.name, container.service, "", container.config_hash)
    parts = tuple[str, ...]()
    if wanted != container.config_hash:
        wanted, parts = _drift(target, config, container, seen, wanted)
    files = file_mounts(container, seen) if is_local(target) else FileMounts()
    return ConfigFact(
        container.name, container.service, wanted, container.config_hash, (*parts, *files.differs), files.unread
    )


def _inspected(target: Target, container: ContainerFact) -> dict[str, Any]:
    import docker

    engine = client(target)
    with answering(f"what container {container.name} is"):
        try:
            return dict(engine.api.inspect_container(container.id))
        except docker.errors.NotFound:
            return {}


def _drift(
    target: Target, config: Mapping[str, Any], container: ContainerFact, seen: Mapping[str, Any], wanted: str
) -> tuple[str, tuple[str, ...]]:
    """The hash that the container should have, and what is not as the compose file says.

    The hash is empty where another version of compose made the container and nothing can be named:
    what goes into a hash changes with the version.
    """
    labels = (seen.get("Config") or {}).get("Labels") or {}
    if container.config_hash in _allowed(target, config, container.service, labels):
        return container.config_hash, ()
    parts = parts_that_differ(config, container.service, seen, _image(target, container))
    if not parts and labels.get(f"{LABEL}.version", "").lstrip("v") != require_compose():
        return "", ()
    return wanted, parts or ("configuration",)


def _allowed(target: Target, config: Mapping[str, Any], service: str, labels: Mapping[str, str]) -> set[str]:
    """The hashes that are as good: with those dependencies alone with which the container was started."""
    started_with = {part.split(":")[0] for part in labels.get(f"{LABEL}.depends_on", "").split(",")}
    fewer = deepcopy(dict(config))
    body = fewer["services"][service]
    body["depends_on"] = {k: v for k, v in (body.get("depends_on") or {}).items() if k in started_with}
    direct = run_checked(compose_argv(target, "config", "--hash", service), timeout=60, env=environment(target))
    return {_hashes(target, fewer).get(service, ""), parsed(direct.stdout).get(service, "")} - {""}


def _hashes(target: Target, config: Mapping[str, Any]) -> dict[str, str]:
    """service → the hash that `up` would give its containers.

    Of the rendered file: `config --hash` of the file itself reckons with what `up` leaves out,
    such as an optional dependency of a profile that is not active.
    """
    base = ("docker", "compose", "-p", stack_of(target).project, "--project-directory", str(target.directory))
    argv = (*base, "--profile", "*", "-f", "-", "config", "--hash", "*")
    told = run_checked(argv, timeout=60, env=environment(target), stdin=json.dumps(_active(config)))
    return parsed(told.stdout)


def _active(config: Mapping[str, Any]) -> dict[str, Any]:
    """*config* without the dependencies on services that are not in it."""
    active = deepcopy(dict(config))
    for body in active["services"].values():
        there = {k: v for k, v in (body.get("depends_on") or {}).items() if k in active["services"]}
        if "depends_on" in body:
            body["depends_on"] = there
    return active


def parsed(lines: str) -> dict[str, str]:
    """What `docker compose config --hash` prints: a service and its hash a line."""
    words: Iterable[list[str]] = (line.split() for line in lines.splitlines())
    return {pair[0]: pair[1] for pair in words if len(pair) == 2}


def _image(target: Target, container: ContainerFact) -> dict[str, Any] | None:
    import docker

    engine = client(target)
    with answering(f"what the image of {container.name} is"):
        try:
            return dict(engine.api.inspect_image(container.image_id).get("Config") or {})
        except (docker.errors.NotFound, docker.errors.NullResource):
            return None
