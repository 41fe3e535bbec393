"""The runbooks on a target whose backups pgBackRest makes: backup, drill, and a moment before a DROP TABLE."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from backrest import Archived, archiving

import drillbook
from drillbook.run.doctor import examine

pytestmark = pytest.mark.proofs

HOUSE = Path(__file__).resolve().parents[2]
LIB = Path(drillbook.__file__).resolve().parents[1]


def shell(target: Path, *words: str) -> dict[str, Any]:
    """The run.json of `drillbook run` on *target*."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DRILLBOOK_", "JPY_", "PG"))}
    env = {
        **kept,
        "PYTHONPATH": str(LIB),
        "DRILLBOOK_HOME": str(HOUSE),
        "DRILLBOOK_OUTPUTS": str(target.parent / "out"),
    }
    argv = [sys.executable, "-m", "drillbook.cli", "run", *words, "--target", str(target), "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=300, check=False)
    return json.loads(done.stdout)


def described(server: Archived, folder: Path) -> Path:
    """The server's target as a file."""
    file = folder / "archived.yaml"
    file.write_text(yaml.safe_dump(server.target.model_dump(mode="json", exclude_defaults=True)))
    return file


@pytest.mark.timeout(600)
def test_the_runbooks_bring_back_what_was_dropped(tmp_path: Path) -> None:
    """Unattended: the restore is planned first, shows its argv, and runs once its fingerprint is given back."""
    with archiving(tmp_path) as server:
        target = described(server, tmp_path)
        assert any(
            found.fact.startswith("stanza main: ok") or "no valid backups" in found.fact
            for found in examine(str(target))
        )
        taken = shell(target, "backup")
        assert taken["status"] == "succeeded", taken
        assert (taken["result"]["rows"], taken["result"]["verdict"]) == (500, "pass")
        drilled = shell(target, "drill")
        assert (drilled["status"], drilled["result"]["verdict"]) == ("succeeded", "pass"), drilled
        time.sleep(1)
        with server.connect() as live:
            [[moment]] = live.execute("SELECT now()").fetchall()
            live.execute("DROP TABLE orders")
        until = f"backup={moment.isoformat()}"
        refused = shell(target, "restore", "-p", until)
        assert (refused["status"], refused["exit_code"]) == ("refused", 3), refused
        plan = refused["result"]["plan"]
        recover = next(step for step in plan["steps"] if step["id"] == "recover")
        assert recover["argv"][0] == "pgbackrest" and f"--target={moment.isoformat(sep=' ')}" in recover["argv"]
        restored = shell(target, "restore", "-p", until, "--approve", plan["fingerprint"])
        assert (restored["status"], restored["result"]["verdict"]) == ("succeeded", "pass"), restored
        with server.connect() as live:
            assert live.execute("SELECT count(*) FROM orders").fetchone() == (200,)
