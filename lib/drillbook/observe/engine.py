"""The container engine, read through its API: this target's containers and volumes, and no one else's."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from drillbook.errors import EngineDown, RunbookError
from drillbook.observe.facts import ContainerFact, Mount, VolumeFact
from drillbook.target import Stack, Target

PROJECT = "com.docker.compose.project"
TIMEOUT_SECONDS = 60


@lru_cache(maxsize=8)
def _client(host: str) -> Any:
    import docker

    return docker.DockerClient(base_url=host or "unix:///var/run/docker.sock", timeout=TIMEOUT_SECONDS)


def client(target: Target) -> Any:
    """A client of the target's engine that has just answered.

    Raises:
        EngineDown: it does not answer.
    """
    import docker
    import requests

    host = target.stack.docker_host if target.stack else ""
    try:
        found = _client(host)
        found.ping()
    except (docker.errors.DockerException, requests.RequestException) as error:
        where = host or "/var/run/docker.sock"
        raise EngineDown(
            f"the container engine at {where} does not answer",
            "start it (systemctl start docker, or dockerd), then run this again; nothing was changed",
            str(error),
        ) from error
    return found


def stack_of(target: Target) -> Stack:
    """The target's stack.

    Raises:
        RunbookError: it has none.
    """
    if target.stack is None:
        raise RunbookError(f"target {target.name} has no stack", "this runbook's database half works; choose its scope")
    return target.stack


def is_ours(target: Target, labels: dict[str, str]) -> bool:
    """Whether *labels* carry this target's project, working directory and config files, all three."""
    stack = stack_of(target)
    files = {str(target.directory / name) for name in stack.files}
    return (
        labels.get(PROJECT) == stack.project
        and labels.get(f"{PROJECT}.working_dir") == str(target.directory)
        and bool(files & set(labels.get(f"{PROJECT}.config_files", "").split(",")))
    )


def containers(target: Target) -> tuple[ContainerFact, ...]:
    """This target's containers, running or not, by service and name. Changes nothing.

    Raises:
        EngineDown: the engine does not answer.
    """
    import docker

    engine = client(target)
    facts = []
    for row in engine.api.containers(all=True, filters={"label": f"{PROJECT}={stack_of(target).project}"}):
        try:
            seen = engine.api.inspect_container(row["Id"])
        except docker.errors.NotFound:  # gone between the list and the look
            continue
        labels = seen["Config"]["Labels"] or {}
        if is_ours(target, labels) and labels.get(f"{PROJECT}.oneoff", "").split(".")[-1] != "True":
            facts.append(_container(engine, seen, labels))
    return tuple(sorted(facts, key=lambda fact: (fact.service, fact.name)))


def _container(engine: Any, seen: dict[str, Any], labels: dict[str, str]) -> ContainerFact:
    state = seen["State"]
    networks = seen["NetworkSettings"]["Networks"] or {}
    addresses = [network["IPAddress"] for network in networks.values() if network.get("IPAddress")]
    return ContainerFact(
        id=seen["Id"],
        name=seen["Name"].lstrip("/"),
        service=labels.get("com.docker.compose.service", ""),
        image_id=seen["Image"],
        image_ref=seen["Config"]["Image"],
        tag_image_id=image_id(engine, seen["Config"]["Image"]),
        running=bool(state["Running"]),
        health=(state.get("Health") or {}).get("Status", ""),
        exit_code=int(state.get("ExitCode", 0)),
        started=state.get("StartedAt", ""),
        created=seen["Created"],
        address=addresses[0] if addresses else "",
        restarts=int(seen.get("RestartCount", 0)),
        mounts=tuple(_mount(mount) for mount in seen["Mounts"]),
        networks=tuple(sorted(networks)),
    )


def _mount(mount: dict[str, Any]) -> Mount:
    name = mount.get("Name", "")
    anonymous = len(name) == 64 and all(c in "0123456789abcdef" for c in name)
    return Mount(mount["Type"], name, mount.get("Source", ""), mount["Destination"], anonymous)


def image_id(engine: Any, reference: str) -> str:
    """The id that *reference* means now; empty when there is no such image."""
    import docker

    try:
        return str(engine.api.inspect_image(reference)["Id"])
    except docker.errors.ImageNotFound:
        return ""


def container_of(target: Target, service: str) -> ContainerFact:
    """The first running container of *service*, or the first of any state.

    Raises:
        RunbookError: the service has none.
    """
    found = [fact for fact in containers(target) if fact.service == service]
    if not found:
        raise RunbookError(
            f"service {service} of {target.name} has no container",
            f"docker compose -p {stack_of(target).project} ps -a shows what is there; diagnose says more",
        )
    return next((fact for fact in found if fact.running), found[0])


def volumes(target: Target) -> tuple[VolumeFact, ...]:
    """The named volumes of this target's compose project. Changes nothing."""
    rows = client(target).api.volumes(filters={"label": f"{PROJECT}={stack_of(target).project}"})["Volumes"] or []
    facts = []
    for row in rows:
        labels = row.get("Labels") or {}
        key = labels.get("com.docker.compose.volume", "")
        if key:
            facts.append(VolumeFact(row["Name"], key, row.get("CreatedAt", ""), row.get("Mountpoint", "")))
    return tuple(sorted(facts, key=lambda fact: fact.name))
