"""A volume's content read, copied and removed, and the containers that mount it stopped and started."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from drillbook.act.executor import Context
from drillbook.decide.volume_commands import emptying
from drillbook.errors import RunbookError
from drillbook.observe import engine, redis
from drillbook.observe.command import environment, run_checked
from drillbook.observe.volumes import PLACE, Listing, archive, listed, window

STOP_SECONDS = 120
SAVE_TRIES = 30
CLEAR_SECONDS = 600


def labels_of(client: Any, volume: str) -> dict[str, str] | None:
    """The volume's labels; None when there is no such volume."""
    import docker

    try:
        return dict(client.api.inspect_volume(volume).get("Labels") or {})
    except docker.errors.NotFound:
        return None


def is_there(client: Any, volume: str) -> bool:
    """Whether the engine has a volume of this name."""
    return labels_of(client, volume) is not None


def listing(context: Context, image: str, volume: str, helper: str = "") -> Listing:
    """Every member of *volume*, read through a container of *image* that never starts, labelled *helper*.

    Raises:
        tarfile.TarError: a file changed its size meanwhile.
    """
    client = engine.client(context.target)
    with window(client, image, volume, "ro", helper or context.folder.name) as container:
        return listed(archive(client, container))


def copy(context: Context, image: str, volume: str, aside: str, helper: str = "") -> None:
    """Put everything in *volume* into the volume *aside*; what is there already under the same name is replaced."""
    client, label = engine.client(context.target), helper or context.folder.name
    with window(client, image, volume, "ro", label) as old, window(client, image, aside, "rw", label) as new:
        client.api.put_archive(new, PLACE, archive(client, old))


def clear(context: Context, image: str, volume: str) -> None:
    """Remove everything in the volume, by a container of the image that mounts it anyway; the volume itself stays.

    Raises:
        CommandFailed: it could not.
    """
    argv = emptying(image, volume, context.folder.name)
    run_checked(argv, timeout=CLEAR_SECONDS, env=environment(context.target))


def kept_labels(label: str, volume: str, context: Context) -> Mapping[str, str]:
    """The labels that say whose volume this is, of which *volume*, and by which run it was made."""
    return {label: volume, f"{label}.target": context.target.name, f"{label}.run": context.folder.name}


def stop(context: Context, containers: Iterable[str]) -> None:
    """Stop each; one that does not run stays as it is.

    Raises:
        CommandFailed: one is not there, or does not stop.
    """
    for name in containers:
        run_checked(("docker", "stop", str(name)), timeout=STOP_SECONDS, env=environment(context.target))


def start(context: Context, containers: Iterable[str]) -> None:
    """Start each; one that runs goes on.

    Raises:
        CommandFailed: one is not there, or does not start.
    """
    for name in containers:
        run_checked(("docker", "start", str(name)), timeout=STOP_SECONDS, env=environment(context.target))


def save(client: Any, container: str, password: str, hint: str) -> None:
    """Have the redis in *container* write its keys to its volume.

    Raises:
        RunbookError: it would not, in 30 s.
    """
    answer = ""
    for _ in range(SAVE_TRIES):
        answer = redis.cli(client, container, password, "SAVE").strip()
        if answer == "OK":
            return
        time.sleep(1)  # a background save of its own may be under way
    raise RunbookError(f"redis in {container[:12]} would not save: {answer}", hint)
