"""What is kept of a container before it goes: its log, its configuration without values, what was edited in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from drillbook.act import durable
from drillbook.act.executor import Context
from drillbook.observe import engine, layer
from drillbook.observe.facts import ContainerFact

LOG_LINES = 10_000
MOST_BYTES = 256 << 20
CONFIG = ("Image", "Hostname", "User", "WorkingDir", "ExposedPorts", "Volumes", "StopSignal", "StopTimeout")
"""What of a container's configuration holds no secret."""


def keep(context: Context, container: ContainerFact) -> Mapping[str, Any]:
    """Write log, configuration and edited files of *container* into `kept/<name>/` of the run's folder, mode 0600.

    Of the environment only the names are kept, never a value, and nothing of the command, which may hold a password.
    Files that were edited in the container's own layer below the code's folder are taken as a tar each; more than
    256 MB of them are named, not taken.
    """
    api, folder = engine.client(context.target).api, durable.folder(context.folder / "kept" / container.name)
    seen = api.inspect_container(container.id)
    config = {key: seen["Config"].get(key) for key in CONFIG}
    config["Env"] = sorted(pair.partition("=")[0] for pair in seen["Config"]["Env"] or [])
    told = {key: seen[key] for key in ("Id", "Name", "Created", "Image", "State", "Mounts")} | {"Config": config}
    durable.replace(folder / "inspect.json", json.dumps(told, indent=1).encode())
    durable.replace(folder / "log.txt", log(api, container.id, LOG_LINES))
    edited = _edited(context, container)
    taken = _take(api, container, edited, folder)
    return {"folder": str(folder.relative_to(context.folder)), "edited": edited, "bytes": taken}


def log(api: Any, container: str, lines: int) -> bytes:
    """The last *lines* that a container wrote; the engine's own words where its logging driver keeps none."""
    import docker

    try:
        return bytes(api.logs(container, tail=lines, timestamps=True))
    except docker.errors.APIError as error:
        return f"its log cannot be read: {error.explanation or error}\n".encode()


def _edited(context: Context, container: ContainerFact) -> list[str]:
    """The paths in the container below its code's folder that its own layer holds otherwise than its image."""
    stack = context.target.stack
    code = stack.services[container.service].code if stack and container.service in stack.services else None
    if code is None:
        return []
    client, here = engine.client(context.target), engine.is_local(context.target)
    found = layer.changes(client, container.id, code.image, here=here)
    return [f"{code.image}/{path}" for path, kind in sorted(found.items()) if kind == "changed"]


def _take(api: Any, container: ContainerFact, paths: list[str], folder: Any) -> int:
    """The edited files, each as the tar that the engine gives; folders among them are passed over."""
    import docker

    taken = 0
    for number, path in enumerate(paths):
        try:
            chunks, stat = api.get_archive(container.id, path)
        except docker.errors.NotFound:  # in the list of changes, and gone since
            continue
        if stat["mode"] >> 31 & 1 or taken + stat["size"] > MOST_BYTES:
            chunks.close() if hasattr(chunks, "close") else None
            continue
        content = b"".join(chunks)
        taken += len(content)
        durable.replace(folder / f"edited-{number}.tar", content)
    return taken
