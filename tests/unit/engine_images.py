"""Small images of the tests' own, where an engine answers."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from drillbook.act.install import answers

needs_engine = pytest.mark.skipif(
    os.environ.get("ENGINE") == "embedded" or not answers(), reason="no container engine answers: make engine"
)


def build(folder: Path, dockerfile: Path, out: Path) -> set[str]:
    """The files that a build with *dockerfile* puts into its root, by their paths."""
    run("docker", "buildx", "build", "-q", "-f", str(dockerfile), "-o", f"type=tar,dest={out}", str(folder))
    with tarfile.open(out) as archive:
        return {member.name for member in archive if not member.isdir()}


def run(*argv: str, stdin: str = "") -> str:
    """What a command that succeeds prints."""
    done = subprocess.run(argv, check=False, timeout=120, capture_output=True, text=True, errors="replace", input=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def made(tag: str, folder: Path, lines: str) -> str:
    """An image from *folder* by a Dockerfile of *lines*; its id. The caller removes *tag*."""
    run("docker", "buildx", "build", "-q", "--load", "-t", tag, "-f-", str(folder), stdin=lines)
    return run("docker", "image", "inspect", "-f", "{{.Id}}", tag)


def anonymous(project: str) -> set[str]:
    """The volumes without a name that containers of *project* have.

    Compose hands them on to the containers that follow, and what is handed on `rm -v` leaves behind.
    """
    ids = run("docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={project}").split()
    mounts = run("docker", "inspect", "-f", "{{range .Mounts}}{{.Name}} {{end}}", *ids).split() if ids else []
    return {name for name in mounts if re.fullmatch("[0-9a-f]{64}", name)}
