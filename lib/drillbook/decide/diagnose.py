"""Diagnosis: causes named from evidence by pure rules, and where to go next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from drillbook.decide.evidence import Evidence, Verdict, overall
from drillbook.decide.freshness import freshness
from drillbook.decide.health import health
from drillbook.observe.facts import BackupFact, Snapshot


@dataclass(frozen=True)
class Cause:
    """A cause, with the evidence that speaks for it and against it; confidence is 0 to 1."""

    id: str
    confidence: float
    says: str
    evidence: tuple[Evidence, ...]
    against: tuple[Evidence, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "confidence": self.confidence,
            "says": self.says,
            "evidence": [e.as_json() for e in self.evidence],
            "against": [e.as_json() for e in self.against],
        }


@dataclass(frozen=True)
class Next:
    """The one runbook to open next, with its parameters, and why."""

    runbook: str
    why: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def command(self, target: str) -> str:
        given = "".join(f" -p {key}={value}" for key, value in self.parameters.items())
        return f"drillbook run {self.runbook} --target {target}{given}" if self.runbook else ""

    def as_json(self, target: str) -> dict[str, Any]:
        return {
            "runbook": self.runbook,
            "parameters": {"target": target, **self.parameters} if self.runbook else {},
            "command": self.command(target),
            "why": self.why,
        }


@dataclass(frozen=True)
class Diagnosis:
    """What was seen, what it means, and what to do next."""

    target: str
    verdict: Verdict
    causes: tuple[Cause, ...]
    evidence: tuple[Evidence, ...]
    next: Next

    def names(self) -> set[str]:
        return {cause.id for cause in self.causes}

    def as_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict,
            "causes": [cause.as_json() for cause in self.causes],
            "next": self.next.as_json(self.target),
            "evidence": [e.as_json() for e in self.evidence],
        }


CODE_CAUSES = {
    "stale-artifact",
    "stale-layer",
    "stale-container",
    "stale-context",
    "edited-in-place",
    "masked-by-mount",
}
DATA_CAUSES = {"schema-missing", "database-empty"}


def diagnose(snapshot: Snapshot) -> Diagnosis:
    """Every cause that the snapshot's evidence names, the surest first.

    The verdict is `fail` when anything fails, `unknown` when nothing fails but
    something could not be seen, else `pass`.
    """
    evidence = (*freshness(snapshot), *health(snapshot))
    causes = [cause for rule in RULES for cause in rule(evidence)]
    causes.sort(key=lambda cause: -cause.confidence)
    verdict = overall(e.verdict for e in evidence)
    return Diagnosis(snapshot.target, verdict, tuple(causes), evidence, _next(snapshot, verdict, causes))


def _failed(evidence: tuple[Evidence, ...], prefix: str) -> tuple[Evidence, ...]:
    return tuple(e for e in evidence if e.verdict == "fail" and e.id.startswith(f"{prefix}:"))


def _passed(evidence: tuple[Evidence, ...], prefix: str) -> tuple[Evidence, ...]:
    return tuple(e for e in evidence if e.verdict == "pass" and e.id.startswith(f"{prefix}:"))


def _stale_artifact(evidence: tuple[Evidence, ...]) -> list[Cause]:
    copied, wrong = _failed(evidence, "artifact"), _failed(evidence, "bundle")
    if not copied:
        return []
    proof = (*copied, *wrong, *_failed(evidence, "context"), *_failed(evidence, "response"))
    says = (
        "the image ships build output of the host, made from older sources; no rebuild changes that while it is there"
    )
    return [Cause("stale-artifact", 0.98, says, proof, _passed(evidence, "image"))]


def _stale_layer(evidence: tuple[Evidence, ...]) -> list[Cause]:
    wrong = _failed(evidence, "image")
    if not wrong:
        return []
    says = "source files in the image are not the source's: it was built from other sources, or from a cached layer"
    return [Cause("stale-layer", 0.9, says, wrong, _passed(evidence, "container"))]


def _stale_container(evidence: tuple[Evidence, ...]) -> list[Cause]:
    old = tuple(e for e in _failed(evidence, "container") if "gone" not in e.expected)
    says = "the container runs an image that its tag no longer means: it was not recreated after the build"
    return [Cause("stale-container", 0.97, says, old)] if old else []


def _edited_in_place(evidence: tuple[Evidence, ...]) -> list[Cause]:
    wrong = _failed(evidence, "process")
    says = "files inside the running container are not its image's: edited in place, or covered by a mount"
    return [Cause("edited-in-place", 0.7, says, wrong)] if wrong else []


def _database_down(evidence: tuple[Evidence, ...]) -> list[Cause]:
    down = _failed(evidence, "database")
    return [Cause("database-down", 0.95, "the database does not answer", down)] if down else []


def _schema_missing(evidence: tuple[Evidence, ...]) -> list[Cause]:
    gone = _failed(evidence, "schema")
    says = "tables that the application needs are not in the database's catalog"
    return [Cause("schema-missing", 0.97, says, (*gone, *_failed(evidence, "rows")))] if gone else []


def _database_empty(evidence: tuple[Evidence, ...]) -> list[Cause]:
    empty = _failed(evidence, "rows")
    gone = _failed(evidence, "schema")
    says = "the tables are there, but every row is gone"
    return [Cause("database-empty", 0.95, says, empty)] if empty and not gone else []


def _dependency_unhealthy(evidence: tuple[Evidence, ...]) -> list[Cause]:
    sick = _failed(evidence, "alive")
    says = "a service that others need is not running or not healthy"
    return [Cause("dependency-unhealthy", 0.8, says, sick)] if sick else []


def _disk_full(evidence: tuple[Evidence, ...]) -> list[Cause]:
    full = _failed(evidence, "disk")
    return [Cause("disk-full", 0.85, "the disk is nearly full", full)] if full else []


RULES: tuple[Callable[[tuple[Evidence, ...]], list[Cause]], ...] = (
    _stale_artifact, _stale_layer, _stale_container, _edited_in_place, _database_down,
    _schema_missing, _database_empty, _dependency_unhealthy, _disk_full,
)  # fmt: skip


FIRST = {
    "disk-full": "free space on the disk first: every other step needs it",
    "database-down": "start the database's service and diagnose again; restore only if its data is gone",
}
"""What no runbook mends and every runbook needs."""


def _next(snapshot: Snapshot, verdict: Verdict, causes: list[Cause]) -> Next:
    names = {cause.id for cause in causes}
    proven = [b for b in snapshot.backups if b.proven and b.identity == snapshot.identity]
    first = next((why for name, why in FIRST.items() if name in names), "")
    if first:
        return Next("", first)
    if names & DATA_CAUSES:
        return _next_for_data(proven)
    if names & CODE_CAUSES:
        return _next_for_code(proven)
    if "dependency-unhealthy" in names:
        return Next("", "look at the log of the service that is not healthy: docker compose logs --tail 100")
    if verdict == "pass":
        unproven = Next("backup", "nothing is wrong here, but no backup is proven: this is the moment to make one")
        return Next("", "nothing is wrong here") if proven else unproven
    return Next("", "the evidence does not name a cause: measure what is unknown first, then diagnose again")


def _next_for_data(proven: list[BackupFact]) -> Next:
    if proven:
        return Next("restore", f"the data is gone; {proven[-1].name} is proven", {"backup": proven[-1].name})
    why = "the data is gone and no backup is proven: touch nothing, keep the volumes, drill what backups there are"
    return Next("", why)


def _next_for_code(proven: list[BackupFact]) -> Next:
    if not proven:
        return Next("backup", "the code is stale; a reset needs a proven backup first")
    return Next("reset", "the code is stale; a reset builds it from clean sources", {"scope": "auto"})
