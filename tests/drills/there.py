"""What is on the engine that all workers share, asked so that what goes meanwhile is no error."""

from __future__ import annotations

import os
from typing import Any

import docker
import stamina

from drillbook.act.scratch_marks import LABEL


def containers(engine: Any, *labels: str) -> list[Any]:
    """Every container with all of these labels, running or not."""
    return list(engine.containers.list(all=True, filters={"label": list(labels)}, ignore_removed=True))


def of_project(engine: Any, project: str) -> list[Any]:
    """Every container of a compose project, running or not."""
    return containers(engine, f"com.docker.compose.project={project}")


def named(engine: Any, start: str) -> list[str]:
    """The names of all containers, of a compose project or not, that begin with *start*."""
    names = [row["Names"][0].lstrip("/") for row in engine.api.containers(all=True)]
    return [name for name in names if name.startswith(start)]


def tags(engine: Any, part: str) -> dict[str, str]:
    """tag → image id, for each tag in whose name *part* stands."""
    rows = engine.api.images()
    return {tag: row["Id"] for row in rows for tag in row["RepoTags"] or () if part in tag}


def scratch(engine: Any, pid: int = 0) -> set[str]:
    """Every scratch container, volume and network that this process (or *pid*) made and that is still there."""
    mine = {"label": [LABEL, f"{LABEL}.pid={pid or os.getpid()}"]}
    api = engine.api
    return {
        *(row["Names"][0].lstrip("/") for row in api.containers(all=True, filters=mine)),
        *(row["Name"] for row in api.volumes(filters=mine)["Volumes"] or []),
        *(row["Name"] for row in api.networks(filters=mine)),
    }


@stamina.retry(on=docker.errors.APIError, timeout=60)
def build_cache(engine: Any) -> list[dict[str, Any]]:
    """Every record of the builder; the engine adds up its disk usage for one caller at a time."""
    return list(engine.df()["BuildCache"] or [])
