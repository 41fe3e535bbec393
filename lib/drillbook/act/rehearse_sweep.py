"""Remove a copy and all that was made for it: when its rehearsal ends, or the next one finds it left behind."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drillbook import home
from drillbook.act import canary
from drillbook.act.executor import Context, verb
from drillbook.act.rehearsal import FOLDER, KEPT, LABEL, NAMELESS, OWNER
from drillbook.act.scratch_marks import KEPT_SECONDS
from drillbook.decide.plan import Step
from drillbook.decide.rehearse_making import is_copy
from drillbook.errors import Locked, StepFailed
from drillbook.observe import engine
from drillbook.observe.owner import is_gone, ourselves
from drillbook.target import Target


@dataclass(frozen=True)
class Left:
    """What tells one copy from all else: its compose project, its identity as a target, its folder; and its maker."""

    project: str
    identity: str
    folder: Path
    owner: Mapping[str, str]

    @property
    def is_kept(self) -> bool:
        """Whether somebody asked for it to stay, less than a day ago."""
        file = self.folder / KEPT
        return file.exists() and time.time() - file.stat().st_mtime < KEPT_SECONDS

    @property
    def is_alive(self) -> bool:
        """Whether the process that made it is still at it; this one is not, for it is about to begin."""
        mine = all(self.owner.get(name) == value for name, value in ourselves().items())
        return not (mine or (self.folder / KEPT).exists() or is_gone(self.owner))


@verb("rehearse.sweep")
def sweep(step: Step, context: Context) -> Mapping[str, Any]:
    """Remove copies of this target whose process runs no more; one that was kept stays for a day.

    Raises:
        Locked: another rehearsal of this target is under way.
    """
    swept: list[str] = []
    for left in lefts(context.target):
        if left.is_kept:
            continue
        if left.is_alive:
            told = f"a rehearsal of {context.target.name} is under way, process {left.owner.get('pid')}"
            raise Locked(told, f"wait until it has ended; its copy is {left.project}", dict(left.owner))
        swept += remove(context.target, left)
    return {"swept": swept}


def lefts(target: Target) -> list[Left]:
    """The copies of *target* that are there, by their folders and by the labels of their things."""
    found: dict[str, Left] = {}
    for folder in sorted(target.staging.glob(f"{FOLDER}*")):
        told: Any = None
        with suppress(OSError, ValueError):
            told = json.loads((folder / OWNER).read_text())
        if isinstance(told, dict):
            found[told["project"]] = Left(told["project"], told["identity"], folder, told)
    for labels in _labels(engine.client(target).api, target.identity):
        told = {name.removeprefix(f"{LABEL}."): value for name, value in labels.items() if name.startswith(LABEL)}
        project = told.get("project", "")
        if is_copy(project):
            found.setdefault(project, Left(project, told.get("identity", ""), Path(told.get("folder", "")), told))
    return list(found.values())


def _labels(api: Any, identity: str) -> Iterator[Mapping[str, str]]:
    ours = {"label": f"{LABEL}={identity}"}
    rows = [*api.containers(all=True, filters=ours), *api.networks(filters=ours), *api.images(filters=ours),
            *(api.volumes(filters=ours)["Volumes"] or [])]  # fmt: skip
    yield from (row["Labels"] or {} for row in rows)


def remove(target: Target, left: Left) -> list[str]:
    """Remove all of one copy, each thing by its own label or name: what it was made from stays. Gives the names.

    Raises:
        StepFailed: something of it could not be removed; its folder stays too, for the next rehearsal to try again.
    """
    api, ours = engine.client(target).api, {"label": f"{LABEL}.project={left.project}"}
    canaries = {"label": f"{canary.LABEL}={left.identity}"}
    wrong: list[str] = []

    def each(
        action: Callable[[Any], object], things: Iterable[Any], name: Callable[[Any], str], together: int = 8
    ) -> list[str]:
        return _each(action, things, name, wrong, together)

    there = [*api.containers(all=True, filters=ours), *api.containers(all=True, filters=canaries)]
    gone = each(lambda row: api.remove_container(row["Id"], v=True, force=True), there, lambda row: row["Names"][0][1:])
    gone += each(lambda row: api.remove_network(row["Id"]), api.networks(filters=ours), lambda row: row["Name"])
    names = [*(row["Name"] for row in api.volumes(filters=ours)["Volumes"] or []), *nameless(left.folder)]
    gone += each(lambda name: api.remove_volume(name, force=True), names, str)
    # One at a time: an engine that removes two images at once loses layers that they share out of its sight.
    gone += each(lambda tag: _untag(api, tag), list(_tags(api, left.project)), str, together=1)
    if wrong:
        fact = f"of the copy {left.project} could not be removed: {'; '.join(wrong)}"
        raise StepFailed(fact, "the next rehearsal tries again; nothing of the target was touched", wrong)
    _folders(left)
    return gone


def _each(
    action: Callable[[Any], object], things: Iterable[Any], name: Callable[[Any], str], wrong: list[str], together: int
) -> list[str]:
    """Do *action* to each, *together* at once; the names of those it was done to. *wrong* gets why it could not."""
    import docker

    def attempt(thing: Any) -> str:
        try:
            action(thing)
        except docker.errors.NotFound:
            return ""
        except docker.errors.APIError as error:
            wrong.append(f"{name(thing)}: {error.explanation}")
            return ""
        return name(thing)

    with ThreadPoolExecutor(max_workers=together) as pool:
        return [done for done in pool.map(attempt, things) if done]


def nameless(folder: Path) -> list[str]:
    """Volumes without a name that containers of the copy had; the reset leaves those of what it replaces."""
    try:
        return [str(name) for name in json.loads((folder / NAMELESS).read_text())]
    except (OSError, ValueError):
        return []


def _tags(api: Any, project: str) -> Iterator[str]:
    for row in api.images():
        yield from (tag for tag in row["RepoTags"] or () if tag.startswith(f"{project}-"))


def _untag(api: Any, tag: str) -> None:
    """Take the copy's name from an image, and the image with it where it was built for the copy.

    An image of the target's that has no name of its own would go with its last one. So the copy's name is first
    moved to an image that has.
    """
    seen = api.inspect_image(tag)
    is_ours = LABEL in (seen["Config"].get("Labels") or {})
    if not is_ours and all(map(is_copy_tag, seen["RepoTags"] or ())):
        other = next(row for row in api.images() if any(not is_copy_tag(name) for name in row["RepoTags"] or ()))
        repository, _, version = tag.rpartition(":")
        api.tag(other["Id"], repository, version)
    api.remove_image(tag)


def is_copy_tag(tag: str) -> bool:
    """Whether *tag* is the name that a copy gave to an image: `connect-rehearsal-0a1b2c-app1:latest`."""
    return bool(re.fullmatch(r".+-rehearsal-[0-9a-f]{6}-[^:/]+:[^:/]+", tag)) or tag == "<none>:<none>"


def _folders(left: Left) -> None:
    """The copy's folders, its own last: until then it tells the next rehearsal what may be left."""
    clear_staging(left.identity)
    if left.folder.name.startswith(FOLDER):
        shutil.rmtree(left.folder, ignore_errors=True)


def clear_staging(identity: str) -> None:
    """Remove the clean context that the copy's images were built from."""
    if identity:
        staging = home.outputs() / ".staging" / identity
        shutil.rmtree(staging, ignore_errors=True)
        staging.with_suffix(".override.json").unlink(missing_ok=True)
