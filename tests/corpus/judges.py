"""Who judges: drillbook's drill, pg_restore in three ways, and firedrill. Each gives `green` or `red`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from rounds import take_drill

from drillbook.act.cluster import Cluster
from drillbook.errors import CheckFailed, VaultError
from drillbook.target import Target
from drillbook.vault.catalog import Vault

SECONDS = 120
CONFIGURED = ("structure", "volume")
"""The stages of firedrill that check nothing without a configuration."""


def colour(good: bool) -> str:
    return "green" if good else "red"


def drillbook(target: Target, name: str) -> tuple[str, str]:
    """The drill's verdict on backup *name*, and its first check that did not pass.

    Tier `fast` comes first: what it calls red, tier `full` does too, some seconds later.
    """
    try:
        taken = Vault.of(target).get(name)
        take_drill(target, taken, "fast")
        result = take_drill(target, taken)
    except CheckFailed as error:
        found = error.evidence if isinstance(error.evidence, dict) else {}
        bad = next(
            (check for check in found.get("checks", ()) if check["verdict"] != "pass"), {"id": "", "observed": ""}
        )
        return {"fail": "red"}.get(found.get("verdict", ""), "unknown"), f"{bad['id']}: {bad['observed']}"
    except VaultError as error:
        return "red", f"refused: {error.fact}"
    return colour(result["verdict"] == "pass"), ""


def shell(target: Target, name: str) -> str:
    """What `drillbook run drill --json` of backup *name* says, where its exit code says the same."""
    house = target.file.parents[2]
    (house / "runbooks").symlink_to(Path(os.environ["DRILLBOOK_HOME"]) / "runbooks")
    words = ("run", "drill", "--target", "corpus", "-p", f"backup={name}", "--json")
    env = {**os.environ, "DRILLBOOK_HOME": str(house), "DRILLBOOK_OUTPUTS": str(house / "outputs")}
    done = subprocess.run(
        (sys.executable, "-m", "drillbook.cli", *words), check=False, capture_output=True, timeout=4 * SECONDS, env=env,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    said = json.loads(done.stdout)["result"].get("verdict")
    agreed = {("pass", 0): "green", ("fail", 1): "red"}
    return agreed.get((said, done.returncode), f"verdict {said}, exit code {done.returncode}")


def pg_restore(server: Cluster, dump: Path) -> dict[str, str]:
    """Its exit code when it lists the dump, when it writes SQL to nowhere, and when it restores everything."""
    program, database = server.binaries.program("pg_restore"), f"r_{uuid4().hex[:10]}"
    place = ("-h", str(server.folder), "-p", str(server.port), "-U", server.user)
    psql = (server.binaries.program("psql"), *place, "-X", "-q", "-d", "postgres", "-c")
    _code((*psql, f"CREATE DATABASE {database} TEMPLATE template0"))
    try:
        return {
            "list": colour(_code((program, "--list", str(dump))) == 0),
            "null": colour(_code((program, "-f", "/dev/null", str(dump))) == 0),
            "full": colour(_code((program, *place, "-d", database, str(dump))) == 0),
        }
    finally:
        _code((*psql, f"DROP DATABASE {database} WITH (FORCE)"))


def _code(argv: tuple[str, ...]) -> int:
    return subprocess.run(argv, check=False, capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL).returncode


@dataclass(frozen=True)
class Firedrill:
    """firedrill's program, the image that it restores into, and its configuration."""

    program: Path
    image: str
    config: Path

    def __call__(self, dump: Path) -> dict[str, str]:
        """Its exit code with the configuration, and what that would have been without it."""
        report = dump.parent / f"firedrill-{uuid4().hex[:8]}.json"
        words = (
            "--image",
            self.image,
            "--config",
            str(self.config),
            "--json",
            str(report),
            "--quiet",
            "--ready-timeout",
            "110",
        )
        done = subprocess.run(
            (str(self.program), "run", str(dump), *words), check=False, capture_output=True, timeout=2 * SECONDS,
            stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": ""},
        )  # fmt: skip
        if not report.is_file():
            return {"plain": f"ended with {done.returncode}", "configured": f"ended with {done.returncode}"}
        told = json.loads(report.read_text())
        worst = [f for f in told["findings"] if f["severity"] in ("high", "critical")]
        if any(finding["rule"] == "TARGET_UNAVAILABLE" for finding in worst):
            return {"plain": "could not run", "configured": "could not run"}
        bare = [finding for finding in worst if finding["stage"] not in CONFIGURED]
        return {"plain": colour(told["verified"] and not bare), "configured": colour(done.returncode == 0)}
