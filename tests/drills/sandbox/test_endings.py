"""Every way a run can end badly: the right exit code, a fact and a HINT, nothing changed, the executed copy kept."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from shell import Ended, described, run
from there import of_project, tags

from drillbook.act import sandbox
from drillbook.act.lock import TargetLock
from drillbook.act.site import Site
from drillbook.target import load_target


def ends(ended: Ended, code: int, fact: str) -> None:
    """Exit code, status, fact, HINT, record and copy are as the contract says."""
    assert ended.code == code, ended.said
    assert ended.record["exit_code"] == code
    assert ended.record["status"] == {1: "failed", 2: "failed", 3: "refused", 4: "refused"}[code]
    assert fact in ended.fact
    assert "HINT: " in ended.said
    assert "Traceback" not in ended.said
    outputs = Path(os.environ["DRILLBOOK_OUTPUTS"])
    [folder] = [f.parent for f in outputs.rglob("run.json") if f.parent.name == ended.record["run"]]
    assert json.loads((folder / "run.json").read_text()) == ended.record
    assert json.loads((folder / "notebook.ipynb").read_text())["cells"]


@pytest.fixture
def own(looked_at: Site, tmp_path: Path) -> Path:
    """The sandbox's target file with a vault of its own."""
    return described(looked_at, tmp_path)


@pytest.fixture
def unchanged(looked_at: Site, engine: Any) -> Iterator[None]:
    """Containers, images and volumes of the target are the same after the test as before it."""
    ours = {"label": f"com.docker.compose.project={looked_at.project}"}

    def seen() -> dict[str, Any]:
        return {
            "containers": sorted((c.id, c.attrs["State"]["StartedAt"]) for c in of_project(engine, looked_at.project)),
            "images": tags(engine, looked_at.project),
            "volumes": sorted(v.name for v in engine.volumes.list(filters=ours)),
        }

    before = seen()
    yield
    assert seen() == before


@pytest.mark.parametrize(
    ("runbook", "words", "fact"),
    [
        ("reset", ("-p", "scop=images"), "scop"),
        ("reset", ("-p", "scope=everything"), "scope"),
        ("postmortem", ("-p", "hours=soon"), "hours"),
    ],
)
def test_a_wrong_parameter_ends_before_a_kernel_starts(
    own: Path, unchanged: None, runbook: str, words: tuple[str, ...], fact: str
) -> None:
    """An unknown name, a bad choice and a wrong type are exit 2, and the fact names the parameter."""
    ends(run(runbook, str(own), *words), 2, fact)


def test_an_unknown_target_is_told_with_the_known_ones(looked_at: Site, unchanged: None) -> None:
    """A typo in the target's name is exit 2 and names the nearest."""
    ended = run("diagnose", "conect")
    ends(ended, 2, "conect")
    assert "did you mean 'connect'?" in ended.said


def test_a_typo_in_the_targets_file_names_file_path_and_key(looked_at: Site, tmp_path: Path, unchanged: None) -> None:
    """An unknown key is exit 2, with the file, the path in it and the nearest key."""
    file = described(looked_at, tmp_path, endpoint={})
    ended = run("diagnose", str(file))
    ends(ended, 2, f"{file}: endpoint: unknown key")
    assert "did you mean 'endpoints'?" in ended.said


def test_an_engine_that_does_not_answer_stops_every_writer(looked_at: Site, tmp_path: Path, unchanged: None) -> None:
    """A reset without an engine is exit 1; a diagnosis is an honest unknown."""
    file = described(looked_at, tmp_path)
    raw = yaml.safe_load(file.read_text())
    raw["stack"]["docker_host"] = f"unix://{tmp_path}/none.sock"
    file.write_text(yaml.safe_dump(raw))
    ends(run("reset", str(file)), 1, "does not answer")
    seen = run("diagnose", str(file))
    assert (seen.code, seen.record["result"]["verdict"]) == (0, "unknown") or seen.record["result"]["causes"]
    assert any(
        e["verdict"] == "unknown" and e["id"] == "observed:containers" for e in seen.record["result"]["evidence"]
    )


def test_a_database_that_is_down_is_not_backed_up(own: Path, looked_at: Site, health: Any) -> None:
    """A backup of a stopped database is exit 1 and leaves nothing in the vault; the diagnosis names the cause."""
    health.known = False
    sandbox.compose(looked_at, "stop", "postgres")
    ends(run("backup", str(own)), 1, "postgres is not running")
    assert "database-down" in [c["id"] for c in run("diagnose", str(own)).record["result"]["causes"]]
    assert not list((own.parent / "vault").rglob("manifest.json"))


def test_without_a_backup_nothing_is_reset_restored_or_proven(own: Path, unchanged: None) -> None:
    """No proven backup: the reset and the restore are refused, and a scheduled drill fails loudly."""
    ends(run("reset", str(own), "-p", "scope=images"), 3, "no proven backup")
    ends(run("restore", str(own), "-p", "backup=proven"), 3, "no proven backup")
    ends(run("drill", str(own)), 1, "no backup")


def test_a_locked_target_names_the_holder(own: Path, unchanged: None) -> None:
    """While another run holds the target a reset is exit 4, and says who, since when and why."""
    with_lock = TargetLock(load_target(str(own)), "a-run-of-another", "a deployment is under way")
    with_lock.acquire()
    try:
        ended = run("reset", str(own), "-p", "scope=images")
        ends(ended, 4, "a deployment is under way")
    finally:
        with_lock.release()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A vault on a file system of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    vault = tmp_path / "vault"
    vault.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(vault)], check=True, timeout=30)
    yield vault
    subprocess.run(["umount", str(vault)], check=True, timeout=30)


def test_a_full_vault_keeps_no_half_backup(looked_at: Site, tmp_path: Path, small_disk: Path, unchanged: None) -> None:
    """A backup that does not fit is exit 1, and the vault is as it was."""
    ends(run("backup", str(described(looked_at, tmp_path))), 1, "vault")
    assert [f.name for f in small_disk.rglob("*") if f.is_file()] == []
