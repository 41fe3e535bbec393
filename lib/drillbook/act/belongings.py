"""What on the engine belongs to a sandbox, and what is a stranger's. Removes nothing."""

from __future__ import annotations

import socket

from drillbook.errors import BadParameters
from drillbook.observe import engine
from drillbook.target import Target

BUILT = ("app1", "app2", "scraper")
VOLUMES = ("postgres_data", "redis_cache_data", "redis_queue_data")


def claim(target: Target, port: int) -> None:
    """Make sure that the project's name and *port* are ours or free.

    Raises:
        BadParameters: someone else's containers, volumes or server have them.
    """
    api, project = engine.client(target).api, target.name
    labelled = api.containers(all=True, filters={"label": f"{engine.PROJECT}={project}"})
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
    labels = [f"{engine.PROJECT}={target.name}", "drillbook.sandbox=1"]
    rows = engine.client(target).api.volumes(filters={"label": labels})["Volumes"] or []
    return sorted(row["Name"] for row in rows)


def kept_volumes(target: Target) -> list[str]:
    """The volumes that restores of this sandbox put aside."""
    labels = [f"drillbook.kept={target.name}_{key}" for key in VOLUMES]
    found = [engine.client(target).api.volumes(filters={"label": label})["Volumes"] or [] for label in labels]
    return sorted(
        row["Name"] for rows in found for row in rows if row["Labels"]["drillbook.kept.target"] == target.name
    )


def images(target: Target) -> list[str]:
    """The sandbox's images: every tag of its services, and what its rebuilds left without one."""
    api = engine.client(target).api
    tags = [
        tag for service in BUILT for row in api.images(name=f"{target.name}-{service}") for tag in row["RepoTags"] or []
    ]
    untagged = {"label": f"{engine.PROJECT}={target.name}", "dangling": True}
    return [*sorted(tag for tag in tags if "<none>" not in tag), *api.images(quiet=True, filters=untagged)]


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
