"""The reset on the copy: planned and carried out by what plans and carries out the real one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from drillbook.act import durable
from drillbook.act.journal import Journal
from drillbook.act.rehearsal import Rehearsal
from drillbook.decide.plan import Plan, Step
from drillbook.decide.rehearsed import Rehearsed, failed_step, is_shared, services_down, steps_of, way_back
from drillbook.errors import RunbookError
from drillbook.observe.facts import BackupFact, Snapshot
from drillbook.observe.snapshot import observe
from drillbook.run.reset import ResetRun
from drillbook.run.session import Run
from drillbook.show import gate
from drillbook.show.view import callout, show
from drillbook.target import Target

OUTSIDE = ("image.build", "image.pull")
"""Verbs whose commands ask a registry or its keeper of passwords: they are carried out from the host's network."""


class Nobodys(gate.Approval):
    """Of a copy nothing needs an approval."""

    def covers(self, plan: Plan) -> bool:
        return bool(plan.fingerprint)


class Planner(ResetRun):
    """Plans the reset of *scope* as `03-reset` does, on the backup *proven*, however old that is."""

    writes: ClassVar[bool] = False
    goes_on: ClassVar[bool] = False

    def __init__(self, outer: Run, target: Target, scope: str, proven: BackupFact) -> None:
        super().__init__(target, outer.record, durable.folder(outer.folder / "reset"))
        self.scope, self.source, self.proven = scope, "build", proven
        self.approval = Nobodys()

    def plan_of(self, facts: Snapshot) -> Plan:
        rows = {f"{d.key}/{table}": n for d in facts.databases for table, n in d.rows.items()}
        own = replace(self.proven, identity=self.target.identity, age_seconds=0.0, rows={**self.proven.rows, **rows})
        return super().plan_of(replace(facts, backups=(own,)))


class CopyReset(Planner):
    """Acts on the copy of *rehearsal*, from within its network, and leaves alone what is not the copy's."""

    def __init__(self, outer: Run, rehearsal: Rehearsal, scope: str, proven: BackupFact) -> None:
        super().__init__(outer, rehearsal.copy, scope, proven)
        self.rehearsal = rehearsal
        self.told: dict[str, Any] = {}

    def plan_of(self, facts: Snapshot) -> Plan:
        found = super().plan_of(facts)
        return replace(found, steps=tuple(step for step in found.steps if not is_shared(step)))

    def result(self, **told: Any) -> None:
        """Keep the result to ourselves: the record is the rehearsal's."""
        self.told = told

    def _watch(self, steps: Iterable[Step]) -> Iterable[Step]:
        for step in super()._watch(steps):
            self.rehearsal.go(inside=step.verb not in OUTSIDE)
            yield step

    def _before_back(self) -> bool:
        self.rehearsal.go(inside=True)
        return super()._before_back()


def rehearsed(outer: Run, rehearsal: Rehearsal, scope: str, proven: BackupFact) -> Rehearsed:
    """The reset of *scope*, done to the copy and verified; how it went. What it raises is part of the answer."""
    inner = CopyReset(outer, rehearsal, scope, proven)
    show(callout("note", "The reset, on the copy", f"what follows is of {rehearsal.making.project}, up to its end"))
    plan, error = None, None
    try:
        plan = inner.plan_of(observe(inner.target))
        inner.keep("plan.json", plan.as_json())
        inner.act(plan)
        inner.verify()
    except RunbookError as found:
        error = found
    lines = list(Journal(inner.folder / "journal.jsonl").lines())
    meanwhile: Mapping[str, Any] = inner.meanwhile() if "probe" in vars(inner) else {}
    down = services_down(lines)
    if error is None:
        return Rehearsed(plan, steps_of(lines), meanwhile=meanwhile, down=down)
    failed = failed_step(lines) or ("plan" if plan is None else "verify")
    return Rehearsed(plan, steps_of(lines), failed, error.fact, error.hint, way_back(lines), meanwhile, down)
