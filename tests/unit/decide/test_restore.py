"""Restore plans, whole: databases and volumes into place and beside, with every statement."""

from __future__ import annotations

from dataclasses import replace

import manifests
import pytest

from drillbook.decide.chosen import names, wanted
from drillbook.decide.plan import Step
from drillbook.decide.restore import free_name, plan_restore
from drillbook.errors import BadParameters, RunbookError
from drillbook.observe.places import DatabasePlace

NAME = manifests.NAME
FIRST = Step("checksums", "restore.checksums", NAME, args={"backup": NAME}, timeout_seconds=3600)
ROLES = Step(
    "roles-main", "restore.roles", "roles that are missing on the server of main",
    args={"key": "main", "source": "main", "major": 16},
)  # fmt: skip
PLACES = {"key": "main", "beside": "connect_restored_abc123", "aside": "connect_before_abc123"}
BESIDE = Step(
    "restore-main", "restore.database", "connect_restored_abc123", args={**PLACES, "jobs": 2, "major": 16},
    timeout_seconds=21600,
)  # fmt: skip
CHECK = Step("check-main", "restore.check", "connect_restored_abc123", args=PLACES, timeout_seconds=3600)
SWITCH = Step(
    "switch-main", "restore.switch", "connect",
    sql='BEGIN; ALTER DATABASE "connect" RENAME TO "connect_before_abc123"; '
        'ALTER DATABASE "connect_restored_abc123" RENAME TO "connect"; COMMIT',
    args=PLACES,
    destroys=("database connect (renamed to connect_before_abc123, its connections ended)",),
    recovers="swap the names back: connect_before_abc123 holds everything as it was",
    timeout_seconds=120,
)  # fmt: skip


def last(databases: list[str], volumes: list[str], into: str = "place") -> Step:
    args = {"databases": databases, "volumes": volumes, "into": into, "tables": False}
    return Step("compare", "restore.compare", NAME, args=args)


def test_whole_plan_for_one_database() -> None:
    """Checked, restored beside, compared, switched, compared; nothing is dropped."""
    plan = plan_restore("connect", manifests.backup(), manifests.facts(), wanted("main"))
    assert plan.steps == (FIRST, ROLES, BESIDE, CHECK, SWITCH, last(["main"], []))
    assert plan.notes == ()


def test_whole_plan_beside() -> None:
    """No switch, nothing destroyed; a note names the command that switches later."""
    plan = plan_restore("connect", manifests.backup(), manifests.facts(), wanted("main", into="beside"))
    assert plan.steps == (FIRST, ROLES, BESIDE, CHECK, last(["main"], [], "beside"))
    assert plan.destroys == ()
    assert plan.notes == (
        "nothing that is live is touched; to put it in place later: drillbook run restore --target connect "
        f"-p backup={NAME} -p databases=main -p volumes=none -p into=place",
    )


def test_whole_plan_for_one_volume() -> None:
    """Kept, filled, started: by its key or by its name."""
    args = {
        "volume": "connect_up", "aside": "connect_up_before_abc123",
        "containers": ["connect-app-1", "connect-app-2"], "image_id": "sha256:r",
    }  # fmt: skip
    fill = Step(
        "fill-up", "restore.volume_fill", "connect_up", args=args,
        destroys=("content of volume connect_up (copied to connect_up_before_abc123)",),
        recovers="copy connect_up_before_abc123 back into connect_up", timeout_seconds=3600,
    )  # fmt: skip
    for volume in ("up", "connect_up"):
        plan = plan_restore("connect", manifests.backup(), manifests.facts(), wanted("none", volumes=volume))
        assert plan.steps == (
            FIRST,
            Step("keep-up", "restore.volume_keep", "connect_up", args=args, timeout_seconds=3600),
            fill,
            Step("start-up", "restore.volume_start", "connect-app-1, connect-app-2", args=args),
            last([], ["connect_up"]),
        )


def test_a_volume_beside_stops_nothing() -> None:
    """A new volume of its own, by a name that is free."""
    taken = manifests.facts(volume_names=("connect_up", "connect_up_restored_abc123"))
    plan = plan_restore("connect", manifests.backup(), taken, wanted("none", volumes="up", into="beside"))
    assert [(step.verb, step.subject, step.destroys) for step in plan.steps[1:-1]] == [
        ("restore.volume_beside", "connect_up_restored_abc123_2", ())
    ]
    assert plan.steps[1].args["containers"] == []


@pytest.mark.parametrize(
    ("choice", "databases", "volumes"),
    [
        (wanted(), ["main", "stats"], ["connect_queue", "connect_up"]),
        (wanted("stats"), ["stats"], []),
        (wanted("stats, main"), ["stats", "main"], []),
        (wanted(["stats"], volumes="all"), ["stats"], ["connect_queue", "connect_up"]),
        (wanted(into="beside"), ["main", "stats"], []),
        (wanted(volumes="none"), ["main", "stats"], []),
    ],
)
def test_what_is_chosen(choice, databases: list[str], volumes: list[str]) -> None:
    """Volumes come along by themselves only where everything goes into place."""
    args = plan_restore("connect", manifests.backup(), manifests.facts(), choice).steps[-1].args
    assert (args["databases"], args["volumes"]) == (databases, volumes)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (wanted("mian"), "no database 'mian'"),
        (wanted(volumes="upp"), "no volume 'upp'"),
        (wanted("none"), "nothing is chosen"),
        (wanted(tables="public.users"), "2 databases: main, stats"),
        (wanted("main", "public.user"), r"no table 'public\.user'"),
    ],
)
def test_what_is_not_there_is_told(choice, said: str) -> None:
    """Exit code 2, with what there is."""
    with pytest.raises(BadParameters, match=said):
        plan_restore("connect", manifests.backup(), manifests.facts(), choice)


def test_an_unproven_backup_is_named_so() -> None:
    """A reader sees it beside the plan."""
    plan = plan_restore("connect", manifests.backup(""), manifests.facts(), wanted("main"))
    assert plan.notes == (f"backup {NAME} is unproven, not proven",)


def test_no_place_and_an_older_server_are_refused() -> None:
    """Before anything starts."""
    facts = manifests.facts()
    with pytest.raises(RunbookError, match="no place for connect_up"):
        plan_restore("connect", manifests.backup(), replace(facts, volumes=facts.volumes[:1]))
    older = replace(facts, servers={"main": replace(facts.servers["main"], version="15.1")})
    with pytest.raises(RunbookError, match="dumped from PostgreSQL 16, and its server now runs 15"):
        plan_restore("connect", manifests.backup(), older)


def test_a_lost_database_has_nothing_to_keep() -> None:
    """One rename, and nothing destroyed."""
    gone = {"main": DatabasePlace("main", "main", "connect", exists=False)}
    plan = plan_restore("connect", manifests.backup(), manifests.facts(databases=gone), wanted("main"))
    assert plan.steps[-2].sql == 'BEGIN; ALTER DATABASE "connect_restored_abc123" RENAME TO "connect"; COMMIT'
    assert plan.destroys == ()


def test_long_names_are_cut_to_what_a_server_takes() -> None:
    """63 bytes, and never in the middle of a letter."""
    assert free_name("é" * 40, "_before_abc123", ()) == "é" * 24 + "_before_abc123"
    assert free_name("a", "_x", ("a_x", "a_x_2")) == "a_x_3"


def test_names_in_a_parameter() -> None:
    """A text is split at commas, a list is taken as it stands."""
    assert names("a, b,") == ("a", "b")
    assert names(["a, b"]) == ("a, b",)
