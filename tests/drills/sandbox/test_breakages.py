"""Breakages and their healing beside what the matrix of causes shows: the mechanism, the refusals, the leftovers."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest
import there
from there import build_cache, tags
from truths import APPS, BUG, CHUNK, TRUE, Stack, database_down, heal, stale_layer

from drillbook.act import belongings, breakage, leftovers, sandbox
from drillbook.act.site import Site
from drillbook.errors import BadParameters, RunbookError

pytestmark = pytest.mark.matrix


@pytest.fixture
def stack(healthy: Site, engine: Any) -> Stack:
    return Stack(healthy, engine)


def cache_mounts(stack: Stack) -> list[str]:
    """The builder's records of cache mounts that this sandbox's builds have made."""
    named = f"/tmp/{stack.site.project}-bundle"
    return [r["ID"] for r in build_cache(stack.engine) if named in r["Description"] and "mount" in r["Type"]]


def test_every_breakage_is_looked_at() -> None:
    """No breakage is without a test, and each says in one line what it does."""
    assert TRUE.keys() == breakage.BREAKAGES.keys()
    assert all(line.endswith(".") for line in breakage.described().values())


def test_a_new_time_mends_a_stale_context(stack: Stack) -> None:
    """The builder's copy of the context is sent anew for a file whose time changed: nothing else was wrong."""
    breakage.break_stack("stale-context", stack.site.project)
    (stack.site.directory / "lib/db.js").touch()
    stack.compose("build", *APPS)
    assert BUG not in stack.image("app1", "lib/db.js")
    assert BUG not in stack.image("app2", CHUNK)


def test_a_stale_layer_is_a_cached_one(stack: Stack) -> None:
    """A build says CACHED and ships the old release; one without the cache fetches the new."""
    breakage.break_stack("stale-layer", stack.site.project)
    argv = stack.site.compose("build", "--progress", "plain", "scraper")
    told = subprocess.run(argv, capture_output=True, text=True, check=True)
    fetched = next(line.split()[0] for line in (told.stdout + told.stderr).splitlines() if "RUN node -e" in line)
    assert f"{fetched} CACHED" in told.stdout + told.stderr
    stale_layer(stack)
    stack.compose("build", "--no-cache", "scraper")
    assert stack.image("scraper", "scraper.js") == stack.source("scraper/scraper.js")


def test_a_drifted_configuration_is_seen_once_it_is_applied(stack: Stack) -> None:
    """The site answers for another organization as soon as the containers are brought up."""
    breakage.break_stack("config-drift", stack.site.project)
    assert stack.get("/api/matches/generate").json()["organization"] == "hanbit-robotics"
    stack.compose("up", "-d", "--no-build", "--no-deps", *APPS)
    sandbox.wait_healthy(stack.site.project, APPS)
    assert stack.get("/api/matches/generate").json()["organization"] == "daejeon-ai"


def test_down_leaves_nothing_of_any_breakage(stack: Stack) -> None:
    """The volume, the base, the server, the disk and the cache mount go with the sandbox that has them."""
    for how in ("stale-cache-mount", "masked-by-mount", "stale-base", "stale-layer", "disk-full"):
        breakage.break_stack(how, stack.site.project)
    project = stack.site.project
    assert cache_mounts(stack)
    sandbox.down(project)
    assert not cache_mounts(stack)
    assert not there.named(stack.engine, f"{project}-")
    assert not [v.name for v in stack.engine.volumes.list() if v.name.startswith(f"{project}_")]
    assert not tags(stack.engine, f"{project}-")
    assert not stack.site.disk.exists()


def test_a_disk_of_a_sandbox_that_is_gone_is_unmounted(stack: Stack) -> None:
    """A mount that outlived its sandbox does not stand in the next one's way."""
    leftovers.mount_disk(stack.site, 1)
    heal(stack.site)
    assert not stack.site.disk.exists()


def test_a_breakage_that_cannot_be_made_says_why(stack: Stack) -> None:
    """The database's tables cannot be dropped while it is down; the stack is as it was."""
    breakage.break_stack("database-down", stack.site.project)
    with pytest.raises(RunbookError, match="postgres"):
        breakage.break_stack("schema-drift", stack.site.project)
    database_down(stack)


def test_only_root_may_fill_a_disk(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root nothing is mounted, and the hint says what to do."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BadParameters) as told:
        breakage.break_stack("disk-full", stack.site.project)
    assert "sudo" in told.value.hint
    assert not stack.site.disk.exists()


def test_spare_volumes_are_none_of_the_three(stack: Stack) -> None:
    """What a heal removes is never the data."""
    breakage.break_stack("masked-by-mount", stack.site.project)
    project = stack.site.project
    assert belongings.spare_volumes(stack.site.target) == [f"{project}_code"]
    assert belongings.volumes(stack.site.target) == [f"{project}_{key}" for key in belongings.VOLUMES]
