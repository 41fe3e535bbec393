"""The source tree: tracked files, artifacts beside them, and what the build context lets in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from drillbook.errors import CommandFailed
from drillbook.observe.source import sha256, source_tree


def put(folder: Path, **files: str) -> None:
    for name, text in files.items():
        file = folder / name.replace("__", "/").replace("DOT", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", *who, "-C", str(folder), *words], check=True, timeout=30, capture_output=True)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    put(tmp_path, serverDOTjs="server", lib__dbDOTjs="new", DOTnext__bundleDOTjs="old", distributionDOTjs="source")
    return tmp_path


@pytest.fixture
def repository(site: Path) -> Path:
    git(site, "init", "-q")
    git(site, "add", "server.js", "lib", "distribution.js")
    git(site, "commit", "-qm", "first")
    return site


def test_git_tells_what_is_tracked(repository: Path) -> None:
    """With git the sources are the tracked files, at a revision; the artifact beside them is not one."""
    fact = source_tree(repository, (".next",))
    assert sorted(fact.tracked) == ["distribution.js", "lib/db.js", "server.js"]
    assert list(fact.artifacts) == [".next/bundle.js"]
    assert (fact.is_git, len(fact.revision), fact.dirty) == (True, 12, ())


def test_changed_files_are_named(repository: Path) -> None:
    """Sources changed since the revision are named, renamed ones too, for a deployment may be half-way."""
    (repository / "lib/db.js").write_text("edited")
    git(repository, "mv", "server.js", "main.js")
    assert set(source_tree(repository, ()).dirty) == {"lib/db.js", "main.js", "server.js"}


def test_odd_names_are_sources_too(repository: Path) -> None:
    """A name with a newline, a blank or an umlaut is a source like any other."""
    names = ["a b.js", "line\nbreak.js", "ü.js"]
    for name in names:
        (repository / name).write_text("x")
    git(repository, "add", ".")
    assert set(names) <= set(source_tree(repository, (".next",)).tracked)


def test_links_count_by_where_they_point(repository: Path) -> None:
    """A tracked link is a source by its target's name, also to a folder or to nothing."""
    (repository / "to-folder").symlink_to("lib")
    (repository / "to-nothing").symlink_to("gone")
    git(repository, "add", ".")
    fact = source_tree(repository, (".next",))
    assert {"to-folder", "to-nothing"} <= set(fact.tracked)
    assert fact.tracked["to-folder"] != fact.tracked["to-nothing"]


def test_deleted_file_is_not_a_source(repository: Path) -> None:
    """A tracked file that is gone from the folder is no longer there to be held against."""
    (repository / "server.js").unlink()
    assert "server.js" not in source_tree(repository, ()).tracked


def test_without_git_all_but_the_artifacts_is_source(site: Path) -> None:
    """Without git every file but the artifacts counts; a name that only begins like one is source."""
    fact = source_tree(site, (".next", "dist"))
    assert sorted(fact.tracked) == ["distribution.js", "lib/db.js", "server.js"]
    assert (fact.is_git, fact.revision) == (False, "")


def test_artifact_that_is_tracked_is_source(repository: Path) -> None:
    """An artifact that someone committed is source, not an untracked find."""
    git(repository, "add", "-f", ".next")
    assert source_tree(repository, (".next",)).artifacts == {}


@pytest.mark.parametrize(
    ("ignored", "gets_in"),
    [
        ("", True),
        (".next\n", False),
        (".next/\n", False),
        ("/.next\n", False),
        ("**/.next\n", False),
        ("# .next\n", True),
        ("*\n!.next\n", True),
        ("node_modules\n", True),
    ],
)
def test_dockerignore_decides_what_gets_in(site: Path, ignored: str, *, gets_in: bool) -> None:
    """An artifact gets into the build context unless `.dockerignore` keeps it out."""
    put(site, DOTdockerignore=ignored)
    assert source_tree(site, (".next",)).artifacts_in_context == ((".next",) if gets_in else ())


def test_absent_artifact_does_not_get_in(site: Path) -> None:
    """An artifact that is not there is not said to get in."""
    assert source_tree(site, ("dist",)).artifacts_in_context == ()


def test_missing_folder_is_a_fact(tmp_path: Path) -> None:
    """A source folder that is not there is told with the key to mend."""
    with pytest.raises(CommandFailed, match="is not there") as caught:
        source_tree(tmp_path / "nowhere", ())
    assert "stack.directory" in caught.value.hint


def test_looking_changes_nothing(repository: Path) -> None:
    """Looking at the sources leaves every file as it was."""
    before = {p: (p.stat().st_mtime_ns, sha256(p)) for p in repository.rglob("*.js")}
    source_tree(repository, (".next",))
    assert {p: (p.stat().st_mtime_ns, sha256(p)) for p in repository.rglob("*.js")} == before


def test_a_submodule_is_source_too(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The files of a submodule are tracked, by another repository."""
    other = tmp_path_factory.mktemp("other")
    put(other, partDOTjs="part")
    git(other, "init", "-q")
    git(other, "add", ".")
    git(other, "commit", "-qm", "first")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "vendor")
    git(repository, "commit", "-qm", "with a submodule")
    fact = source_tree(repository, ())
    assert fact.tracked["vendor/part.js"] == sha256(other / "part.js")
    assert fact.dirty == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take a folder away from itself and give it back")
@pytest.mark.parametrize("place", [".next", "data"])
def test_a_folder_that_may_not_be_read_is_named(site: Path, place: str) -> None:
    """Neither source, artifact nor context is told without it: its files would be missing in silence."""
    (site / place).mkdir(exist_ok=True)
    (site / place).chmod(0)
    script = (
        "import os, sys; from pathlib import Path; from drillbook.errors import RunbookError\n"
        "from drillbook.observe.context import build_context; from drillbook.observe.source import source_tree\n"
        "os.setgid(65534); os.setuid(65534); site = Path(sys.argv[1])\n"
        "try:\n source_tree(site, ('.next',))\n"
        "except RunbookError as error: print(error.fact)\n"
        "from drillbook.observe.facts import SourceFact\n"
        "try:\n build_context('app', site, '', SourceFact(str(site), '', {}, {}), None)\n"
        "except RunbookError as error: print(error.fact)\n"
    )
    for folder in (site, *site.parents):
        folder.chmod(folder.stat().st_mode | 0o111 | (0o444 if folder == site else 0))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "DRILLBOOK_OUTPUTS": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(site)], check=False, env=env, capture_output=True, text=True, timeout=60
    )
    (site / place).chmod(0o755)
    assert done.stdout.splitlines() == [f"{site}/{place} cannot be read: Permission denied"] * 2, done.stderr
