"""What a runbook's cells talk to: one run, from `start` to its last `verify`."""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from drillbook.act.executor import Context, execute
from drillbook.act.holder import me
from drillbook.act.journal import Journal
from drillbook.act.lock import TargetLock
from drillbook.decide.evidence import Evidence
from drillbook.decide.plan import Plan, Step
from drillbook.errors import BadParameters, NotApproved, OutOfOrder, RunbookError
from drillbook.run import stopped
from drillbook.run.record import Record, new_run_folder
from drillbook.show import gate, tables
from drillbook.show.view import View, callout, show, table
from drillbook.target import Target, load_target

RUNBOOKS = ("diagnose", "backup", "reset", "restore", "verify", "drill", "postmortem")
_open: list[Run] = []


def start(runbook: str, target: str = "connect") -> Any:
    """Open a run of *runbook* on *target*: its folder, its record, its journal and, if it writes, the target's lock.

    Adopts the folder that `drillbook run` or `drillbook open` made; else makes
    one under `outputs/`. Parameters that papermill injected are checked again.

    Raises:
        BadParameters: an injected parameter is unknown, of the wrong type or not one of its choices.
        Locked: another run holds the target.
    """
    for earlier in list(_open):
        earlier.close()
    if runbook not in RUNBOOKS:
        raise BadParameters(f"there is no runbook {runbook!r}", f"the runbooks are: {', '.join(RUNBOOKS)}")
    keeper = _Keeper(runbook, str(target))
    stopped.install(keeper.remember)
    keeper.open()
    described = load_target(str(target))
    chosen = import_module(f"drillbook.run.{runbook}")
    run: Run = chosen.RUN(described, keeper.record, keeper.folder)
    keeper.run = run
    _open.append(run)
    run.begin()
    return run


class _Keeper:
    """Keeps the record truthful from the first moment, before there is a run."""

    def __init__(self, runbook: str, target: str) -> None:
        self.runbook, self.target = runbook, target
        self.run: Run | None = None
        self.record: Record
        self.folder = Path()

    def open(self) -> None:
        from drillbook.run.parameters import check_injected

        self.folder = _folder(self.runbook, self.target)
        self.record = Record.load(self.folder)
        atexit.register(self.settle)
        check_injected(self.runbook, _cells())

    def remember(self, error: BaseException) -> None:
        fact = error.fact if isinstance(error, RunbookError) else f"{type(error).__name__}: {error}"
        hint = error.hint if isinstance(error, RunbookError) else "the executed copy keeps the traceback"
        status, code, reason = ("failed", 1, "an unforeseen error")
        if isinstance(error, RunbookError):
            status, code, reason = error.status, error.exit_code, error.reason
        told = {
            "type": type(error).__name__,
            "fact": fact,
            "hint": hint,
            "status": status,
            "exit_code": code,
            "reason": reason,
        }
        self.record.update(error=told)
        Journal(self.folder / "journal.jsonl").write("stopped", error=type(error).__name__, fact=fact)

    def settle(self) -> None:
        """End the record of a run that never began, when no runner does that."""
        if self.run is None and "DRILLBOOK_RUN_DIR" not in os.environ:
            _finish(self.record, self.folder)


def _folder(runbook: str, target: str) -> Path:
    """The folder that this run lives in: given, adopted, or new."""
    given = os.environ.get("DRILLBOOK_RUN_DIR")
    if given:
        return Path(given)
    if (Path.cwd() / "run.json").is_file():
        record = Record.load(Path.cwd())
        if record.mode == "lab" and record.status == "running":
            record.update(**asdict(me()))
            return Path.cwd()
    folder = new_run_folder(Path(target).stem, runbook)
    mode = "lab" if _person() else "papermill"
    Record.create(folder, runbook=runbook, target=target, parameters={}, mode=mode)
    return folder


def _person() -> bool:
    """Whether a person steps through: only Jupyter's server names its notebook to the kernel."""
    return bool(os.environ.get("JPY_SESSION_NAME")) and not os.environ.get("DRILLBOOK_RUN_DIR")


def _cells() -> list[str]:
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return [str(cell) for cell in shell.user_ns.get("In", [])] if shell is not None else []


def _finish(record: Record, folder: Path) -> None:
    """What a runner does after an unattended run: the record's end, and its line in the ledger."""
    from drillbook.run.ledger import enter

    error = record.data.get("error")
    if error:
        record.finish(error["status"], error["exit_code"], reason=error["reason"])
    elif record.data.get("result") is None:
        record.finish("aborted", 1, reason="ended before its last section")
    else:
        record.finish("succeeded", 0)
    enter(folder)


class Run:
    """One run. Subclasses say what each section of their runbook observes, plans and verifies."""

    runbook: ClassVar[str] = ""
    writes: ClassVar[bool] = False

    def __init__(self, target: Target, record: Record, folder: Path) -> None:
        self.target, self.record, self.folder = target, record, folder
        self.journal = Journal(folder / "journal.jsonl")
        self.context = Context(target, folder)
        self.approval = gate.Approval()
        self.lock: TargetLock | None = None
        self.attended = _person()

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
            self.journal.write("locked", lock=lock.name)
        where = f"{self.target.description or self.target.name}\nrecord: {self.folder}"
        show(callout("note", f"{self.runbook} on {self.target.name}", where))
        if resumed := os.environ.get("DRILLBOOK_RESUME"):
            self._resume(resumed)

    def _resume(self, earlier: str) -> None:
        """Tell how far the run *earlier* came. Its steps are not trusted: the plan rests on what is seen now."""
        lines = list(Journal(self.folder.parent / earlier / "journal.jsonl").lines())
        rows = [
            {"step": e["step"], "ended": e["event"], "at (UTC)": e["at"]}
            for e in lines
            if e["event"] in ("done", "failed")
        ]
        begun = [e["step"] for e in lines if e["event"] == "intent"]
        cut = begun[-1] if len(begun) > len(rows) else ""
        self.journal.write("resumes", run=earlier, done=[r["step"] for r in rows if r["ended"] == "done"], cut=cut)
        said = f"it was cut in step {cut}; " if cut else ""
        show(
            table(f"Steps of {earlier}", rows)
            + callout("note", "resumed", f"{said}what it did is observed again, not trusted")
        )

    def release(self) -> None:
        """Give the target's lock back, if this run holds it."""
        if self.lock is not None:
            self.lock.release()
            self.lock = None
            self.journal.write("unlocked")

    def close(self) -> None:
        """End the run: lock given back, and the record finished when no runner does that."""
        if self not in _open:
            return
        _open.remove(self)
        atexit.unregister(self.close)
        self.release()
        if "DRILLBOOK_RUN_DIR" not in os.environ:
            _finish(self.record, self.folder)

    def result(self, **told: Any) -> None:
        """Put the runbook's own result into the record."""
        self.record.update(result=told, error=None)

    def keep(self, name: str, value: Any) -> None:
        """Write *value* as JSON into the run's folder, mode 0600, for postmortems and audits."""
        file = self.folder / name
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
            json.dump(value, handle, indent=1, default=str, ensure_ascii=False)

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
        self.note("plan", tables.plan(plan), fingerprint=plan.fingerprint, steps=[s.id for s in plan.steps])
        self.record.update(result={"plan": plan.as_json(), "verdict": "unknown", "steps": []})
        return plan

    def approve(self, plan: Plan, approval: str = "") -> None:
        """Ask a person for the plan's fingerprint, or hold *approval* against it when nobody is there.

        Raises:
            NotApproved: unattended, and *approval* is not this plan's fingerprint.
        """
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
        where = f"--approve {plan.fingerprint}"
        hint = "type the fingerprint above, press the button, then run this cell" if self.attended else (
            f"read the plan; if it is right: drillbook run {self.runbook} --target {self.target.name} {where}"
        )  # fmt: skip
        return NotApproved(f"{what}; it is {plan.fingerprint}", hint, plan.as_json())

    def carry_out(self, plan: Plan) -> list[dict[str, Any]]:
        """Execute *plan* with progress shown; the steps' outcomes."""
        if self.writes and self.lock is None:
            raise RunbookError("this run does not hold the target's lock any more", "run the Start cell again")
        self.note("act", fingerprint=plan.fingerprint)
        done = execute(plan, self.journal, self.context, self._watch)
        show(tables.outcomes(f"Done: {len(done)} steps", done))
        return done

    def _watch(self, steps: Iterable[Step]) -> Iterable[Step]:
        from tqdm.auto import tqdm

        steps = list(steps)
        with tqdm(steps, unit="step", mininterval=1.0) as bar:
            for step in bar:
                bar.set_description(step.id)
                self.record.update(step=step.id)
                yield step
