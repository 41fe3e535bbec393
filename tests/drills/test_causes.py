"""The matrix: every cause made for real, alone and in pairs, and a healthy stack after all that is normal.

Each row breaks the stack once, sees the first cause alone, then breaks it a second way and sees both.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from drillbook.act import breakage, deployments, practice, sandbox
from drillbook.act.site import Site
from drillbook.decide.diagnose import Diagnosis, diagnose
from drillbook.observe.snapshot import observe, with_signs

PAIRS = [
    ("stale-artifact", "schema-missing"),
    ("stale-context", "database-empty"),
    ("stale-cache-mount", "dependency-unhealthy"),
    ("stale-container", "config-drift"),
    ("edited-in-place", "schema-drift"),
    ("process-older-than-code", "stale-proxy"),
    ("masked-by-mount", "database-down"),
    ("stale-base", "edited-in-place"),
    ("stale-proxy", "database-empty"),
    ("stale-layer", "stale-artifact"),
]
ALONE = ("schema-missing", "schema-drift", "database-down", "database-empty", "dependency-unhealthy", "disk-full",
         "config-drift")  # fmt: skip
LEVEL = {
    "stale-artifact": "image", "stale-layer": "image", "stale-cache-mount": "image", "stale-base": "image",
    "stale-context": "context", "stale-container": "container", "masked-by-mount": "container",
    "config-drift": "container", "edited-in-place": "process", "process-older-than-code": "process",
    "stale-proxy": "response", "schema-missing": "database", "schema-drift": "database",
    "database-down": "database", "database-empty": "database", "dependency-unhealthy": "container",
    "disk-full": "host",
}  # fmt: skip


def look(site: Site) -> Diagnosis:
    """The diagnosis of the stack as it is now, with all that the runbook observes."""
    return diagnose(with_signs(site.target, observe(site.target), 0.0))


def told(found: Diagnosis) -> str:
    """What a failing test shows."""
    causes = [f"{c.id} {c.confidence}: " + "; ".join(e.observed for e in c.evidence) for c in found.causes]
    open_ones = [f"{e.id} {e.verdict}: {e.observed}" for e in found.evidence if e.verdict != "pass"]
    return "\n".join([found.verdict, *causes, *open_ones])


def first_alone(found: Diagnosis, cause: str) -> None:
    assert [c.id for c in found.causes] == [cause], told(found)
    assert found.causes[0].evidence[0].level == LEVEL[cause], told(found)
    assert found.verdict == "fail"


def break_it(site: Site, how: str) -> None:
    breakage.break_stack(how, site.project)


def test_the_matrix_names_every_cause() -> None:
    """No cause id of the contract is left out, and there are ten pairs."""
    assert {first for first, _ in PAIRS} | set(ALONE) == set(LEVEL)
    assert len(PAIRS) == 10


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=lambda name: name)
def test_a_cause_is_named_alone_and_beside_another(healthy: Site, first: str, second: str) -> None:
    """The first is the only one named, at its level; after the second both are named, and nothing else."""
    break_it(healthy, first)
    first_alone(look(healthy), first)
    break_it(healthy, second)
    both = look(healthy)
    assert both.names() == {first, second}, told(both)


@pytest.mark.parametrize("cause", ALONE)
def test_a_cause_is_named_alone(healthy: Site, cause: str) -> None:
    """The cause is the only one named, from evidence at its level."""
    break_it(healthy, cause)
    first_alone(look(healthy), cause)


NORMAL: dict[str, Callable[[Site], Any]] = {
    "nothing": lambda site: None,
    "generated files": deployments.generated,
    "touched files": deployments.touch,
    "a restart": deployments.restart,
    "a deployment": deployments.normal_deploy,
}


def test_what_is_normal_is_no_finding(healthy: Site) -> None:
    """Healthy, with generated files, touched sources, after a restart, after a deployment: pass, and no cause."""
    for name, happens in NORMAL.items():
        happens(healthy)
        found = look(healthy)
        assert (found.verdict, found.causes) == ("pass", ()), f"after {name}: {told(found)}"


def test_a_second_look_is_quick_and_the_same(healthy: Site) -> None:
    """The digests of an image are known by its layers: the second look reads no image again, and says the same."""
    first = look(healthy)
    started = time.monotonic()
    with engine_calls() as calls:
        second = look(healthy)
    assert time.monotonic() - started < 10
    assert second.verdict == first.verdict
    assert not [call for call in calls if "/containers/create" in call]


def test_looking_changes_nothing(healthy: Site) -> None:
    """Engine, database, queue and the deployed folder are the same before and after a diagnosis."""
    before = everything(healthy)
    look(healthy)
    assert everything(healthy) == before


def test_looking_never_holds_a_running_container(healthy: Site) -> None:
    """No call enters, stops or drains a running container: reading a whole folder of it would hold its lock."""
    running = {c["Id"] for c in _api(healthy).containers()}
    with engine_calls() as calls:
        look(healthy)
    assert len(calls) > 10
    for call in calls:
        verb, path = call.split(" ", 1)
        held = any(container in path for container in running)
        assert not (held and verb != "GET"), call
        assert not (held and ("/export" in path or path.endswith("archive?path=%2Fapp"))), call
        assert "/exec" not in path, call


def _api(site: Site) -> Any:
    from drillbook.observe import engine

    return engine.client(site.target).api


class engine_calls:
    """Every request to the engine while it is entered, as `VERB path`."""

    def __enter__(self) -> list[str]:
        self.calls: list[str] = []
        self.send = requests.Session.send
        calls, send = self.calls, self.send

        def recorded(session: Any, request: Any, **more: Any) -> Any:
            calls.append(f"{request.method} {request.path_url}")
            return send(session, request, **more)

        requests.Session.send = recorded  # type: ignore[method-assign]
        return self.calls

    def __exit__(self, *_: object) -> None:
        requests.Session.send = self.send  # type: ignore[method-assign]


def everything(site: Site) -> dict[str, Any]:
    """All that a careless look could change."""
    api = _api(site)
    containers = [api.inspect_container(row["Id"]) for row in api.containers(all=True)]
    return {
        "containers": sorted((c["Id"], c["Image"], c["State"]["StartedAt"], c["State"]["Pid"]) for c in containers),
        "layers": {c["Name"]: sorted(d["Path"] for d in api.diff(c["Id"]) or []) for c in containers
                   if c["Name"].startswith(f"/{site.project}-app")},
        "images": sorted(row["Id"] for row in api.images(all=True)),
        "volumes": sorted(row["Name"] for row in api.volumes()["Volumes"] or []),
        "networks": sorted(row["Id"] for row in api.networks()),
        "database": practice.content(sandbox.psql(site)),
        "queue": practice.queue(site.compose("exec", "-T", "redis-queue", "redis-cli")),
        "files": {str(p): state for p, state in _files(site.directory)},
    }  # fmt: skip


def _files(folder: Path) -> Iterator[tuple[Path, tuple[int, str]]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".git" not in path.relative_to(folder).parts:
            yield path, (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
