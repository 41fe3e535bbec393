"""The practice stack is the incident's: healthy, broken the same two ways, and healed again."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest
from there import of_project, tags

from drillbook.act import belongings, breakage, practice, sandbox
from drillbook.act.site import Site, source_digest
from drillbook.errors import BadParameters
from drillbook.observe.command import run_checked

TYPE_ERROR = "TypeError: Cannot read properties of undefined (reading 'findUnique')"
MISSING_TABLE = "The table `public.organizations` does not exist in the current database."


def get(site: Site, path: str) -> httpx.Response:
    return httpx.get(site.target.endpoints["health"].url.replace("/api/health", path), timeout=10)


def heal(site: Site) -> dict[str, Any]:
    return sandbox.up(site.project, int(httpx.URL(site.target.endpoints["health"].url).port or 80))


def redis(site: Site, service: str, *words: str) -> str:
    return sandbox.compose(site, "exec", "-T", service, "redis-cli", *words).stdout.strip()


def test_the_healthy_site_answers_from_its_database(looked_at: Site) -> None:
    """Matches come with 200, an unknown organization with 404, and liveness needs nothing."""
    matches = get(looked_at, "/api/matches/generate")
    assert matches.status_code == 200
    assert len(matches.json()["matches"]) == 5
    assert get(looked_at, "/api/matches/generate?organization=nobody").json() == {"error": "Organization not found"}
    assert get(looked_at, "/api/health").json()["status"] == "ok"


def test_the_schema_is_the_reports(looked_at: Site) -> None:
    """24 tables, 73 indexes, 22 foreign keys, and the rows that were lost on that night."""
    psql = sandbox.psql(looked_at)
    assert practice.shape(psql) == {"tables": 24, "indexes": 73, "foreign_keys": 22}
    tables = ("users", "organizations", "funding_programs", "funding_matches")
    counts = ", ".join(f"(select count(*) from {table})" for table in tables)
    rows = run_checked((*psql, "-At", "-c", f"select {counts}"), timeout=60).stdout.strip()
    assert rows == "10|12|16|50"


def test_the_response_tells_its_build_and_its_sources(looked_at: Site) -> None:
    """/__build names the digest that sha256sum over the sources gives, too."""
    build = get(looked_at, "/__build").json()
    assert build["source_digest"] == source_digest(looked_at.directory)
    assert build["build_id"] == f"sandbox-{build['source_digest'][:12]}"


def test_the_queue_holds_jobs_that_stay(looked_at: Site) -> None:
    """Jobs of several kinds lie in the queue, none of them due, while the scraper looks after it."""
    assert redis(looked_at, "redis-queue", "ZCARD", "jobs:delayed") == "4"
    assert redis(looked_at, "redis-queue", "LLEN", "jobs:waiting") == "3"
    assert redis(looked_at, "redis-queue", "EXISTS", "jobs:ready") == "0"
    assert json.loads(redis(looked_at, "redis-cache", "GET", "scraper:heartbeat"))["programs"] == 16


def test_up_leaves_a_healthy_sandbox_as_it_is(looked_at: Site, engine: Any) -> None:
    """A second `sandbox up` builds nothing, loads nothing and replaces no container."""

    def ids() -> set[str]:
        return {c.id for c in of_project(engine, looked_at.project) if c.status == "running"}

    before = ids()
    again = heal(looked_at)
    assert (again["built"], again["loaded"], ids()) == (False, False, before)


def test_stale_artifact_outlives_three_rebuilds(healthy: Site) -> None:
    """The sources are right, committed and older than `.next`; no `build --no-cache` brings them into the image."""
    assert breakage.break_stack("stale-artifact", healthy.project)["error"] == TYPE_ERROR
    assert "new KnownRequestError" in (healthy.directory / "lib/db.js").read_text()
    assert (healthy.directory / ".next/build-manifest.json").is_file()
    for _ in range(3):
        assert breakage.rebuild(healthy.project)["status"] == 500
    assert get(healthy, "/api/matches/generate").json() == {"error": TYPE_ERROR}
    assert get(healthy, "/__build").json()["build_id"] == "from-the-host"
    assert TYPE_ERROR in sandbox.compose(healthy, "logs", "app1", "app2").stdout
    assert heal(healthy)["status"] == 200


def test_lost_schema_leaves_an_empty_database_and_an_empty_queue(healthy: Site) -> None:
    """The containers are healthy, the role and the database are there, and all that was in them is gone."""
    broken = breakage.break_stack("lost-schema", healthy.project)
    assert broken["status"] == 500
    assert MISSING_TABLE in broken["error"]
    assert practice.shape(sandbox.psql(healthy))["tables"] == 0
    assert redis(healthy, "redis-queue", "DBSIZE") == "0"
    assert get(healthy, "/api/health").status_code == 200
    healed = heal(healthy)
    assert (healed["status"], healed["loaded"], healed["tables"]) == (200, True, 24)


def test_the_proxy_loses_no_request_while_a_replica_is_replaced(healthy: Site) -> None:
    """One replica at a time may come back with another address; whoever asks meanwhile gets 200."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor() as pool:
        replaced = pool.submit(_replace_both, healthy)
        seen = []
        while not replaced.done():
            seen.append(get(healthy, "/api/matches/generate").status_code)
    replaced.result()
    assert len(seen) > 2 * len(breakage.APPS), "asked all the while"
    assert set(seen) == {200}


def _replace_both(site: Site) -> None:
    for app in breakage.APPS:
        sandbox.compose(site, "up", "-d", "--no-build", "--no-deps", "--force-recreate", app)
        sandbox.wait_healthy(site.project, [app])


def test_a_strangers_project_stays_untouched(healthy: Site, foreign_project: Any) -> None:
    """Neither making, breaking, healing nor taking down a sandbox changes anything else on the engine."""
    before = foreign_project.snapshot()
    assert before["data"] == [b"precious\n"]
    breakage.break_stack("lost-schema", healthy.project)
    heal(healthy)
    sandbox.down(healthy.project)
    assert foreign_project.snapshot() == before


def test_down_removes_the_sandbox_and_all_that_is_its(healthy: Site, engine: Any) -> None:
    """Containers, network, volumes and images of the project are gone afterwards."""
    gone = sandbox.down(healthy.project)
    assert gone["volumes"] == [f"{healthy.project}_{key}" for key in belongings.VOLUMES]
    label = {"label": f"com.docker.compose.project={healthy.project}"}
    assert not of_project(engine, healthy.project)
    assert not engine.networks.list(filters=label)
    assert not tags(engine, f"{healthy.project}-app1")


def test_a_strangers_name_is_refused(engine: Any, foreign_project: Any) -> None:
    """A compose project that no sandbox made is never taken over."""
    before = foreign_project.snapshot()
    with pytest.raises(BadParameters, match="belongs to"):
        sandbox.up(foreign_project.project, 18099)
    assert not Site(foreign_project.project).directory.exists()
    assert foreign_project.snapshot() == before


def test_a_port_in_use_is_refused(engine: Any) -> None:
    """Another server's port is told before anything is made."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadParameters, match=f"port {port} is in use"):
            sandbox.up("drillport", port)
    assert not Site("drillport").directory.exists()


def test_an_unknown_breakage_names_the_choices(engine: Any) -> None:
    """A mistyped breakage changes nothing."""
    with pytest.raises(BadParameters) as told:
        breakage.break_stack("stale-artefact", "drilltest")
    assert "stale-artifact, lost-schema" in told.value.hint
