"""How far the reset of a volume has come, written on the engine: empty volumes, made and removed at one stroke each.

`ASIDE.stopped` is there from before the first container is stopped, `ASIDE.cleared` from when the volume is empty
until its containers run again. A volume kept aside without either belongs to a reset that came to its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from enum import Enum
from typing import Any

from drillbook.act.executor import Context
from drillbook.act.volume_content import is_there, labels_of
from drillbook.observe import engine
from drillbook.observe.held import RESETTING, STARTS, marks
from drillbook.observe.kept import VOLUME as KEPT

MARKED = "volumes_marked"
TREE = f"{KEPT}.tree"
"""The label with the digest of what the volume held when its copy was begun."""


class Stage(Enum):
    """How far it has come."""

    BEGINNING = "beginning"
    STOPPED = "stopped"
    CLEARED = "cleared"
    DONE = "done"


def stage(client: Any, aside: str) -> Stage:
    """How far the reset has come that keeps its volume in *aside*."""
    if is_there(client, f"{aside}.cleared"):
        return Stage.CLEARED
    if is_there(client, f"{aside}.stopped"):
        return Stage.STOPPED
    return Stage.DONE if TREE in (labels_of(client, aside) or {}) else Stage.BEGINNING


def mark_stopped(context: Context, volume: str, aside: str, starts: Iterable[str]) -> None:
    """From now on *starts* are stopped for the reset of *volume*."""
    name = f"{aside}.stopped"
    if not is_there(engine.client(context.target), name):
        context.state.setdefault(MARKED, set()).add(name)
    _mark(context, volume, name, starts)


def is_first(context: Context) -> bool:
    """Whether no run before this one was cut in a reset of volumes: what it emptied, or half emptied, may be in use."""
    label = {"label": f"{RESETTING}.target={context.target.name}"}
    rows = engine.client(context.target).api.volumes(filters=label)["Volumes"] or []
    return all(row["Name"] in context.state.get(MARKED, ()) for row in rows)


def mark_cleared(context: Context, volume: str, aside: str, starts: Iterable[str]) -> None:
    """*volume* is empty, and what was in it is in *aside*."""
    _mark(context, volume, f"{aside}.cleared", starts)
    remove(engine.client(context.target), f"{aside}.stopped")


def _mark(context: Context, volume: str, name: str, starts: Iterable[str]) -> None:
    labels = {RESETTING: volume, f"{RESETTING}.target": context.target.name, STARTS: " ".join(starts)}
    engine.client(context.target).api.create_volume(name, labels=labels)


def finish(context: Context, volume: str, aside: str) -> None:
    """The reset of *volume* is done; so are earlier ones of it that were cut. Its own mark goes last."""
    client = engine.client(context.target)
    names = [row["Name"] for row in marks(client, context.target, volume)]
    for name in sorted(names, key=lambda name: name == f"{aside}.cleared"):
        remove(client, name)


def remove(client: Any, name: str) -> None:
    """Remove the mark *name*, if it is there."""
    import docker

    with suppress(docker.errors.NotFound):
        client.api.remove_volume(name)
