"""The reset's actions around a stack: a host artifact set aside, volumes held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import builders
import pytest
from engines import serving_engine

from drillbook.act import stack
from drillbook.act.executor import Context
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed


def context(site: Path, host: str = "") -> Context:
    run = site.parent / "run"
    run.mkdir(exist_ok=True)
    described = builders.stack(**({"docker_host": host} if host else {}))
    return Context(builders.target(site / "target.yaml", stack=described), run)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "web" / ".next").mkdir(parents=True)
    (folder / "web" / ".next" / "bundle.js").write_text("old")
    return folder


def aside(path: str) -> Step:
    return Step(f"aside-{path}", "artifact.set_aside", path, args={"path": path})


def test_artifact_is_moved_not_deleted(site: Path) -> None:
    """The artifact lies in the run's folder afterwards, so that it can be looked at or put back."""
    here = context(site)
    told = stack.set_aside(aside("web/.next"), here)
    assert not (site / "web" / ".next").exists()
    assert (here.folder / "aside" / "web" / ".next" / "bundle.js").read_text() == "old"
    assert told == {"moved_to": str(here.folder / "aside" / "web" / ".next"), "files": 1}


def test_artifact_that_is_gone_is_no_failure(site: Path) -> None:
    """A resumed run finds the artifact moved already, and says so."""
    assert stack.set_aside(aside("dist"), context(site)) == {"was": "not there any more"}


def hold(tmp_path: Path, site: Path, *names: str) -> Any:
    labels = {"com.docker.compose.volume": "data"}
    rows = [{"Name": name, "Labels": labels} for name in ("connect_data", "connect_new")]
    with serving_engine(tmp_path / "engine.sock", {"/volumes": (200, {"Volumes": rows})}) as host:
        step = Step("hold-volumes", "volumes.hold", "volumes", args={"names": list(names)})
        return stack.hold(step, context(site, host))


def test_volumes_that_are_all_there_are_held(tmp_path: Path, site: Path) -> None:
    """One more than before is no loss."""
    assert hold(tmp_path, site, "connect_data") == {"volumes": ["connect_data", "connect_new"], "lost": []}


def test_volume_that_is_gone_stops_the_run(tmp_path: Path, site: Path) -> None:
    """No step of a reset removes one: whoever did, the run says which are gone and ends."""
    with pytest.raises(StepFailed, match="volumes are gone that no step removes: connect_a, connect_b"):
        hold(tmp_path, site, "connect_data", "connect_b", "connect_a")
