"""What on the engine belongs to a sandbox, and what is a stranger's. Removes nothing."""

from __future__ import annotations

import socket

from drillbook.errors import BadParameters
from drillbook.observe import engine, held, kept, strangers
from drillbook.target import Target

BUILT = ("app1", "app2", "scraper")
OWNER = "drillbook.sandbox"
VOLUMES = ("postgres_data", "redis_cache_data", "redis_queue_data")


def claim(target: Target, port: int) -> None:
    """Make sure that the project's name and *port* are ours or free.

    Raises:
        BadParameters: someone else's containers, volumes or server have them.
    """
    api, project = engine.client(target).api, target.name
    labelled = api.containers(all=True, filters={"label": [f"{engine.PROJECT}={project}", strangers.HASH]})
    others = {row["Labels"].get(f"{engine.PROJECT}.working_dir", "?") for row in labelled} - {str(target.directory)}
    if others:
        raise BadParameters(f"the compose project {project} belongs to {', '.join(sorted(others))}", "use another name")
    names = {f"{project}_{key}" for key in VOLUMES}
    foreign = names & {row["Name"] for row in api.volumes()["Volumes"] or []} - set(volumes(target))
    if foreign:
        raise BadParameters(f"no sandbox made the volume {', '.join(sorted(foreign))}", "use another project name")
    proxy = any(row["Labels"].get("com.docker.compose.service") == "proxy" for row in labelled)
    if port and not proxy and _taken(port):
        raise BadParameters(f"port {port} is in use on 127.0.0.1", "choose another: drillbook sandbox up --port N")


def volumes(target: Target) -> list[str]:
    """Those of the three named volumes that are there and that a sandbox made."""
    named = {f"{target.name}_{key}" for key in VOLUMES}
    return [name for name in _labelled_volumes(target) if name in named]


def spare_volumes(target: Target) -> list[str]:
    """The volumes that a sandbox made and that the healthy stack does not have."""
    return [name for name in _labelled_volumes(target) if name not in volumes(target)]


def kept_volumes(target: Target) -> list[str]:
    """The volumes that runs on this sandbox put aside, filled beside, or marked a reset with that was cut."""
    found: list[dict[str, str]] = []
    for label in (kept.VOLUME, kept.BESIDE, held.RESETTING):
        for key in VOLUMES:
            labels = [f"{label}={target.name}_{key}", f"{label}.target={target.name}"]
            found += engine.client(target).api.volumes(filters={"label": labels})["Volumes"] or []
    return sorted(row["Name"] for row in found)


def images(target: Target) -> list[str]:
    """The sandbox's images: every tag of its services, and what its rebuilds left without one."""
    return [*_tags(target, *BUILT), *spare_images(target)]


def spare_images(target: Target) -> list[str]:
    """Those of the sandbox's images that the healthy stack does not have: its own base, what rebuilds left untagged."""
    api = engine.client(target).api
    labels = (f"{engine.PROJECT}={target.name}", f"{OWNER}={target.name}")
    untagged = [api.images(quiet=True, filters={"label": label, "dangling": True}) for label in labels]
    return [*_tags(target, "runtime"), *sorted({image for images in untagged for image in images})]


def _tags(target: Target, *names: str) -> list[str]:
    api = engine.client(target).api
    found = [row["RepoTags"] or [] for name in names for row in api.images(name=f"{target.name}-{name}")]
    return sorted(tag for tags in found for tag in tags if "<none>" not in tag)


def _labelled_volumes(target: Target) -> list[str]:
    labels = [f"{engine.PROJECT}={target.name}", f"{OWNER}=1"]
    rows = engine.client(target).api.volumes(filters={"label": labels})["Volumes"] or []
    return sorted(row["Name"] for row in rows)


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
