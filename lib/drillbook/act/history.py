"""The practice site's own git history, as a deployment leaves it on a server."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from drillbook.observe.command import run, run_checked

IDENTITY = {
    "GIT_AUTHOR_NAME": "connect", "GIT_AUTHOR_EMAIL": "connect@example.com",
    "GIT_COMMITTER_NAME": "connect", "GIT_COMMITTER_EMAIL": "connect@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
}  # fmt: skip
FIRST_DEPLOYED = "2025-10-12T09:00:00Z"


def commit(directory: Path, message: str, date: str) -> None:
    """Commit what *directory* holds; nothing when that is committed already."""
    environment = {**os.environ, **IDENTITY, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    run_checked(_git(directory, "add", "-A"), timeout=60, env=environment)
    if run_checked(_git(directory, "status", "--porcelain"), timeout=60, env=environment).stdout:
        run_checked(_git(directory, "commit", "-q", "-m", message), timeout=60, env=environment)


def first_commit(directory: Path) -> None:
    """A history of nothing but what *directory* holds: the same revision for the same content, every time."""
    asked = (_git(directory, "rev-list", "--count", "HEAD"), _git(directory, "status", "--porcelain"))
    is_git = (directory / ".git").is_dir()  # else git would speak of the house's own
    if is_git and [run(argv, timeout=60).stdout.strip() for argv in asked] == ["1", ""]:
        return
    shutil.rmtree(directory / ".git", ignore_errors=True)
    run_checked(_git(directory, "init", "-q", "-b", "main"), timeout=60, env={**os.environ, **IDENTITY})
    commit(directory, "Deploy connect", FIRST_DEPLOYED)


def revision(directory: Path) -> str:
    """The commit that is deployed."""
    return run_checked(_git(directory, "rev-parse", "--short=12", "HEAD"), timeout=60).stdout.strip()


def _git(directory: Path, *words: str) -> tuple[str, ...]:
    return ("git", "-c", "safe.directory=*", "-C", str(directory), *words)
