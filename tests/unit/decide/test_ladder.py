"""Which checks a drill of each tier makes, and that the others are told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from drillbook.decide.drill import plan_drill
from drillbook.decide.ladder import LADDER, Asked, left_out
from drillbook.decide.plan import Plan
from drillbook.decide.sample import sampled
from drillbook.decide.sound import sound
from drillbook.target import Drill
from drillbook.vault.content import DatabaseContent, TableDigest
from drillbook.vault.manifest import DumpEntry, Manifest, ServerEntry, VolumeEntry
from drillbook.vault.proof import Tier

NOW = datetime(2025, 10, 13, 12, tzinfo=UTC)
OWN = Drill.model_validate({
    "assertions": [{"name": "admins", "database": "main", "sql": "select true"}],
    "smoke": {"app": {"service": "app1", "database": "main", "port": 3000}},
})  # fmt: skip

SUM = "0" * 64


def manifest(**more: object) -> Manifest:
    content = DatabaseContent(database="shop", server_version="15.1", algorithm="record64-v1", tables=())
    entry = DumpEntry(
        server="main", folder="main", content=content, compression="gzip", client_version="15", seconds=1, empty=False
    )
    volume = VolumeEntry(
        key="queue", kind="redis", service="redis", destination="/data", file="volumes/queue.tar.zst", bytes=1,
        members=1, tree="t", image_id="i",
    )  # fmt: skip
    made = Manifest(
        name="20251013T100000Z-aaaaaa", target="unit", identity="i", drillbook="0", started=NOW, ended=NOW,
        servers={"main": ServerEntry(version="15.1", user="keeper", roles="roles/main.sql")},
        databases={"main": entry}, volumes={"shop_queue": volume},
        checksums=dict.fromkeys(("main/toc.dat", "roles/main.sql", "volumes/queue.tar.zst"), SUM),
    )  # fmt: skip
    return made.model_copy(update=more)


def plan(tier: Tier) -> Plan:
    return plan_drill("unit", "i", manifest(), "m", Asked(tier, own=OWN))


FAST = ["sweep", "checksums", "manifest", "archive-main", "volume-queue", "proof"]
SAMPLE = [
    "sweep", "checksums", "manifest", "scratch-main", "roles-main", "restore-main", "compare-main", "assert-admins",
    "volume-queue", "proof",
]  # fmt: skip
FULL = [*SAMPLE[:-2], "amcheck-main", "smoke-app", *SAMPLE[-2:]]


@pytest.mark.parametrize(("tier", "steps"), [("fast", FAST), ("sample", SAMPLE), ("full", FULL)])
def test_each_tier_takes_the_steps_of_its_checks(tier: Tier, steps: list[str]) -> None:
    """A fast one restores nothing; only a full one asks pg_amcheck and the app."""
    assert [step.id for step in plan(tier).steps] == steps
    assert plan(tier).destroys == ()


def test_an_assertion_stands_in_the_plan_as_it_will_be_asked() -> None:
    """Word for word, so that it belongs to the plan's fingerprint."""
    assert next(step.sql for step in plan("full").steps if step.id == "assert-admins") == "select true"
    assert plan("full").fingerprint != plan("sample").fingerprint


def test_a_full_drill_leaves_nothing_out_but_what_nobody_asks_for() -> None:
    """With assertions and a smoke request nothing; without them both are told."""
    assert left_out(Asked(own=OWN), manifest()) == ()
    assert [one["id"] for one in left_out(Asked(), manifest(volumes={}))] == ["assertion", "smoke", "redis"]


def test_what_a_tier_leaves_out_is_told_in_the_plan() -> None:
    """Each rung that is not made, with why; a rung that another one makes is not left out."""
    fast = {one["id"]: one["why"] for one in left_out(Asked("fast", own=OWN), manifest())}
    assert set(fast) == {rung.id for rung in LADDER} - {"checksums", "manifest", "archive"}
    assert set(fast.values()) == {"tier fast"}
    sample = [one["id"] for one in left_out(Asked("sample", own=OWN), manifest())]
    assert sample == ["table", "amcheck", "smoke"]
    assert "left out: amcheck: tier sample" in plan("sample").notes


def table(name: str, size: int) -> TableDigest:
    return TableDigest(schema_name="public", table=name, rows=1, sum64="1", bytes=size)


def test_a_sample_is_another_one_for_each_backup_and_the_same_for_one() -> None:
    """Over a month of nights every table has its turn."""
    tables = [table(f"t{n}", 10) for n in range(50)]
    assert sampled(tables, "one", 100) == sampled(tuple(reversed(tables)), "one", 100)
    assert sampled(tables, "one", 100) != sampled(tables, "two", 100)
    assert len(sampled(tables, "one", 100)) == 10
    assert frozenset().union(*(sampled(tables, str(night), 100) for night in range(60))) == {t.name for t in tables}


def test_a_sample_stays_in_its_budget_and_is_never_empty() -> None:
    """The largest that fits into half of it is always there; where none fits, the smallest table is."""
    tables = [table("huge", 1000), table("large", 40), table("small", 5)]
    assert sampled(tables, "x", 100) == {"public.large", "public.small"}
    assert sampled([table("huge", 10**9), table("big", 10**8)], "x", 100) == {"public.big"}
    assert sampled([], "x") == frozenset()


BROKEN = [
    ({"name": "another"}, "it is the manifest of another"),
    ({"checksums": {"roles/main.sql": SUM, "volumes/queue.tar.zst": SUM}}, "database main has no list of its dump"),
    ({"checksums": {"main/toc.dat": SUM, "volumes/queue.tar.zst": SUM}}, "server main has no file of its roles"),
    ({"checksums": {"main/toc.dat": SUM, "roles/main.sql": SUM}}, "volume shop_queue has no archive"),
    ({"servers": {}}, "comes from a server that it does not tell of"),
]


@pytest.mark.parametrize(("change", "said"), BROKEN, ids=lambda value: value if isinstance(value, str) else "")
def test_a_manifest_that_does_not_fit_itself_fails(change: dict[str, object], said: str) -> None:
    """Before a single archive is read."""
    name = manifest().name
    assert sound(manifest(), name).verdict == "pass"
    found = sound(manifest(**change), name)
    assert found.verdict == "fail"
    assert said in found.observed
