"""Endpoints asked between the steps of a rollout: what was well stays well, and only a proven build answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from drillbook.act.executor import Context, verb
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed
from drillbook.observe import endpoint
from drillbook.observe.facts import ResponseFact

WAIT_SECONDS, PAUSE_SECONDS = 15.0, 0.3


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
