"""The build context is BuildKit's: the same files get in that a real build is given."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from engine_images import build, needs_engine

from drillbook.observe.context import build_context
from drillbook.observe.ignore import Ignore, ignore_file, ignore_patterns
from drillbook.observe.source import source_tree

FILES = (
    "server.js", "README.md", "docs/a.md", "docs/deep/b.md", "docs/keep.md", "lib/db.js", "lib/test/db.test.js",
    "node_modules/x/index.js", "app/node_modules/y/index.js", ".next/bundle.js", "app/.next/z.js", "tmp/a/b/c.log",
    "tmp/keep/d.log", "a b.txt", "build/out.js", "buildings/x.js", ".env", "app/.env",
)  # fmt: skip
TRICKY = """# a comment
*.md
!README.md
docs
!docs/keep.md
**/node_modules
/.next/
**/*.test.js
tmp/*/
!tmp/keep
build
  .env

./lib/../nothing
"""


def tree(folder: Path, ignored: str) -> Path:
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / ".dockerignore").write_text(ignored)
    return folder


def let_in(folder: Path) -> set[str]:
    ignore = Ignore(ignore_patterns(ignore_file(folder)))
    return {entry.path.removeprefix(f"{folder}/") for entry in ignore.walk(folder)}


@needs_engine
@pytest.mark.parametrize("ignored", [TRICKY, "*\n!lib\n!server.js\n", "", "**\n!**/*.js\n", "app/**\n!app/.env\n"])
def test_the_context_is_what_a_real_build_is_given(tmp_path: Path, ignored: str) -> None:
    """Every pattern that people write, with negations, `**`, slashes at either end, is read as BuildKit reads it."""
    folder = tree(tmp_path / "site", ignored)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    got = build(folder, tmp_path / "Dockerfile", tmp_path / "out")
    assert let_in(folder) == got


def test_folders_that_are_kept_out_are_not_entered(tmp_path: Path) -> None:
    """A folder that no pattern brings back is not listed: node_modules may hold a hundred thousand files."""
    folder = tree(tmp_path, "node_modules\n")
    entered = []
    real = Ignore.walk

    class Watched(Ignore):
        def walk(self, root, below="", parent=()):  # type: ignore[no-untyped-def]
            entered.append(below)
            return real(self, root, below, parent)

    list(Watched(("node_modules",)).walk(folder))
    assert "lib" in entered
    assert not [name for name in entered if name.startswith("node_modules")]


def test_the_dockerfiles_own_ignore_file_wins(tmp_path: Path) -> None:
    """`Dockerfile.dockerignore` is used instead of `.dockerignore`, as BuildKit does."""
    (tmp_path / ".dockerignore").write_text("a\n")
    assert ignore_file(tmp_path, "Dockerfile").name == ".dockerignore"
    (tmp_path / "web.Dockerfile.dockerignore").write_text("b\n")
    assert ignore_file(tmp_path, "web.Dockerfile").name == "web.Dockerfile.dockerignore"


def test_tracked_dropped_and_untracked_are_told_apart(tmp_path: Path) -> None:
    """The context says which sources get in, which are kept out, and what gets in that no commit knows; .git is one."""
    folder = tree(tmp_path / "site", "docs\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(folder)]
    for words in (["init", "-q"], ["add", "server.js", "lib", "docs"], ["commit", "-qm", "1"]):
        subprocess.run([*git, *words], check=True, timeout=30, capture_output=True)
    fact = build_context("app", folder, "Dockerfile", source_tree(folder, (".next",)), None)
    assert fact.tracked == ("lib/db.js", "lib/test/db.test.js", "server.js")
    assert fact.dropped == ("docs/a.md", "docs/deep/b.md", "docs/keep.md")
    assert {".git/", ".next/bundle.js", ".env", "node_modules/x/index.js"} <= set(fact.untracked)
