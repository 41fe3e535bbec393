"""What is true of a broken practice stack, seen by other means than drillbook's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
from there import tags

from drillbook.act import practice, sandbox
from drillbook.act.services import SERVICES
from drillbook.act.site import Site, source_digest

APPS, BUILT = ("app1", "app2"), ("app1", "app2", "scraper")
BUG = "organisations"
CHUNK = ".next/chunks/lib-db.js"


def sh(*argv: str) -> str:
    """What a command says; it must end well."""
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@dataclass(frozen=True)
class Stack:
    """The sandbox as docker, psql, git and HTTP tell it; nothing is remembered from one question to the next."""

    site: Site
    engine: Any

    def compose(self, *words: str) -> str:
        return sh(*self.site.compose(*words))

    def container(self, service: str) -> Any:
        return self.engine.containers.get(f"{self.site.project}-{service}-1")

    def tag(self, service: str) -> str:
        """The id that the service's tag means."""
        return str(self.engine.images.get(f"{self.site.project}-{service}").id)

    def source(self, path: str) -> str:
        return (self.site.directory / path).read_text()

    def image(self, service: str, path: str) -> str:
        """A file as the service's image has it."""
        return sh("docker", "run", "--rm", "--network=none", f"{self.site.project}-{service}", "cat", path) + "\n"

    def running(self, service: str, path: str) -> str:
        """A file as the service's process sees it."""
        return self.compose("exec", "-T", service, "cat", path) + "\n"

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.site.target.endpoints["health"].url.replace("/api/health", path), timeout=20)

    def sql(self, query: str) -> str:
        return self.compose("exec", "-T", "postgres", "psql", "-XAtU", "connect", "-d", "connect", "-c", query)

    def git(self, *words: str) -> str:
        return sh("git", "-c", "safe.directory=*", "-C", str(self.site.directory), *words)

    def hashes(self) -> dict[str, tuple[str, str]]:
        """service → the configuration that its container has, and the one that it should have."""
        wanted = dict(line.split() for line in self.compose("config", "--hash", "*").splitlines())
        label = "com.docker.compose.config-hash"
        return {service: (self.container(service).labels[label], wanted[service]) for service in SERVICES}

    @cached_property
    def everything(self) -> dict[str, Any]:
        """All that a heal must bring back."""
        found, rows = [self.container(service) for service in SERVICES], self.engine.api.containers(all=True)
        return {
            "files": {
                str(p): p.read_bytes() for p in self.site.directory.rglob("*") if p.is_file() and ".git" not in p.parts
            },
            "git": (self.git("rev-list", "HEAD"), self.git("status", "--porcelain")),
            "config": self.hashes(),
            "mounts": [sorted((m["Type"], m["Destination"]) for m in c.attrs["Mounts"]) for c in found],
            "health": [c.attrs["State"]["Health"]["Status"] for c in found],
            "current": [self.container(service).image.id == self.tag(service) for service in BUILT],
            "code": [self.compose("exec", "-T", s, "sh", "-c", "find . -type f | sort | xargs cat") for s in BUILT],
            "edited": [d["Path"] for s in BUILT for d in self.container(s).diff() or [] if d["Path"][:4] == "/app"],
            "volumes": sorted(v.name for v in self.engine.volumes.list() if v.name.startswith(f"{self.site.project}_")),
            "tags": sorted(tags(self.engine, f"{self.site.project}-")),
            "containers": sorted(row["Names"][0] for row in rows if self.site.project in row["Names"][0]),
            "database": practice.content(sandbox.psql(self.site)),
            "queue": practice.queue(self.site.compose("exec", "-T", "redis-queue", "redis-cli")),
            "proxy": self.compose("exec", "-T", "proxy", "cat", "/etc/nginx/conf.d/default.conf"),
            "disk": self.site.disk.exists(),
            "answers": [self.get("/__build").json()["source_digest"], self.get("/api/matches/generate").json()],
        }


def heal(site: Site) -> dict[str, Any]:
    return sandbox.up(site.project, httpx.URL(site.target.endpoints["health"].url).port or 80)


def type_error(stack: Stack) -> None:
    said = stack.get("/api/matches/generate")
    assert (said.status_code, "reading 'findUnique'" in said.text) == (500, True)


def stale_artifact(stack: Stack) -> None:
    assert BUG not in stack.image("app1", "lib/db.js")
    assert stack.image("app1", CHUNK) == stack.source(CHUNK)
    assert stack.git("ls-files", ".next") == ""
    type_error(stack)


def stale_container(stack: Stack) -> None:
    for app in APPS:
        assert stack.container(app).image.id != stack.tag(app)
        assert BUG in stack.running(app, "lib/db.js")
        assert stack.image(app, "lib/db.js") == stack.source("lib/db.js")
        assert BUG not in stack.image(app, CHUNK)
    type_error(stack)


def stale_layer(stack: Stack) -> None:
    assert stack.image("scraper", "scraper.js") != stack.source("scraper/scraper.js")
    assert stack.image("scraper", "Dockerfile") == stack.source("scraper/Dockerfile")
    assert stack.running("scraper", "scraper.js") == stack.image("scraper", "scraper.js")


def stale_context(stack: Stack) -> None:
    source = stack.site.directory / "lib/db.js"
    for app in APPS:
        assert BUG in stack.image(app, "lib/db.js")
        assert BUG in stack.image(app, CHUNK)
        told = stack.compose("exec", "-T", app, "stat", "-c", "%s %Y", "lib/db.js")
        assert told == f"{source.stat().st_size} {int(source.stat().st_mtime)}"
    type_error(stack)


def stale_cache_mount(stack: Stack) -> None:
    for app in APPS:
        assert stack.image(app, "lib/db.js") == stack.source("lib/db.js")
        assert BUG in stack.image(app, CHUNK)
    type_error(stack)


def stale_base(stack: Stack) -> None:
    base = stack.engine.images.get(f"{stack.site.project}-runtime:stable").attrs["RootFS"]["Layers"]
    stands_on_it = [
        stack.engine.images.get(f"{stack.site.project}-{service}").attrs["RootFS"]["Layers"][: len(base)] == base
        for service in BUILT
    ]
    assert not all(stands_on_it), "another breakage may have built some again"
    assert f"RUNTIME: {stack.site.project}-runtime:stable" in stack.source("compose.yaml")


def masked_by_mount(stack: Stack) -> None:
    for app in APPS:
        assert BUG not in stack.image(app, CHUNK)
        assert BUG in stack.running(app, CHUNK)
        mounts = {m["Destination"]: m.get("Name") for m in stack.container(app).attrs["Mounts"]}
        assert mounts["/app/.next"] == f"{stack.site.project}_code"
    type_error(stack)


def edited_in_place(stack: Stack) -> None:
    for app in APPS:
        assert BUG in stack.running(app, "lib/db.js")
        assert BUG not in stack.image(app, "lib/db.js")
        assert {"/app/lib/db.js", f"/app/{CHUNK}"} <= {d["Path"] for d in stack.container(app).diff()}
    type_error(stack)


def process_older_than_code(stack: Stack) -> None:
    assert stack.running("scraper", "scraper.js") == stack.source("scraper/scraper.js")
    changed = int(stack.compose("exec", "-T", "scraper", "stat", "-c", "%Y", "scraper.js"))
    started = stack.container("scraper").attrs["State"]["StartedAt"]
    assert changed > int(sh("date", "-d", started, "+%s"))


def stale_proxy(stack: Stack) -> None:
    digest = source_digest(stack.site.directory)
    said = stack.get("/__build")
    assert (said.headers["x-cache-status"], said.json()["source_digest"] == digest) == ("HIT", False)
    for app in APPS:
        address = stack.container(app).attrs["NetworkSettings"]["Networks"][f"{stack.site.project}_default"]
        assert httpx.get(f"http://{address['IPAddress']}:3000/__build").json()["source_digest"] == digest


def config_drift(stack: Stack) -> None:
    drifted = [service for service, (has, wanted) in stack.hashes().items() if has != wanted]
    assert drifted
    for service in drifted:
        assert "DEFAULT_ORGANIZATION=hanbit-robotics" in stack.container(service).attrs["Config"]["Env"]
    assert "DEFAULT_ORGANIZATION: daejeon-ai" in stack.source("compose.yaml")


def _hidden_by_old_code(stack: Stack) -> bool:
    """The misleading error of old code stands before whatever the database would say."""
    return "reading 'findUnique'" in stack.get("/api/matches/generate").text


def schema_missing(stack: Stack) -> None:
    assert stack.sql("select count(*) from pg_tables where schemaname = 'public'") == "0"
    assert _hidden_by_old_code(stack) or "does not exist" in stack.get("/api/matches/generate").json()["error"]


def schema_drift(stack: Stack) -> None:
    assert stack.sql("select count(*) from pg_tables where schemaname = 'public'") == "24"
    assert stack.sql("select handle from organizations order by id limit 1") == "hanbit-robotics"
    said = stack.get("/api/matches/generate").json()["error"]
    assert _hidden_by_old_code(stack) or 'column "slug" does not exist' in said


def database_down(stack: Stack) -> None:
    assert stack.container("postgres").status == "exited"
    assert stack.get("/api/matches/generate").status_code == 500
    assert stack.get("/api/health").status_code == 200


def database_empty(stack: Stack) -> None:
    tables = stack.sql("select tablename from pg_tables where schemaname = 'public'").splitlines()
    assert len(tables) == 24
    assert stack.sql(" union all ".join(f"select count(*) from {t}" for t in tables)).split() == ["0"] * 24
    assert int(stack.sql("select max(last_value) from pg_sequences")) > 1


def dependency_unhealthy(stack: Stack) -> None:
    assert stack.container("redis-queue").status == "exited"


def disk_full(stack: Stack) -> None:
    vault = os.statvfs(stack.site.target.vault)
    assert vault.f_bavail / vault.f_blocks < 0.03
    assert os.path.ismount(stack.site.disk)


TRUE: dict[str, Callable[[Stack], None]] = {
    "stale-artifact": stale_artifact,
    "lost-schema": schema_missing,
    "stale-container": stale_container,
    "stale-layer": stale_layer,
    "stale-context": stale_context,
    "stale-cache-mount": stale_cache_mount,
    "stale-base": stale_base,
    "masked-by-mount": masked_by_mount,
    "edited-in-place": edited_in_place,
    "process-older-than-code": process_older_than_code,
    "stale-proxy": stale_proxy,
    "config-drift": config_drift,
    "schema-missing": schema_missing,
    "schema-drift": schema_drift,
    "database-down": database_down,
    "database-empty": database_empty,
    "dependency-unhealthy": dependency_unhealthy,
    "disk-full": disk_full,
}
STOPPED = {"database-down": "postgres", "dependency-unhealthy": "redis-queue"}


def nothing_else(stack: Stack, *hows: str) -> None:
    """What is true of a stack unless its own breakage says otherwise."""
    unwell = {s for s in SERVICES if stack.container(s).attrs["State"].get("Health", {}).get("Status") != "healthy"}
    assert unwell == {STOPPED[how] for how in hows if how in STOPPED}
    if "stale-artifact" not in hows:
        assert stack.git("status", "--porcelain") == ""
        assert (stack.site.directory / ".dockerignore").is_file()
        assert not (stack.site.directory / ".next").exists()
    if not {"config-drift", *STOPPED} & set(hows):  # beside what was stopped, `up --no-deps` leaves another hash
        assert all(has == wanted for has, wanted in stack.hashes().values())
    if "stale-container" not in hows:
        assert all(stack.container(service).image.id == stack.tag(service) for service in BUILT)
    assert BUG not in stack.source("lib/db.js")
