"""Mounted files, in a mount namespace of their own as a container has it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import builders
import pytest

from drillbook.observe.facts import Mount
from drillbook.observe.file_mounts import LARGEST_BYTES, FileMounts, file_mounts

ID = "c" * 64
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a mount namespace and look into it")


class Mounted:
    """A process that sees *host* at *inside*, both files in a folder that is named as the container is."""

    def __init__(self, folder: Path) -> None:
        self.host, self.inside = folder / ID / "default.conf", folder / "inside.conf"
        self.host.parent.mkdir()
        self.host.write_text("one")
        self.inside.touch()
        self.destination = str(self.inside)
        script = 'mount --bind "$1" "$2" && echo ready && exec sleep 60'
        argv = ("unshare", "--mount", "sh", "-c", script, "sh", str(self.host), str(self.inside))
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def look(self, pid: int | None = None, started: str = "1970-01-02T00:00:00Z", identity: str = ID) -> FileMounts:
        mount = Mount("bind", "", str(self.host), self.destination)
        fact = builders.container("proxy", id=identity, mounts=(mount, Mount("volume", "v", "/none", "/data")))
        state: dict[str, Any] = {"Pid": self.process.pid if pid is None else pid, "StartedAt": started}
        return file_mounts(fact, {"State": state})

    def replace(self, content: str) -> None:
        """What an editor, git and rsync do."""
        new = self.host.with_suffix(".new")
        new.write_text(content)
        new.rename(self.host)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mounted]:
    there = Mounted(tmp_path)
    yield there
    there.process.kill()
    there.process.wait(timeout=10)


@ROOT
def test_same_file_is_no_difference(mounted: Mounted) -> None:
    """Also after it was written to in place: the process sees what the host has."""
    assert mounted.look() == FileMounts()
    mounted.host.write_text("two")
    assert mounted.look() == FileMounts()


@ROOT
def test_replaced_file_is_not_what_the_process_sees(mounted: Mounted) -> None:
    """The classic: the host has the new file, the process the old one. Of the same size, too."""
    mounted.replace("two")
    assert mounted.look().differs == (f"file {mounted.destination}",)
    mounted.replace("longer")
    assert mounted.look().differs == (f"file {mounted.destination}",)


@ROOT
def test_replaced_file_of_the_same_content_is_no_difference(mounted: Mounted) -> None:
    """A deployment that writes every file anew changes nothing by that."""
    mounted.replace("one")
    assert mounted.look() == FileMounts()


@ROOT
def test_file_that_is_gone_from_the_host_differs(mounted: Mounted) -> None:
    """The process sees on what no one can find any more."""
    mounted.host.unlink()
    assert mounted.look().differs == (f"file {mounted.destination}",)


@ROOT
def test_large_file_is_not_read(mounted: Mounted) -> None:
    """Of two large files of one size it is not told which is which; the reason is."""
    mounted.host.write_text("a" * (LARGEST_BYTES + 1))
    mounted.replace("b" * (LARGEST_BYTES + 1))
    assert mounted.look() == FileMounts((), {mounted.destination: "it is larger than 1 MiB"})


@ROOT
def test_process_that_is_not_the_containers_is_not_believed(mounted: Mounted) -> None:
    """A number may be another process's here: the engine runs in a machine of its own, as Docker Desktop does."""
    mounted.replace("two")
    assert "not on this machine" in mounted.look(identity="d" * 64).unread[mounted.destination]


@ROOT
def test_path_that_leads_through_a_link_is_not_followed(mounted: Mounted) -> None:
    """A link in the container could lead to a file of the host."""
    link = mounted.inside.with_name("link.conf")
    link.symlink_to(mounted.inside)
    mounted.replace("two")
    mounted.destination = str(link)
    assert "link in the container" in mounted.look().unread[str(link)]


@ROOT
def test_file_that_no_one_touched_since_the_start_needs_no_look(mounted: Mounted) -> None:
    """What was as old before the container started is what it sees: told without being root."""
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    assert mounted.look(pid=2**22 + 1, started=later) == FileMounts()


@ROOT
def test_process_that_may_not_be_looked_into_is_a_reason(mounted: Mounted) -> None:
    """Neither a pass nor a fail."""
    mounted.replace("two")
    assert "only root" in mounted.look(pid=2**22 + 1).unread[mounted.destination]


@ROOT
def test_container_that_does_not_run_has_no_stale_file(mounted: Mounted) -> None:
    """It takes the host's file when it starts."""
    mounted.replace("two")
    assert mounted.look(pid=0) == FileMounts()


@ROOT
def test_folder_and_socket_are_not_looked_into(tmp_path: Path, mounted: Mounted) -> None:
    """Single files only."""
    mounted.host.unlink()
    mounted.host.mkdir()
    assert mounted.look() == FileMounts()
