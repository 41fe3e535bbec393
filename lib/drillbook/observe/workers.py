"""The processes of a container that do its work, told by the engine."""

from __future__ import annotations

from drillbook.observe import engine
from drillbook.target import Target


def workers(target: Target, container: str) -> dict[str, str]:
    """The processes of a running container that have no child, by their ids with their titles; empty: not to be told.

    In a server of a master and its workers these are the workers.
    """
    import docker

    try:
        rows = engine.client(target).api.top(container, ps_args="-eo pid,ppid,args")["Processes"]
    except docker.errors.APIError:  # it does not run any more, or the engine's host has no ps
        return {}
    parents = {parent for _, parent, _ in rows}
    return {pid: title for pid, _, title in rows if pid not in parents}
