"""The way from data that goes with its container to data on a named volume: lines and commands, in the safe order."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from drillbook.decide.unkept import Place
from drillbook.observe.compose import compose_argv
from drillbook.observe.engine import stack_of
from drillbook.observe.facts import Snapshot
from drillbook.target import Target

STOP_SECONDS = 120
KINDS = ("TABLE", "INDEX", "MATERIALIZED VIEW")
COPY = 'test -z "$(ls -A /new)" || {{ echo the new volume is not empty >&2; exit 1; }}; cp -a {}/. /new/ && sync'
"""Into an empty volume only: two data directories in one are none."""
Step = tuple[str, ...]
"""What is to be done and why, then its lines."""


@dataclass(frozen=True)
class Home:
    """The named volume that takes the files: its key in the compose file, its name on the engine."""

    key: str
    name: str
    declared: bool


def move_data(target: Target, snapshot: Snapshot, place: Place) -> str:
    """What moves the files of *place* to where they stay: numbered steps, each with its lines to take as they stand.

    Changes nothing. Until the last step the old files are where they were, or, from memory, in a proven backup.
    """
    in_memory = place.mount is not None and place.mount.kind == "tmpfs"
    said = "\n".join(
        "\n     ".join((f"{number}. {why}", *lines))
        for number, (why, *lines) in enumerate(_steps(target, snapshot, place, in_memory), 1)
    )
    first = f"until these files are kept, let nothing {'stop' if in_memory else 'remove or recreate'}"
    return f"{first} {place.container.name}: no up, no down, no rm. The way there, in this order:\n{said}"


def _steps(target: Target, snapshot: Snapshot, place: Place, in_memory: bool) -> Iterator[Step]:
    if place.tablespace:
        return _emptied(target, place)
    home = _home(target, snapshot, place)
    return _refilled(target, place, home) if in_memory else _copied(target, place, home)


def _home(target: Target, snapshot: Snapshot, place: Place) -> Home:
    """The volume that the compose file already names for the folder, or a new one."""
    project, service = stack_of(target).project, place.container.service
    declared = {path: name for s in snapshot.services if s.name == service for name, path in s.volumes}
    if place.root in declared:
        name = declared[place.root]
        return Home(name.removeprefix(f"{project}_"), name, declared=True)
    taken = {volume.key for volume in snapshot.volumes}
    keys = (f"{service}_data{number if number > 1 else ''}" for number in count(1))
    key = next(key for key in keys if key not in taken)
    return Home(key, f"{project}_{key}", declared=False)


def _copied(target: Target, place: Place, home: Home) -> Iterator[Step]:
    name, image = place.container.name, f"{stack_of(target).project}-data:{place.container.id[:12]}"
    as_before = f"if this fails: docker start {name}, and all is as before"
    yield _proven(target)
    yield "stop the server", _docker(target, "stop", "-t", str(STOP_SECONDS), name)
    if place.mount is None:
        yield "keep the container with its files as an image", _docker(target, "commit", name, image)
    yield "make the volume, as compose would", _created(target, home)
    yield f"copy the files ({as_before})", _copy(target, place, home, image)
    yield _written(target, place, home)
    yield "put the server on its volume", _up(target, place)
    left = ("volume", "rm", place.mount.name) if place.mount else ("image", "rm", image)
    yield "when the next backup is proven, and not before", _docker(target, *left)


def _refilled(target: Target, place: Place, home: Home) -> Iterator[Step]:
    yield ("stop whatever writes to it, so that the backup holds all; not the server itself",)
    yield _proven(target)
    yield _written(target, place, home)
    yield "put the server on its volume; it starts empty", _up(target, place)
    yield "bring the data back (04-restore)", f"drillbook run restore --target {target.name}"


def _emptied(target: Target, place: Place) -> Iterator[Step]:
    """A tablespace's way: into the data directory, while the server runs."""
    database, space = target.databases[place.key], '"' + place.tablespace.replace('"', '""') + '"'
    every = " ".join(f"ALTER {kind} ALL IN TABLESPACE {space} SET TABLESPACE pg_default;" for kind in KINDS)
    psql = ("exec", place.container.name, "psql", "-p", str(database.port), "-U", database.user, "-d", database.dbname)
    yield _proven(target)
    yield (
        "move what is in it, which locks each table meanwhile; so in every database of the server that uses it",
        _docker(target, *psql, "-c", every),
    )
    yield "drop it; the server refuses while it is in use", _docker(target, *psql, "-c", f"DROP TABLESPACE {space}")


def _proven(target: Target) -> Step:
    name = f"--target {target.name}"
    first, then = f"drillbook run backup {name}", f"drillbook run drill {name}"
    return "take a backup and prove it (02-backup, 06-drill)", first, then


def _created(target: Target, home: Home) -> str:
    """The volume as compose would have made it, so that compose and drillbook take it for the stack's."""
    project, label = stack_of(target).project, "com.docker.compose"
    labels = ("--label", f"{label}.project={project}", "--label", f"{label}.volume={home.key}")
    return _docker(target, "volume", "create", *labels, home.name)


def _copy(target: Target, place: Place, home: Home, image: str) -> str:
    alone = ("--rm", "--network", "none", "--user", "0", "--entrypoint", "sh", "-v", f"{home.name}:/new")
    if place.mount is None:
        return _docker(target, "run", *alone, image, "-c", COPY.format(shlex.quote(place.directory)))
    old = ("-v", f"{place.mount.name}:/old:ro")
    return _docker(target, "run", *alone, *old, place.container.image_id, "-c", COPY.format("/old"))


def _written(target: Target, place: Place, home: Home) -> Step:
    file = target.directory / stack_of(target).files[0]
    if home.declared:
        return (f"leave {file} as it is: it names the volume {home.key} for {place.root} already",)
    return (
        f"add to {file}, in place of any other mount at {place.root}",
        f'services: {{{place.container.service}: {{volumes: ["{home.key}:{place.root}"]}}}}',
        f"volumes: {{{home.key}: }}",
    )


def _up(target: Target, place: Place) -> str:
    words = compose_argv(target, "up", "-d", "--no-build", "--no-deps", place.container.service)
    return _docker(target, *words[1:])


def _docker(target: Target, *words: str) -> str:
    """`docker` for the target's engine, as a shell takes it."""
    host = stack_of(target).docker_host
    return shlex.join(("docker", *(("-H", host) if host else ()), *words))
