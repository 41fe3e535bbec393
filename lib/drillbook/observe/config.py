"""Containers held against the compose file as it is now: by compose's own hash, and file by mounted file."""

from __future__ import annotations

import json
import re
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
Drift = tuple[str, tuple[str, ...]]
"""The hash that a container should have, and the names of what differs."""


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
    wanted = _hashes(target, config) if there else {}
    odd = [c for c in there if wanted.get(c.service, "") != c.config_hash]
    seen = {c.name: _inspected(target, c) for c in there if c in odd or _binds(c)}
    explained = _explained(target, config, [(c.service, _labels(seen[c.name])) for c in odd])
    drifted = [c for c in odd if seen[c.name] and (c.service, c.config_hash) not in explained]
    drift = {c.name: _drift(target, config, c, seen[c.name], wanted.get(c.service, "")) for c in drifted}
    return tuple(_fact(target, c, seen.get(c.name, {}), drift.get(c.name)) for c in there)


def _binds(container: ContainerFact) -> bool:
    return container.running and any(mount.kind == "bind" for mount in container.mounts)


def _fact(target: Target, container: ContainerFact, seen: Mapping[str, Any], drift: Drift | None) -> ConfigFact:
    wanted, parts = drift or (container.config_hash, ())
    files = file_mounts(container, seen) if seen and is_local(target) else FileMounts()
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


def _labels(seen: Mapping[str, Any]) -> Mapping[str, str]:
    return (seen.get("Config") or {}).get("Labels") or {}


def _drift(
    target: Target, config: Mapping[str, Any], container: ContainerFact, seen: Mapping[str, Any], wanted: str
) -> Drift:
    """The hash that the container should have, and what is not as the compose file says.

    The hash is empty where another version of compose made the container and nothing can be named:
    what goes into a hash changes with the version.
    """
    parts = parts_that_differ(config, container.service, seen, _image(target, container))
    made_by = _labels(seen).get(f"{LABEL}.version", "")
    if not parts and _release(made_by) != _release(require_compose()):
        return "", ()
    return wanted, parts or ("configuration",)


def _release(version: str) -> str:
    """A version without what a packager added to it (2.26.1-4)."""
    match = re.match(r"v?(\d+\.\d+\.\d+)", version)
    return match[1] if match else version


def _explained(
    target: Target, config: Mapping[str, Any], odd: Sequence[tuple[str, Mapping[str, str]]]
) -> set[tuple[str, str]]:
    """(service, hash) pairs that are as good: the service with those dependencies alone that the container knew."""
    if not odd:
        return set()
    direct = run_checked(compose_argv(target, "config", "--hash", "*"), timeout=60, env=environment(target))
    found = set(parsed(direct.stdout).items())
    left = list(dict.fromkeys((service, labels.get(f"{LABEL}.depends_on", "")) for service, labels in odd))
    while left:
        at_once = dict(left)  # compose is asked for one set of dependencies of each service at a time
        left = [pair for pair in left if at_once[pair[0]] != pair[1]]
        known = {service: _names(text) for service, text in at_once.items()}
        found |= {pair for pair in _hashes(target, config, known).items() if pair[0] in known}
    return found


def _names(dependencies: str) -> set[str]:
    """The services in compose's label, such as `postgres:service_healthy:false,redis:service_started:false`."""
    return {part.split(":")[0] for part in dependencies.split(",")}


def _hashes(
    target: Target, config: Mapping[str, Any], started_with: Mapping[str, set[str]] | None = None
) -> dict[str, str]:
    """service → the hash that `up` gives its containers, where *started_with* names its dependencies with those alone.

    Of the rendered file: `config --hash` of the file itself reckons with what `up` leaves out,
    such as an optional dependency of a profile that is not active.
    """
    base = ("docker", "compose", "-p", stack_of(target).project, "--project-directory", str(target.directory))
    argv = (*base, "--profile", "*", "-f", "-", "config", "--hash", "*")
    text = json.dumps(_with_dependencies(config, started_with or {}))
    return parsed(run_checked(argv, timeout=60, env=environment(target), stdin=text).stdout)


def _with_dependencies(config: Mapping[str, Any], started_with: Mapping[str, set[str]]) -> dict[str, Any]:
    """*config* with each service's dependencies limited to those of *started_with*, or to the active services."""
    changed = deepcopy(dict(config))
    services = changed["services"]
    for name, body in list(services.items()):
        kept = started_with.get(name, set(config["services"]))
        if "depends_on" in body:
            body["depends_on"] = {k: v for k, v in body["depends_on"].items() if k in kept}
            for absent in body["depends_on"].keys() - services.keys():
                services[absent] = {"image": "scratch"}  # it must be there; it is no part of the hash
    return changed


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
