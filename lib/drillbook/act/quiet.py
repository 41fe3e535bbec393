"""Hold a volume's files still while they are copied: commands in its service, or a short stop. Always undone.

Which containers were stopped is written on the engine first, as the labels of
an empty volume: a run that was killed leaves it there, and the next one starts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from drillbook.act.executor import Context
from drillbook.decide.plan import Step
from drillbook.errors import RunbookError
from drillbook.observe import engine
from drillbook.observe.command import environment, run_checked
from drillbook.observe.volumes import DeclaredVolume
from drillbook.target import Target

STOPPED = "drillbook.stopped"
COMMAND_SECONDS, STOP_SECONDS = 600, 120


def writers(context: Context, volume: str) -> list[str]:
    """The names of the running containers, anybody's, that mount *volume*."""
    rows = engine.client(context.target).api.containers(filters={"volume": volume})
    return sorted(row["Names"][0].lstrip("/") for row in rows)


@contextmanager
def quiet(step: Step, context: Context, volume: DeclaredVolume) -> Iterator[None]:
    """Within, the volume is as still as its target's file says; afterwards all is as before, however it ended.

    Raises:
        RunbookError: the service is not running that is to run a command.
        CommandFailed: a command ended with another code than 0.
    """
    start_again(context.target)
    if step.args.get("stops"):
        with _stopped(context, volume.name, list(step.args["stops"])):
            yield
    elif step.args.get("before") or step.args.get("after"):
        with _between(context, volume, step.args["before"], step.args["after"]):
            yield
    else:
        yield


@contextmanager
def _between(context: Context, volume: DeclaredVolume, before: Sequence[str], after: Sequence[str]) -> Iterator[None]:
    if not volume.running:
        raise RunbookError(
            f"service {volume.service} is not running, so its commands around the copy of {volume.name} cannot run",
            f"start it (docker start {volume.containers[0] if volume.containers else volume.service}), then run again",
        )
    try:
        _run(context, volume, before, "nothing was copied")
        yield
    finally:
        _run(context, volume, after, f"see whether {volume.service} still holds still, and let it go on")


def _run(context: Context, volume: DeclaredVolume, argv: Sequence[str], hint: str) -> None:
    if argv:
        command = ("docker", "exec", volume.container_id, *argv)
        run_checked(command, timeout=COMMAND_SECONDS, env=environment(context.target), hint=hint)


@contextmanager
def _stopped(context: Context, volume: str, containers: list[str]) -> Iterator[None]:
    """Stop those of *containers* that run now, and start them again."""
    running = [name for name in writers(context, volume) if name in containers]
    client = engine.client(context.target)
    labels = {STOPPED: " ".join(running), f"{STOPPED}.target": context.target.name}
    mark = client.api.create_volume(labels=labels)["Name"] if running else ""
    try:
        for name in running:
            run_checked(("docker", "stop", name), timeout=STOP_SECONDS, env=environment(context.target))
        yield
    finally:
        _start(context.target, client, mark, running)


def _start(target: Target, client: Any, mark: str, containers: Sequence[str]) -> None:
    for name in containers:
        run_checked(("docker", "start", name), timeout=STOP_SECONDS, env=environment(target))
    if mark:
        client.api.remove_volume(mark)


def start_again(target: Target) -> list[str]:
    """Start what a run that was killed had stopped for a copy; the names."""
    client, started = engine.client(target), []
    known = {fact.name for fact in engine.containers(target)}
    for row in client.api.volumes(filters={"label": f"{STOPPED}.target={target.name}"})["Volumes"] or []:
        names = [name for name in row["Labels"][STOPPED].split() if name in known]
        _start(target, client, row["Name"], names)
        started += names
    return started
