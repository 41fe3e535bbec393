"""The proxy before the services: its configuration tested, then read anew; and the endpoints behind it asked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from drillbook.act import replicas
from drillbook.act.executor import Context, verb
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed
from drillbook.observe import endpoint
from drillbook.observe.command import environment, run
from drillbook.observe.facts import ContainerFact, ResponseFact
from drillbook.observe.workers import workers

WAIT_SECONDS = 15.0
PAUSE_SECONDS, SETTLE_SECONDS = 0.3, 0.1


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


@verb("endpoints.hold")
def hold(step: Step, context: Context) -> Mapping[str, Any]:
    """Every endpoint that was well when the plan began is well now; each has 15 s to be so.

    Raises:
        StepFailed: one is not.
    """
    well = context.state.get("well", context.target.endpoints.keys())
    until, left = time.monotonic() + WAIT_SECONDS, dict.fromkeys(well)
    while True:
        facts = [endpoint.ask(k, e, e.url) for k, e in context.target.endpoints.items() if k in left]
        bad = [fact for fact in facts if fact.status != fact.expected_status]
        left = {fact.endpoint: None for fact in bad}
        if not left:
            return {"well": sorted(well)}
        if time.monotonic() > until:
            raise _unwell(bad[0], "it was well before this plan began")
        time.sleep(PAUSE_SECONDS)


@verb("endpoints.answer")
def answer(step: Step, context: Context) -> Mapping[str, Any]:
    """Every endpoint answers as it must, N times in a row, with a build that was proven where it tells one.

    `unknown` where one tells a build that no image is known to have and that is not the one that was asked for.

    Raises:
        StepFailed: one does not.
    """
    seen: dict[str, list[int]] = {}
    told = set[str]()
    builds = {build for build in context.state.get("builds", {}).values() if build}
    for _ in range(step.args["times"]):
        for key, declared in context.target.endpoints.items():
            fact = endpoint.ask(key, declared, declared.url)
            seen.setdefault(key, []).append(fact.status)
            told |= {fact.build_id} - {""}
            if fact.status != fact.expected_status:
                raise _unwell(fact, f"asked {step.args['times']} times in a row")
            if builds and fact.build_id and fact.build_id not in builds:
                raise _unwell(fact, f"it tells build {fact.build_id}, the proven one is {', '.join(sorted(builds))}")
    verdict = "unknown" if told - (builds or {step.args["build_id"]}) else "pass"
    return {"verdict": verdict, "answers": seen, "told": sorted(told), "builds": sorted(builds)}


def _unwell(fact: ResponseFact, why: str) -> StepFailed:
    said = fact.error or fact.body[:160]
    return StepFailed(f"{fact.url} answers {fact.status or 'nothing'} ({why}): {said}", "diagnose again: 01-diagnose")
