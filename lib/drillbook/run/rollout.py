"""What runs that replace containers have in common: the gate before the act, the probe beside it, the resume."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from drillbook.decide.plan import Plan
from drillbook.decide.safety import refuse_unsafe
from drillbook.errors import EngineDown
from drillbook.observe import endpoint, engine
from drillbook.observe.facts import Snapshot
from drillbook.observe.probe import Probe
from drillbook.observe.snapshot import observe
from drillbook.run.resume import ACTED, left_open
from drillbook.run.session import Run
from drillbook.show import tables
from drillbook.show.view import View, callout

ENGINE_SECONDS = 90
ROLLOUTS = ("reset", "rollback")
"""The runbooks whose runs replace containers."""


class Rollout(Run):
    """Holds the target's lock. Acts only on the plan as it would be made now, or on the one that was cut."""

    writes: ClassVar[bool] = True
    goes_on: ClassVar[bool] = True

    def observe(self) -> Snapshot:
        """What runs now, as a table."""
        self.facts = observe(self.target)
        self.note("observe", tables.snapshot(self.facts))
        return self.facts

    def planned(self) -> Plan:
        """Show the plan that was cut, or the one that what was observed leads to.

        Raises:
            Refused: it is not safe to act on the target at all; and whatever `plan_of` raises.
        """
        if self.cut is None:
            plan = self.plan_of(self.facts)
            self._tell_left_open()
            return self.show_plan(plan)
        refuse_unsafe(self.target, self.facts)
        return self.show_plan(self.cut.plan)

    def _tell_left_open(self) -> None:
        """A new plan takes what a cut run left for what is meant to be there; whoever approves it is told so first."""
        if found := left_open(self.folder.parent, self.target, ROLLOUTS):
            runbook, left = found
            where = f" stopped at step {left.at}" if left.at else " stopped between two steps"
            command = f"drillbook run {runbook} --target {self.target.name} --resume {left.run}"
            said = (f"{left.run} was approved and{where}; its journal holds the outcome of {len(left.done)} steps.\n"
                    f"To go on with it: {command}\n"
                    "The plan below begins anew, from what is there now.")  # fmt: skip
            self.note("left-open", callout("warn", "A run was left unfinished", said), run=left.run, at=left.at)

    def plan_of(self, facts: Snapshot) -> Plan:
        """The plan that *facts* lead to."""
        raise NotImplementedError

    def act(self, plan: Plan) -> None:
        """Re-observe, check that the approval covers the plan as it is now, then carry it out.

        A resumed run goes on with the plan that was cut: its steps look themselves what is done.

        Raises:
            NotApproved: nobody approved it, or the facts have changed since.
            StepFailed: a step did not do what it promised; later steps were not tried, the way back was taken.
        """
        now = self.cut.plan if self.cut else self.plan_of(observe(self.target))
        if now.fingerprint != plan.fingerprint:
            self.show_plan(now)
        if not self.approval.covers(now):
            raise self._not_approved(now)
        self.keep(ACTED, now.as_json())
        self.journal.write("approval-used", fingerprint=now.fingerprint)
        endpoints = self.target.endpoints
        answers = [endpoint.ask(key, e, e.url) for key, e in endpoints.items()]
        unwell = frozenset(fact.endpoint for fact in answers if fact.status != fact.expected_status)
        self.context.state["well"] = [key for key in endpoints if key not in unwell]
        with Probe(list(endpoints.items()), unwell=unwell) as probe:
            self.probe, self.acted = probe, now
            self.done = self.carry_out(now)

    def _before_back(self) -> bool:
        """Give a restarted engine time: without it there is no way back."""
        waited, until = False, time.monotonic() + ENGINE_SECONDS
        while self.target.stack is not None and time.monotonic() < until:
            try:
                engine.client(self.target, anew=True)
            except EngineDown:
                waited = True
                time.sleep(1)
            else:
                break
        return waited  # where it does not come back, the way back says so itself, with its own hint

    def told_meanwhile(self) -> View:
        """What users saw while the plan was carried out."""
        probe = self.probe
        said = f"{probe.failed} of {probe.asked} requests failed, {probe.down_seconds:.1f} s summed over the endpoints"
        worst = f"; the slowest took {probe.worst_seconds:.2f} s"
        before = f"; {probe.unmended} more of endpoints that failed before it began, until they were mended"
        return callout("note", "While it acted", said + worst + (before if probe.unmended else ""))

    def meanwhile(self) -> dict[str, Any]:
        """The same for the record."""
        probe = self.probe
        return {
            "downtime_seconds": round(probe.down_seconds, 2),
            "requests": probe.asked,
            "requests_failed": probe.failed,
            "requests_unmended": probe.unmended,
            "worst_seconds": round(probe.worst_seconds, 3),
            "failures": probe.failures,
        }
