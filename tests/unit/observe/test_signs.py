"""Signs are read from answers, access logs, Prometheus, and what the engine keeps of builds."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import builders
import pytest
from engine_images import anonymous, needs_engine, run

from drillbook.act.images import tag
from drillbook.observe import engine
from drillbook.observe.signs import _endpoints, _rate, signs
from drillbook.observe.unknowns import Unknowns
from drillbook.target import Target, parse_target

NOW = 1_760_320_800.0


def requests(*statuses: int, ago: float = 60.0) -> list[tuple[str, int]]:
    return [(datetime.fromtimestamp(NOW - ago, UTC).isoformat(), status) for status in statuses]


def test_one_endpoint_that_always_fails_is_not_hidden_by_others() -> None:
    """The share is an endpoint's own."""
    good = builders.answer(endpoint="health", times=9)
    bad = builders.answer(status=500)
    assert max(_endpoints([good, bad])) == (100.0, 1, "endpoint matches")


def test_the_worse_reading_is_told() -> None:
    """Where users met more failures than the endpoints show now, the access log's share is told, and named."""
    target, good = builders.target(), builders.answer()
    assert _rate(target, [good], requests(*[502] * 9, 200), NOW, Unknowns()) == (
        90.0,
        10,
        "access log of the last hour",
    )
    assert _rate(target, [builders.answer(status=500)], requests(*[502] * 9, 200), NOW, Unknowns())[2] == (
        "endpoint matches"
    )


def test_few_and_old_requests_say_nothing() -> None:
    """Nine requests are no share, and what failed hours ago is not how things are now."""
    target, good = builders.target(), builders.answer()
    for statuses in (requests(*[502] * 9), requests(*[502] * 50, ago=7200)):
        assert _rate(target, [good], statuses, NOW, Unknowns()) == (0.0, 1, "endpoint matches")


def test_the_clients_own_mistakes_are_no_failures() -> None:
    """A 404 in the access log may be a scanner's; only 5xx count there."""
    assert _rate(builders.target(), [], requests(*[404] * 20), NOW, Unknowns())[0] == 0.0


def test_nobody_to_ask_is_no_rate() -> None:
    """Without endpoints and requests the rate is not known."""
    assert _rate(builders.target(), [], [], NOW, Unknowns()) == (None, 0, "")


def test_a_silent_prometheus_is_named_and_the_endpoints_are_told() -> None:
    """On the night when Prometheus is down too, the reason stands beside the endpoints' share."""
    named = builders.target(signs={"prometheus": {"url": "http://127.0.0.1:1", "query": "x", "timeout_seconds": 1}})
    unknown = Unknowns()
    assert _rate(named, [builders.answer(status=500)], [], NOW, unknown) == (100.0, 1, "endpoint matches")
    assert "does not answer" in unknown["Prometheus"]


def test_an_engine_that_is_down_is_a_reason(tmp_path: Path) -> None:
    """Without an engine the answers still tell the rate, and the rebuilds are unknown."""
    stack = {"project": "connect", "directory": ".", "docker_host": f"unix://{tmp_path}/none.sock"}
    target = builders.target(stack=stack)
    found = signs(target, (builders.container(),), {}, (builders.answer(status=500),), 0.0)
    assert (found.error_percent, found.rebuilds, found.deployed_by) == (100.0, {}, "container")
    assert "does not answer" in found.unknown["rebuilds"]
    assert "does not answer" in found.unknown["log of connect-app1-1"]


def test_the_newest_of_container_image_and_commit_is_the_deployment(tmp_path: Path) -> None:
    """The latest moment counts, and it is said what it was."""
    stack = {"project": "connect", "directory": ".", "docker_host": f"unix://{tmp_path}/none.sock"}
    seen: dict[str, Any] = {"target": builders.target(stack=stack), "responses": (), "healthy_at": 0.0}
    there = (builders.container(created="2025-10-13T02:00:00.123456789Z"),)
    assert signs(containers=there, images={}, revised=1.0, **seen).deployed_by == "container"
    assert signs(containers=there, images={}, revised=2e9, **seen).deployed_by == "commit"
    nothing = signs(containers=(), images={}, **seen)
    assert (nothing.deployed_at, nothing.deployed_by) == (0.0, "")


class Project:
    """A compose project of one service that a build makes anew each time."""

    def __init__(self, folder: Path) -> None:
        self.name = f"drillbook-test-signs-{os.getpid()}"
        self.folder = folder
        (folder / "Dockerfile").write_text(f"FROM drillbook-redis:{tag()}\nRUN date +%s%N > /when\n")
        (folder / "compose.yaml").write_text(
            'services:\n  web:\n    build: .\n    network_mode: none\n    command: ["sleep", "60"]\n    init: true\n'
        )
        stack = {"project": self.name, "directory": "."}
        self.target: Target = parse_target({"name": "odd", "stack": stack}, folder / "target.yaml")

    def compose(self, *words: str) -> None:
        run("docker", "compose", "-p", self.name, "--project-directory", str(self.folder), *words)

    def rebuilds(self, since: float) -> tuple[int, bool]:
        """How often `web` was made since, and whether the engine remembers all of that time."""
        found = signs(self.target, engine.containers(self.target), {}, (), since)
        assert "rebuilds" not in found.unknown
        return found.rebuilds.get("web", 0), found.rebuilds_whole

    def forgets(self) -> None:
        """The engine forgets what it did until now: it remembers 256 events, and each name makes one or two."""
        api, name = engine.client(self.target).api, f"{self.name}-again"
        for _ in range(140):
            api.tag(f"{self.name}-web", name)
            api.remove_image(name)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    there = Project(tmp_path)
    yield there
    nameless = anonymous(there.target)
    there.compose("down", "--timeout", "0")
    if nameless:
        run("docker", "volume", "rm", *nameless)
    label = f"label=com.docker.compose.project={there.name}"
    images = run("docker", "images", "-q", "--no-trunc", "--filter", label).split()
    run("docker", "rmi", "-f", *set(images))


@needs_engine
def test_every_rebuild_is_counted_once_and_the_healthy_image_never(project: Project) -> None:
    """Rebuilds without a name, and those that were removed, count; a second start of one does not.

    Nothing here depends on what else the engine does: what was removed is asked for at once.
    """
    project.compose("build", "-q")
    project.compose("up", "-d", "--no-build")
    time.sleep(1.1)  # the engine tells an image's time in whole seconds
    healthy_at = time.time()
    assert project.rebuilds(healthy_at)[0] == 0
    time.sleep(1.1)
    for _ in range(2):
        project.compose("build", "-q", "--no-cache")
    assert project.rebuilds(healthy_at)[0] == 2
    project.compose("up", "-d", "--no-build")
    project.compose("up", "-d", "--no-build", "--force-recreate", "--timeout", "0")
    project.compose("build", "-q", "--no-cache")
    time.sleep(1.1)
    assert project.rebuilds(healthy_at)[0] == 3
    run("docker", "rmi", f"{project.name}-web")
    assert project.rebuilds(healthy_at)[0] == 3
    assert project.rebuilds(time.time() + 1)[0] == 0


@needs_engine
def test_what_the_engine_forgot_is_no_whole_count(project: Project) -> None:
    """An image that was removed long ago, by all that the engine did since, is missing, and it is said so."""
    began = time.time()
    time.sleep(1.1)
    project.compose("build", "-q")
    run("docker", "rmi", f"{project.name}-web")
    project.compose("build", "-q", "--no-cache")
    project.forgets()
    assert project.rebuilds(began) == (1, False)
    assert project.rebuilds(time.time() + 1) == (0, True)
