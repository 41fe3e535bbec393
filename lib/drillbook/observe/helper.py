"""Containers that are made to read or fill volumes and images through: created, never started, removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from drillbook.observe.owner import is_gone, ourselves

LABEL = "drillbook.helper"
PROJECT = "com.docker.compose.project"


@contextmanager
def helper(api: Any, image: str, label: str, **more: Any) -> Iterator[str]:
    """The id of a container of *image*, made with *more*, that never starts; removed with its nameless volumes.

    Changes nothing that lasts: what processes that were killed left of their own is removed first. It belongs
    to no compose project, though images that compose built hand the label of theirs down.
    """
    import docker

    sweep(api)
    made = api.create_container(
        image, command=["true"], labels={PROJECT: "", LABEL: label, **ourselves(f"{LABEL}.")}, **more
    )
    try:
        yield str(made["Id"])
    finally:
        with suppress(docker.errors.NotFound):  # someone else removed it first: that is what was wanted
            api.remove_container(made["Id"], v=True, force=True)


def sweep(api: Any) -> list[str]:
    """Remove the helpers whose process certainly runs no more, and that do not run themselves; their ids."""
    import docker

    gone = []
    for row in api.containers(all=True, filters={"label": LABEL, "status": "created"}):
        labels = row["Labels"]
        if is_gone(labels, f"{LABEL}."):
            try:
                api.remove_container(row["Id"], v=True)
            except docker.errors.APIError as error:
                if error.status_code not in (404, 409):  # another process is sweeping it, or has
                    raise
            else:
                gone.append(str(row["Id"]))
    return gone
