"""What a reset refuses before anything is planned: a name that others go by too, data that a container takes along."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict

from drillbook.decide.move_data import move_data
from drillbook.decide.unkept import unkept
from drillbook.errors import DataNotKept, NameTaken, NotObserved
from drillbook.observe.facts import Mount, Snapshot, StrangerFact
from drillbook.target import Target

NEEDED = ("project name", "containers")
"""What must have been observed: unknown is not pass."""


def refuse_unsafe(target: Target, snapshot: Snapshot) -> None:
    """Return when a reset of the target's stack can lose no other stack and no database.

    Changes nothing. Without a stack there is nothing to refuse; a service that has no
    container has nothing in one.

    Raises:
        NotObserved: the containers, or who else goes by the project's name, could not be seen.
        NameTaken: containers of another folder or other config files go by it.
        DataNotKept: files of a database lie on an anonymous volume, in memory or in the container's own layer.
    """
    if target.stack is None:
        return
    _refuse_unseen(snapshot)
    _refuse_taken(target, snapshot)
    _refuse_unkept(target, snapshot)


def _refuse_unseen(snapshot: Snapshot) -> None:
    unseen = {name: snapshot.unknown[name] for name in NEEDED if name in snapshot.unknown}
    if unseen:
        said = "; ".join(f"{name}: {why}" for name, why in unseen.items())
        hint = "unknown is not pass: see that the engine answers `docker ps -a`, then run this again from the top"
        raise NotObserved(f"what a reset must not touch could not be observed: {said}", hint, unseen)


def _refuse_taken(target: Target, snapshot: Snapshot) -> None:
    if not snapshot.strangers:
        return
    assert target.stack is not None
    project, held = target.stack.project, defaultdict(list)
    for stranger in snapshot.strangers:
        held[stranger.directory, stranger.files].append(stranger)
    by = "; ".join(f"{_whose(*stack)}: {', '.join(map(_named, there))}" for stack, there in held.items())
    raise NameTaken(
        f"the compose project name {project} is also that of {by}",
        f"nothing was planned: docker compose -p {project} takes those for this stack's own. Give one of the two"
        f" another project name (`name:` in its compose file; for this stack also stack.project in {target.file}); its"
        " volumes are called after the project, so give each a `name:` of its own first, or it starts with empty ones."
        " If it is this very stack by another path or with other files, say so in stack.directory and stack.files",
        [asdict(stranger) for stranger in snapshot.strangers],
    )


def _whose(directory: str, files: tuple[str, ...]) -> str:
    where = directory or "a folder that no label tells"
    names = [file.removeprefix(f"{directory}/") for file in files]
    return f"{where} ({', '.join(names)})" if names else where


def _named(stranger: StrangerFact) -> str:
    return stranger.container if stranger.running else f"{stranger.container} (stopped)"


def _refuse_unkept(target: Target, snapshot: Snapshot) -> None:
    places = unkept(target, snapshot)
    if places:
        place = places[0]
        what = f"tablespace {place.tablespace}" if place.tablespace else f"database {place.key}"
        where = f"{place.directory} of {place.container.name} ({place.told_by})"
        fact = f"the files of {what} lie in {where}, {_fate(place.mount)}"
        raise DataNotKept(fact, move_data(target, snapshot, place), [each.as_json() for each in places])


def _fate(mount: Mount | None) -> str:
    if mount is None:
        return "in the container's own layer: they go with it"
    if mount.kind == "tmpfs":
        return "in memory: they go when it stops"
    return f"on the anonymous volume {mount.name}: a container that is made anew may start without them"
