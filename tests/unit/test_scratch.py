"""Where the tests' own servers live."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import scratch


def test_temporary_files_are_in_memory_where_it_has_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.delenv("PYTEST_DEBUG_TEMPROOT", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(scratch, "MEMORY", tmp_path)
    monkeypatch.setattr(scratch, "ROOM", 1)
    disk = tempfile.gettempdir()
    with scratch.in_memory():
        here = Path(tempfile.gettempdir())
        code = "import tempfile; print(tempfile.gettempdir())"
        child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        assert here.parent == tmp_path and Path(child) == here
        assert here.stat().st_mode & 0o7777 == 0o1777
        assert os.environ["PYTEST_DEBUG_TEMPROOT"] == disk
        (here / "left").touch()
    assert tempfile.gettempdir() == disk and not list(tmp_path.iterdir())


@pytest.mark.parametrize("why", ["it has no room", "there is none", "TMPDIR is set"])
def test_else_they_stay_where_they_are(why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    if why == "TMPDIR is set":
        monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(scratch, "MEMORY", tmp_path / "none" if why == "there is none" else tmp_path)
    monkeypatch.setattr(scratch, "ROOM", 1 << 60 if why == "it has no room" else 1)
    before = tempfile.gettempdir()
    with scratch.in_memory():
        assert tempfile.gettempdir() == before
    assert os.environ.get("TMPDIR") == (str(tmp_path) if why == "TMPDIR is set" else None)
