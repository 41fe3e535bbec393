"""Where a reset's new images come from: only a reset that makes new images can be told."""

from __future__ import annotations

from pathlib import Path

import builders
import pytest

from drillbook.errors import BadParameters
from drillbook.run.record import Record, new_run_folder
from drillbook.run.reset import ResetRun


@pytest.fixture
def run(house: Path) -> ResetRun:
    folder = new_run_folder("connect", "reset")
    record = Record.create(folder, runbook="reset", target="connect", parameters={}, mode="papermill", notebook=None)
    return ResetRun(builders.target(), record, folder)


@pytest.mark.parametrize("scope", ["containers", "build-cache", "artifacts", "database"])
def test_a_scope_that_makes_no_images_takes_none_from_a_registry(run: ResetRun, scope: str) -> None:
    """Exit 2, before anything is planned, and the hint has both ways out."""
    with pytest.raises(BadParameters) as caught:
        run.confirm(builders.healthy(), scope, "pull")
    assert caught.value.fact == f"source=pull is for scope=images, and the scope is {scope}"
    assert "scope=images" in caught.value.hint


def test_auto_counts_as_what_it_comes_to(run: ResetRun) -> None:
    """A stale image may be pulled; for a container that is merely older than its image there is nothing to pull."""
    run.confirm(builders.stale_artifact(), "auto", "pull")
    assert (run.scope, run.source) == ("images", "pull")
    older = builders.healthy(containers=(builders.container(tag_image_id=builders.OLD), builders.postgres()))
    with pytest.raises(BadParameters, match="the scope is containers"):
        run.confirm(older, "auto", "pull")


def test_the_command_that_approves_says_the_source_again(run: ResetRun) -> None:
    """Without it the same words would plan a build."""
    run.confirm(builders.healthy(), "images", "pull")
    assert run.words == ("scope=images", "source=pull")
