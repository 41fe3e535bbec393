"""Disks: each file system once, with all that lies on it."""

from __future__ import annotations

import os
from pathlib import Path

import builders
import pytest
from engines import serving_engine

from drillbook.errors import RunbookError
from drillbook.observe.disks import disks, measured
from drillbook.observe.facts import VolumeFact
from drillbook.target import Target


def test_places_on_one_file_system_are_told_once(tmp_path: Path) -> None:
    """`what` names them all; bytes and inodes are the file system's own, as a user may fill it."""
    (tmp_path / "a").mkdir()
    [fact] = measured([("vault", tmp_path / "a"), ("stack", tmp_path), ("volume x", tmp_path / "a")])
    room = os.statvfs(tmp_path)
    assert (fact.what, fact.path) == ("vault, stack, volume x", f"{tmp_path}/a")
    assert fact.total_bytes == room.f_blocks * room.f_frsize
    assert fact.total_inodes == room.f_files
    assert 0 < fact.free_bytes <= fact.total_bytes


def test_another_file_system_is_told_apart(tmp_path: Path) -> None:
    """/proc is never the disk that tests are written to."""
    assert [fact.what for fact in measured([("vault", tmp_path), ("engine", Path("/proc"))])] == ["vault", "engine"]


def test_folder_that_is_not_made_yet_counts_to_the_one_above(tmp_path: Path) -> None:
    """A vault's disk is known before its first backup, and also where a file stands in the way."""
    (tmp_path / "file").touch()
    [fact] = measured([("vault", tmp_path / "not/yet"), ("stack", tmp_path / "file/in/the/way")])
    assert fact.what == "vault, stack"


def test_place_that_cannot_be_read_is_a_fact() -> None:
    """A path that no system call takes ends with what and where, and a hint."""
    with pytest.raises(RunbookError, match=r"holds vault .* cannot be looked at") as caught:
        measured([("vault", Path("/tmp/" + "x" * 5000))])
    assert "df" in caught.value.hint


def target(tmp_path: Path, host: str) -> Target:
    stack = {"project": "connect", "directory": ".", "docker_host": host}
    return builders.target(tmp_path / "t.yaml", stack=stack)


def test_engine_and_volumes_of_this_machine_are_told(tmp_path: Path) -> None:
    """The engine's data root, and each volume that can be looked at."""
    volumes = (VolumeFact("connect_data", "data", "", str(tmp_path)), VolumeFact("gone", "gone", "", "/no/such/place"))
    answers = {"/info": (200, {"DockerRootDir": str(tmp_path)})}
    with serving_engine(tmp_path / "s", answers) as host:
        [fact] = disks(target(tmp_path, host), volumes)
    assert fact.what == "vault, stack, engine, volume connect_data"


@pytest.mark.parametrize("root", ["", "/no/such/place"])
def test_engine_in_a_machine_of_its_own_is_passed_over(tmp_path: Path, root: str) -> None:
    """Its paths are not paths here."""
    with serving_engine(tmp_path / "s", {"/info": (200, {"DockerRootDir": root})}) as host:
        [fact] = disks(target(tmp_path, host), (VolumeFact("a", "a", "", str(tmp_path)),))
    assert fact.what == "vault, stack"


def test_engine_that_is_down_or_elsewhere_leaves_our_own_disks(tmp_path: Path) -> None:
    """The vault's disk is told without any engine, and of a target without a stack."""
    for host in (f"unix://{tmp_path}/none", "tcp://127.0.0.1:1"):
        assert [fact.what for fact in disks(target(tmp_path, host))] == ["vault, stack"]
    assert [fact.what for fact in disks(builders.database_target(tmp_path / "t.yaml"))] == ["vault"]
