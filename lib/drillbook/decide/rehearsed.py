"""What a rehearsal tells: whether the reset would work, what it would take, and what of it was not rehearsed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from drillbook.decide.evidence import Evidence, Verdict
from drillbook.decide.plan import Plan, Step
from drillbook.observe.facts import ContainerFact, VolumeFact

MEASURED = ("downtime_seconds", "requests", "requests_failed", "requests_unmended", "worst_seconds")
Line = Mapping[str, Any]


@dataclass(frozen=True)
class Rehearsed:
    """How the reset of the copy went. `failed` names the step that failed, empty for none; `back` says where that led.

    `steps` are those that came to their end, each with its seconds; `meanwhile` is what the probe measured,
    `down`: service → the seconds that it was replaced in place.
    """

    plan: Plan | None
    steps: tuple[Mapping[str, Any], ...] = ()
    failed: str = ""
    fact: str = ""
    hint: str = ""
    back: str = ""
    meanwhile: Mapping[str, Any] = field(default_factory=dict)
    down: Mapping[str, float] = field(default_factory=dict)

    @property
    def works(self) -> bool:
        return not self.failed

    @property
    def seconds(self) -> float:
        return round(sum(float(step["seconds"]) for step in self.steps), 1)

    def would(self) -> dict[str, Any]:
        """What the reset of the target would take."""
        told = {key: self.meanwhile[key] for key in MEASURED if key in self.meanwhile}
        return {"works": self.works, "seconds": self.seconds, **told, "services_down": dict(self.down)}


def steps_of(lines: Sequence[Line]) -> tuple[dict[str, Any], ...]:
    """The steps that a journal says were done, each with its subject and seconds."""
    subjects = {line["step"]: line["subject"] for line in lines if line["event"] == "intent"}
    return tuple(
        {"step": line["step"], "subject": subjects.get(line["step"], ""), "seconds": line["seconds"]}
        for line in lines if line["event"] == "done"
    )  # fmt: skip


def services_down(lines: Sequence[Line]) -> dict[str, float]:
    """service → the seconds that it did not run, of those that were replaced in place."""
    subjects = {line["step"]: str(line["subject"]) for line in lines if line["event"] == "intent"}
    told = {line["step"]: line["evidence"] for line in lines if line["event"] == "done"}
    return {subjects[step]: float(e["down_seconds"]) for step, e in told.items() if "down_seconds" in e}


def failed_step(lines: Sequence[Line]) -> str:
    """The step that failed first; empty for none."""
    return next((str(line["step"]) for line in lines if line["event"] == "failed"), "")


def way_back(lines: Sequence[Line]) -> str:
    """What became of the way back: taken to its end, begun and failed, or not needed."""
    events = {line["event"] for line in lines}
    if "way-back" not in events:
        return "not needed: nothing that serves had been touched"
    return "taken: what served before served again" if "back" in events else "it failed too"


def is_shared(step: Step) -> bool:
    """Whether a step of a reset changes what other builds of the engine use too: a rehearsal leaves that alone."""
    return step.id.startswith("cache-")


def not_rehearsed(real: Plan, copy: Plan, projects: tuple[str, str]) -> list[str]:
    """The steps of the reset of the target that the copy's had not; *projects*: the target's and the copy's.

    Containers are counted and not told apart by their number: the copy's begin at 1, the target's where its last
    reset left off.
    """
    own, other = projects
    there = [{step.id.replace(other, own), step.id.replace(f"{other}-", "")} for step in copy.steps]
    missing = _without([step.id for step in real.steps], there, str)
    unnumbered = partial(re.sub, rf"(-{re.escape(own)}-.+)-[0-9]+$", r"\1")  # compose's name: project-service-number
    return _without(missing, [set(map(unnumbered, names)) for names in there], unnumbered)


def _without(steps: list[str], there: list[set[str]], told: Callable[[str], str]) -> list[str]:
    """The *steps* that, as they are *told*, have no counterpart in *there*; each counts once."""
    missing = []
    for step in steps:
        found = next((names for names in there if told(step) in names), None)
        if found is None:
            missing.append(step)
        else:
            there.remove(found)
    return missing


Before = tuple[Sequence[ContainerFact], Sequence[VolumeFact]]


def untouched(target: str, before: Before, after: Before) -> Evidence:
    """That the target's containers, what their tags mean, and its volumes are as before the rehearsal."""
    was, now = _told(before), _told(after)
    changed = sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))
    verdict: Verdict = "fail" if changed else "pass"
    seen = f"changed meanwhile: {', '.join(changed)}" if changed else f"{len(now)} containers and volumes as before"
    return Evidence(
        "untouched", "container", target, verdict, seen, f"{len(was)} as before", "docker ps; docker volume ls"
    )


def _told(seen: Before) -> dict[str, tuple[str, ...]]:
    containers, volumes = seen
    told = {c.name: (c.id, c.image_id, c.tag_image_id, c.started, str(c.restarts)) for c in containers}
    return {**told, **{v.name: (v.mountpoint,) for v in volumes}}
