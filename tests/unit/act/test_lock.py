"""One lock per target."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from docker.models.volumes import VolumeCollection
from ghost import ghost

from drillbook.act.lock import TargetLock, lock
from drillbook.errors import EngineDown, Locked
from drillbook.observe import holder
from drillbook.target import Target, parse_target

DATABASE = {"main": {"host": "/nowhere", "dbname": "x", "user": "x"}}


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRILLBOOK_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


@pytest.fixture
def plain(tmp_path: Path) -> Target:
    """A target without an engine."""
    return parse_target({"name": "plain", "databases": DATABASE}, tmp_path / "plain.yaml")


@pytest.fixture
def stacked(tmp_path: Path) -> Iterator[Target]:
    """A target on this machine's engine; its lock volume is removed afterwards."""
    raw = {"name": "stacked", "stack": {"project": "locktest", "directory": str(tmp_path)}}
    target = parse_target(raw, tmp_path / "stacked.yaml")
    yield target
    volume = TargetLock(target, "", "").volume
    subprocess.run(["docker", "volume", "rm", "-f", volume], capture_output=True, timeout=60, check=False)


def labels(target: Target) -> dict[str, str]:
    argv = ["docker", "volume", "inspect", "-f", "{{json .Labels}}", TargetLock(target, "", "").volume]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    found: dict[str, str] = json.loads(done.stdout) if done.returncode == 0 else {}
    return found


def left_behind(target: Target, **other: str) -> None:
    """The lock of a process that has ended without giving it back."""
    left = TargetLock(target, "run-0", "x")
    left.said.update({key: str(value) for key, value in asdict(ghost()).items()} | other)
    left.acquire()
    left._release_file()


def test_the_second_is_told_who_since_when_and_why(plain: Target) -> None:
    """And gets it once the first has let go."""
    with lock(plain, "run-1", "runbook reset") as held:
        with pytest.raises(Locked) as caught, lock(plain, "run-2", "x"):
            pass
        for word in (str(holder.me()), held.said["since"], "runbook reset", "run-1"):
            assert word in caught.value.fact
        assert caught.value.exit_code == 4
        assert caught.value.hint
    with lock(plain, "run-2", "x") as second:
        assert second.taken_over is None


def test_a_dead_process_holds_no_file_lock(plain: Target, tmp_path: Path) -> None:
    """Its note is there still, and the taker is told whose it was."""
    code = (
        "import os, sys; from pathlib import Path; from drillbook.target import parse_target;"
        "from drillbook.act.lock import TargetLock;"
        f"t = parse_target({{'name': 'plain', 'databases': {DATABASE!r}}}, Path({str(tmp_path / 'plain.yaml')!r}));"
        "TargetLock(t, 'run-1', 'x').acquire(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code], timeout=60, check=False, env=_environment())
    with lock(plain, "run-2", "x") as held:
        assert held.taken_over is not None
        assert held.taken_over["run"] == "run-1"


def _environment() -> dict[str, str]:
    import os

    import drillbook

    return {**os.environ, "PYTHONPATH": str(Path(drillbook.__file__).parents[1])}


def test_an_engine_that_is_down_is_told(tmp_path: Path) -> None:
    """And no file lock is left behind."""
    stack = {"project": "x", "directory": str(tmp_path), "docker_host": "unix:///nowhere.sock"}
    target = parse_target({"name": "down", "stack": stack}, tmp_path / "down.yaml")
    for _ in range(2):
        with pytest.raises(EngineDown), lock(target, "run-1", "x"):
            pass


@pytest.mark.docker
def test_the_engine_tells_who_holds_the_lock(stacked: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From another checkout, with outputs of its own, the lock holds too; it is no part of the compose project."""
    with lock(stacked, "run-1", "runbook reset"):
        monkeypatch.setenv("DRILLBOOK_OUTPUTS", str(tmp_path / "elsewhere"))
        with pytest.raises(Locked, match=r"runbook reset \(run run-1\)"), lock(stacked, "run-2", "x"):
            pass
        assert not any(key.startswith("com.docker.compose") for key in labels(stacked))
        monkeypatch.undo()
        monkeypatch.setenv("DRILLBOOK_OUTPUTS", str(tmp_path / "outputs"))
    assert labels(stacked) == {}


@pytest.mark.docker
def test_a_lock_of_a_dead_holder_is_taken_over(stacked: Target) -> None:
    """Whose it was is told."""
    left_behind(stacked)
    with lock(stacked, "run-1", "y") as held:
        assert held.taken_over is not None
        assert held.taken_over["run"] == "run-0"
        assert labels(stacked)["drillbook.lock.run"] == "run-1"
    assert labels(stacked) == {}


@pytest.mark.docker
def test_holder_is_known_after_the_engine_was_started_anew(stacked: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers a create with the volume that is there, and tells none of the labels that it has."""
    real = VolumeCollection.create

    def bare(self: VolumeCollection, *words: Any, **more: Any) -> Any:
        found = real(self, *words, **more)
        found.attrs["Labels"] = None
        return found

    monkeypatch.setattr(VolumeCollection, "create", bare)
    left_behind(stacked)
    with lock(stacked, "run-1", "y") as held:
        assert held.taken_over is not None
        assert held.taken_over["run"] == "run-0"


@pytest.mark.docker
def test_a_lock_of_another_host_is_never_taken_over(stacked: Target) -> None:
    """Nothing can be proven of it."""
    left_behind(stacked, host="elsewhere")
    with pytest.raises(Locked, match="elsewhere"), lock(stacked, "run-1", "y"):
        pass
    assert labels(stacked)["drillbook.lock.run"] == "run-0"


@pytest.mark.docker
def test_release_leaves_anothers_lock_alone(stacked: Target) -> None:
    """As when someone removed the volume by hand and another run took it."""
    first = TargetLock(stacked, "run-1", "x").acquire()
    subprocess.run(["docker", "volume", "rm", first.volume], check=True, capture_output=True, timeout=60)
    second = TargetLock(stacked, "run-2", "y")
    second._acquire_volume()
    first.release()
    assert labels(stacked)["drillbook.lock.run"] == "run-2"
