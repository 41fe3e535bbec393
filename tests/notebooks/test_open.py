"""`drillbook open`: a working copy in JupyterLab, for this user alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

import drillbook

FIXTURES = Path(__file__).parent / "fixtures"
LIB = Path(drillbook.__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(FIXTURES, tmp_path / "runbooks")
    (tmp_path / "parameters/targets").mkdir(parents=True)
    (tmp_path / "parameters/targets/plain.yaml").write_text(
        "name: plain\ndatabases: {main: {host: /nowhere, dbname: x, user: x}}\n"
    )
    monkeypatch.setenv("DRILLBOOK_HOME", str(tmp_path))
    monkeypatch.delenv("DRILLBOOK_OUTPUTS", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(LIB))
    return tmp_path


def test_the_copy_is_served_with_its_parameters_to_who_has_the_token(house: Path) -> None:
    """The copy lies in a run folder of mode `lab`; without the token nobody reads it, and no `ps` shows it."""
    argv = [
        sys.executable,
        "-m",
        "drillbook.cli",
        "open",
        "parameters",
        "-t",
        "plain",
        "-p",
        "code=007",
        "--no-browser",
    ]
    with (house / "out").open("w") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        url = _url(house / "out")
        base, token = url.split("/doc/")[0], url.rpartition("token=")[2]
        _wait_for(f"{base}/api?token={token}")
        (folder,) = (house / "outputs/plain").iterdir()
        path = f"{base}/api/contents/plain/{folder.name}/notebook.ipynb"
        assert httpx.get(path).status_code == 403
        content = httpx.get(path, params={"token": token}).json()["content"]
        assert 'code = "007"' in "".join(cell["source"] for cell in content["cells"])
        record = json.loads((folder / "run.json").read_text())
        assert (record["mode"], record["status"], record["parameters"]["code"]) == ("lab", "running", "007")
        assert not any(token in line for line in _command_lines())
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def _url(file: Path) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := re.search(r"http://\S+token=\S+", file.read_text()):
            return found[0]
        time.sleep(0.1)
    raise AssertionError("no address was told")


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    raise AssertionError("JupyterLab did not start")


def _command_lines() -> list[str]:
    done = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, timeout=30, check=True)
    return done.stdout.splitlines()
