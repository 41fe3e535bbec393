"""A reset and its rollback on the real stack: no request lost, nothing of a stranger's touched, every gate shut."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import there
from inside import run
from load import Load
from shell import Ended, described
from shell import run as typed
from there import of_project

from drillbook.act import canary, sandbox
from drillbook.act.breakage import break_stack
from drillbook.act.services import psql
from drillbook.act.site import Site
from drillbook.observe.command import run_checked
from drillbook.run.demo import held
from drillbook.target import load_target

pytestmark = pytest.mark.matrix
IMAGES = ("-p", "scope=images")


@pytest.fixture
def proven(proven_vault: Path, healthy: Site, tmp_path: Path) -> Path:
    """The sandbox's target file, with a proven backup and without the drill's smoke request."""
    shutil.copytree(proven_vault, tmp_path / "vault")
    return described(healthy, tmp_path, drill={})


def fingerprint(runbook: str, file: Path, *words: str) -> str:
    planned = run(runbook, str(file), *words)
    assert planned.code == 3, planned.said
    assert "has not been approved" in planned.fact
    assert "HINT: " in planned.said
    assert "Traceback" not in planned.said
    return str(planned.record["result"]["plan"]["fingerprint"])


def approved(runbook: str, file: Path, *words: str) -> Ended:
    """The runbook planned, read and approved."""
    return run(runbook, str(file), *words, "--approve", fingerprint(runbook, file, *words))


def typed_and_approved(runbook: str, file: Path, *words: str) -> Ended:
    """The same by processes of its own, as a user has it: a load in this one does not slow them down."""
    planned = typed(runbook, str(file), *words)
    assert planned.code == 3, planned.said
    assert "HINT: " in planned.said
    assert "Traceback" not in planned.said
    return typed(runbook, str(file), *words, "--approve", planned.record["result"]["plan"]["fingerprint"])


def builds(file: Path) -> set[str]:
    """Every build that answers through the proxy."""
    import httpx

    url = load_target(str(file)).endpoints["build"].url
    return {httpx.get(url, timeout=10).json()["build_id"] for _ in range(12)}


def urls(file: Path, *names: str) -> tuple[str, ...]:
    endpoints = load_target(str(file)).endpoints
    return tuple(endpoints[name].url for name in names or endpoints)


def containers(site: Site, engine: Any) -> dict[str, str]:
    return {c.name: c.id for c in of_project(engine, site.project)}


@pytest.fixture
def stranger(foreign_project: Any) -> Iterator[Any]:
    """A foreign project that is the same afterwards."""
    before = foreign_project.snapshot()
    yield foreign_project
    assert foreign_project.snapshot() == before


@pytest.mark.alone
def test_no_request_fails_while_the_incident_is_reset(proven: Path, healthy: Site, engine: Any, stranger: Any) -> None:
    """A load through the proxy from the first step to the last; the stale build is gone, no row and no job is lost."""
    break_stack("stale-artifact", healthy.project)
    before, old, names = held(load_target(str(proven))), builds(proven), containers(healthy, engine)
    assert len(names) == 7
    with Load(urls(proven, "health", "build")) as load:
        ended = typed_and_approved("reset", proven)
    print(load)
    assert ended.code == 0, ended.said
    assert load.failures == []
    assert load.asked > 200
    result = ended.record["result"]
    assert (result["requests_failed"], result["downtime_seconds"]) == (0, 0.0)
    assert result["requests_unmended"] > 0
    assert builds(proven) == {result["plan"]["basis"]["sources"]["app1"][:12]} != old
    assert held(load_target(str(proven))) == before
    assert set(containers(healthy, engine)) == set(names)
    assert there.containers(engine, f"{canary.LABEL}={load_target(str(proven)).identity}") == []


def test_compose_sees_nothing_to_do_after_a_reset(proven: Path, healthy: Site, engine: Any) -> None:
    """What anybody types next, `docker compose up -d`, starts, stops and removes nothing."""
    assert approved("reset", proven, *IMAGES).code == 0
    before = containers(healthy, engine)
    sandbox.compose(healthy, "up", "-d", "--no-build")
    assert containers(healthy, engine) == before


@pytest.mark.alone
def test_a_rollback_brings_the_kept_images_back_under_load(proven: Path, healthy: Site, engine: Any) -> None:
    """The build of before answers again, no request fails; and the rollback can be rolled back."""
    old = builds(proven)
    (healthy.directory / "lib" / "note.js").write_text("// a release that turns out worse\n")
    sandbox_commit(healthy)
    assert approved("reset", proven, *IMAGES).code == 0
    new = builds(proven)
    assert new != old
    with Load(urls(proven)) as load:
        ended = typed_and_approved("rollback", proven)
    print(load)
    assert ended.code == 0, ended.said
    assert (load.failures, builds(proven)) == ([], old)
    nothing = run("rollback", str(proven), "-p", f"of={reset_run(proven)}")
    assert (nothing.code, "serves already" in nothing.fact) == (3, True)
    assert approved("rollback", proven).code == 0
    assert builds(proven) == new


def sandbox_commit(site: Site) -> None:
    from drillbook.act.history import commit

    commit(site.directory, "a release", "2025-10-13T03:00:00+00:00")


def reset_run(file: Path) -> str:
    runs = Path(os.environ["DRILLBOOK_OUTPUTS"]) / load_target(str(file)).name
    [*_, newest] = sorted(f.parent.name for f in runs.glob("*-reset-*/run.json")
                          if json.loads(f.read_text())["status"] == "succeeded")  # fmt: skip
    return newest


def test_no_rollback_once_the_schema_has_moved_on(proven: Path, healthy: Site, engine: Any) -> None:
    """A migration of the new code is refused with its reason; undone, the way is free again."""
    assert approved("reset", proven, *IMAGES).code == 0
    sql(healthy, "ALTER TABLE users ADD COLUMN migrated boolean")
    before = containers(healthy, engine)
    refused = run("rollback", str(proven))
    assert (refused.code, refused.record["reason"]) == (3, "schema-moved-on")
    assert "the schema of database main has moved on" in refused.fact
    sql(healthy, "ALTER TABLE users DROP COLUMN migrated")
    assert fingerprint("rollback", proven)
    assert containers(healthy, engine) == before


def sql(site: Site, statement: str) -> None:
    run_checked((*psql(site), "-c", statement), timeout=30)


@pytest.mark.alone
def test_an_endpoint_that_answers_wrong_after_the_switch_takes_the_way_back(
    proven: Path, healthy: Site, engine: Any, stranger: Any
) -> None:
    """The new code starts and is healthy, but fails its users: what served before serves again, by itself."""
    route = healthy.directory / "app" / "api" / "matches" / "generate" / "route.js"
    route.write_text("exports.GET = async () => ({ status: 500, body: { error: 'the new code' } });\n")
    sandbox_commit(healthy)
    old, before = builds(proven), containers(healthy, engine)
    with Load(urls(proven, "health", "build")) as load:
        ended = typed_and_approved("reset", proven, *IMAGES)
    assert (ended.code, load.failures) == (1, [])
    assert "the way back was taken" in ended.fact
    assert builds(proven) == old
    now = containers(healthy, engine)
    kept = {name: old_id for name, old_id in before.items() if "-scraper-" not in name}
    assert kept.items() <= now.items()
    assert set(now) == set(before)


def test_two_resets_at_once_and_a_reset_during_a_backup(proven: Path, healthy: Site) -> None:
    """The second is refused, exit 4, and names the run that holds the target and what for."""
    told = fingerprint("reset", proven, *IMAGES)
    for runbook, words in (("reset", (*IMAGES, "--approve", told)), ("backup", ())):
        argv = [sys.executable, "-m", "drillbook.cli", "run", runbook, "--target", str(proven), *words]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as first:
            holder = locked_by(first)
            second = run("reset", str(proven), *IMAGES)
            first.communicate(timeout=240)
        assert first.returncode == 0
        assert (second.code, second.record["reason"]) == (4, "locked")
        assert holder in second.fact
        assert f"for runbook {runbook}" in second.fact


def locked_by(first: subprocess.Popen[str]) -> str:
    """Wait until the run has the lock; its name."""
    assert first.stderr is not None
    name = first.stderr.readline().split()[1]
    threading.Thread(target=first.stderr.read, daemon=True).start()
    [folder] = Path(os.environ["DRILLBOOK_OUTPUTS"]).glob(f"*/{name}")
    until = time.monotonic() + 60
    while '"locked"' not in (folder / "journal.jsonl").read_text() if (folder / "journal.jsonl").exists() else True:
        assert time.monotonic() < until
        time.sleep(0.05)
    return name


def test_an_approval_is_good_for_one_plan_of_one_target_once(proven: Path, healthy: Site, engine: Any) -> None:
    """Any other, of what was before, another scope or target, to an executed copy, replayed: refused, nothing moves."""
    other = proven.with_name("other.yaml")
    other.write_text(proven.read_text().replace(f"name: {healthy.project}", "name: other"))
    assert other.read_text() != proven.read_text()
    outdated = fingerprint("reset", proven, *IMAGES)
    sandbox.compose(healthy, "up", "-d", "--no-build", "--force-recreate", "--no-deps", "app2")
    before, told = containers(healthy, engine), fingerprint("reset", proven, *IMAGES)
    for wrong in (outdated, "0" * 16):
        refused = run("reset", str(proven), *IMAGES, "--approve", wrong)
        assert (refused.code, "is not for this plan" in refused.fact) == (3, True)
    assert run("reset", str(proven), "-p", "scope=containers", "--approve", told).code == 3
    assert run("reset", str(other), *IMAGES, "--approve", told).code == 3
    copy = max(Path(os.environ["DRILLBOOK_OUTPUTS"]).glob("*/*-reset-*/notebook.ipynb"))
    assert run_copy(copy, proven, told) == 2
    assert papermill(copy, proven, told) != 0
    assert containers(healthy, engine) == before
    assert run("reset", str(proven), *IMAGES, "--approve", told).code == 0
    done = containers(healthy, engine)
    replayed = run("reset", str(proven), *IMAGES, "--approve", told)
    assert (replayed.code, "is not for this plan" in replayed.fact) == (3, True)
    resumed = run("reset", str(proven), "--resume", reset_run(proven))
    assert (resumed.code, "nothing to resume" in resumed.fact) == (3, True)
    assert containers(healthy, engine) == done


def run_copy(copy: Path, file: Path, told: str) -> int:
    argv = [sys.executable, "-m", "drillbook.cli", "run", str(copy), "--target", str(file), "--approve", told]
    return subprocess.run(argv, capture_output=True, timeout=120, check=False).returncode


def papermill(copy: Path, file: Path, told: str) -> int:
    argv = [sys.executable, "-m", "papermill", str(copy), str(copy.with_name("again.ipynb")), "-p", "approval", told]
    done = subprocess.run(argv, capture_output=True, timeout=120, check=False, cwd=copy.parent)
    return done.returncode


def test_a_few_random_plans_touch_nothing_of_anybody_else(
    proven: Path, healthy: Site, engine: Any, stranger: Any, tmp_path: Path
) -> None:
    """Dangling volumes, stopped containers, others' images and cache are as they were after plans of any scope."""
    image = engine.images.get(of_project(engine, stranger.project)[0].attrs["Image"])
    kept = f"{stranger.project}-image:1"
    image.tag(*kept.split(":"))
    dangling = engine.volumes.create(f"{stranger.project}-dangling")
    stopped = engine.containers.create(image.id, ["true"], name=f"{stranger.project}-stopped")
    cache = foreign_cache(tmp_path, stranger.project)
    chosen = random.Random(healthy.project)
    assert cache, "there is nothing that a plan could take"
    try:
        for scope in chosen.sample(["containers", "images", "artifacts", "build-cache", "images"], 4):
            ended = run("reset", str(proven), "-p", f"scope={scope}")
            if ended.code == 3 and ended.record["reason"] == "approval-needed":
                told = ended.record["result"]["plan"]["fingerprint"]
                assert run("reset", str(proven), "-p", f"scope={scope}", "--approve", told).code == 0
        assert engine.volumes.get(dangling.name).id == dangling.id
        assert engine.containers.get(stopped.id).status == "created"
        assert engine.images.get(kept).id == image.id
        assert cache <= cache_records(engine)
    finally:
        stopped.remove(v=True)
        dangling.remove()
        engine.images.remove(kept, noprune=True)
        for record in cache:
            run_checked(("docker", "buildx", "prune", "--force", "--filter", f"id={record}"), timeout=60)


def cache_records(engine: Any) -> set[str]:
    return {record["ID"] for record in there.build_cache(engine)}


def foreign_cache(folder: Path, name: str) -> set[str]:
    """Somebody else's build leaves a cache mount at /*name*; its records."""
    import docker

    from drillbook.act import images

    engine, place, tag = docker.from_env(), folder / "stranger", f"{name}-build:1"
    place.mkdir()
    base = f"drillbook-redis:{images.tag()}"
    (place / "Dockerfile").write_text(f"FROM {base}\nRUN --mount=type=cache,target=/{name} date > /{name}/kept\n")
    env = {**os.environ, "DOCKER_BUILDKIT": "1"}
    run_checked(("docker", "build", "-q", "-t", tag, str(place)), timeout=120, env=env)
    engine.images.remove(tag, noprune=True)
    mounts = [record for record in there.build_cache(engine) if record["Type"] == "exec.cachemount"]
    return {record["ID"] for record in mounts if f"/{name}" in record["Description"]}
