"""The guide to cache pollution: its commands work, and what it says of `--no-cache` is so on this engine."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from drillbook.act import sandbox
from drillbook.act.site import Site
from drillbook.decide.caches import Cache, cache_map
from drillbook.observe import caches, compose
from drillbook.observe.build_cache import build_records
from drillbook.observe.command import environment, run, run_checked
from drillbook.observe.engine import PROJECT
from drillbook.observe.facts import DockerfileFact, Snapshot
from drillbook.observe.facts_code import Instruction
from drillbook.observe.facts_signs import BuildRecord
from drillbook.target import Target, parse_target

pytestmark = [pytest.mark.matrix, pytest.mark.alone]

PAGE = Path(__file__).resolve().parents[3] / "docs" / "cache-pollution.md"
ELSEWHERE = "# not on the practice stack"
BASE = "drillbook-base:bookworm"
PLAIN, OWNED = "/kept/plain", "/kept/owned"
DOCKERFILE = f"""FROM {BASE}
COPY source /source
RUN --mount=type=cache,id=drillcache-plain,target={PLAIN} date +%s%N >> {PLAIN}/log; cp {PLAIN}/log /plain
RUN --mount=type=cache,id=drillcache-owned,mode=0770,target={OWNED} date +%s%N >> {OWNED}/log; cp {OWNED}/log /owned
"""


def commands() -> list[str]:
    """The page's commands, in its order; only one that says so is left out."""
    lines = re.findall(r"^ {4}(\S.*)$", PAGE.read_text(), re.MULTILINE)
    left_out = {n + 1 for n, line in enumerate(lines) if line.startswith(ELSEWHERE)}
    return [line for n, line in enumerate(lines) if n not in left_out and not line.startswith("#")]


def placed(line: str, site: Site) -> str:
    """*line* for the sandbox of these tests instead of the practice stack's usual name and port."""
    port = httpx.URL(site.target.endpoints["health"].url).port
    line = line.replace("--target connect", f"--target {site.target_file}").replace(
        "127.0.0.1:8080", f"127.0.0.1:{port}"
    )
    return re.sub(r"\bconnect-app1", f"{site.project}-app1", line)


def test_every_command_of_the_guide_works(healthy: Site, house: Path) -> None:
    """A person who follows the page on the practice stack meets no command that fails, and the stack stays healthy."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    given = commands()
    assert len(given) > 20
    for line in given:
        argv = ("bash", "-euo", "pipefail", "-c", placed(line, healthy))
        done = run(argv, timeout=300, env=env, cwd=healthy.directory)
        assert done.code == 0, f"{line}\n{done.complaint}"
    sandbox.wait_healthy(healthy.project)
    assert sandbox.answer(healthy)["status"] == 200


def test_only_what_needs_a_registry_is_left_out() -> None:
    """The commands that these tests do not run are few, and the page says why."""
    lines = PAGE.read_text().splitlines()
    after = [lines[n + 1] for n, line in enumerate(lines) if ELSEWHERE in line]
    assert after == ["    docker compose build --pull app1 app2"]


class Project:
    """A project of one service whose build keeps something in every cache that a build has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        # a time of its own: the engine keeps what earlier runs of this test sent from a folder of this name
        self.then = time.time_ns() - 86_400 * 10**9
        (folder / "Dockerfile").write_text(DOCKERFILE)
        (folder / "compose.yaml").write_text("services:\n  app:\n    build: .\n    image: drillcache-app\n")
        self.write("one")
        stack = {"project": "drillcache", "directory": "."}
        self.target: Target = parse_target({"name": "drillcache", "stack": stack}, folder / "target.yaml")

    def write(self, text: str) -> None:
        """The source gets another content and keeps its size and its time."""
        (self.folder / "source").write_text(text)
        os.utime(self.folder / "source", ns=(self.then, self.then))

    def build(self, *options: str) -> None:
        argv = compose.compose_argv(self.target, "build", *options, "app")
        run_checked(argv, timeout=300, env=environment(self.target))

    def reads(self, path: str) -> list[str]:
        """The lines of a file in the image."""
        argv = ("docker", "run", "--rm", "--entrypoint", "cat", "drillcache-app", path)
        return run_checked(argv, timeout=60, env=environment(self.target)).stdout.splitlines()

    def records(self, kind: str, part: str = "") -> list[BuildRecord]:
        found = build_records(self.target, time.time())
        return [record for record in found if record.type == kind and part in record.description]

    def row(self, key: str) -> Cache:
        """The row of the map with this id."""
        services = compose.services(self.target)
        steps = tuple(
            Instruction(n, n, *line.split(" ", 1), 0) for n, line in enumerate(DOCKERFILE.splitlines(), 1)
        )  # fmt: skip
        fact = DockerfileFact("app", "Dockerfile", steps, DOCKERFILE, "", "", has_ignore=False)
        seen = Snapshot(
            "drillcache", "0", services=services, dockerfiles={"app": fact},
            caches=caches.caches(self.target, services, {}, {}),
        )  # fmt: skip
        return next(item for item in cache_map(seen, time.time()) if item.id == key)

    def clear(self, key: str) -> None:
        """Run the command that the map gives for the row with this id."""
        run_checked(("bash", "-c", self.row(key).clears), timeout=300, env=environment(self.target))


@pytest.fixture
def project(engine: Any, tmp_path: Path) -> Iterator[Project]:
    """The project, built once; its image and its mounts are removed afterwards."""
    there = Project(tmp_path / "drillcache")
    for mount in there.records("exec.cachemount", "/kept/"):
        there.clear(f"exec.cachemount:{mount.id}")
    there.build("--no-cache")  # a layer of an earlier test would make no mount
    yield there
    for mount in there.records("exec.cachemount", "/kept/"):
        there.clear(f"exec.cachemount:{mount.id}")
    made = ("docker", "images", "-q", "--no-trunc", "--filter", f"label={PROJECT}=drillcache")
    ids = set(run_checked(made, timeout=60).stdout.split())  # a rebuild leaves the image before it without a name
    run_checked(("docker", "image", "rm", "--force", *ids), timeout=60)


def test_the_synced_context_outlives_no_cache(project: Project) -> None:
    """An edit that keeps size and time is not in the image after --no-cache, and is once the map's command has run."""
    project.write("two")
    project.build("--no-cache")
    assert project.reads("/source") == ["one"]
    assert project.row("source.local").no_cache is False
    project.clear("source.local")
    project.build()
    assert project.reads("/source") == ["two"]


def test_the_synced_context_is_shared_by_folders_of_one_name(project: Project, tmp_path: Path) -> None:
    """A copy in another folder of the same name is taken for the first one: moving the checkout does not help."""
    copy = Project(tmp_path / "elsewhere" / "drillcache")
    copy.then = project.then
    copy.write("two")
    copy.build("--no-cache")
    assert copy.reads("/source") == ["one"]
    renamed = Project(tmp_path / f"drillcache{project.then}")
    renamed.then = project.then
    renamed.write("two")
    renamed.build("--no-cache")
    assert renamed.reads("/source") == ["two"]


def test_what_no_cache_does_to_cache_mounts(project: Project) -> None:
    """--no-cache empties a plain mount; one with a mode of its own lives on, on an engine as old as this map says."""
    plain, owned = project.records("exec.cachemount", PLAIN)[0], project.records("exec.cachemount", OWNED)[0]
    assert (project.row(f"exec.cachemount:{plain.id}").no_cache, len(project.reads("/plain"))) == (True, 1)
    assert (project.row(f"exec.cachemount:{owned.id}").no_cache, len(project.reads("/owned"))) == (False, 1)
    project.build("--no-cache")
    assert len(project.reads("/plain")) == 1
    assert plain.id not in {r.id for r in project.records("exec.cachemount")}
    if owned.id in {r.id for r in project.records("exec.cachemount")}:
        assert len(project.reads("/owned")) == 2
    else:  # BuildKit since September 2024: the map promises less than the engine does
        assert len(project.reads("/owned")) == 1


def test_one_cache_mount_is_cleared_alone(project: Project) -> None:
    """The command of a mount's row removes that record, and leaves its neighbour and every other record."""
    plain, owned = project.records("exec.cachemount", PLAIN)[0], project.records("exec.cachemount", OWNED)[0]
    before = {r.id for r in build_records(project.target, time.time())}
    project.clear(f"exec.cachemount:{owned.id}")
    assert before - {r.id for r in build_records(project.target, time.time())} == {owned.id}
    assert project.records("exec.cachemount", PLAIN)[0].id == plain.id


def test_no_cache_passes_over_the_layers(project: Project) -> None:
    """A plain build takes the layers that are there; the map's command makes each of them anew."""
    first = project.reads("/owned")
    project.build()
    assert project.reads("/owned") == first
    assert project.row("layers").no_cache is True
    project.clear("layers")
    assert project.reads("/plain") != first


def test_a_moved_base_needs_no_pull_where_it_is_local(project: Project) -> None:
    """When the base's tag means another image of this engine, a plain build stands on that one."""
    moved = "drillcache-base:moving"
    env = environment(project.target)
    try:
        run_checked(("docker", "tag", BASE, moved), timeout=60, env=env)
        (project.folder / "Dockerfile").write_text(DOCKERFILE.replace(BASE, moved))
        project.build()
        patch = f"FROM {BASE}\nRUN echo patched > /patched\n"
        run_checked(("docker", "buildx", "build", "--load", "-t", moved, "-"), timeout=120, env=env, stdin=patch)
        project.build()
        assert project.reads("/patched") == ["patched"]
    finally:
        run(("docker", "image", "rm", "--force", moved), timeout=60, env=env)
