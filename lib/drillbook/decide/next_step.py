"""Where to go next: one runbook with its parameters, or the one thing to do or to measure by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drillbook.decide.cause import Cause
from drillbook.decide.evidence import Evidence, Verdict
from drillbook.observe.facts import BackupFact, Snapshot

CONTAINER_CAUSES = {"stale-container", "edited-in-place", "process-older-than-code", "config-drift", "stale-proxy"}
"""What a new container from the same image resolves."""
CODE_CAUSES = {
    *CONTAINER_CAUSES, "stale-artifact", "stale-layer", "stale-context", "stale-cache-mount", "stale-base",
    "masked-by-mount",
}  # fmt: skip
DATA_CAUSES = {"schema-missing", "database-empty"}
FIRST = {
    "disk-full": "free space on the disk first: every other step needs it",
    "database-down": "start the database's service and diagnose again; restore only if its data is gone",
}
"""What no runbook mends and every runbook needs."""
MASKED = (
    "take the mount off the code in the compose file, or give it the right content, then docker compose up -d: "
    "no build and no reset reaches what it covers"
)


@dataclass(frozen=True)
class Next:
    """The one runbook to open next, with its parameters, and why; or none, and `measure`: a command to run first."""

    runbook: str
    why: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    measure: str = ""

    def command(self, target: str) -> str:
        return f"drillbook run {self._words(target)}" if self.runbook else ""

    def opens(self, target: str) -> str:
        """The command that opens it in JupyterLab."""
        return f"drillbook open {self._words(target)}" if self.runbook else ""

    def _words(self, target: str) -> str:
        given = "".join(f" -p {key}={value}" for key, value in self.parameters.items())
        return f"{self.runbook} --target {target}{given}"

    def as_json(self, target: str) -> dict[str, Any]:
        return {
            "runbook": self.runbook,
            "parameters": {"target": target, **self.parameters} if self.runbook else {},
            "command": self.command(target),
            "open": self.opens(target),
            "why": self.why,
            "measure": self.measure,
        }


def next_step(snapshot: Snapshot, verdict: Verdict, causes: Sequence[Cause], evidence: Sequence[Evidence]) -> Next:
    """What to do first. Data comes before code, and what every runbook needs before both."""
    names = {cause.id for cause in causes}
    proven = [b for b in snapshot.backups if b.proven and b.identity == snapshot.identity]
    first = next((why for name, why in FIRST.items() if name in names), "")
    if first:
        return Next("", first, measure=_how(causes, set(FIRST)))
    if names & {*DATA_CAUSES, "schema-drift"}:
        return _for_data(proven) if names & DATA_CAUSES else _for_drift(proven)
    if "masked-by-mount" in names:
        return Next("", MASKED, measure=_how(causes, {"masked-by-mount"}))
    if names & CODE_CAUSES:
        return _for_code(proven)
    sick = next((c.evidence[0].subject for c in causes if c.id == "dependency-unhealthy"), "")
    if sick:
        why = f"look at the log of {sick}, which is not healthy"
        return Next("", why, measure=f"docker compose logs --tail 100 {sick}")
    return _without_cause(verdict, proven, evidence)


def _how(causes: Sequence[Cause], ids: set[str]) -> str:
    return next((cause.evidence[0].how for cause in causes if cause.id in ids), "")


def _for_data(proven: list[BackupFact]) -> Next:
    if proven:
        return Next("restore", f"the data is gone; {proven[-1].name} is proven", {"backup": proven[-1].name})
    why = "the data is gone and no backup is proven: touch nothing, keep the volumes, drill what backups there are"
    return Next("", why, measure="docker volume ls; drillbook backups")


def _for_drift(proven: list[BackupFact]) -> Next:
    if not proven:
        return Next("backup", "the schema is not what is expected; back up before any migration")
    why = "the schema is not what is expected: run the migration that is missing, or the code that fits, then verify"
    return Next("verify", why, {"backup": proven[-1].name})


def _for_code(proven: list[BackupFact]) -> Next:
    if not proven:
        return Next("backup", "the code is stale; a reset needs a proven backup first")
    return Next("reset", "the code is stale; a reset builds it from clean sources", {"scope": "auto"})


def _without_cause(verdict: Verdict, proven: list[BackupFact], evidence: Sequence[Evidence]) -> Next:
    if verdict == "pass":
        unproven = Next("backup", "nothing is wrong here, but no backup is proven: this is the moment to make one")
        return Next("", "nothing is wrong here") if proven else unproven
    open_ones = [e for e in evidence if e.verdict == ("fail" if verdict == "fail" else "unknown")]
    first = open_ones[0] if open_ones else None
    if verdict == "fail" and first:
        why = f"the evidence names no cause; {first.subject} says: {first.observed[:160]}"
        return Next("", why, measure=first.how)
    why = f"the evidence does not decide: {first.subject}: {first.observed[:160]}" if first else "nothing could be seen"
    return Next(
        "", f"{why}; measure this first, then diagnose again", measure=first.how if first else "drillbook doctor"
    )
