"""The end of a rehearsal: all of the copy removed, or kept for a day with the words that remove it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from drillbook.act.executor import Context, verb
from drillbook.act.guard import finish
from drillbook.act.rehearsal import COMPOSE, KEPT, LABEL, Rehearsal, under_way
from drillbook.act.rehearse_sweep import Left, clear_staging, is_copy_tag, nameless, remove
from drillbook.decide.plan import Step
from drillbook.errors import RunbookError
from drillbook.observe import engine


@verb("rehearse.remove")
def end(step: Step, context: Context) -> Mapping[str, Any]:
    """Remove everything that was made for the copy, each thing by its own label.

    Raises:
        StepFailed: something of it could not be removed.
    """
    rehearsal = under_way(context)
    left_network(rehearsal)
    gone = remove(rehearsal.target, _left(rehearsal))
    finish(context)
    return {"removed": len(gone), "names": gone}


@verb("rehearse.keep")
def keep(step: Step, context: Context) -> Mapping[str, Any]:
    """Let the copy run on, without the file that its variables were filled into; how to reach it and to remove it."""
    rehearsal = under_way(context)
    left_network(rehearsal)
    (rehearsal.folder / KEPT).touch()
    (rehearsal.folder / COMPOSE).unlink(missing_ok=True)
    clear_staging(rehearsal.copy.identity)
    finish(context)
    return {"reach": _reach(rehearsal), "remove": _words(rehearsal)}


def discard(rehearsal: Rehearsal) -> None:
    """Remove the copy unless it is to be kept; what could not be removed is left to the next rehearsal."""
    left_network(rehearsal)
    if not (rehearsal.folder / KEPT).exists():
        with suppress(RunbookError, OSError):
            remove(rehearsal.target, _left(rehearsal))


def left_network(rehearsal: Rehearsal) -> None:
    """Step out of the copy's network for good."""
    if rehearsal.net is not None:
        rehearsal.net.close()
        rehearsal.net = None


def _left(rehearsal: Rehearsal) -> Left:
    return Left(rehearsal.making.project, rehearsal.copy.identity, rehearsal.folder, {})


def _reach(rehearsal: Rehearsal) -> list[str]:
    """Its containers, each of its databases, and its first endpoint."""
    pid = engine.client(rehearsal.target).api.inspect_container(rehearsal.holder)["State"]["Pid"]
    step_in = ("nsenter", "-t", str(pid), "-n") if rehearsal.making.closed else ()
    asked = [(*step_in, "curl", "-si", e.url) for e in list(rehearsal.copy.endpoints.values())[:1]]
    names = {d.service: engine.container_of(rehearsal.copy, d.service).name for d in rehearsal.copy.databases.values()}
    servers = [("docker", "exec", "-it", names[d.service], "psql", "-U", d.user, "-d", d.dbname)
               for d in rehearsal.copy.databases.values()]  # fmt: skip
    there = ("docker", "ps", "--filter", f"label={LABEL}.project={rehearsal.making.project}")
    return [shlex.join(words) for words in (there, *servers, *asked)]


def _words(rehearsal: Rehearsal) -> list[str]:
    """The exact commands that remove the copy, each with the names of what it removes."""
    api, ours = engine.client(rehearsal.target).api, {"label": f"{LABEL}.project={rehearsal.making.project}"}
    project = rehearsal.making.project
    names = [row["RepoTags"] or () for row in api.images() if LABEL in (row["Labels"] or {}) or _is_named(row)]
    tags = [tag for own in names for tag in own if tag.startswith(f"{project}-")]
    found = {
        ("docker", "rm", "-f", "-v"): [row["Names"][0][1:] for row in api.containers(all=True, filters=ours)],
        ("docker", "network", "rm"): [row["Name"] for row in api.networks(filters=ours)],
        ("docker", "volume", "rm"): [
            *(row["Name"] for row in api.volumes(filters=ours)["Volumes"] or []), *nameless(rehearsal.folder),
        ],
        ("docker", "rmi"): tags, ("rm", "-rf"): [str(rehearsal.folder)],
    }  # fmt: skip
    return [shlex.join((*words, *sorted(names))) for words, names in found.items() if names]


def _is_named(row: Mapping[str, Any]) -> bool:
    """Whether an image has a name besides a copy's, so that it stays when that is taken from it."""
    return not all(map(is_copy_tag, row["RepoTags"] or ()))
