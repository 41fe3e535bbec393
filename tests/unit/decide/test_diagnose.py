"""Diagnosis: which cause, how sure, and where to go next."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest

from drillbook.decide.diagnose import diagnose
from drillbook.observe.facts import DiskFact, Snapshot


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


def snapshots() -> dict[str, tuple[Snapshot, str, str]]:
    old = builders.image(files={**builders.SOURCES, "lib/db.js": builders.digest("old")}, built_from={})
    process = replace(builders.image(), subject=builders.container().id)
    edited = replace(process, files={**process.files, "server.js": "edited"})
    unproven = (builders.backup(proven=False),)
    empty = builders.database(rows={"public.users": 0, "public.organizations": 0})
    down = builders.database(reachable=False, error="refused", rows={})
    sick = builders.container(health="unhealthy")
    tagged = builders.container(tag_image_id=builders.OLD)
    return {
        "stale layer": (builders.healthy(images=(old,), processes=()), "stale-layer", "reset"),
        "stale container": (builders.healthy(containers=(tagged,)), "stale-container", "reset"),
        "edited in place": (builders.healthy(processes=(edited,)), "edited-in-place", "reset"),
        "no proof yet": (builders.stale_artifact(backups=unproven), "stale-artifact", "backup"),
        "empty": (builders.healthy(databases=(empty,)), "database-empty", "restore"),
        "lost, unproven": (builders.lost_schema(backups=unproven), "schema-missing", ""),
        "database down": (builders.healthy(databases=(down,)), "database-down", ""),
        "disk full": (builders.healthy(disks=(DiskFact("/vault", 1, 100),)), "disk-full", ""),
        "unhealthy": (
            builders.healthy(containers=(sick,)),
            "dependency-unhealthy",
            "",
        ),
    }


@pytest.mark.parametrize("name", list(snapshots()))
def test_each_cause_and_its_next_runbook(name: str) -> None:
    """Each kind of trouble is named by its cause and leads to the runbook that resolves it, or to none."""
    snapshot, cause, runbook = snapshots()[name]
    found = diagnose(snapshot)
    assert cause in found.names()
    assert found.next.runbook == runbook


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
