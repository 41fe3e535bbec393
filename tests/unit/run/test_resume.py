"""Going on with a run that was cut: only its own approved plan, only once, and only when nobody acted since."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import builders
import pytest

from drillbook import home
from drillbook.act.journal import Journal
from drillbook.decide.plan import Plan
from drillbook.decide.reset import plan_reset
from drillbook.errors import Refused, RunbookError
from drillbook.run.record import Record
from drillbook.run.resume import ACTED, Cut, cut, left_open, newest

TARGET = builders.target(stack=builders.stack(proxy=builders.PROXY))
PLAN = plan_reset(TARGET, builders.stale_artifact(), "images", builders.backup(), builders.COMMANDS)
OTHER = replace(PLAN, basis={**PLAN.basis, "backup": "another"})
DONE = ("test-proxy", "keep-connect-app1-1", "stage-context")


def run(
    hour: int, plan: Plan | None = PLAN, status: str = "aborted", *, used: bool = True, runbook: str = "reset",
    done: tuple[str, ...] = DONE, begun: tuple[str, ...] = ("build-images",),
) -> Path:  # fmt: skip
    """The folder of a run that began at *hour*, used its approval of *plan*, and came as far as *begun*."""
    folder = home.outputs() / "connect" / f"20251013T{hour:02}0000Z-{runbook}-abc123"
    folder.mkdir(parents=True)
    record = Record.create(folder, runbook, "connect")
    journal = Journal(folder / "journal.jsonl")
    journal.write("started", runbook=runbook)
    if plan:
        (folder / "plan.json").write_text(json.dumps(plan.as_json()))
        journal.write("section", section="plan", fingerprint=plan.fingerprint)
    if plan and used:
        journal.write("approval-used", fingerprint=plan.fingerprint)
        for step in done:
            journal.write("intent", step=step)
            journal.write("done", step=step, seconds=0.1, evidence={})
        for step in begun:
            journal.write("intent", step=step)
    if status != "running":
        record.finish(status, {"succeeded": 0, "refused": 3}.get(status, 1))
    return folder


def test_cut_run_goes_on_with_its_own_plan() -> None:
    """The plan that was approved, what was done of it, and where it was cut."""
    folder = run(1)
    assert cut(folder, TARGET, "reset") == Cut(folder.name, PLAN, DONE, "build-images")


def test_person_sees_how_far_it_came() -> None:
    """Every step of the plan, with what the cut run did of it."""
    found = cut(run(1), TARGET, "reset")
    assert found is not None
    states = {row["step"]: row["in the cut run"] for row in found.rows}
    assert list(states) == [step.id for step in PLAN.steps]
    assert (states["stage-context"], states["build-images"], states["prove-app1"]) == ("done", "cut here", "not begun")


@pytest.mark.parametrize(
    ("done", "begun", "at"),
    [
        (DONE, (), ""),
        ((), ("test-proxy",), "test-proxy"),
        ((), (), ""),
        ((*DONE, "back-app1", "hold-endpoints"), ("well-app1",), "well-app1"),
    ],
)
def test_place_of_the_cut_is_a_step_of_the_plan(done: tuple[str, ...], begun: tuple[str, ...], at: str) -> None:
    """Between two steps there is none; after a way back it is the step that failed, not one of the way back."""
    found = cut(run(1, done=done, begun=begun), TARGET, "reset")
    assert found is not None
    assert (found.done, found.at) == (done, at)


def test_step_that_failed_before_the_way_back_is_where_it_was_cut() -> None:
    """The journal's last intents are then those of the way back; the step that led there is told."""
    folder = run(1, begun=("well-app1",))
    journal = Journal(folder / "journal.jsonl")
    journal.write("failed", step="well-app1", fact="503")
    for step in ("back-app1", "switch-back"):
        journal.write("intent", step=step)
        journal.write("done", step=step)
    found = cut(folder, TARGET, "reset")
    assert found is not None
    assert found.at == "well-app1"


@pytest.mark.parametrize("plan", [None, PLAN])
def test_cut_before_the_approval_starts_anew(plan: Plan | None) -> None:
    """Nothing was approved, so there is nothing to go on with: a new plan is made."""
    assert cut(run(1, plan, used=False), TARGET, "reset") is None


@pytest.mark.parametrize("status", ["failed", "aborted", "refused", "running"])
def test_any_other_end_than_a_good_one_can_be_resumed(status: str) -> None:
    """A failed step, a killed process, a refusal in the midst: the plan is as good as before."""
    assert cut(run(1, status=status), TARGET, "reset") is not None


@pytest.mark.parametrize("used", [True, False])
def test_run_that_succeeded_is_not_resumed(*, used: bool) -> None:
    """Its approval was for once: what it did is not done again by a replay."""
    folder = run(1, status="succeeded", used=used)
    with pytest.raises(Refused, match=f"run {folder.name} came to its end: there is nothing to resume") as caught:
        cut(folder, TARGET, "reset")
    assert caught.value.hint.startswith("run it without --resume")
    assert caught.value.exit_code == 3


def changed(path: str, value: Any) -> Any:
    """What changes the told plan at *path* (keys and numbers between dots) to *value*."""

    def change(told: dict[str, Any]) -> None:
        place: Any = told
        *keys, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        for key in keys:
            place = place[key]
        assert place[last] != value
        place[last] = value

    return change


BUILDS = next(n for n, step in enumerate(PLAN.steps) if step.verb == "image.build")


@pytest.mark.parametrize(
    "change",
    [
        changed("steps.0.id", "x"), changed("steps.0.verb", "command"), changed("steps.0.subject", "x"),
        changed(f"steps.{BUILDS}.argv.0", "sh"), changed(f"steps.{BUILDS}.argv", []), changed("steps.0.sql", "DROP"),
        changed(f"steps.{BUILDS}.args.images.app1", "evil"), changed("steps.0.args", {}),
        changed("steps.0.destroys", ["x"]), changed("steps.0.recovers", "x"), changed("steps.0.timeout_seconds", 1),
        changed("steps", []), changed("basis.backup", "x"), changed("basis.containers", {}), changed("basis", {}),
        changed("back", []), changed("back.0.args.was", {}), changed("turns", []), changed("identity", "x"),
        changed("runbook", "rollback"),
    ],
)  # fmt: skip
def test_tampered_plan_is_refused(change: Any) -> None:
    """Any field of a step, of the way back or of what it rests on: it is not what was approved."""
    folder = run(1)
    told = json.loads((folder / "plan.json").read_text())
    change(told)
    told["fingerprint"] = PLAN.fingerprint  # what the file says of itself counts for nothing
    (folder / "plan.json").write_text(json.dumps(told))
    with pytest.raises(Refused, match=rf"is not the one that was approved \({PLAN.fingerprint}\)"):
        cut(folder, TARGET, "reset")


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", '{"runbook": "reset"}', json.dumps({**PLAN.as_json(), "steps": [{}]}),
        json.dumps({**PLAN.as_json(), "steps": [{**PLAN.steps[0].as_json(), "shell": True}]}),
        json.dumps({**PLAN.as_json(), "basis": "x"}), json.dumps({**PLAN.as_json(), "basis": None}),
        json.dumps({**PLAN.as_json(), "objects": [1]}), json.dumps({**PLAN.as_json(), "notes": 5}),
    ],
)  # fmt: skip
def test_plan_that_is_not_whole_is_refused(text: str) -> None:
    """A power cut in the midst of writing it, or another version: told, not a traceback."""
    folder = run(1)
    (folder / "plan.json").write_text(text)
    with pytest.raises(Refused, match=f"the plan of {folder.name} cannot be read"):
        cut(folder, TARGET, "reset")


def test_plan_that_is_gone_is_refused() -> None:
    """What was approved cannot be known any more."""
    folder = run(1)
    (folder / "plan.json").unlink()
    with pytest.raises(Refused, match="cannot be read"):
        cut(folder, TARGET, "reset")


def test_plan_that_was_shown_after_the_act_does_not_hide_it() -> None:
    """In JupyterLab the cells can be run again: what counts is the plan that was acted on."""
    folder = run(1)
    (folder / ACTED).write_text(json.dumps(PLAN.as_json()))
    (folder / "plan.json").write_text(json.dumps(OTHER.as_json()))
    found = cut(folder, TARGET, "reset")
    assert found is not None
    assert found.plan == PLAN


def test_last_approval_counts() -> None:
    """In JupyterLab a plan may be approved, refused by newer facts, and another approved: the last one was acted on."""
    folder = run(1, OTHER)
    (folder / "plan.json").write_text(json.dumps(PLAN.as_json()))
    with pytest.raises(Refused, match="is not the one"):
        cut(folder, TARGET, "reset")
    Journal(folder / "journal.jsonl").write("approval-used", fingerprint=PLAN.fingerprint)
    assert cut(folder, TARGET, "reset") is not None


@pytest.mark.parametrize(
    "target",
    [
        builders.target(Path("/srv/other/target.yaml"), stack=builders.stack()),
        builders.target(stack=builders.stack(docker_host="ssh://elsewhere")),
        builders.target(databases={}),
    ],
)
def test_another_target_by_the_same_name_is_refused(target: Any) -> None:
    """Another folder, another engine or other databases: the target's file has changed since."""
    with pytest.raises(Refused, match="is for another target: its file has changed since"):
        cut(run(1), target, "reset")


def test_plan_of_another_runbook_is_refused() -> None:
    """A rollback does not go on with a reset's plan."""
    with pytest.raises(Refused, match="is for another target"):
        cut(run(1), TARGET, "rollback")


@pytest.mark.parametrize("runbook", ["reset", "rollback", "restore"])
def test_not_when_another_run_has_acted_since(runbook: str) -> None:
    """What the plan rests on is not there any more: the run that acted is named, whatever it was."""
    folder = run(1)
    run(2, OTHER, used=False)
    other = run(3, OTHER, status="failed", runbook=runbook)
    with pytest.raises(Refused, match=f"{other.name} has acted on connect since {folder.name} was cut"):
        cut(folder, TARGET, "reset")


def test_runs_that_did_not_act_do_not_matter() -> None:
    """A diagnosis, a refused plan, a backup, and whatever acted before."""
    run(1, OTHER)
    folder = run(2)
    run(3, None, "succeeded", runbook="diagnose")
    run(4, OTHER, "refused", used=False)
    (home.outputs() / "connect" / "demo.json").write_text("{}")
    assert cut(folder, TARGET, "reset") is not None


def test_chain_of_resumes_can_be_resumed_at_each_link() -> None:
    """A run that resumed the first and was cut in its turn used the same approval: both can be gone on with."""
    first, second = run(1), run(2, begun=("green-app1-1",))
    assert [cut(folder, TARGET, "reset").at for folder in (first, second)] == ["build-images", "green-app1-1"]  # type: ignore[union-attr]


def test_chain_that_came_to_its_end_is_at_its_end() -> None:
    """When the second run carried the plan out, the approval of the first one is used up too."""
    first, second = run(1), run(2, status="succeeded")
    with pytest.raises(Refused, match=f"{second.name} has carried out the plan of {first.name} to its end"):
        cut(first, TARGET, "reset")


def test_folder_without_a_record_is_told() -> None:
    """A run that is not one ends as a fact."""
    with pytest.raises(RunbookError, match="is not the record of a run"):
        cut(home.outputs() / "connect" / "nothing", TARGET, "reset")


def test_newest_are_those_that_used_an_approval() -> None:
    """The rollback looks at runs that may have replaced something, the newest first."""
    first, _, third = run(1), run(2, used=False), run(3, status="succeeded")
    run(4, runbook="rollback")
    place = home.outputs() / "connect"
    assert newest(place, "reset") == [third, first]
    assert newest(home.outputs() / "nobody", "reset") == []


def test_run_left_open_is_the_newest_that_can_be_resumed() -> None:
    """Of all runbooks together: an older cut one is no business of a new plan once a later run came to its end."""
    first = run(1)
    place = first.parent
    found = left_open(place, TARGET, ("reset", "rollback"))
    assert found is not None
    assert (found[0], found[1].run, found[1].at) == ("reset", first.name, "build-images")
    second = run(2, replace(PLAN, runbook="rollback"), runbook="rollback")
    found = left_open(place, TARGET, ("reset", "rollback"))
    assert found is not None
    assert (found[0], found[1].run) == ("rollback", second.name)
    run(3, OTHER, "succeeded")
    assert left_open(place, TARGET, ("reset", "rollback")) is None
    assert left_open(home.outputs() / "nobody", TARGET, ("reset", "rollback")) is None


def test_record_that_is_not_whole_holds_no_new_plan_up() -> None:
    """Nothing of it can be resumed, so there is nothing to tell; a new plan is made all the same."""
    (run(1) / "run.json").write_text("{")
    assert left_open(home.outputs() / "connect", TARGET, ("reset",)) is None
