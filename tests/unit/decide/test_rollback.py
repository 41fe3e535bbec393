"""The rollback's plan: the images that a reset kept, by their ids, in the same rollout; never over a new schema."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import builders
import pytest

from drillbook.decide.plan import Plan, Step
from drillbook.decide.reset import plan_reset
from drillbook.decide.rollback import plan_rollback
from drillbook.errors import NotThisIncident, SchemaMovedOn
from drillbook.observe.facts import Snapshot

NEW, OLD = builders.NEW, builders.OLD
KEPT = f"connect-app1:drillbook-kept-{'b' * 12}"
COLUMNS = {"public.users.id": "bigint"}
TARGET = builders.target(stack=builders.stack(proxy=builders.PROXY))
DATABASE = builders.database(columns=COLUMNS)


def ran(image: str = OLD, **changes: Any) -> Snapshot:
    """The stack with `app1` on *image*, which its tag means."""
    there = builders.container(image_id=image, tag_image_id=image)
    facts = {"containers": (there, builders.postgres()), "databases": (DATABASE,)}
    return builders.healthy(**{**facts, **changes})


def replaced(snapshot: Snapshot | None = None, scope: str = "images") -> dict[str, Any]:
    """The plan of the reset that replaced *snapshot*, as its run keeps it."""
    plan = plan_reset(TARGET, snapshot or ran(), scope, builders.backup(), builders.COMMANDS)
    return dict(json.loads(json.dumps(plan.as_json())))


def rolled(snapshot: Snapshot, earlier: dict[str, Any] | None = None) -> Plan:
    return plan_rollback(TARGET, snapshot, earlier or replaced(), "b2", builders.COMPOSE)


def test_whole_plan_recalls_the_kept_image_by_its_id() -> None:
    """What runs now is kept, the kept image is recalled by its id, and then it goes as in a reset."""
    plan = rolled(ran(NEW))
    now = f"connect-app1:drillbook-kept-{'a' * 12}"
    assert [step.id for step in plan.steps] == [
        "test-proxy", "keep-connect-app1-1", "recall-app1", "canary-app1", "tag-app1", "green-app1-1",
        "switch-app1-1", "drain-connect-app1-1", "well-app1", "ask-endpoints", "retire-app1", "hold-volumes",
    ]  # fmt: skip
    assert plan.steps[1].argv == ("docker", "tag", NEW, now)
    assert plan.steps[2] == Step(
        "recall-app1", "image.recall", KEPT, args={"service": "app1", "image": KEPT, "id": OLD}
    )
    assert plan.steps[4].argv == ("docker", "tag", KEPT, "connect-app1")
    assert plan.back[0].args["tag_was"] == NEW
    assert plan.runbook == "rollback"


@pytest.mark.parametrize("scope", ["containers", "images"])
def test_what_a_reset_replaced_was_kept_under_the_tag_that_is_recalled(scope: str) -> None:
    """Whatever the scope: each tag that a rollback asks for is one that the reset's own plan gave."""
    earlier = replaced(scope=scope)
    given = {step["argv"][3]: step["argv"][2] for step in earlier["steps"] if step["id"].startswith("keep-")}
    recalled = [step.args for step in rolled(ran(NEW), earlier).steps if step.verb == "image.recall"]
    assert [given[args["image"]] for args in recalled] == [OLD]
    assert [args["id"] for args in recalled] == [OLD]


def test_basis_holds_what_it_replaces_and_what_it_undoes() -> None:
    """A rollback can be rolled back: its own plan tells what it keeps, and of which plan it is the undoing."""
    earlier = replaced()
    plan = rolled(ran(NEW), earlier)
    assert plan.basis["of"] == earlier["fingerprint"]
    assert plan.basis["kept"] == {"app1": {f"connect-app1:drillbook-kept-{'a' * 12}": NEW}}
    assert plan.basis["backup"] == "b2"
    again = rolled(ran(OLD), dict(json.loads(json.dumps(plan.as_json()))))
    assert [step.args["id"] for step in again.steps if step.verb == "image.recall"] == [NEW]


def test_what_most_replicas_ran_comes_back() -> None:
    """Of two images that ran beside each other, the one of more containers."""
    one, two, three = builders.replicas(3, image_id=OLD, tag_image_id=OLD)
    earlier = replaced(ran(containers=(replace(one, image_id="sha256:" + "c" * 64), two, three)))
    assert [s.args["id"] for s in rolled(ran(NEW), earlier).steps if s.verb == "image.recall"] == [OLD]


@pytest.mark.parametrize(
    ("now", "steps"),
    [
        ({"image_id": OLD, "tag_image_id": OLD}, 0),
        ({"image_id": OLD, "tag_image_id": NEW}, 1),
        ({"image_id": NEW, "tag_image_id": OLD}, 1),
        ({"image_id": OLD, "tag_image_id": OLD, "running": False, "exit_code": 1}, 1),
    ],
)
def test_only_what_does_not_serve_is_rolled_back(now: dict[str, Any], steps: int) -> None:
    """A service whose running containers and whose tag are the kept image already is left alone."""
    both = (ran().containers[0], builders.container("app2", image_id=OLD, tag_image_id=OLD))
    services = {"services": (builders.service(), builders.service("app2"))}
    target = builders.target(stack=builders.stack("app1", "app2"))
    sources = {"sources": {"app1": builders.source(), "app2": builders.source()}}
    before = builders.healthy(containers=both, databases=(DATABASE,), **services, **sources)
    plan = plan_reset(target, before, "images", builders.backup(), builders.COMMANDS)
    mixed = (builders.container(**now), builders.container("app2", image_id=NEW, tag_image_id=NEW))
    after = builders.healthy(containers=mixed, databases=(DATABASE,), **services, **sources)
    found = plan_rollback(target, after, json.loads(json.dumps(plan.as_json())), "b2", builders.COMPOSE)
    recalled = [step.args["service"] for step in found.steps if step.verb == "image.recall"]
    assert recalled == (["app1", "app2"] if steps else ["app2"])


@pytest.mark.parametrize(
    ("earlier", "changes", "why"),
    [
        ({}, {}, "what it kept serves already"),
        ({"kept": {}}, {}, "it replaced no container"),
        ({"kept": {"app1": {}}}, {}, "it replaced no container"),
        ({"kept": None}, {}, "it replaced no container"),
        ({}, {"services": (), "unknown": {"compose file": "no such file"}}, "the compose file cannot be read: no such"),
    ],
)
def test_nothing_to_roll_back_is_not_this_incident(earlier: dict[str, Any], changes: dict[str, Any], why: str) -> None:
    """What serves already, a reset that replaced nothing, or a compose file that nobody can read: each is told."""
    told = replaced()
    basis = {key: value for key, value in {**told["basis"], **earlier}.items() if value is not None}
    with pytest.raises(NotThisIncident, match=f"nothing to roll back: {why}"):
        rolled(ran(OLD, **changes), {**told, "basis": basis})


def test_service_that_is_gone_from_the_compose_file_is_left_alone() -> None:
    """Compose could not start it: the plan brings back the others and says so."""
    told = replaced()
    kept = {"gone": {"connect-gone:drillbook-kept-1": OLD}, **told["basis"]["kept"]}
    plan = rolled(ran(NEW), {**told, "basis": {**told["basis"], "kept": kept}})
    assert [step.args["service"] for step in plan.steps if step.verb == "image.recall"] == ["app1"]
    assert "gone is not in the compose file any more: it is left alone" in plan.notes


@pytest.mark.parametrize(
    ("columns", "fact"),
    [
        ({**COLUMNS, "public.users.email": "text"}, r"has moved on since \(2 columns now"),
        ({"public.users.id": "text"}, r"has moved on since \(1 columns now"),
        ({}, r"has moved on since \(0 columns now"),
    ],
)
def test_schema_that_has_moved_on_is_refused(columns: dict[str, str], fact: str) -> None:
    """The kept code was made for other columns: one more, one of another type, or all of them gone."""
    now = builders.database(columns=columns)
    with pytest.raises(SchemaMovedOn, match=fact) as caught:
        rolled(ran(NEW, databases=(now,)))
    assert "undo the migration first" in caught.value.hint
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("then", "now", "why"),
    [
        (DATABASE, builders.database(reachable=False, error="refused"), "refused"),
        (builders.database(columns={}), DATABASE, "what its columns were then is not known"),
        (replace(DATABASE, key="other"), DATABASE, "what its columns were then is not known"),
    ],
)
def test_schema_that_nobody_knows_is_not_taken_for_the_same(then: Any, now: Any, why: str) -> None:
    """Unknown is not pass: a database that does not answer now, or whose columns were not known then."""
    with pytest.raises(SchemaMovedOn, match=f"cannot be said: {why}"):
        rolled(ran(NEW, databases=(now,)), replaced(ran(databases=(then,))))


def test_rows_may_change_and_a_schema_may_stay() -> None:
    """Data that was written since the reset does not stand in the way of the old code."""
    grown = replace(DATABASE, rows={"public.users": 500}, oid="16500")
    assert rolled(ran(NEW, databases=(grown,))).steps


def test_plan_dies_with_what_runs() -> None:
    """Another container, or another run to undo, is another plan."""
    plan = rolled(ran(NEW))
    assert rolled(ran(NEW)).fingerprint == plan.fingerprint
    recreated = builders.container(id="recreated", image_id=NEW, tag_image_id=NEW)
    assert rolled(ran(containers=(recreated, builders.postgres()))).fingerprint != plan.fingerprint
    assert rolled(ran(NEW), {**replaced(), "fingerprint": "another"}).fingerprint != plan.fingerprint
