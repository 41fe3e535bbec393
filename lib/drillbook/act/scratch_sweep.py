"""Remove what killed drills left behind, and what was kept for longer than a day."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from drillbook.act.executor import Context, verb
from drillbook.act.scratch_marks import FOLDER, KEPT, KEPT_FILE, KEPT_SECONDS, LABEL, is_dead, is_dead_folder
from drillbook.decide.plan import Step
from drillbook.observe import engine
from drillbook.target import Target

STOP_SECONDS = 20


@verb("drill.sweep")
def sweep_all(step: Step, context: Context) -> dict[str, Any]:
    """Scratch things whose process runs no more: containers, volumes and networks on the engine, folders here."""
    here = context.target.stack is not None
    return {"swept": [*(sweep(context.target) if here else ()), *sweep_folders()]}


def sweep(target: Target) -> list[str]:
    """Remove containers, volumes and networks of dead drills, and kept servers older than a day; gives their names."""
    api = engine.client(target).api
    return [*_containers(api), *_volumes(api), *_networks(api)]


def _containers(api: Any) -> Iterator[str]:
    for row in api.containers(all=True, filters={"label": LABEL}):
        name = row["Names"][0].lstrip("/")
        old = time.time() - row["Created"] > KEPT_SECONDS
        if is_dead(row["Labels"]) and (old or not name.startswith(KEPT)) and _remove_container(api, row["Id"]):
            yield name


def _volumes(api: Any) -> Iterator[str]:
    """Each after the containers that were only made to fill it."""
    for row in api.volumes(filters={"label": LABEL})["Volumes"] or []:
        if is_dead(row["Labels"]):
            for holder in api.containers(all=True, filters={"volume": row["Name"]}):
                _remove_container(api, holder["Id"])
            if _is_gone(partial(api.remove_volume, row["Name"], force=True)):
                yield row["Name"]


def _networks(api: Any) -> Iterator[str]:
    for row in api.networks(filters={"label": LABEL}):
        if is_dead(row["Labels"]) and _is_gone(partial(api.remove_network, row["Id"])):
            yield row["Name"]


def _remove_container(api: Any, key: str) -> bool:
    return _is_gone(partial(api.remove_container, key, v=True, force=True))


def _is_gone(remove: Callable[[], Any]) -> bool:
    """Whether *remove* did it; not when another drill's sweep is at it, or something still uses it."""
    import docker

    try:
        remove()
    except docker.errors.APIError as error:
        if error.status_code in (403, 404, 409):
            return False
        raise
    return True


def sweep_folders(place: Path | None = None, owner: int | None = None) -> list[str]:
    """Remove the folders of dead drills, each with the server in it, and kept ones older than a day; gives them.

    They lie in the system's temporary folder and are ours, or in *place* and the user *owner*'s.
    """
    swept, uid = [], os.geteuid() if owner is None else owner
    for folder in sorted((place or Path(tempfile.gettempdir())).glob(f"{FOLDER}*")):
        with suppress(FileNotFoundError):  # another drill's sweep is at it
            if _swept(folder, uid):
                swept.append(str(folder))
    return swept


def _swept(folder: Path, owner: int) -> bool:
    kept = folder / KEPT_FILE
    if folder.stat().st_uid != owner or not is_dead_folder(folder):
        return False
    if kept.exists() and datetime.now(UTC).timestamp() - kept.stat().st_mtime <= KEPT_SECONDS:
        return False
    _end_server(folder / "data")
    shutil.rmtree(folder)
    return True


def _end_server(data: Path) -> None:
    """End the server of *data* at once; its process is known by the folder that it works in, not by its number."""
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
        ours = Path(f"/proc/{pid}/cwd").resolve(strict=True) == data.resolve()
    except (OSError, ValueError, IndexError):
        return
    deadline = time.monotonic() + STOP_SECONDS
    while ours and Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        os.kill(pid, signal.SIGQUIT)
        time.sleep(0.2)
