"""Drill a volume's archive: read it whole, and start a scratch redis on a copy of it."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import zstandard

from drillbook.act.archive import stored
from drillbook.act.drill import Drill, under_way
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.scratch_marks import labels, new_name
from drillbook.decide.plan import Step
from drillbook.errors import RunbookError
from drillbook.observe import engine, redis
from drillbook.observe.redis import RedisContent
from drillbook.observe.volumes import PLACE, tree_of, window
from drillbook.vault.manifest import VolumeEntry

READY_SECONDS = 120


@verb("drill.volume")
@guarded
def drill_volume(step: Step, context: Context) -> Mapping[str, Any]:
    """One archive reads whole with the manifest's tree; a redis' loads and holds the manifest's keys, when started."""
    drill = under_way(context)
    entry = drill.backup.whole().volumes[step.subject]
    with drill.timed():
        whole = _archive(drill, step.subject, entry)
        if whole == "pass" and entry.kind == "redis" and step.args.get("start", True):
            return {"verdict": _redis(drill, step.subject, entry, context)}
    return {"verdict": whole}


def _archive(drill: Drill, name: str, entry: VolumeEntry) -> str:
    expected = f"{entry.members} members, tree {entry.tree[:12]}"
    try:
        tree = tree_of(stored(drill.folder / entry.file))
    except (OSError, EOFError, tarfile.TarError, zstandard.ZstdError) as error:
        return drill.note(f"{name}:archive", "fail", f"does not read whole: {error}", expected)
    same = tree.digest == entry.tree
    return drill.note(
        f"{name}:archive", "pass" if same else "fail", f"{tree.members} members, tree {tree.digest[:12]}", expected
    )


def _redis(drill: Drill, name: str, entry: VolumeEntry, context: Context) -> str:
    expected = f"{entry.keys} keys, digest {entry.digest or 'not known: the keys never held still'}"
    try:
        with scratch_redis(context, drill, entry) as seen:
            told = f"{seen.keys} keys, digest {seen.digest}"
    except RunbookError as error:
        return drill.note(f"{name}:redis", "fail", error.fact, expected)
    if entry.digest is None:
        return drill.note(f"{name}:redis", "unknown", told, expected)
    same = (seen.keys, seen.digest) == (entry.keys, entry.digest)
    return drill.note(f"{name}:redis", "pass" if same else "fail", told, expected)


@contextmanager
def scratch_redis(context: Context, drill: Drill, entry: VolumeEntry) -> Iterator[RedisContent]:
    """What a redis of the same image holds that starts on a copy of the archive; without a network, gone afterwards.

    Raises:
        RunbookError: it does not load the copy.
    """
    client = engine.client(context.target)
    name, marks = new_name(), labels(context.folder.name)
    client.api.create_volume(name, labels=marks)
    made = None
    try:
        with window(client, entry.image_id, name, "rw", context.folder.name) as container:
            client.api.put_archive(container, PLACE, stored(drill.folder / entry.file))
        host = client.api.create_host_config(
            binds={name: {"bind": entry.destination, "mode": "rw"}}, network_mode="none"
        )
        made = client.api.create_container(
            entry.image_id, command=_words(entry), entrypoint=["redis-server"], user="0:0", name=name,
            host_config=host, labels=marks,
        )["Id"]  # fmt: skip
        client.api.start(made)
        _ready(client, made)
        yield redis.content(client, made, "")
    finally:
        if made:
            client.api.remove_container(made, v=True, force=True)
        client.api.remove_volume(name, force=True)


def _words(entry: VolumeEntry) -> list[str]:
    config = {"dir": entry.destination, **entry.config}
    words = ["--save", "", "--protected-mode", "yes", "--daemonize", "no"]
    for key, value in config.items():
        words += [f"--{key}", value]
    return words


def _ready(client: Any, container: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if not client.api.inspect_container(container)["State"]["Running"]:
            log = client.api.logs(container, tail=4).decode(errors="replace").strip()
            raise RunbookError(f"the scratch redis ended: {log}", "the archive does not load; take a new backup")
        if _answers(client, container):
            return
        time.sleep(0.1)
    raise RunbookError(f"the scratch redis did not load within {READY_SECONDS} s", "drill again")


def _answers(client: Any, container: str) -> bool:
    try:
        return redis.cli(client, container, "", "PING").strip() == "PONG"
    except RunbookError:  # it refuses connections until it listens
        return False
