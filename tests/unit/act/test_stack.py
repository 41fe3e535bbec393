"""The reset's actions that need no engine: staging clean sources, setting an artifact aside, running an argv."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import builders
import pytest

from drillbook.act import stack
from drillbook.act.executor import Context
from drillbook.decide.content import source_digest
from drillbook.decide.plan import Step
from drillbook.errors import CommandFailed, StepFailed
from drillbook.observe.source import source_tree


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A deployed folder without git: sources, and an old `.next` beside them."""
    folder = tmp_path / "site"
    (folder / "lib").mkdir(parents=True)
    (folder / ".next").mkdir()
    (folder / "lib" / "db.js").write_text("new")
    (folder / "lib" / "link.js").symlink_to("db.js")
    (folder / ".next" / "bundle.js").write_text("old")
    os.utime(folder / "lib" / "db.js", (0, 0))
    return folder


def context(site: Path) -> Context:
    run = site.parent / "run"
    run.mkdir(exist_ok=True)
    return Context(builders.target(site / "target.yaml"), run)


def stage(site: Path, digest: str = "") -> Step:
    tracked = source_tree(site, (".next",)).tracked
    args = {"from": str(site), "to": str(site.parent / "staging"), "digest": digest or source_digest(tracked)}
    return Step("stage-context", "context.stage", "sources", args={**args, "without": [".next"]})


def test_staging_leaves_artifacts_behind(site: Path) -> None:
    """What is built from holds the sources and nothing that was derived from older ones."""
    stack.stage(stage(site), context(site))
    staged = site.parent / "staging"
    assert sorted(str(p.relative_to(staged)) for p in staged.rglob("*")) == ["lib", "lib/db.js", "lib/link.js"]
    assert (staged / "lib" / "link.js").is_symlink()


def test_staging_with_git_takes_tracked_files_only(site: Path) -> None:
    """With git an untracked file is no source."""
    (site / "notes.txt").write_text("mine")
    for words in (["init", "-q"], ["add", "lib"]):
        subprocess.run(["git", "-C", str(site), *words], check=True, timeout=30)
    stack.stage(stage(site), context(site))
    assert not (site.parent / "staging" / "notes.txt").exists()


def test_staged_files_are_new(site: Path) -> None:
    """Staged files carry the time of staging: no cache that trusts times can take them for old ones."""
    stack.stage(stage(site), context(site))
    assert (site.parent / "staging" / "lib" / "db.js").stat().st_mtime > 1


def test_staging_again_starts_clean(site: Path) -> None:
    """What an earlier, cut run staged is not mixed in."""
    (site.parent / "staging").mkdir()
    (site.parent / "staging" / "left.js").write_text("over")
    stack.stage(stage(site), context(site))
    assert not (site.parent / "staging" / "left.js").exists()


def test_changed_source_stops_the_staging(site: Path) -> None:
    """A deployment that goes on meanwhile stops the reset before anything is built."""
    with pytest.raises(StepFailed, match="source changed"):
        stack.stage(stage(site, digest="0" * 64), context(site))


def test_artifact_is_moved_not_deleted(site: Path) -> None:
    """The artifact lies in the run's folder afterwards, so that it can be looked at or put back."""
    here = context(site)
    told = stack.set_aside(Step("aside-.next", "artifact.set_aside", ".next", args={"path": ".next"}), here)
    assert not (site / ".next").exists()
    assert (here.folder / "aside" / ".next" / "bundle.js").read_text() == "old"
    assert told["files"] == 1


def test_artifact_that_is_gone_is_no_failure(site: Path) -> None:
    """A resumed run finds the artifact moved already, and says so."""
    step = Step("aside", "artifact.set_aside", "dist", args={"path": "dist"})
    assert stack.set_aside(step, context(site)) == {"was": "not there any more"}


def test_failed_command_is_not_taken_for_done(site: Path) -> None:
    """A step's command that ends with another code than 0 fails the step."""
    with pytest.raises(CommandFailed, match="ended with 3"):
        stack.command(Step("x", "command", "x", ("sh", "-c", "exit 3")), context(site))
