"""Restore a volume: stop what mounts it, keep its content aside, put the archive in, start again, look."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from drillbook.act.archive import stored
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded
from drillbook.act.restore import chosen, files
from drillbook.act.volume_content import clear, copy, is_there, kept_labels, listing, stop
from drillbook.act.volume_content import start as start_again
from drillbook.decide.evidence import Evidence
from drillbook.decide.plan import Step
from drillbook.errors import RunbookError
from drillbook.observe import engine, redis
from drillbook.observe.kept import BESIDE
from drillbook.observe.kept import VOLUME as KEPT
from drillbook.observe.redis import RedisContent
from drillbook.observe.volumes import PLACE, Tree, declared_volumes, window
from drillbook.vault.manifest import VolumeEntry

LOAD_SECONDS = 60


@verb("restore.volume_keep")
@guarded
def keep(step: Step, context: Context) -> Mapping[str, Any]:
    """Stop exactly the containers that mount the volume, and copy its content into a new volume, proven equal.

    What a run that was cut has already kept is never written over.

    Raises:
        RunbookError: the copy is not equal; the volume is as it was, its containers are started again.
    """
    volume, aside, image = _args(step)
    client = engine.client(context.target)
    stop(context, step.args["containers"])
    before = is_there(client, aside)
    if before and listing(context, image, volume).tree.digest == chosen(context).whole().volumes[volume].tree:
        return {"volume": volume, "kept": aside, "filled": "before this"}
    if not before:
        client.api.create_volume(aside, labels=kept_labels(KEPT, volume, context))
        copy(context, image, volume, aside)
    was, copied = listing(context, image, volume).tree, listing(context, image, aside).tree
    if was != copied:
        start_again(context, step.args["containers"])
        raise RunbookError(
            f"volume {aside}, the copy of {volume}, is not equal to it",
            f"{aside} stays as it is; plan again, and the new plan keeps what is there now under another name",
        )
    return {"volume": volume, "kept": aside, "members": was.members, "bytes": was.bytes, "tree": was.digest}


@verb("restore.volume_beside")
@guarded
def beside(step: Step, context: Context) -> Mapping[str, Any]:
    """A new volume with what the archive holds; nothing that is live is touched.

    Raises:
        RunbookError: a volume of that name is there already, and holds something else.
    """
    volume, new, image = _args(step)
    entry = chosen(context).whole().volumes[volume]
    client = engine.client(context.target)
    if not is_there(client, new):
        client.api.create_volume(new, labels=kept_labels(BESIDE, volume, context))
        with window(client, image, new, "rw", context.folder.name) as container:
            client.api.put_archive(container, PLACE, stored(files(context) / entry.file))
    now = listing(context, image, new).tree
    if now.digest != entry.tree:
        fact = f"volume {new} is there and does not hold what the archive holds"
        raise RunbookError(fact, "plan again; the new plan chooses another name")
    _note(context, volume, _held(volume, now, entry, "tar of the new volume"))
    return {"volume": new, "members": now.members, "bytes": now.bytes}


def _held(volume: str, now: Tree, entry: VolumeEntry, how: str) -> Evidence:
    told = (f"{now.members} members, tree {now.digest[:12]}", f"{entry.members} members, tree {entry.tree[:12]}")
    return Evidence(f"{volume}:archive", "volume", volume, "pass", *told, how)


@verb("restore.volume_fill")
@guarded
def fill(step: Step, context: Context) -> Mapping[str, Any]:
    """Clear the volume, put the archive in, and read it back.

    Raises:
        RunbookError: what is in it now is not what the archive holds; its old content lies in `aside`.
    """
    volume, aside, image = _args(step)
    backup = chosen(context)
    entry = backup.whole().volumes[volume]
    client = engine.client(context.target)
    stop(context, step.args["containers"])
    if not is_there(client, aside):
        raise RunbookError(f"volume {aside} is not there, so {volume} is not cleared", "run this again from its start")
    clear(context, image, volume)
    with window(client, image, volume, "rw", context.folder.name) as container:
        client.api.put_archive(container, PLACE, stored(files(context) / entry.file))
    now = listing(context, image, volume).tree
    if now.digest != entry.tree:
        raise RunbookError(
            f"volume {volume} does not hold what the archive holds ({now.members} of {entry.members} members)",
            f"its containers are stopped; its old content is in volume {aside}",
        )
    _note(context, volume, _held(volume, now, entry, "tar of the stopped volume"))
    return {"volume": volume, "members": now.members, "bytes": now.bytes}


@verb("restore.volume_start")
@guarded
def start(step: Step, context: Context) -> Mapping[str, Any]:
    """Start the containers again; a redis must load what was put there."""
    volume, _, _ = _args(step)
    entry = chosen(context).whole().volumes[volume]
    start_again(context, step.args["containers"])
    if entry.kind != "redis":
        return {"started": list(step.args["containers"])}
    found = _redis(context, volume)
    _note(context, volume, found)
    return {"started": list(step.args["containers"]), "verdict": found.verdict, "observed": found.observed}


def _redis(context: Context, volume: str) -> Evidence:
    """That the redis has loaded the restored files.

    The files themselves were compared while it was stopped; from its start on
    the application may write, so other keys than the backup's are told, and
    only none at all is a failure: it did not read what lies there.
    """
    entry = chosen(context).whole().volumes[volume]
    expected = f"loads the restored files: {entry.keys} keys, digest {entry.digest or 'not known'}"
    try:
        seen = _loaded(context, volume)
    except RunbookError as error:
        return Evidence(f"{volume}:redis", "volume", volume, "fail", error.fact, expected)
    same = (seen.keys, seen.digest) == (entry.keys, entry.digest)
    told = f"{seen.keys} keys, digest {seen.digest}" + ("" if same else ", written to since its start")
    empty = entry.keys and not seen.keys
    return Evidence(f"{volume}:redis", "volume", volume, "fail" if empty else "pass", told, expected)


def _loaded(context: Context, volume: str) -> RedisContent:
    place = next(v for v in declared_volumes(context.target) if v.name == volume)
    client, password = engine.client(context.target), redis.password_of(context.target, place.key)
    deadline = time.monotonic() + LOAD_SECONDS
    while True:
        try:
            return redis.content(client, place.container_id, password)
        except RunbookError:  # it loads its data, or does not listen yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _args(step: Step) -> tuple[str, str, str]:
    return str(step.args["volume"]), str(step.args["aside"]), str(step.args["image_id"])


def _note(context: Context, volume: str, evidence: Evidence) -> None:
    context.state.setdefault("volumes", {}).setdefault(volume, []).append(evidence)
