"""`drillbook run` as a user types it, on a sandbox with a vault of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from drillbook.act.site import Site


@dataclass(frozen=True)
class Ended:
    """A run of the shell: its exit code, its record, and what it said to a person."""

    code: int
    record: dict[str, Any]
    said: str

    @property
    def fact(self) -> str:
        return str((self.record.get("error") or {}).get("fact", ""))


def run(runbook: str, target: str, *words: str) -> Ended:
    """`drillbook run` as a user types it."""
    argv = [sys.executable, "-m", "drillbook.cli", "run", runbook, "--target", target, "--json", *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=240, check=False, env=dict(os.environ))
    return Ended(done.returncode, json.loads(done.stdout), done.stderr)


def described(site: Site, folder: Path, **changes: Any) -> Path:
    raw = yaml.safe_load((site.directory / "target.yaml").read_text())
    raw["stack"]["directory"] = str(site.directory)
    raw["databases"]["main"]["password"] = f"file:{site.target.path(site.target.databases['main'].password[5:])}"
    raw["backup"] = {"vault": str(folder / "vault")}
    file = folder / f"{site.project}.yaml"
    file.write_text(yaml.safe_dump({**raw, **changes}))
    return file
