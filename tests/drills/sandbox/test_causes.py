"""The matrix: every cause made for real, alone and in pairs, and a healthy stack after all that is normal.

Each row breaks the stack once, sees the first cause alone, then breaks it a second way and sees both.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from truths import TRUE, Stack, heal, nothing_else

from drillbook import home
from drillbook.act import breakage, deployments, practice, sandbox
from drillbook.act.site import Site, source_digest
from drillbook.decide.diagnose import Diagnosis, diagnose
from drillbook.observe.snapshot import observe, with_signs

PAIRS = [
    ("stale-artifact", "schema-missing"),
    ("stale-layer", "stale-base"),
    ("stale-container", "schema-drift"),
    ("stale-proxy", "dependency-unhealthy"),
    ("edited-in-place", "database-empty"),
    ("stale-base", "edited-in-place"),
    ("config-drift", "masked-by-mount"),
    ("database-down", "stale-context"),
    ("disk-full", "stale-cache-mount"),
    ("dependency-unhealthy", "process-older-than-code"),
]
ALONE = (
    "stale-context", "stale-cache-mount", "masked-by-mount", "process-older-than-code",
    "schema-missing", "schema-drift", "database-empty",
)  # fmt: skip
OUTLIVE_A_REBUILD = ("stale-context", "stale-cache-mount")
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


@pytest.fixture
def stack(healthy: Site, engine: Any) -> Stack:
    return Stack(healthy, engine)


@pytest.fixture(scope="module")
def baseline(sandbox: Site, engine: Any, health: Any) -> dict[str, Any]:
    """The stack as a first `up` makes it."""
    health.restore()
    return Stack(sandbox, engine).everything


def healed(baseline: dict[str, Any], stack: Stack, health: Any) -> None:
    """`up` brings everything back, and so the next test need not."""
    assert heal(stack.site)["status"] == 200
    assert Stack(stack.site, stack.engine).everything == baseline
    health.known = True


def broken(stack: Stack, *hows: str) -> None:
    """Break the stack the last way; by docker, psql, git and HTTP all of *hows* are true then, and nothing else."""
    breakage.break_stack(hows[-1], stack.site.project)
    for how in hows:
        TRUE[how](stack)
    nothing_else(stack, *hows)


def test_the_matrix_names_every_cause() -> None:
    """No cause id of the contract is left out, there are ten pairs, and no breakage is without its truth."""
    assert {first for first, _ in PAIRS} | set(ALONE) == set(LEVEL)
    assert len(PAIRS) == 10
    assert TRUE.keys() == breakage.BREAKAGES.keys()
    assert set(LEVEL) | {"lost-schema"} == set(breakage.BREAKAGES)


@pytest.mark.matrix
@pytest.mark.parametrize(("first", "second"), PAIRS[1:])
def test_a_cause_is_named_alone_and_beside_another(
    baseline: dict[str, Any], stack: Stack, health: Any, first: str, second: str
) -> None:
    """The first is the only one named, at its level; after the second both are, and nothing else; `up` heals both."""
    _alone_and_both(baseline, stack, health, first, second)


def test_the_incident_is_named_in_its_two_halves(baseline: dict[str, Any], stack: Stack, health: Any) -> None:
    """The old code alone, then the lost schema beside it."""
    _alone_and_both(baseline, stack, health, *PAIRS[0])


def _alone_and_both(baseline: dict[str, Any], stack: Stack, health: Any, first: str, second: str) -> None:
    broken(stack, first)
    first_alone(look(stack.site), first)
    broken(stack, first, second)
    both = look(stack.site)
    assert both.names() == {first, second}, told(both)
    healed(baseline, stack, health)


@pytest.mark.matrix
@pytest.mark.parametrize("cause", ALONE)
def test_a_cause_is_named_alone(baseline: dict[str, Any], stack: Stack, health: Any, cause: str) -> None:
    """The cause is the only one named, at its level; what outlives `build --no-cache` is named after it, too."""
    broken(stack, cause)
    first_alone(look(stack.site), cause)
    if cause in OUTLIVE_A_REBUILD:
        assert breakage.rebuild(stack.site.project)["status"] == 500
        first_alone(look(stack.site), cause)
    healed(baseline, stack, health)


NORMAL: dict[str, Callable[[Site], Any]] = {
    "nothing": lambda site: None,
    "generated files": deployments.generated,
    "touched files": deployments.touch,
    "a build on the host": deployments.built_on_the_host,
    "a restart": deployments.restart,
    "a deployment": deployments.normal_deploy,
}


def test_what_is_normal_is_no_finding(baseline: dict[str, Any], stack: Stack, health: Any) -> None:
    """Healthy, with generated and touched files, after a restart and a deployment: pass, and no cause."""
    for name, happens in NORMAL.items():
        happens(stack.site)
        assert stack.get("/__build").json()["source_digest"] == source_digest(stack.site.directory)
        assert all(has == wanted for has, wanted in stack.hashes().values())
        found = look(stack.site)
        assert (found.verdict, found.causes) == ("pass", ()), f"after {name}: {told(found)}"
    healed(baseline, stack, health)


def test_a_second_look_reads_no_image_again_and_says_the_same(looked_at: Site) -> None:
    """The digests of an image are known by its layers."""
    first = look(looked_at)
    with engine_calls() as calls:
        second = look(looked_at)
    assert second.verdict == first.verdict
    assert not [call for call in calls if "/containers/create" in call]


def test_looking_changes_nothing(looked_at: Site) -> None:
    """The stack, its database, queue and folder are the same before and after, and so is the engine.

    Other tests use the engine meanwhile, so that its part is told by the calls: what is written
    are helper containers alone, and each is removed again with its volumes.
    """
    before = everything(looked_at)
    cache = home.outputs() / ".cache"
    shutil.rmtree(cache, ignore_errors=True)
    with engine_calls() as calls:
        look(looked_at)
    assert everything(looked_at) == before
    written = [call for call in calls if call.split()[0] not in ("GET", "HEAD")]
    made = [call for call in written if "POST" in call and call.endswith("/containers/create")]
    gone = [call for call in written if call.startswith("DELETE") and "/containers/" in call and "v=True" in call]
    assert len(made) == len(gone) > 0
    assert len(written) == 2 * len(made), written


def test_looking_never_holds_a_running_container(looked_at: Site) -> None:
    """No call enters, stops or drains a running container: reading a whole folder of it would hold its lock."""
    running = {c["Id"] for c in _api(looked_at).containers()}
    with engine_calls() as calls:
        look(looked_at)
    assert len(calls) > 10
    for call in calls:
        verb, path = call.split(" ", 1)
        held = any(container in path for container in running)
        assert not (held and verb != "GET"), call
        assert not (held and ("/export" in path or path.endswith("archive?path=%2Fapp"))), call
        assert not path.endswith("/changes"), f"{call} walks the whole image with the lock held"
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
    ours = {"label": f"com.docker.compose.project={site.project}"}
    containers = [api.inspect_container(row["Id"]) for row in api.containers(all=True, filters=ours)]
    return {
        "containers": sorted((c["Id"], c["Image"], c["State"]["StartedAt"], c["State"]["Pid"]) for c in containers),
        "layers": {c["Name"]: sorted(map(str, Path(c["GraphDriver"]["Data"]["UpperDir"]).rglob("*")))
                   for c in containers if c["Name"].startswith(f"/{site.project}-app")},
        "images": sorted((row["Id"], *row["RepoTags"]) for row in api.images(filters=ours)),
        "volumes": sorted(row["Name"] for row in api.volumes(filters=ours)["Volumes"] or []),
        "networks": sorted(row["Id"] for row in api.networks(filters=ours)),
        "database": practice.content(sandbox.psql(site)),
        "queue": practice.queue(site.compose("exec", "-T", "redis-queue", "redis-cli")),
        "files": {str(p): state for p, state in _files(site.directory)},
    }  # fmt: skip


def _files(folder: Path) -> Iterator[tuple[Path, tuple[int, str]]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".git" not in path.relative_to(folder).parts:
            yield path, (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
