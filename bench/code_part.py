"""A service whose image holds 50,000 files and 1 GB of code: what a look at all of it costs beside one export."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drillbook import home
from drillbook.act.images import tag
from drillbook.decide.diagnose import diagnose
from drillbook.observe.snapshot import observe, with_signs
from drillbook.target import Target, parse_target

PROJECT = "drillbook-bench-code"
FILES, BYTES = 50_000, 1_000_000_000
COMPOSE = """services:
  app:
    build: .
    command: [sleep, infinity]
    init: true
    network_mode: none
"""


@contextmanager
def big_service(folder: Path, files: int = FILES, size: int = BYTES) -> Iterator[Path]:
    """A running service with *files* files and *size* bytes of code; its target's file. All of it is removed again."""
    site = folder / "big"
    _write(site, files, size)
    (site / "Dockerfile").write_text(f"FROM drillbook-node:{tag()}\nCOPY . /app\n")
    (site / "compose.yaml").write_text(COMPOSE)
    compose = ("docker", "compose", "-p", PROJECT, "--project-directory", str(site))
    try:
        _run(*compose, "up", "-d", "--build")
        (folder / "big.yaml").write_text(
            f"name: big\nstack:\n  project: {PROJECT}\n  directory: {site}\n"
            "  services: {app: {code: {image: /app}}}\nbackup: {vault: vault}\n"
        )
        yield folder / "big.yaml"
    finally:
        _run(*compose, "down", "--timeout", "1", "--rmi", "local")
        shutil.rmtree(site)


def _write(site: Path, files: int, size: int) -> None:
    chance = random.Random(1)
    for number in range(files):
        file = site / f"d{number % 500}" / f"f{number}.js"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chance.randbytes(size // files))


def target(file: Path) -> Target:
    import yaml

    return parse_target(yaml.safe_load(file.read_text()), file)


def first(file: Path) -> None:
    """A look with nothing remembered."""
    shutil.rmtree(home.outputs() / ".cache", ignore_errors=True)
    look_at(str(file))


def look_at(file: str) -> None:
    """A whole look, and its verdict, which must be right."""
    described = target(Path(file))
    found = diagnose(with_signs(described, observe(described), 0.0))
    equal = next(e for e in found.evidence if e.id == "image:app")
    if equal.verdict != "pass" or f"{FILES + 2} source files, all equal" not in equal.observed:
        raise RuntimeError(f"the look is wrong: {equal}")


def export() -> None:
    """The bare tool."""
    subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"docker export {PROJECT}-app-1 | sha256sum"],
        check=True, stdout=subprocess.DEVNULL, timeout=900,
    )  # fmt: skip


def runbook(file: Path) -> float:
    """An unattended first run of the whole runbook, as a process; the most MB that any process of it held."""
    shutil.rmtree(home.outputs() / ".cache", ignore_errors=True)
    argv = [sys.executable, "-m", "drillbook.cli", "run", "diagnose", "--target", str(file), "--json"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"the run ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_maxrss / 1024


def _run(*argv: str) -> None:
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=900)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
