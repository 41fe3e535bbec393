"""Backup, drill and restore of the sandbox: every table and both redis, from the report's second blow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rounds import put_back, take_backup, take_drill
from there import scratch

from drillbook.act import breakage
from drillbook.act.site import Site
from drillbook.act.switch import writer
from drillbook.decide.chosen import wanted
from drillbook.errors import CheckFailed
from drillbook.observe import redis
from drillbook.observe.database import contents
from drillbook.target import Target
from drillbook.vault import manifest as manifests
from drillbook.vault.catalog import Vault
from drillbook.vault.checksum import sha256

pytestmark = pytest.mark.docker


@pytest.fixture
def target(healthy: Site, tmp_path: Path) -> Target:
    """The sandbox's own target, with a vault that is this test's alone."""
    found = healthy.target
    backup = found.backup.model_copy(update={"vault": str(tmp_path / "vault")})
    moved = found.model_copy(update={"backup": backup})
    moved._file = found.file
    return moved


def queue(target: Target) -> tuple[int, str]:
    """Keys and digest of the queue's jobs; the cache changes by itself."""
    return next(seen for name, seen in redis.digests(target).items() if name.endswith("redis_queue_data"))


def digests(target: Target) -> dict[str, tuple[int, str | None]]:
    return {table.name: (table.rows, table.sum64) for table in contents(target)["main"].tables}


def test_a_lost_stack_comes_back_with_equal_digests(engine: Any, healthy: Site, target: Target) -> None:
    """Wrong: `down -v`. Right: a backup that was drilled brings all 24 tables, the roles and the jobs back."""
    tables, jobs = digests(target), queue(target)
    assert len(tables) == 24
    taken = take_backup(target)
    content = taken.whole().databases["main"].content
    assert [content.counts()[kind] for kind in ("table", "index", "foreign_key")] == [24, 73, 22]
    result = take_drill(target, taken)
    assert result["verdict"] == "pass"
    assert result["rto_seconds"] > 0
    assert scratch(engine) == set()

    breakage.break_stack("lost-schema", healthy.project)
    assert digests(target) == {}
    assert put_back(target, taken)["verdict"] == "pass"
    assert digests(target) == tables
    assert queue(target) == jobs


def test_a_restored_volume_leaves_its_old_content_aside(engine: Any, target: Target) -> None:
    """The queue as it was before the restore lies in a volume of its own, and can be read."""
    taken = take_backup(target)
    put_back(target, taken)
    kept = [v for v in engine.volumes.list() if v.name.endswith(f"redis_queue_data_before_{taken.short}")]
    assert len(kept) == 1
    assert kept[0].attrs["Labels"]["drillbook.kept"].endswith("redis_queue_data")
    for volume in engine.volumes.list(filters={"label": "drillbook.kept.target"}):
        if volume.name.endswith(f"_before_{taken.short}"):
            volume.remove()


def test_chosen_tables_come_back_in_the_stack(engine: Any, healthy: Site, target: Target) -> None:
    """By the server's own programs in a helper container: one table emptied, one dropped, both as they were."""
    before, taken = digests(target), take_backup(target)
    with writer(target, "main", "connect") as live:
        live.execute("TRUNCATE public.users CASCADE")
        emptied = {name for name, (rows, _) in digests(target).items() if rows != before[name][0]}
        live.execute("DROP TABLE public.funding_matches CASCADE")
    assert put_back(target, taken, wanted(tables=sorted({*emptied, "public.funding_matches"})))["verdict"] == "pass"
    assert {name: seen for name, seen in digests(target).items() if "_before_" not in name} == before
    with writer(target, "main", "connect") as live:
        live.execute(f"DROP SCHEMA public_before_{taken.short} CASCADE")
    assert scratch(engine) == set()


def test_a_redis_archive_that_lost_its_jobs_is_red(engine: Any, target: Target) -> None:
    """The archive is whole and its checksum agrees, but the keys are not the manifest's."""
    taken = take_backup(target)
    volumes = taken.folder / "volumes"
    (volumes / "redis_queue_data.tar.zst").write_bytes((volumes / "redis_cache_data.tar.zst").read_bytes())
    raw = json.loads((taken.folder / manifests.FILE).read_text())
    raw["checksums"] = {name: sha256(taken.folder / name) for name in raw["checksums"]}
    names = {entry["key"]: name for name, entry in raw["volumes"].items()}
    raw["volumes"][names["redis_queue_data"]]["tree"] = raw["volumes"][names["redis_cache_data"]]["tree"]
    raw["own_sha256"] = ""
    (taken.folder / manifests.FILE).write_text(json.dumps(raw))
    with pytest.raises(CheckFailed, match="redis_queue_data:redis"):
        take_drill(target, Vault.of(target).get(taken.name))
    assert scratch(engine) == set()
