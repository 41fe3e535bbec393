"""Facts, evidence, causes and plans, as a person sees them."""

from __future__ import annotations

from dataclasses import replace

import builders

from drillbook.decide.diagnose import diagnose
from drillbook.decide.plan import Plan, Step
from drillbook.decide.reset import plan_reset
from drillbook.observe.facts import Snapshot
from drillbook.show import tables


def test_snapshot_shows_what_runs_answers_and_holds() -> None:
    """One look tells the containers, what the endpoints answer, and how many rows there are."""
    text = tables.snapshot(builders.stale_artifact()).text
    for part in ("connect-app1-1", "500", "TypeError", "16.4", "22"):
        assert part in text


def test_nothing_observed_is_said() -> None:
    """When nothing could be observed, that is said."""
    assert tables.snapshot(Snapshot("connect", "0")).text == "nothing could be observed"


def test_failures_come_first() -> None:
    """In the evidence failures come before what is unknown, and both before what passed, for a tired reader."""
    found = diagnose(builders.stale_artifact(unknown={"vault": "cannot be listed"}))
    text = tables.evidence("Evidence", found.evidence).text
    assert text.index("fail") < text.index("unknown")
    passed = next(e for e in found.evidence if e.verdict == "pass")
    failed = next(e for e in found.evidence if e.verdict == "fail")
    assert failed.observed[:20] in text
    html = tables.evidence("Evidence", found.evidence).html
    assert html.index("cannot be listed") < html.index(passed.expected)


def test_levels_show_where_it_went_wrong() -> None:
    """The grid has one row a service, and tells source pass, context fail and image fail of the incident."""
    text = tables.levels(diagnose(builders.stale_artifact())).text
    assert "app1: source pass, context fail, image fail, container pass, process pass, response –" in text


def test_level_belongs_to_the_longest_name_that_fits() -> None:
    """A container of `app-worker` is never counted as one of `app`."""
    names = ("app", "app-worker")
    snapshot = builders.healthy(
        containers=tuple(builders.container(name) for name in names),
        sources={name: builders.source() for name in names},
        images=tuple(builders.image(name) for name in names),
        processes=(),
    )
    old = replace(snapshot.containers[1], tag_image_id=builders.OLD)
    text = tables.levels(diagnose(replace(snapshot, containers=(snapshot.containers[0], old)))).text
    lines = {line.split(":")[0]: line for line in text.splitlines()[1:]}
    assert "container pass" in lines["app"]
    assert "container fail" in lines["app-worker"]


def test_database_target_has_no_grid() -> None:
    """A target without code has no freshness to show."""
    assert tables.levels(diagnose(Snapshot("embedded", "0", databases=(builders.database(),)))).html == ""


def test_causes_carry_their_proof() -> None:
    """Each cause is shown with what speaks for it and what it rules out."""
    text = tables.causes(diagnose(builders.stale_artifact())).text
    assert text.startswith("stale-artifact  (confidence 98%)")
    assert "which rules out" in text


def test_no_cause_is_not_always_well() -> None:
    """Without a cause the callout says whether that means pass or only unknown."""
    assert tables.causes(diagnose(builders.healthy())).text.startswith("no cause")
    unseen = diagnose(builders.healthy(unknown={"vault": "cannot be listed"}))
    assert tables.causes(unseen).text.startswith("verdict unknown")


def test_next_step_can_be_copied() -> None:
    """The next runbook stands there as the command to type."""
    assert (
        "drillbook run reset --target connect -p scope=auto"
        in tables.next_step(diagnose(builders.stale_artifact())).text
    )


def test_plan_shows_each_command_and_what_it_destroys() -> None:
    """Before an approval a person sees every command, what is destroyed, what brings it back, and the fingerprint."""
    plan = plan_reset(builders.target(), builders.stale_artifact(), "images", builders.backup(), builders.COMMANDS)
    view = tables.plan(plan)
    assert plan.fingerprint in view.text
    assert "docker compose -p connect up -d --no-build --no-deps --force-recreate app1" in view.html
    assert "host artifact .next (moved into the run&#x27;s folder)" in view.html
    assert "move it back from aside/" in view.html
    assert "no volume is removed" in view.text


def test_plan_quotes_as_a_shell_would() -> None:
    """A command can be copied into a shell as it is shown."""
    step = Step("x", "command", "x", ("docker", "tag", "a b", "c;d"))
    assert "docker tag &#x27;a b&#x27; &#x27;c;d&#x27;" in tables.plan(Plan("reset", "t", "0", {}, (step,))).html


def test_plan_that_destroys_nothing_says_so() -> None:
    """A harmless plan says that it destroys nothing."""
    assert "• nothing" in tables.plan(Plan("drill", "t", "0", {}, (Step("x", "v", "s"),))).text


def test_outcomes_tell_seconds_and_evidence() -> None:
    """After acting each step is shown with its seconds and what it saw."""
    done = [{"step": "stage", "subject": "files", "seconds": 1.26, "evidence": {"files": 2}}]
    text = tables.outcomes("Done", done).text
    assert "1.3" in text
    assert "files=2" in text
