"""The processes of a container that do its work, told by the engine."""

from __future__ import annotations

from drillbook.observe import engine
from drillbook.target import Target


def workers(target: Target, container: str) -> dict[str, str] | None:
    """The processes of a running container that have no child, by their ids with their titles.

    In a server of a master and its workers these are the workers. None where the engine cannot tell: it does not
    run, or the engine's host has no `ps`.

    Raises:
        EngineDown: the engine went away.
    """
    import docker

    with engine.answering("the processes of a container"):
        try:
            rows = engine.client(target).api.top(container, ps_args="-eo pid,ppid,args")["Processes"]
        except docker.errors.APIError:
            return None
    parents = {parent for _, parent, _ in rows}
    return {pid: title for pid, _, title in rows if pid not in parents}
