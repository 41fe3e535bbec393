"""Whatever a stack looks like, a diagnosis ends with an answer or an `unknown`, never with a traceback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import checkout
from drillbook.act import images
from drillbook.decide.caches import cache_map
from drillbook.decide.diagnose import Diagnosis, diagnose
from drillbook.decide.differences import differences
from drillbook.decide.dockerfile import findings
from drillbook.observe import levels
from drillbook.observe.command import run_checked
from drillbook.observe.facts import Snapshot
from drillbook.observe.snapshot import observe, with_signs
from drillbook.target import Target, load_target

PROJECT = checkout.project("drillodd")
COMPOSE = """services:
  bare:
    build: {{context: ./bare}}
    command: [node, server.js]
    read_only: true
    network_mode: none
    init: true
  bought:
    image: {image}
    command: [sleep, infinity]
    init: true
    network_mode: none
  none:
    image: {image}
    command: [sleep, infinity]
    deploy: {{replicas: 0}}
  five:
    image: {image}
    command: [sleep, infinity]
    init: true
    network_mode: none
    deploy: {{replicas: 5}}
"""
DOCKERFILE = """FROM drillbook-node:{tag}
WORKDIR /app
COPY . .
RUN ["/bin/rm", "-f", "/bin/sh", "/bin/bash", "/bin/dash"]
"""
TARGET = """name: PROJECT
stack:
  project: PROJECT
  directory: .
  services:
    bare: {code: {source: bare, image: /app}}
    bought: {code: {source: bought, image: /usr/share}}
    none: {code: {source: bare, image: /app}}
    five: {code: {source: five, image: /nowhere}}
endpoints: {gone: {url: "http://127.0.0.1:1/", timeout_seconds: 1}}
backup: {vault: vault}
""".replace("PROJECT", PROJECT)
ODD = ("line\nbreak.js", "a b.js", os.fsdecode(b"odd-\xff.js"), "ü.js", "-dash.js")


@pytest.fixture(scope="module")
def folder(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stack without git, with a service that has no shell and a read-only root, one scaled to none, one to five."""
    site = tmp_path_factory.mktemp(PROJECT)
    for name in ("bare", "five"):
        (site / name).mkdir()
    for name in ODD:
        (site / "bare" / name).write_text("odd")
    (site / "bare/server.js").write_text("setInterval(() => {}, 1000)")
    (site / "bare/Dockerfile").write_text(DOCKERFILE.format(tag=images.tag()))
    (site / "compose.yaml").write_text(COMPOSE.format(image=f"drillbook-redis:{images.tag()}"))
    (site / "target.yaml").write_text(TARGET)
    compose = ("docker", "compose", "-p", PROJECT, "--project-directory", str(site))
    run_checked((*compose, "up", "-d", "--build"), timeout=300)
    yield site
    run_checked((*compose, "down", "--timeout", "1", "--rmi", "local", "--volumes"), timeout=120)


@pytest.fixture
def target(folder: Path) -> Target:
    return load_target(str(folder / "target.yaml"))


def look(target: Target) -> tuple[Snapshot, Diagnosis]:
    """All that the runbook asks for."""
    facts = with_signs(target, observe(target), 0.0)
    assert cache_map(facts, 0.0)
    assert isinstance(findings(facts), tuple)
    assert isinstance(differences(facts), tuple)
    return facts, diagnose(facts)


def verdicts(found: Diagnosis) -> dict[str, str]:
    return {e.id: e.verdict for e in found.evidence}


def test_no_shell_read_only_odd_names_and_no_git(target: Target) -> None:
    """Every file is held against the source, whatever its name, in an image that has no shell."""
    facts, found = look(target)
    seen = verdicts(found)
    assert (seen["image:bare"], seen[f"process:{PROJECT}-bare-1"]) == ("pass", "pass")
    assert set(facts.sources["bare"].tracked) >= {"line\nbreak.js", "a b.js", "odd-\\xff.js", "ü.js", "-dash.js"}
    assert not [c for c in found.causes if c.id.startswith("stale")]


def test_an_odd_name_that_differs_is_found(target: Target, folder: Path) -> None:
    """A file whose name is not UTF-8 is found when its content is another."""
    file = folder / "bare" / ODD[2]
    file.write_text("new")
    try:
        _, found = look(target)
    finally:
        file.write_text("odd")
    assert "odd-\\xff.js" in next(e for e in found.evidence if e.id == "image:bare").observed


def test_without_a_source_folder_and_a_dockerfile(target: Target) -> None:
    """A service that was bought as an image, with a source folder that is not there, is unknown and named."""
    facts, found = look(target)
    assert "is not there" in facts.unknown["source of bought"]
    assert "bought" not in facts.dockerfiles
    assert found.verdict in ("unknown", "fail")


def test_scaled_to_none_and_to_five(target: Target) -> None:
    """A service that is to have no container misses none; one of five is looked at five times."""
    _, found = look(target)
    seen = verdicts(found)
    assert not [name for name in seen if name.startswith("alive:none")]
    assert seen["image:none"] == "unknown"
    assert [seen[f"alive:{PROJECT}-five-{n}"] for n in range(1, 6)] == ["pass"] * 5
    assert [seen[f"process:{PROJECT}-five-{n}"] for n in range(1, 6)].count("fail") == 0


def test_a_silent_endpoint_is_a_finding_and_no_cause(target: Target) -> None:
    """Nobody answers: said so, with what to measure."""
    _, found = look(target)
    assert verdicts(found)["answer:gone"] == "fail"
    assert found.next.runbook or found.next.measure


def test_a_container_gone_midway(target: Target, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers that are removed while the look goes on become unknown."""
    real = levels.code_levels

    def gone(*given: Any) -> dict[str, Any]:
        run_checked(("docker", "rm", "-f", "-v", f"{PROJECT}-bare-1", f"{PROJECT}-five-3"), timeout=60)
        return real(*given)

    monkeypatch.setattr(levels, "code_levels", gone)
    try:
        facts, found = look(target)
    finally:
        compose = ("docker", "compose", "-p", PROJECT, "--project-directory", str(folder))
        run_checked((*compose, "up", "-d", "--no-build"), timeout=120)
    assert "gone from the engine" in facts.unknown[f"files of {PROJECT}-bare-1"]
    assert found.verdict != "pass"


def test_an_engine_that_is_unreachable(target: Target, folder: Path) -> None:
    """With no engine everything that needs it is unknown, and the sources are still read."""
    text = TARGET.replace("directory: .", f"directory: .\n  docker_host: unix://{folder}/none.sock")
    (folder / "elsewhere.yaml").write_text(text)
    facts, found = look(load_target(str(folder / "elsewhere.yaml")))
    assert "does not answer" in facts.unknown["containers"]
    assert facts.sources["bare"].tracked
    assert found.verdict in ("unknown", "fail")
    assert not [e for e in found.evidence if e.verdict == "fail" and e.level != "response"]
