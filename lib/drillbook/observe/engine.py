"""The container engine, read through its API: this target's containers and volumes, and no one else's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from drillbook.errors import EngineDown, RunbookError
from drillbook.observe.facts import ContainerFact, Mount, VolumeFact
from drillbook.target import Stack, Target

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
TIMEOUT_SECONDS = 60


@lru_cache(maxsize=8)
def _client(host: str) -> Any:
    import docker

    return docker.DockerClient(base_url=host or "unix:///var/run/docker.sock", timeout=TIMEOUT_SECONDS)


def client(target: Target, *, anew: bool = False) -> Any:
    """A client of the target's engine that has just answered; *anew* over a new connection.

    An engine that is stopping takes no new ones, and still answers on those that it has.

    Raises:
        EngineDown: it does not answer.
    """
    import docker
    import requests

    host = target.stack.docker_host if target.stack else ""
    try:
        found = _client(host)
        if anew:
            found.close()
        found.ping()
    except (docker.errors.DockerException, requests.RequestException, ValueError) as error:
        where = host or "/var/run/docker.sock"
        raise EngineDown(
            f"the container engine at {where} does not answer",
            "start it (systemctl start docker, or dockerd), then run this again; nothing was changed",
            str(error),
        ) from error
    return found


@contextmanager
def answering(question: str) -> Iterator[None]:
    """Turn what goes wrong while the engine is asked for *question* into an error of ours.

    Raises:
        EngineDown: it went away meanwhile.
        RunbookError: it answered, but not what was asked for.
    """
    import docker
    import requests

    try:
        yield
    except docker.errors.APIError as error:
        fact = f"the container engine could not tell {question}: {error.explanation or error}"
        raise RunbookError(fact, "journalctl -u docker, or dockerd's log, says more", str(error)) from error
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        fact = f"the container engine went away while it was asked for {question}"
        raise EngineDown(fact, "see that it runs and answers `docker ps`, then run this again", str(error)) from error


def is_local(target: Target) -> bool:
    """Whether the target's engine runs on this machine, so that the paths it names are paths here."""
    host = target.stack.docker_host if target.stack else ""
    return not host or host.startswith("unix://")


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


def containers(target: Target, service: str = "") -> tuple[ContainerFact, ...]:
    """This target's containers, or those of *service*, running or not, by service and name. Changes nothing.

    A container or a tag that vanishes between the list and the look is passed over.

    Raises:
        EngineDown: the engine does not answer.
        RunbookError: it could not tell.
    """
    import docker

    engine, facts, tags = client(target), [], dict[str, str]()
    labels = [f"{PROJECT}={stack_of(target).project}"] + ([f"{SERVICE}={service}"] if service else [])
    with answering("the target's containers"):
        for row in engine.api.containers(all=True, filters={"label": labels}):
            try:
                seen = engine.api.inspect_container(row["Id"])
            except docker.errors.NotFound:
                continue
            theirs = seen["Config"]["Labels"] or {}
            if is_ours(target, theirs) and theirs.get(f"{PROJECT}.oneoff", "").split(".")[-1] != "True":
                facts.append(_container(engine, seen, theirs, tags))
    return tuple(sorted(facts, key=lambda fact: (fact.service, fact.name)))


def healthy(target: Target) -> frozenset[str]:
    """The services of which a container runs and is healthy: one question, however many there are. Changes nothing.

    Raises:
        EngineDown, RunbookError: as `containers`.
    """
    engine, ours = client(target), f"{PROJECT}={stack_of(target).project}"
    with answering("which services are healthy"):
        rows = engine.api.containers(filters={"label": ours, "health": "healthy", "status": "running"})
    return frozenset(row["Labels"].get(SERVICE, "") for row in rows if is_ours(target, row["Labels"]))


def labelled(target: Target, label: str) -> tuple[ContainerFact, ...]:
    """The containers of the target's engine that carry *label* (`key=value`), running or not. Changes nothing.

    Raises:
        EngineDown, RunbookError: as `containers`.
    """
    import docker

    engine, facts = client(target), []
    with answering(f"the containers with label {label}"):
        for row in engine.api.containers(all=True, filters={"label": label}):
            try:
                seen = engine.api.inspect_container(row["Id"])
            except docker.errors.NotFound:
                continue
            facts.append(_container(engine, seen, seen["Config"]["Labels"] or {}, {}))
    return tuple(sorted(facts, key=lambda fact: fact.name))


def _container(engine: Any, seen: dict[str, Any], labels: dict[str, str], tags: dict[str, str]) -> ContainerFact:
    """What of the container counts; *tags* keeps what each reference means, for the others that were made from it."""
    reference = seen["Config"]["Image"]
    if reference not in tags:
        tags[reference] = image_id(engine, reference)
    state, host = seen["State"], seen.get("HostConfig") or {}
    networking = seen.get("NetworkSettings") or {}
    networks = networking.get("Networks") or {}
    addresses = [network["IPAddress"] for network in networks.values() if network.get("IPAddress")]
    return ContainerFact(
        id=seen["Id"],
        name=seen["Name"].lstrip("/"),
        service=labels.get(SERVICE, ""),
        image_id=seen["Image"],
        image_ref=reference,
        tag_image_id=tags[reference],
        running=bool(state["Running"]),
        health=(state.get("Health") or {}).get("Status", ""),
        exit_code=int(state.get("ExitCode", 0)),
        started=state.get("StartedAt", ""),
        created=seen["Created"],
        address=addresses[0] if addresses else "",
        restarts=int(seen.get("RestartCount", 0)),
        mounts=tuple(_mount(mount) for mount in seen.get("Mounts") or ()),
        networks=tuple(sorted(networks)),
        ports=_ports(networking.get("Ports") or host.get("PortBindings") or {}),
        restart_policy=(host.get("RestartPolicy") or {}).get("Name", ""),
        config_hash=labels.get("com.docker.compose.config-hash", ""),
        pgdata=_variable(seen, "PGDATA"),
        tmpfs=tuple(sorted(host.get("Tmpfs") or {})),
    )


def _variable(seen: dict[str, Any], name: str) -> str:
    """A variable of the container's environment; the image's own are among them."""
    pairs = (pair.partition("=") for pair in seen["Config"].get("Env") or ())
    return next((value for key, _, value in pairs if key == name), "")


def _ports(bindings: dict[str, Any]) -> tuple[int, ...]:
    """The host's ports: what is bound now, or, of a container that does not run, what it asks for."""
    named = {binding.get("HostPort", "") for places in bindings.values() for binding in places or ()}
    return tuple(sorted(int(port) for port in named if port.isdigit()))


def _mount(mount: dict[str, Any]) -> Mount:
    name = mount.get("Name", "")
    anonymous = len(name) == 64 and all(c in "0123456789abcdef" for c in name)
    return Mount(mount["Type"], name, mount.get("Source", ""), mount["Destination"], anonymous)


def image_id(engine: Any, reference: str) -> str:
    """The id that *reference* means now; empty when there is no such image.

    Raises:
        RunbookError: the engine could not tell.
    """
    import docker

    with answering(f"what {reference or 'an image without a name'} is"):
        try:
            return str(engine.api.inspect_image(reference)["Id"])
        except (docker.errors.NotFound, docker.errors.NullResource):
            return ""


def container_of(target: Target, service: str) -> ContainerFact:
    """The first running container of *service*, or the first of any state.

    Raises:
        RunbookError: the service has none.
    """
    found = containers(target, service)
    if not found:
        raise RunbookError(
            f"service {service} of {target.name} has no container",
            f"docker compose -p {stack_of(target).project} ps -a shows what is there; diagnose says more",
        )
    return next((fact for fact in found if fact.running), found[0])


def volumes(target: Target) -> tuple[VolumeFact, ...]:
    """The named volumes of this target's compose project. Changes nothing.

    Raises:
        EngineDown: the engine does not answer.
        RunbookError: it could not tell.
    """
    engine, ours = client(target), {"label": f"{PROJECT}={stack_of(target).project}"}
    with answering("the target's volumes"):
        rows = engine.api.volumes(filters=ours)["Volumes"] or []
    facts = []
    for row in rows:
        labels = row.get("Labels") or {}
        key = labels.get("com.docker.compose.volume", "")
        if key:
            facts.append(VolumeFact(row["Name"], key, row.get("CreatedAt", ""), row.get("Mountpoint", "")))
    return tuple(sorted(facts, key=lambda fact: fact.name))
