"""The run of `07-rollback`: what a reset replaced serves again, through the same gates as the reset."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from drillbook.act import build, canary, endpoints, proxy, rollout, stack, way_back
from drillbook.decide.diagnose import Diagnosis, diagnose
from drillbook.decide.evidence import Evidence, overall
from drillbook.decide.plan import Plan
from drillbook.decide.proof import fresh_proof
from drillbook.decide.rollback import plan_rollback
from drillbook.decide.safety import refuse_unsafe
from drillbook.errors import BadParameters, CheckFailed, NotThisIncident, RunbookError
from drillbook.observe.compose import compose_argv
from drillbook.observe.facts import Snapshot
from drillbook.observe.snapshot import observe
from drillbook.run.resume import kept_plan, newest
from drillbook.run.rollout import Rollout
from drillbook.show import levels, tables
from drillbook.suggest import nearest

VERBS = (build, canary, endpoints, proxy, rollout, stack, way_back)
"""The modules whose actions this run's plans name."""

NEWEST = "newest"


class RollbackRun(Rollout):
    """Holds the target's lock. Brings back images that were kept, and keeps what it replaces in its turn."""

    runbook: ClassVar[str] = "rollback"

    def confirm(self, facts: Snapshot, of: str = NEWEST) -> Diagnosis:
        """That there is a run whose work can be rolled back: the newest that replaced something, or the named one.

        Raises:
            NotThisIncident: no run has replaced anything on this target.
            BadParameters: the named run has not.
        """
        found = diagnose(facts)
        self.keep_evidence("before", found.evidence)
        self.replaced = self.cut.plan.as_json() if self.cut else self._replaced(of)
        self.note("confirm", levels.levels(found), causes=sorted(found.names()))
        return found

    def _replaced(self, of: str) -> dict[str, Any]:
        acted = {folder.name: told for folder in self._acted() if (told := _plan(folder)) and told["basis"].get("kept")}
        if of not in (NEWEST, *acted):
            hint = f"{nearest(of, acted)}these have: {', '.join(acted) or 'none'}"
            raise BadParameters(f"run {of!r} has replaced nothing on {self.target.name}", hint)
        if not acted:
            raise NotThisIncident(f"no run has replaced anything on {self.target.name}", "drillbook runs lists them")
        run = next(iter(acted)) if of == NEWEST else of
        self.of = run
        return acted[run]

    def _acted(self) -> list[Path]:
        place = self.folder.parent
        found = [*newest(place, "reset"), *newest(place, "rollback")]
        return sorted(found, key=lambda folder: folder.name, reverse=True)

    def plan(self) -> Plan:
        """Each step, its argv, what it destroys, what can bring it back. Changes nothing.

        Raises:
            SchemaMovedOn: a database has not any more the schema that the kept code ran on.
            NotProven: no fresh proven backup holds what the databases hold now.
        """
        return self.planned()

    def plan_of(self, facts: Snapshot) -> Plan:
        refuse_unsafe(self.target, facts)
        if self.target.stack is None:
            raise RunbookError(f"target {self.target.name} has no stack to roll back", "04-restore is for its data")
        backup = fresh_proof(facts, self.target.backup.max_age_hours)
        return plan_rollback(self.target, facts, self.replaced, backup.name, compose_argv(self.target))

    def verify(self) -> None:
        """Every container runs the image that was kept; endpoints as before it, or better.

        Raises:
            CheckFailed: one does not.
        """
        facts = observe(self.target)
        found = diagnose(facts)
        checks = [_runs(facts, step.args["service"], step.args["id"])
                  for step in self.acted.steps if step.verb == "image.recall"]  # fmt: skip
        verdict = overall(check.verdict for check in checks)
        self.keep_evidence("after", [*checks, *found.evidence])
        self.result(plan=self.acted.as_json(), verdict=verdict, steps=self.done, **self.meanwhile())
        view = tables.evidence("After the rollback", checks) + self.told_meanwhile() + levels.levels(found)
        self.note("verify", view, verdict=verdict)
        if verdict != "pass":
            wrong = next(check for check in checks if check.verdict != "pass")
            raise CheckFailed(f"the rollback is done, but {wrong.subject} runs {wrong.observed}", "diagnose again")


def _runs(facts: Snapshot, service: str, image: str) -> Evidence:
    there = [c for c in facts.containers if c.service == service]
    seen = sorted({c.image_id[7:19] for c in there if c.running})
    good = bool(there) and seen == [image[7:19]]
    return Evidence(f"rolled-back:{service}", "container", service, "pass" if good else "fail",
                    ", ".join(seen) or "nothing", image[7:19], f"docker ps --filter name={service}")  # fmt: skip


def _plan(folder: Path) -> dict[str, Any]:
    try:
        told = kept_plan(folder)
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) and isinstance(told.get("basis"), dict) else {}


RUN = RollbackRun
