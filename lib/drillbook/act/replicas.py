"""A service's containers while they change: found, started, waited for, asked straight."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from drillbook.act.executor import Context
from drillbook.errors import StepFailed
from drillbook.observe import engine
from drillbook.observe.command import environment, run_checked
from drillbook.observe.endpoint import ask
from drillbook.observe.facts import ContainerFact
from drillbook.target import Endpoint, Target

POLL_SECONDS = 0.2
RESTARTS = 3
ANSWER_SECONDS = 15.0
STOP_SECONDS = 600
"""More than any grace period; the engine kills what outlasts its own."""


def of(context: Context, service: str) -> list[ContainerFact]:
    """The service's containers, running or not, by name."""
    return list(engine.containers(context.target, service))


def start(context: Context, containers: Sequence[ContainerFact]) -> None:
    """Start those that do not run."""
    for fact in containers:
        if not fact.running:
            run_checked(("docker", "start", fact.id), timeout=60, env=environment(context.target))


def stop(context: Context, containers: Sequence[ContainerFact]) -> None:
    """Stop those that run, each with its whole grace period."""
    for fact in containers:
        if fact.running:
            run_checked(("docker", "stop", fact.id), timeout=STOP_SECONDS, env=environment(context.target))


def wait_healthy(
    context: Context, service: str, ids: Collection[str] = (), seconds: float = 120
) -> list[ContainerFact]:
    """The service's containers, or those of *ids*, once every one runs and is healthy.

    Raises:
        StepFailed: one is unhealthy, keeps ending, or is not healthy after *seconds*.
    """
    until = time.monotonic() + seconds
    while True:
        facts = [f for f in of(context, service) if not ids or f.id in ids]
        if len(facts) >= max(len(ids), 1) and all(f.running and f.health in ("", "healthy") for f in facts):
            return facts
        hopeless = [f for f in facts if f.health == "unhealthy" or f.restarts >= RESTARTS]
        if hopeless or time.monotonic() > until:
            waited = "" if hopeless else f" within {seconds:.0f} s"
            raise StepFailed(f"{service} did not get healthy{waited}: {_state(facts)}", f"docker logs {_first(facts)}")
        time.sleep(POLL_SECONDS)


def _state(facts: Sequence[ContainerFact]) -> str:
    said = (f"{f.name} {'running' if f.running else f'exited {f.exit_code}'} {f.health}".strip() for f in facts)
    return ", ".join(said) or "no container"


def _first(facts: Sequence[ContainerFact]) -> str:
    return facts[0].name if facts else "NAME"


def telling(target: Target) -> Endpoint | None:
    """The endpoint that tells its build, as it is asked straight at a replica."""
    return next((e for e in target.endpoints.values() if e.build_id or e.source_digest), None)


def ask_straight(context: Context, service: str, address: str, name: str) -> str:
    """The build that the container at *address* tells; empty where the target does not say how to ask it.

    Raises:
        StepFailed: it does not answer as it must within 15 s, or tells another build than its image was proven to be.
    """
    stack, endpoint = context.target.stack, telling(context.target)
    declared = stack.services.get(service) if stack else None
    if endpoint is None or declared is None or not declared.response:
        return ""
    url, until = declared.response.replace("{address}", address), time.monotonic() + ANSWER_SECONDS
    while True:
        fact = ask("build", endpoint, url, service, name)
        if fact.status == endpoint.status:
            break
        if time.monotonic() > until:
            said = fact.error or fact.body[:160]
            raise StepFailed(f"{name} answers {fact.status} when asked straight: {said}", f"docker logs {name}")
        time.sleep(POLL_SECONDS)
    wanted = context.state.get("builds", {}).get(service, "")
    if wanted and fact.build_id and fact.build_id != wanted:
        raise StepFailed(f"{name} tells build {fact.build_id}, its image is {wanted}", "the image is not what runs")
    return fact.build_id
