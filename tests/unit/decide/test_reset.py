"""The reset's plan: what it rests on, each exact command, and what it never does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.decide.content import source_digest
from drillbook.decide.diagnose import diagnose
from drillbook.decide.plan import Plan, Step
from drillbook.decide.reset import fresh_proof, plan_reset, scope_of
from drillbook.errors import NotProven, NotThisIncident, RunbookError
from drillbook.observe.facts import ConfigFact, Mount, ServiceFact, Snapshot, VolumeFact

DIGEST = source_digest(builders.SOURCES)
KEPT = f"connect-app1:drillbook-kept-{'a' * 12}"


def reset(snapshot: Snapshot, scope: str = "images", **changes: Any) -> Plan:
    return plan_reset(builders.target(**changes), snapshot, scope, builders.backup(), builders.COMMANDS)


def replaced() -> Step:
    return Step(
        "replace-app1",
        "service.replace",
        "app1",
        (*builders.COMPOSE, "up", "-d", "--no-build", "--no-deps", "--force-recreate", "app1"),
        args={"service": "app1"},
        destroys=("container of app1 (recreated; its volumes stay)",),
        recovers="docker tag the kept image back to its name, then docker compose up -d --no-build",
    )


def ending(build_id: str) -> tuple[Step, Step]:
    return (
        Step("hold-volumes", "volumes.hold", "1 volumes", args={"names": ["connect_postgres_data"]}),
        Step("ask-endpoints", "endpoints.answer", "every endpoint", args={"build_id": build_id, "times": 10}),
    )


def test_whole_plan_for_images() -> None:
    """Keep the old image, stage clean sources, build, prove, set the artifact aside, and only then replace."""
    staged = {"from": builders.DIRECTORY, "to": "/staging", "digest": DIGEST, "without": [".next"]}
    build_id = f"BUILD_ID={DIGEST[:12]}"
    build = (*builders.STAGED, "build", "--no-cache", "--build-arg", build_id, "app1")
    assert reset(builders.stale_artifact()).steps == (
        Step("keep-connect-app1-1", "command", KEPT, ("docker", "tag", builders.NEW, KEPT), timeout_seconds=60),
        Step("stage-context", "context.stage", "2 tracked files", args=staged),
        Step("build-images", "image.build", "app1", build, timeout_seconds=1800),
        Step("prove-app1", "image.prove", "app1", args={"service": "app1"}),
        Step(
            "aside-.next",
            "artifact.set_aside",
            ".next",
            args={"path": ".next"},
            destroys=("host artifact .next (moved into the run's folder)",),
            recovers="move it back from aside/ in the run's folder",
        ),
        replaced(),
        *ending(DIGEST[:12]),
    )


def test_whole_plan_for_containers() -> None:
    """When only the container is old, nothing is built: it is recreated on the image that is there."""
    assert reset(builders.healthy(), "containers").steps == (replaced(), *ending(""))


def test_whole_plan_for_a_database() -> None:
    """A database is never dropped: it is renamed, and an empty one takes its place."""
    plan = reset(builders.healthy(), "database")
    assert plan.steps == (
        Step(
            "aside-main",
            "database.set_aside",
            "connect",
            args={"key": "main", "aside": "connect_aside_abc123"},
            destroys=("database connect (renamed to connect_aside_abc123, an empty one takes its place)",),
            recovers="ALTER DATABASE connect_aside_abc123 RENAME TO connect, or restore 20251013t010000Z-abc123",
        ),
    )


VOLUME = Mount("volume", "connect_data", "", "/data")
STRAIGHT = builders.answer(
    endpoint="build@x", via="app1", source_digest=DIGEST, replica="connect-app1-1", build_id=DIGEST[:12]
)
CACHED = builders.answer(endpoint="build", source_digest=builders.digest("another"), build_id="another")


@pytest.mark.parametrize(("mounts", "follows"), [((), ["replace-proxy"]), ((VOLUME,), [])])
def test_proxy_that_serves_old_answers_is_replaced_too(mounts: tuple[Mount, ...], follows: list[str]) -> None:
    """The code's containers first, then what publishes a port; a proxy that keeps data is left alone."""
    proxy = builders.container("proxy", ports=(8080,), mounts=mounts)
    there = (*builders.healthy().containers, proxy)
    plan = reset(builders.healthy(containers=there, responses=(STRAIGHT, CACHED)), "containers")
    assert [step.id for step in plan.steps if step.verb == "service.replace"] == ["replace-app1", *follows]


@pytest.mark.parametrize(("mounts", "follows"), [((), ["replace-mailer"]), ((VOLUME,), [])])
def test_service_without_code_whose_configuration_is_old_is_replaced_too(
    mounts: tuple[Mount, ...], follows: list[str]
) -> None:
    """Its container alone; a database on an old configuration is never restarted by a reset."""
    mailer = builders.container("mailer", mounts=mounts)
    drift = ConfigFact(mailer.name, "mailer", "2", "1", ("environment X",))
    there = (*builders.healthy().containers, mailer, builders.container("other"))
    plan = reset(builders.healthy(containers=there, configs=(drift,)), "containers")
    assert [step.id for step in plan.steps if step.verb == "service.replace"] == ["replace-app1", *follows]


def test_healthy_neighbours_are_left_alone() -> None:
    """A proxy is recreated for what it serves, not for being there."""
    there = (*builders.healthy().containers, builders.container("proxy", ports=(8080,)))
    plan = reset(builders.healthy(containers=there), "containers")
    assert [step.id for step in plan.steps if step.verb == "service.replace"] == ["replace-app1"]


def test_artifact_of_a_folder_below_is_found_there() -> None:
    """An artifact beside sources in `web/` is set aside from `web/`, and left out of what is staged."""
    code = {"source": "web", "image": "/app", "artifacts": [".next"]}
    stack = {"project": "connect", "directory": ".", "services": {"app1": {"code": code}}}
    steps = {step.id: step for step in reset(builders.stale_artifact(), stack=stack).steps}
    assert steps["aside-web/.next"].args == {"path": "web/.next"}
    assert steps["stage-context"].args["without"] == ["web/.next"]


def test_build_context_outside_the_folder_is_refused() -> None:
    """A service that builds from elsewhere cannot be built from the staged folder, and the plan says so."""
    elsewhere = (ServiceFact("app1", "connect-app1", "/srv/other", "Dockerfile"),)
    with pytest.raises(RunbookError, match="cannot be staged"):
        reset(builders.stale_artifact(services=elsewhere))


def test_scope_needs_a_stack() -> None:
    """A target that is only a database has no images to reset, and the hint says what it has."""
    with pytest.raises(RunbookError) as caught:
        plan_reset(builders.database_target(), builders.healthy(), "images", builders.backup(), builders.COMMANDS)
    assert caught.value.hint == "choose scope=database"


def test_nothing_in_scope_is_not_this_incident() -> None:
    """When no artifact lies in the context there is nothing to set aside."""
    with pytest.raises(NotThisIncident):
        reset(builders.healthy(), "artifacts")


def test_fingerprint_survives_a_second_look() -> None:
    """Looking again gives the same plan: answers, seconds and ages are not part of it."""
    later = builders.stale_artifact(
        responses=(builders.answer(seconds=9.0),), backups=(builders.backup(age_seconds=9.0),)
    )
    assert reset(later).fingerprint == reset(builders.stale_artifact()).fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"containers": (builders.container(image_id=builders.OLD), builders.container("postgres"))},
        {"containers": (builders.container(id="recreated"), builders.container("postgres"))},
        {"volumes": ()},
        {"databases": (builders.database(rows={"public.users": 10}),)},
        {"databases": (builders.database(oid="16385"),)},  # restored since: the same content in another database
        {"sources": {"app1": builders.source(tracked={"server.js": "edited"})}},
        {"sources": {"app1": builders.source(artifacts={".next/bundle.js": "another"})}},
    ],
)
def test_fingerprint_dies_with_its_facts(changes: dict[str, Any]) -> None:
    """A container, a volume, a table or a source that changed kills the approval."""
    plan = reset(builders.healthy(), "containers")
    assert reset(builders.healthy(**changes), "containers").fingerprint != plan.fingerprint


NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789_.", min_size=1, max_size=12).map(lambda text: f"s{text}")


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    sources = st.dictionaries(NAMES, NAMES, min_size=1, max_size=3)
    source = builders.source(
        tracked=draw(sources), artifacts=draw(sources), artifacts_in_context=draw(st.sampled_from([(), (".next",)]))
    )
    return builders.healthy(
        containers=tuple(builders.container(n) for n in names),
        volumes=tuple(VolumeFact(f"connect_{n}", n, "", "") for n in draw(st.lists(NAMES, max_size=3))),
        services=tuple(ServiceFact(n, f"connect-{n}", builders.DIRECTORY, "Dockerfile") for n in names),
        deployed=source,
        sources=dict.fromkeys(names, source),
        images=(),
        processes=(),
    )


FORBIDDEN = {"down", "-v", "--volumes", "prune", "-V", "--renew-anon-volumes", "-y", "rm", "rmi", "--rmi", "--force"}


@given(snapshots(), st.sampled_from(["containers", "images", "database"]))
def test_no_plan_ever_removes_data(snapshot: Snapshot, scope: str) -> None:
    """No plan holds `down`, `-v`, `prune`, `-V` or `-y`, and none names an object that was not observed."""
    code = {"code": {"image": "/app", "artifacts": [".next"]}}
    services = {service.name: code for service in snapshot.services}
    plan = reset(snapshot, scope, stack={"project": "connect", "directory": ".", "services": services})
    seen = {c.name for c in snapshot.containers} | {s.name for s in snapshot.services}
    known = {*seen, *(v.name for v in snapshot.volumes), *(d.dbname for d in snapshot.databases), ".next"}
    for step in plan.steps:
        assert FORBIDDEN.isdisjoint(step.argv)
        assert step.sql == ""
        match step.verb:
            case "service.replace" | "image.prove":
                assert step.args["service"] in seen
            case "volumes.hold":
                assert set(step.args["names"]) <= known
            case "artifact.set_aside" | "database.set_aside":
                assert step.subject in known
            case "command":
                assert step.argv[:2] == ("docker", "tag")
                assert step.argv[2] in {c.image_id for c in snapshot.containers}
    assert all(step.recovers for step in plan.steps if step.destroys)


def test_auto_does_no_more_than_the_diagnosis_calls_for() -> None:
    """`auto` builds only when an image is stale, and recreates when only a container is."""
    old = builders.container(tag_image_id=builders.OLD)
    assert scope_of("auto", diagnose(builders.stale_artifact())) == "images"
    assert scope_of("auto", diagnose(builders.healthy(containers=(old,)))) == "containers"
    assert scope_of("database", diagnose(builders.healthy())) == "database"


def test_auto_refuses_what_a_reset_cannot_mend() -> None:
    """Lost data is not resolved by a reset: the hint names the restore."""
    with pytest.raises(NotThisIncident) as caught:
        scope_of("auto", diagnose(builders.lost_schema()))
    assert caught.value.hint.startswith("next: restore")
    assert caught.value.exit_code == 3


def test_newest_proven_backup_is_the_base() -> None:
    """The plan rests on the newest proven backup, not on a newer unproven one."""
    older, newer = builders.backup(name="older"), builders.backup(name="newer", proven=False)
    assert fresh_proof(builders.healthy(backups=(older, newer)), 24).name == "older"


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"backups": ()}, "no proven backup; 0 unproven"),
        ({"backups": (builders.backup(proven=False),)}, "no proven backup; 1 unproven"),
        ({"backups": (builders.backup(identity="another"),)}, "no proven backup"),
        ({"backups": (builders.backup(age_seconds=25 * 3600.0),)}, "25.0 h old, over 24 h"),
        (
            {"databases": (builders.database(rows={"public.orders": 3}),)},
            "lacks rows of public.orders, which has 3 now",
        ),
        ({"databases": (builders.database(reachable=False, error="refused"),)}, "cannot be held against"),
    ],
)
def test_reset_needs_a_fresh_proof(changes: dict[str, Any], fact: str) -> None:
    """Without a fresh proven backup of this target that holds its rows, a reset is refused."""
    with pytest.raises(NotProven, match=fact) as caught:
        fresh_proof(builders.healthy(**changes), 24)
    assert caught.value.exit_code == 3
    assert "drillbook run backup" in caught.value.hint


def test_filled_table_in_the_backup_may_have_grown() -> None:
    """New rows since the backup do not refuse a reset: it keeps the volumes."""
    grown = replace(builders.database(), rows={"public.users": 500, "public.organizations": 12})
    assert fresh_proof(builders.healthy(databases=(grown,)), 24).proven
