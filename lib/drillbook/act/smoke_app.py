"""The app in a container of its own beside the scratch server, in a network of two that leads nowhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from drillbook.act.executor import Context
from drillbook.act.scratch import Scratch
from drillbook.act.scratch_marks import labels, new_name
from drillbook.errors import RunbookError
from drillbook.observe import engine
from drillbook.target import Smoke

PAUSE_SECONDS = 0.2
LOG_LINES = 5
LIVE_SECONDS = 10.0
CONNECT_SECONDS = 2.0
"""On the engine's own bridge; to a container that has just ended, a connection would be tried for ever."""


@dataclass(frozen=True)
class Answer:
    """The last answer; status 0 for none, and `said` then tells why. `environment` is what the app was given."""

    status: int
    said: str
    environment: dict[str, str]


@contextmanager
def private_network(context: Context, server: Scratch, alias: str) -> Iterator[str]:
    """An internal network in which the scratch server is called *alias*, as in the stack; gone at the end.

    Changes the scratch server for the length of the block: without it, it has no network at all.
    """
    api, name = engine.client(context.target).api, new_name()
    api.create_network(name, internal=True, labels=labels(context.folder.name))
    try:
        api.disconnect_container_from_network(server.container, "none")
        api.connect_container_to_network(server.container, name, aliases=[alias])
        yield name
    finally:
        import docker

        try:
            api.disconnect_container_from_network(server.container, name, force=True)
        except docker.errors.APIError as error:
            if error.status_code not in (403, 404):  # it was never in it, or is gone
                raise
        api.remove_network(name)


def answering(
    context: Context, asked: Smoke, network: str, declared: Mapping[str, str], live: Fault | None = None
) -> Answer:
    """What the service's app answers in *network*, with *declared* on top of its own environment.

    One that answers as the *live* app fails is not asked again: that tells nothing of the backup.

    The app is a new container of the service's image with the service's command, user, environment and
    read-only binds (secrets, configuration); its volumes are not taken over. It is gone at the end.

    Raises:
        RunbookError: the service has no container to take the image from.
    """
    client = engine.client(context.target)
    like = client.api.inspect_container(engine.container_of(context.target, asked.service).id)
    environment = {**dict(pair.split("=", 1) for pair in like["Config"]["Env"] or []), **declared}
    made = _created(context, like, network, environment)
    try:
        client.api.start(made)
        status, said = _asked(client.api, made, network, asked, live.status if live else 0)
        return Answer(status, said, environment)
    finally:
        client.api.remove_container(made, v=True, force=True)


@dataclass(frozen=True)
class Fault:
    """What is wrong with the live app: the status that it answers, 0 where it answers nothing, and the words for it."""

    status: int
    said: str


def live_fault(context: Context, asked: Smoke) -> Fault | None:
    """What is wrong with the live app, asked the same once; None when it answers as it must."""
    try:
        container = engine.container_of(context.target, asked.service)
    except RunbookError as error:
        return Fault(0, error.fact)
    if not container.running or not container.address:
        return Fault(0, f"the live {asked.service} does not run")
    url = f"http://{container.address}:{asked.port}{asked.path}"
    try:
        status = httpx.get(url, timeout=LIVE_SECONDS, trust_env=False).status_code
    except httpx.HTTPError as error:
        return Fault(0, f"the live {asked.service} does not answer ({type(error).__name__})")
    return None if status == asked.status else Fault(status, f"the live {asked.service} answers HTTP {status} too")


def _created(context: Context, like: dict[str, Any], network: str, environment: dict[str, str]) -> str:
    """A container like *like*, with what it may not write to, and nothing that it may."""
    api, config = engine.client(context.target).api, like["Config"]
    fixed = [mount for mount in like["Mounts"] if mount["Type"] == "bind" and not mount["RW"]]
    host = api.create_host_config(
        binds={mount["Source"]: {"bind": mount["Destination"], "mode": "ro"} for mount in fixed},
        network_mode=network, init=like["HostConfig"].get("Init"),
    )  # fmt: skip
    made = api.create_container(
        like["Image"], command=config["Cmd"], entrypoint=config["Entrypoint"], environment=environment,
        user=config["User"], working_dir=config["WorkingDir"], name=new_name(), host_config=host,
        labels=labels(context.folder.name), healthcheck={"test": ["NONE"]},
    )  # fmt: skip
    return str(made["Id"])


def _asked(api: Any, container: str, network: str, asked: Smoke, live: int) -> tuple[int, str]:
    """Ask until it answers as it must, ends, or its time is over: an app that starts answers other things first.

    The answer *live*, that the live app fails with (0: none), is enough.
    """
    deadline, status, said = time.monotonic() + asked.timeout_seconds, 0, "nothing listened"
    while True:
        seen, left = api.inspect_container(container), deadline - time.monotonic()
        if not seen["State"]["Running"]:
            log = api.logs(container, tail=LOG_LINES).decode(errors="replace")
            return 0, f"the app ended with {seen['State']['ExitCode']}: {log}"
        if left <= 0:
            return status, said
        url = f"http://{seen['NetworkSettings']['Networks'][network]['IPAddress']}:{asked.port}{asked.path}"
        try:
            answer = httpx.get(url, timeout=httpx.Timeout(left, connect=min(left, CONNECT_SECONDS)), trust_env=False)
        except httpx.HTTPError as error:
            said = f"{type(error).__name__}: {error}" if not status else said
        else:
            status, said = answer.status_code, answer.text
            if status in {asked.status, live}:
                return status, said
        time.sleep(PAUSE_SECONDS)
