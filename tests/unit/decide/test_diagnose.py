"""Diagnosis: which cause, how sure, and where to go next."""

from __future__ import annotations

import builders
import pytest

from drillbook.decide.content import source_digest
from drillbook.decide.diagnose import diagnose
from drillbook.observe.facts import BaseFact, ConfigFact, DiskFact, ImageFact, ServiceFact, Snapshot
from drillbook.observe.facts_code import DockerfileFact, Instruction, LayerFact


def test_healthy_stack_has_no_cause() -> None:
    """When nothing is wrong the verdict is pass and no runbook is named."""
    found = diagnose(builders.healthy())
    assert (found.verdict, found.causes, found.next.runbook) == ("pass", (), "")


def test_incident_is_named_by_its_first_cause() -> None:
    """The incident's first half is called stale-artifact, almost surely, and leads to a reset."""
    found = diagnose(builders.stale_artifact())
    assert found.causes[0].id == "stale-artifact"
    assert found.causes[0].confidence > 0.9
    assert found.next.command("connect") == "drillbook run reset --target connect -p scope=auto"


def test_right_sources_in_the_image_rule_out_a_stale_layer() -> None:
    """The cause shows also what speaks against another explanation."""
    found = diagnose(builders.stale_artifact())
    assert "stale-layer" not in found.names()
    assert [e.id for e in found.causes[0].against] == ["image:app1"]


def test_lost_schema_leads_to_the_proven_backup() -> None:
    """The incident's second half is called schema-missing and leads to a restore of the proven backup."""
    found = diagnose(builders.lost_schema())
    assert found.names() == {"schema-missing"}
    assert (found.next.runbook, found.next.parameters) == ("restore", {"backup": builders.backup().name})


OLD_DB = {**builders.SOURCES, "lib/db.js": builders.digest("old")}


def code() -> dict[str, tuple[Snapshot, str, str]]:
    """What makes each cause of stale code, the cause, and the runbook that comes next."""
    layer = builders.image(files=OLD_DB, built_from={})
    synced = builders.image(files=OLD_DB, built_from=OLD_DB, stamps={"lib/db.js": (10, 77)})
    stamped = {"app1": builders.source(stamps={"lib/db.js": (10, 77)})}
    mount = DockerfileFact(
        "app1",
        "Dockerfile",
        (Instruction(5, 5, "RUN", "--mount=type=cache,target=/app/.next make", 0),),
        "",
        "",
        "",
        True,
    )
    layers = (LayerFact(100.0, "COPY . . # buildkit", 1), LayerFact(50.0, "RUN install node", 1))
    image = ImageFact(builders.NEW, "connect-app1", 100.0, 1, ("1", "2"), history=layers)
    copies = {"app1": builders.dockerfile(("FROM", "runtime:stable"), ("COPY", ". ."))}
    base = BaseFact("app1", "runtime:stable", builders.OLD, ("9",), 200.0)
    masked = builders.process(covers={"lib": "volume code"}, mounted={"lib/db.js": "old"}, built_from={})
    edited = builders.process(changed={"server.js": "edited"})
    old = builders.image(subject=builders.OLD, files=OLD_DB, built_from=OLD_DB)
    left = builders.container(image_id=builders.OLD)
    postgres = builders.container("postgres")
    runs_old = builders.process(image_id=builders.OLD)
    late = builders.process(
        covers={".": "bind"}, mounted=dict(builders.SOURCES), built_from={},
        changed_at={"lib/db.js": builders.process().started_at + 60},
    )  # fmt: skip
    right, wrong = source_digest(builders.SOURCES), source_digest(OLD_DB)
    straight = builders.answer(endpoint="build@x", via="app1", source_digest=right, replica="connect-app1-1")
    cached = builders.answer(endpoint="build", source_digest=wrong)
    drift = ConfigFact("connect-app1-1", "app1", "2", "1", ("environment X",))
    make = builders.healthy
    return {
        "stale-artifact": (builders.stale_artifact(), "stale-artifact", "reset"),
        "stale-layer": (make(images=(layer,)), "stale-layer", "reset"),
        "stale-context": (make(images=(synced,), sources=stamped), "stale-context", "reset"),
        "stale-cache-mount": (
            make(images=(builders.image(built_from=OLD_DB),), dockerfiles={"app1": mount}), "stale-cache-mount", "reset"
        ),
        "stale-base": (
            make(engine_images={builders.NEW: image}, bases={"app1": base}, dockerfiles=copies), "stale-base", "reset"
        ),
        "stale-container": (
            make(containers=(left, postgres), images=(builders.image(), old), processes=(runs_old,)),
            "stale-container", "reset",
        ),
        "masked-by-mount": (make(processes=(masked,)), "masked-by-mount", ""),
        "edited-in-place": (make(processes=(edited,)), "edited-in-place", "reset"),
        "process-older-than-code": (make(images=(layer,), processes=(late,)), "process-older-than-code", "reset"),
        "stale-proxy": (make(responses=(straight, cached)), "stale-proxy", "reset"),
        "config-drift": (make(configs=(drift,)), "config-drift", "reset"),
    }  # fmt: skip


def state() -> dict[str, tuple[Snapshot, str, str]]:
    """What makes each cause in databases, services and disks."""
    empty = builders.database(rows={"public.users": 0, "public.organizations": 0})
    down = builders.database(reachable=False, error="refused", rows={}, service="postgres")
    stopped = builders.container("postgres", running=False, exit_code=0, restart_policy="unless-stopped")
    drifted = builders.database(columns={"public.users.id": "bigint"})
    declared = builders.expected(columns={"public.users.id": "bigint", "public.users.mail": "text"})
    sick = builders.container(health="unhealthy")
    unproven = (builders.backup(proven=False),)
    make = builders.healthy
    return {
        "schema-missing": (builders.lost_schema(), "schema-missing", "restore"),
        "lost, unproven": (builders.lost_schema(backups=unproven), "schema-missing", ""),
        "schema-drift": (make(databases=(drifted,), expected={"main": declared}), "schema-drift", "verify"),
        "database-empty": (make(databases=(empty,)), "database-empty", "restore"),
        "database-down": (make(databases=(down,), containers=(builders.container(), stopped)), "database-down", ""),
        "dependency-unhealthy": (make(containers=(sick,)), "dependency-unhealthy", ""),
        "disk-full": (make(disks=(DiskFact("/vault", 1, 100),)), "disk-full", ""),
        "no inode left": (make(disks=(DiskFact("/vault", 50, 100, "vault", 1, 100),)), "disk-full", ""),
        "no proof yet": (builders.stale_artifact(backups=unproven), "stale-artifact", "backup"),
    }


def snapshots() -> dict[str, tuple[Snapshot, str, str]]:
    return {**code(), **state()}


@pytest.mark.parametrize("name", list(snapshots()))
def test_each_cause_and_its_next_runbook(name: str) -> None:
    """Each kind of trouble is named by its cause and leads to the runbook that resolves it, or to none."""
    snapshot, cause, runbook = snapshots()[name]
    found = diagnose(snapshot)
    assert [c.id for c in found.causes] == [cause]
    assert found.next.runbook == runbook
    assert found.next.runbook or found.next.measure


def test_lost_data_comes_before_stale_code() -> None:
    """When both halves are there at once, the data is brought back first."""
    found = diagnose(builders.stale_artifact(databases=(builders.database(rows={}),)))
    assert {"stale-artifact", "schema-missing"} <= found.names()
    assert found.next.runbook == "restore"


def test_backup_of_another_target_does_not_count() -> None:
    """A proven backup of another stack is no reason to restore it here."""
    found = diagnose(builders.lost_schema(backups=(builders.backup(identity="another"),)))
    assert found.next.runbook == ""


def test_unseen_is_not_well() -> None:
    """What could not be observed makes the verdict unknown, never pass."""
    found = diagnose(builders.healthy(unknown={"vault": "cannot be listed"}))
    assert (found.verdict, found.causes) == ("unknown", ())


def test_full_disk_is_said_first() -> None:
    """With a full disk every runbook would stop half-way, so that comes first."""
    found = diagnose(builders.stale_artifact(disks=(DiskFact("/vault", 1, 100),)))
    assert found.next.runbook == ""
    assert "free space" in found.next.why


def test_json_carries_causes_next_and_evidence() -> None:
    """The result that `--json` prints has verdict, causes, next and evidence, each piece with how to repeat it."""
    told = diagnose(builders.stale_artifact()).as_json()
    assert set(told) == {"verdict", "causes", "next", "evidence"}
    assert told["next"]["parameters"] == {"target": "connect", "scope": "auto"}
    wanted = {"id", "level", "subject", "verdict", "observed", "expected", "how"}
    assert all(set(piece) == wanted for piece in told["evidence"])


def test_every_cause_of_the_contract_has_a_case_here() -> None:
    """No cause id is left without a test that makes it alone the first named."""
    named = {cause for _, cause, _ in snapshots().values()}
    assert named == {
        "stale-container", "stale-layer", "stale-context", "stale-artifact", "stale-cache-mount", "stale-base",
        "masked-by-mount", "edited-in-place", "process-older-than-code", "stale-proxy", "config-drift",
        "schema-missing", "schema-drift", "database-down", "database-empty", "dependency-unhealthy", "disk-full",
    }  # fmt: skip


def test_the_error_that_people_see_is_quoted_with_the_cause() -> None:
    """A cause carries what the site says, for that error pointed elsewhere for hours."""
    [cause] = diagnose(builders.stale_artifact()).causes
    assert "reading 'findUnique'" in cause.quoted[0]


def test_a_failing_answer_without_a_cause_says_what_to_measure() -> None:
    """Where nothing explains a failing answer, no cause is made up; the command that shows it comes next."""
    found = diagnose(builders.healthy(responses=(builders.answer(status=500, body="boom"),)))
    assert (found.verdict, found.causes, found.next.runbook) == ("fail", (), "")
    assert found.next.measure.startswith("curl -i")


def test_a_finished_migration_is_healthy_and_a_service_scaled_to_none_is_not_missed() -> None:
    """A container that ended well and is not to be restarted is done; a service with no replica needs none."""
    done = builders.container("migrate", running=False, health="", exit_code=0, restart_policy="no")
    none = ServiceFact("worker", "connect-worker", "", "", replicas=0)
    snapshot = builders.healthy()
    found = diagnose(builders.healthy(
        containers=(*snapshot.containers, done), services=(*snapshot.services, none)
    ))  # fmt: skip
    assert found.verdict == "pass"
