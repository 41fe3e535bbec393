"""Plan to empty volumes: stopped, copied to a dated volume that is proven equal, emptied, started again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from drillbook.decide.aside import volume_aside
from drillbook.decide.plan import Object, Step
from drillbook.decide.proof import Proof
from drillbook.decide.volume_choice import volume_names
from drillbook.decide.volume_commands import emptying, returning, shell
from drillbook.errors import NotObserved, Refused, RunbookError
from drillbook.observe.facts import ContainerFact, HeldFact, Snapshot, VolumeFact
from drillbook.observe.held import mounts
from drillbook.target import Target

HOURS = 3600
START_SECONDS = 300


@dataclass(frozen=True)
class _Emptied:
    """One volume that is emptied: who mounts it, which of them run, or ran before a reset that was cut."""

    volume: VolumeFact
    held: HeldFact
    aside: str
    containers: tuple[ContainerFact, ...]
    starts: tuple[ContainerFact, ...]

    @property
    def saves(self) -> str:
        """The id of the redis that is to save first; empty for none."""
        return next((c.id for c in self.containers if c.running and self.held.redis == c.id), "")


def volume_steps(
    target: Target, snapshot: Snapshot, proof: Proof, names: str | Iterable[str], stamp: str
) -> tuple[Step, ...]:
    """All are kept aside before the first is emptied, and all are empty before a container starts again.

    Raises:
        BadParameters: the stack has no such volume.
        Refused: one holds a database's data, or a container that is not the target's uses it.
        NotObserved: what one holds is not known.
        RunbookError: no image of the target has the programs that empty one.
    """
    found = [_emptied(snapshot, name, stamp) for name in volume_names(target, snapshot, names)]
    keeps = [_keep(target, one) for one in found]
    clears = [_clear(target, one, proof) for one in found]
    return (*keeps, *clears, _start(found)) if found else ()


def _emptied(snapshot: Snapshot, name: str, stamp: str) -> _Emptied:
    held, volume = snapshot.held.get(name), next(v for v in snapshot.volumes if v.name == name)
    if held is None:
        raise NotObserved(f"what volume {name} holds now is not known", "see that the engine answers; plan again")
    if held.control:
        fact = f"volume {name} holds a PostgreSQL server's data ({held.control}): it is not emptied as files"
        raise Refused(fact, "scope=database resets a database that the target's file names")
    if held.others:
        fact = f"volume {name} is used by {', '.join(held.others)}, not of {snapshot.target}"
        raise Refused(fact, f"stop what uses it, then plan again: docker stop {' '.join(held.others)}")
    if not held.image_id:
        fact = f"no image of {snapshot.target} has sh and find, so nothing of it can empty volume {name}"
        raise RunbookError(fact, "empty it by hand: the content is in the proven backup")
    containers = tuple(c for c in snapshot.containers if mounts(c, name))
    starts = tuple(c for c in containers if c.running or c.id in held.stopped)
    return _Emptied(volume, held, volume_aside(name, stamp), containers, starts)


def _keep(target: Target, one: _Emptied) -> Step:
    """Only what runs is stopped, but nothing else may run that mounts it."""
    name, ids = one.volume.name, [c.id for c in one.containers]
    args = {
        "volume": name, "key": one.volume.key, "aside": one.aside, "image_id": one.held.image_id, "saves": one.saves,
        "containers": ids, "starts": [c.id for c in one.starts],
    }  # fmt: skip
    return Step(
        f"keep-{one.volume.key}", "volume.keep_aside", name, ("docker", "stop", *ids) if ids else (), args=args,
        recovers=shell(target, "docker", "start", *(c.name for c in one.starts)) if one.starts else "",
        timeout_seconds=HOURS,
    )  # fmt: skip


def _clear(target: Target, one: _Emptied, proof: Proof) -> Step:
    name = one.volume.name
    back = returning(target, one.held.image_id, name, one.aside, [c.name for c in one.starts])
    args = {
        "volume": name, "aside": one.aside, "image_id": one.held.image_id, "containers": [c.id for c in one.containers],
        "starts": [c.id for c in one.starts], "backup": proof.backup.name,
    }  # fmt: skip
    return Step(
        f"clear-{one.volume.key}", "volume.clear", name, emptying(one.held.image_id, name, one.aside), args=args,
        destroys=(f"content of volume {name} (copied to {one.aside})",), recovers=back, timeout_seconds=HOURS,
    )  # fmt: skip


def _start(found: list[_Emptied]) -> Step:
    containers = {c.id: c.name for one in found for c in one.starts}
    asides = {one.aside: one.volume.name for one in found}
    return Step(
        "start-volumes", "volume.start", ", ".join(containers.values()) or "nothing that ran",
        ("docker", "start", *containers) if containers else (), args={"asides": asides, "starts": list(containers)},
        timeout_seconds=START_SECONDS,
    )  # fmt: skip


def volume_objects(
    target: Target, snapshot: Snapshot, proof: Proof, names: str | Iterable[str], stamp: str
) -> tuple[Object, ...]:
    """Each volume with what brings its content back, and the containers that stand still meanwhile."""
    steps = {step.args["volume"]: step for step in volume_steps(target, snapshot, proof, names, stamp) if step.destroys}
    volumes = [
        Object("volumes", "volume", name, step.id, step.destroys[0], step.recovers, snapshot.held[name].bytes,
               _created(next(v for v in snapshot.volumes if v.name == name)))
        for name, step in steps.items()
    ]  # fmt: skip
    return (*volumes, *_stopped(target, snapshot, list(steps)))


def _stopped(target: Target, snapshot: Snapshot, names: list[str]) -> Iterable[Object]:
    """The containers that run now, with the first step that stops each."""
    keys = {volume.name: volume.key for volume in snapshot.volumes}
    for container in snapshot.containers:
        mounted = [name for name in names if mounts(container, name)]
        if container.running and mounted:
            back = shell(target, "docker", "start", container.name)
            yield Object(
                "volumes", "container", container.name, f"keep-{keys[mounted[0]]}",
                "stopped, and started again at the end", back, None, _seconds(container.created),
            )  # fmt: skip


def _created(volume: VolumeFact) -> float:
    return _seconds(volume.created)


def _seconds(told: str) -> float:
    """Since 1970, of a time as the engine tells it; 0 where it tells none."""
    try:
        return datetime.fromisoformat(told).timestamp()
    except ValueError:
        return 0.0
