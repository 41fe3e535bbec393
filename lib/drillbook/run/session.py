"""A run as a runbook's cells see it: its sections, its record, its journal, its lock."""

from __future__ import annotations

import atexit
import json
import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from drillbook.act import durable
from drillbook.act.executor import Context, execute
from drillbook.act.journal import Journal
from drillbook.act.lock import TargetLock
from drillbook.decide.evidence import Evidence
from drillbook.decide.plan import Plan, Step
from drillbook.errors import NotApproved, OutOfOrder, RunbookError
from drillbook.run.closing import finish
from drillbook.run.record import Record
from drillbook.run.resume import Cut, cut, progress
from drillbook.show import gate, plans, tables
from drillbook.show.history import Plots, drawn
from drillbook.show.view import View, callout, show, table
from drillbook.target import Target


def person() -> bool:
    """Whether a person steps through: only Jupyter's server names its notebook to the kernel."""
    return bool(os.environ.get("JPY_SESSION_NAME")) and not os.environ.get("DRILLBOOK_RUN_DIR")


class Run:
    """One run. Subclasses say what each section of their runbook observes, plans and verifies."""

    runbook: ClassVar[str] = ""
    writes: ClassVar[bool] = False
    goes_on: ClassVar[bool] = False
    """Whether a resumed run goes on with the plan that was cut; else it makes a new one from what is there."""

    def __init__(self, target: Target, record: Record, folder: Path) -> None:
        self.target, self.record, self.folder = target, record, folder
        self.journal = Journal(folder / "journal.jsonl")
        self.context = Context(target, folder)
        self.approval = gate.Approval()
        self.words: tuple[str, ...] = ()  # what a command must say beside the runbook to get this plan again
        self.lock: TargetLock | None = None
        self.attended = person()
        self.cut: Cut | None = None
        self.complete = False
        self.closed = False

    def __repr__(self) -> str:
        return f"run {self.folder.name}"

    def __getattr__(self, name: str) -> Any:
        # only reached for what an earlier section would have set
        if name.startswith("_"):
            raise AttributeError(name)
        raise OutOfOrder(f"this run knows no {name} yet", "run the cells in order, from the top")

    def begin(self) -> None:
        """Journal the start, take the lock if this runbook writes, and say where the run lives."""
        self.journal.write("started", runbook=self.runbook, target=self.target.name, pid=os.getpid())
        self.record.update(pid_kernel=os.getpid())
        atexit.register(self.close)
        if self.writes:
            lock = TargetLock(self.target, self.folder.name, f"runbook {self.runbook}")
            lock.acquire()
            self.lock = lock
            self.journal.write("locked", lock=lock.name, taken_over=lock.taken_over)
        where = f"{self.target.description or self.target.name}\nrecord: {self.folder}"
        show(callout("note", f"{self.runbook} on {self.target.name}", where))
        if resumed := os.environ.get("DRILLBOOK_RESUME"):
            self._resume(resumed)

    def _resume(self, earlier: str) -> None:
        """Go on with the plan of the run *earlier*, where it was approved; each of its steps is observed again."""
        folder = self.folder.parent / earlier
        self.cut = cut(folder, self.target, self.runbook) if self.goes_on else None
        self.context.resumes = earlier if self.cut else ""
        done, begun = progress(folder)
        rows = [{"step": step, "in the cut run": "done" if step in done else "begun"} for step in begun]
        told = "what it did is observed again, not trusted"
        if self.cut is None:
            told += ": a new plan is made"
        at = next((step for step in reversed(begun) if step not in done), "")
        self.journal.write("resumes", run=earlier, done=list(done), cut=at)
        shown = table(f"Steps of {earlier}", self.cut.rows if self.cut else rows)
        show(shown + callout("note", f"resumes {earlier}", told))

    def release(self) -> None:
        """Give the target's lock back, if this run holds it."""
        if self.lock is not None:
            self.lock.release()
            self.lock = None
            self.journal.write("unlocked")

    def close(self) -> None:
        """End the run: lock given back, and the record finished when no runner does that."""
        if self.closed:
            return
        self.closed = True
        atexit.unregister(self.close)
        self.release()
        if "DRILLBOOK_RUN_DIR" not in os.environ:
            finish(self.record, self.folder, self.complete)

    def result(self, **told: Any) -> None:
        """Put the runbook's own result into the record: it has come to its end."""
        self.complete = True
        self.record.update(result=told, error=None)

    def keep(self, name: str, value: Any) -> None:
        """Write *value* as JSON into the run's folder, mode 0600, for postmortems and audits."""
        file = self.folder / name
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
            json.dump(value, handle, indent=1, default=str, ensure_ascii=False)

    def keep_text(self, name: str, text: str | bytes) -> None:
        """Write *text* into the run's folder, mode 0600, whole or not at all."""
        durable.replace(self.folder / name, text if isinstance(text, bytes) else text.encode())

    def keep_plots(self, found: Plots) -> View:
        """Write each plot as an SVG into the run's folder, for postmortems to embed; gives the view of them."""
        for name, svg in found.items():
            if svg:
                self.keep_text(f"{name}.svg", svg)
        return drawn(found)

    def note(self, section: str, view: View | None = None, **told: Any) -> None:
        """Journal that *section* was reached, and show *view*."""
        self.journal.write("section", section=section, **told)
        self.record.update(step=section)
        if view is not None:
            show(view)

    def keep_evidence(self, moment: str, items: Iterable[Evidence]) -> None:
        """Add the evidence of *moment* to the run's `evidence.json`."""
        file = self.folder / "evidence.json"
        before = json.loads(file.read_text()) if file.is_file() else {}
        self.keep("evidence.json", {**before, moment: [item.as_json() for item in items]})

    def show_plan(self, plan: Plan) -> Plan:
        """Show, keep and journal *plan*; the result names it until something better is known."""
        self.keep("plan.json", plan.as_json())
        self.note("plan", plans.plan(plan), fingerprint=plan.fingerprint, steps=[s.id for s in plan.steps])
        self.record.update(result={"plan": plan.as_json(), "verdict": "unknown", "steps": []})
        return plan

    def approve(self, plan: Plan, approval: str = "") -> None:
        """Ask a person for the plan's fingerprint, or hold *approval* against it when nobody is there.

        A resumed run carries on the approval of the very plan that was cut.

        Raises:
            NotApproved: unattended, and *approval* is not this plan's fingerprint.
        """
        if self.cut is not None and not approval and plan.fingerprint == self.cut.plan.fingerprint:
            self.approval = gate.carried(plan, self.cut.run)
            self.journal.write("approval-carried", fingerprint=plan.fingerprint, run=self.cut.run)
            return
        if self.attended and not approval:
            self.approval = gate.ask(plan)
            self.journal.write("asked", fingerprint=plan.fingerprint)
            return
        self.approval = gate.told(plan, approval)
        if not self.approval.covers(plan):
            raise self._not_approved(plan)
        self.journal.write("approved", fingerprint=plan.fingerprint)

    def _not_approved(self, plan: Plan) -> NotApproved:
        given = self.approval.fingerprint
        what = f"approval {given} is not for this plan" if given else "the plan has not been approved"
        hint = "type the fingerprint above, press the button, then run this cell"
        if not self.attended:
            said = "".join(f" -p {shlex.quote(word)}" for word in self.words)
            command = f"drillbook run {self.runbook} --target {self.target.name}{said} --approve {plan.fingerprint}"
            hint = f"read the plan; if it is right: {command}"
        elif given:
            hint = "what the plan rests on has changed: run the cells again from Observe, read the new plan, approve it"
        return NotApproved(f"{what}; it is {plan.fingerprint}", hint, plan.as_json())

    def carry_out(self, plan: Plan) -> list[dict[str, Any]]:
        """Execute *plan* with progress shown; the steps' outcomes."""
        if self.writes and self.lock is None:
            raise RunbookError("this run does not hold the target's lock any more", "run the Start cell again")
        self.note("act", fingerprint=plan.fingerprint)
        done = execute(plan, self.journal, self.context, self._watch, self._before_back)
        show(tables.outcomes(f"Done: {len(done)} steps", done))
        return done

    def _before_back(self) -> bool:
        """Called before the way back is taken, and when a step of it fails; whether something had to be waited for.

        A runbook on a stack waits for its engine here.
        """
        return False

    def _watch(self, steps: Iterable[Step]) -> Iterable[Step]:
        from tqdm.auto import tqdm

        steps = list(steps)
        with tqdm(steps, unit="step", mininterval=1.0) as bar:
            for step in bar:
                bar.set_description(step.id)
                self.record.update(step=step.id)
                yield step
