"""Empty a volume without losing what is in it: stop what mounts it, copy, prove the copy equal, clear, start again.

Whatever moment a run is killed at, the same steps again go on from there: what is in the volume is removed only while
the volume kept aside has all of it, and is whole by the digest that its own label has had since before the copy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded, undo
from drillbook.act.volume_content import copy, is_there, kept_labels, labels_of, listing, save, start
from drillbook.act.volume_marks import TREE, Stage, finish, is_first, mark_cleared, mark_stopped, remove, stage
from drillbook.decide.aside import volume_aside
from drillbook.decide.plan import Step
from drillbook.errors import RunbookError, StepFailed
from drillbook.observe import engine
from drillbook.observe.command import environment, run_checked
from drillbook.observe.held import users
from drillbook.observe.helper import LABEL
from drillbook.observe.kept import VOLUME as KEPT
from drillbook.observe.volumes import Listing
from drillbook.target import secret

CLEARING, MADE = "volumes_clearing", "volumes_made"
CLEARING_SECONDS = 600
POLL_SECONDS = 0.3
AGAIN = "plan again: the new plan keeps what is there now under a name of its own"


@verb("volume.keep_aside")
@guarded
def keep_aside(step: Step, context: Context) -> Mapping[str, Any]:
    """Stop the containers that mount the volume, and have all of its content in `aside`, proven equal.

    When this or another step before the first clearing fails, all is again as it was: the containers run, and what
    this run has copied is removed; not so where an earlier run was cut, for it may have cleared a part.

    Raises:
        RunbookError: a container that the plan does not know uses the volume, or the copy is not equal.
    """
    volume, aside = step.subject, str(step.args["aside"])
    client = engine.client(context.target)
    came = stage(client, aside)
    if came in (Stage.CLEARED, Stage.DONE):
        return {"volume": volume, "kept": aside, "seen": "cleared before this"}
    _alone(context, volume, step.args["containers"])
    mark_stopped(context, volume, aside, step.args["starts"])
    undo(context, _as_it_was(step, context))
    _save(step, context)
    if step.argv:
        run_checked(step.argv, timeout=step.timeout_seconds, env=environment(context.target))
    was = listing(context, str(step.args["image_id"]), volume, aside)
    now = _copied(step, context, was)
    return {"volume": volume, "kept": aside, "members": now.tree.members, "bytes": now.bytes, "tree": now.tree.digest}


def _alone(context: Context, volume: str, known: Iterable[str]) -> None:
    """That no container but the *known* ones uses *volume*."""
    client = engine.client(context.target)
    _swept(client, volume)
    others = [str(row["Names"][0]).lstrip("/") for row in users(client, volume) if row["Id"] not in known]
    if others:
        fact = f"{', '.join(others)} uses volume {volume} since the plan was made"
        raise RunbookError(fact, f"nothing was cleared; stop it (docker stop {' '.join(others)}), then plan again")


def _swept(client: Any, volume: str) -> None:
    """The helpers that a killed reset of *volume* left are gone: what still clears is waited for."""
    import docker

    for row in client.api.containers(all=True, filters={"label": LABEL}):
        if row["Labels"][LABEL].startswith(volume_aside(volume)):
            with suppress(docker.errors.NotFound):
                if row["State"] == "running":
                    client.api.wait(row["Id"], timeout=CLEARING_SECONDS)
                client.api.remove_container(row["Id"], v=True)


def _as_it_was(step: Step, context: Context) -> Callable[[], None]:
    """Until the first volume is being cleared, the copies of this run hold nothing that their volumes do not hold."""

    def again() -> None:
        if CLEARING in context.state or not is_first(context):
            return
        start(context, step.args["starts"])
        client, aside = engine.client(context.target), str(step.args["aside"])
        if aside in context.state.get(MADE, ()):
            client.api.remove_volume(aside)
        if not is_there(client, aside):
            remove(client, f"{aside}.stopped")

    return again


def _save(step: Step, context: Context) -> None:
    """Have a redis write its keys to its volume first: one that is told to keep none would lose them by the stop."""
    client, container = engine.client(context.target), str(step.args["saves"])
    if container not in [row["Id"] for row in users(client, step.subject)]:
        return
    declared = context.target.volumes.get(str(step.args["key"])) or context.target.volumes[step.subject]
    hint = f"docker logs {container[:12]} says more; stopped before the plan is made, it is not asked to save"
    save(client, container, secret(declared.password, context.target), hint)


def _copied(step: Step, context: Context, was: Listing) -> Listing:
    """What is in `aside` once it holds all that *was* in the volume.

    Raises:
        RunbookError: it does not, or is a volume of somebody else's.
    """
    volume, aside, image = step.subject, str(step.args["aside"]), str(step.args["image_id"])
    client = engine.client(context.target)
    if not is_there(client, aside):
        labels = {**kept_labels(KEPT, volume, context), TREE: was.tree.digest}
        client.api.create_volume(aside, labels=labels)
        context.state.setdefault(MADE, set()).add(aside)
    wanted, now = _wanted(context, volume, aside), listing(context, image, aside, aside)
    if now.tree.digest != wanted and was.tree.digest == wanted:
        copy(context, image, volume, aside, aside)
        now = listing(context, image, aside, aside)
    if now.tree.digest != wanted:
        raise RunbookError(f"volume {aside} is no whole copy of {volume}", f"nothing was cleared; {AGAIN}")
    _holds(was, now, volume, aside)
    return now


def _wanted(context: Context, volume: str, aside: str) -> str:
    """The digest of what *aside* is to hold.

    Raises:
        RunbookError: it is not there, or no reset of this volume made it.
    """
    labels = labels_of(engine.client(context.target), aside)
    if labels is None:
        raise RunbookError(f"volume {aside} is not there, so {volume} is not cleared", "run this again from its start")
    if (labels.get(KEPT), labels.get(f"{KEPT}.target")) != (volume, context.target.name) or TREE not in labels:
        raise RunbookError(f"volume {aside} is there already, and no reset of {volume} made it", AGAIN)
    return labels[TREE]


def _holds(left: Listing, kept: Listing, volume: str, aside: str) -> None:
    more = left.beyond(kept)
    if more:
        raise RunbookError(
            f"volume {volume} holds {more}, which {aside} does not hold so", f"nothing was cleared; {AGAIN}"
        )


@verb("volume.clear")
@guarded
def clear(step: Step, context: Context) -> Mapping[str, Any]:
    """Remove everything in the volume, once all of it is seen in `aside`; the volume itself stays.

    Raises:
        RunbookError: something in it is not in `aside`, or a container runs on it: then nothing is removed.
    """
    volume, aside, image = step.subject, str(step.args["aside"]), str(step.args["image_id"])
    if stage(engine.client(context.target), aside) in (Stage.CLEARED, Stage.DONE):
        return {"volume": volume, "kept": aside, "seen": "cleared before this"}
    _alone(context, volume, ())
    wanted, kept = _wanted(context, volume, aside), listing(context, image, aside, aside)
    if kept.tree.digest != wanted:
        raise RunbookError(f"volume {aside} is no whole copy of {volume}, so that is not cleared", AGAIN)
    left = listing(context, image, volume, aside)
    _holds(left, kept, volume, aside)
    context.state[CLEARING] = True
    run_checked(step.argv, timeout=step.timeout_seconds, env=environment(context.target))
    still = listing(context, image, volume, aside).tree.members
    if still:
        raise StepFailed(f"{still} members are still in volume {volume}", f"its content is in {aside}; run this again")
    mark_cleared(context, volume, aside, step.args["starts"])
    return {"volume": volume, "kept": aside, "cleared": left.tree.members}


@verb("volume.start")
@guarded
def start_volumes(step: Step, context: Context) -> Mapping[str, Any]:
    """Start the containers that were stopped, and wait until every one is healthy, or runs where nothing tells more.

    Raises:
        StepFailed: one is not, in time.
    """
    starts = [str(one) for one in step.args["starts"]]
    began = time.monotonic()
    if starts:
        run_checked(step.argv, timeout=step.timeout_seconds, env=environment(context.target))
        _healthy(context, starts, step.timeout_seconds)
    for aside, volume in step.args["asides"].items():
        finish(context, str(volume), str(aside))
    return {"started": len(starts), "seconds": round(time.monotonic() - began, 1)}


def _healthy(context: Context, ids: list[str], seconds: float) -> None:
    """Twice in a row: what ends as soon as it is started is not well."""
    client, until, well = engine.client(context.target), time.monotonic() + seconds, 0
    while well < 2:
        states = {id_: client.api.inspect_container(id_) for id_ in ids}
        unwell = [f"{one['Name'].lstrip('/')} ({_state(one)})" for one in states.values() if not _is_well(one)]
        well = 0 if unwell else well + 1
        if unwell and time.monotonic() > until:
            fact = f"not healthy {seconds:.0f} s after its start: {', '.join(unwell)}"
            raise StepFailed(fact, "docker logs tells why; the plan's last column brings the old content back")
        time.sleep(POLL_SECONDS)


def _state(seen: Mapping[str, Any]) -> str:
    return str((seen["State"].get("Health") or {}).get("Status") or seen["State"]["Status"])


def _is_well(seen: Mapping[str, Any]) -> bool:
    return bool(seen["State"]["Running"]) and _state(seen) in ("healthy", "none", "running")
