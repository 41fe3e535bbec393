"""Small images of the tests' own, where an engine answers."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from drillbook.observe import engine
from drillbook.target import Target

needs_engine = pytest.mark.docker
"""It is skipped where no engine answers: conftest.py."""


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
    """An image from *folder* by a Dockerfile of *lines*; its id. The caller removes *tag*.

    The label makes the id *tag*'s own: nobody else who builds the same removes it, or has it there already.
    """
    words = ("-q", "--load", "--label", f"drillbook.tests={tag}", "-t", tag)
    run("docker", "buildx", "build", *words, "-f-", str(folder), stdin=lines)
    return run("docker", "image", "inspect", "-f", "{{.Id}}", tag)


def anonymous(target: Target) -> set[str]:
    """The volumes without a name that containers of *target* have.

    Compose hands them on to the containers that follow, and what is handed on `rm -v` leaves behind.
    """
    return {mount.name for there in engine.containers(target) for mount in there.mounts if mount.anonymous}
