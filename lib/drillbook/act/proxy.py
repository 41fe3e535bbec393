"""The proxy before the services: its configuration tested, then read anew, until it has let go of the old one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from drillbook.act import replicas
from drillbook.act.executor import Context, verb
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed
from drillbook.observe.command import environment, run
from drillbook.observe.facts import ContainerFact
from drillbook.observe.workers import workers

SETTLE_SECONDS = 0.1


@verb("proxy.test")
def test(step: Step, context: Context) -> Mapping[str, Any]:
    """Let the proxy test its configuration as it lies there now.

    Raises:
        StepFailed: it does not parse, or no proxy runs.
    """
    if not step.args["test"]:
        return {"left_out": "stack.proxy.test is empty"}
    container = _running(step, context)
    if container is None:
        raise StepFailed(
            f"no container of {step.args['service']} runs", "nothing was touched; diagnose what stopped it"
        )
    return {"said": _within(container, step, context, "test", "the configuration of {} does not parse")}


@verb("proxy.switch")
def switch(step: Step, context: Context) -> Mapping[str, Any]:
    """Test the proxy's configuration, have it read anew, and wait until the proxy has let go of what it knew before.

    On the way back (`or_stays`) one that does not parse is no failure: the proxy goes on with what it has read, in
    which the old containers still stand. One that does not run reads it as it starts.

    Raises:
        StepFailed: the configuration does not parse, and nothing was reloaded; or the reload failed.
    """
    container = _running(step, context)
    if container is None:
        return {"reloaded": "", "seen": "it does not run, and reads its configuration as it starts"}
    try:
        _within(container, step, context, "test", "the configuration of {} does not parse, so it is not reloaded")
    except StepFailed as error:
        if not step.args["or_stays"]:
            raise
        return {"reloaded": "", "stays": error.fact}
    before = workers(context.target, container.id)
    said = _within(container, step, context, "reload", "{} could not be reloaded")
    return {"reloaded": step.args["service"], "said": said, **_settled(step, context, container, before)}


def _running(step: Step, context: Context) -> ContainerFact | None:
    return next((fact for fact in replicas.of(context, str(step.args["service"])) if fact.running), None)


def _settled(
    step: Step, context: Context, container: ContainerFact, before: Mapping[str, str] | None
) -> dict[str, Any]:
    """Wait until no worker of *before* takes requests any more, at the most as long as the target's file says.

    A reload only sends a signal: nginx' old workers take requests for a tenth of a second more, and send them to the
    addresses that they know. One that takes none any more is gone, or its title tells so. A proxy that is a single
    process never shows it, and what the engine cannot tell is not seen: `let_go` says which it was.
    """
    began, old = time.monotonic(), before or {}
    while True:
        there = workers(context.target, container.id)
        same = [pid for pid, title in old.items() if there is None or there.get(pid) == title]
        took, seen = time.monotonic() - began, bool(old) and not same
        if seen or took >= step.args["settle_seconds"]:
            return {"let_go": "seen" if seen else "not seen", "workers": len(old), "not_replaced": len(same),
                    "settled_seconds": round(took, 2)}  # fmt: skip
        time.sleep(SETTLE_SECONDS)


def _within(container: ContainerFact, step: Step, context: Context, what: str, fact: str) -> str:
    """Run the step's command *what* in the proxy's container, where there is one; the last lines of what it said."""
    argv = step.args[what]
    if not argv:
        return ""
    words = ("docker", "exec", container.id, *argv)
    done = run(words, timeout=step.timeout_seconds, env=environment(context.target))
    if done.code != 0:
        said = f"{fact.format(step.args['service'])}: {done.complaint}"
        raise StepFailed(said, f"mend it; docker exec {container.name} {' '.join(argv)} must end with 0")
    return done.complaint
