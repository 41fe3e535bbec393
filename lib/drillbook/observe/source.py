"""The source tree: what git tracks, what lies beside it untracked, what the build context lets in."""

from __future__ import annotations

import hashlib
from pathlib import Path

from drillbook.errors import CommandFailed
from drillbook.observe.command import Completed, run
from drillbook.observe.facts import SourceFact


def sha256(file: Path) -> str:
    """The sha256 of the file's content, in hex; of its target's name for a symbolic link."""
    if file.is_symlink():
        return hashlib.sha256(str(file.readlink()).encode()).hexdigest()
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def below(folder: Path, base: Path) -> dict[str, str]:
    """path relative to *base* → sha256, for every file below *folder*."""
    if folder.is_file():
        return {str(folder.relative_to(base)): sha256(folder)}
    return {str(p.relative_to(base)): sha256(p) for p in sorted(folder.rglob("*")) if _has_content(p)}


def _has_content(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def source_tree(directory: Path, artifacts: tuple[str, ...]) -> SourceFact:
    """The tracked files of *directory* and the named *artifacts* beside them, by content.

    Changes nothing. Without git every file but the artifacts counts as source.

    Raises:
        CommandFailed: the folder is not there.
    """
    if not directory.is_dir():
        raise CommandFailed(f"the source folder {directory} is not there", "mend stack.directory in the target's file")
    listed = _git(directory, "ls-files", "-z")
    is_git = listed.code == 0
    names = listed.stdout.split("\0") if is_git else _beside(directory, artifacts)
    tracked = {name: sha256(directory / name) for name in names if _has_content(directory / name)}
    found = {path: digest for name in artifacts for path, digest in below(directory / name, directory).items()}
    patterns = _ignore_patterns(directory)
    return SourceFact(
        directory=str(directory),
        revision=_git(directory, "rev-parse", "--short=12", "HEAD").stdout.strip() if is_git else "",
        tracked=tracked,
        artifacts={path: digest for path, digest in found.items() if path not in tracked},
        dirty=tuple(sorted(_dirty(directory))) if is_git else (),
        ignore_patterns=patterns,
        artifacts_in_context=tuple(n for n in artifacts if (directory / n).exists() and not _ignored(n, patterns)),
        is_git=is_git,
    )


def _beside(directory: Path, artifacts: tuple[str, ...]) -> list[str]:
    """Every file of *directory* but the artifacts' and git's own."""
    derived = {*artifacts, ".git"}
    parents = {name: [str(p) for p in (Path(name), *Path(name).parents)] for name in below(directory, directory)}
    return [name for name, above in parents.items() if derived.isdisjoint(above)]


def _git(directory: Path, *words: str) -> Completed:
    argv = ("git", "-c", "safe.directory=*", "-c", "core.quotePath=off", "-C", str(directory), *words)
    try:
        return run(argv, timeout=60)
    except CommandFailed as error:
        return Completed(argv, 127, "", error.fact, 0.0)


def _dirty(directory: Path) -> set[str]:
    status = _git(directory, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=no").stdout
    return {line[3:] for line in status.split("\0") if line}


def _ignore_patterns(directory: Path) -> tuple[str, ...]:
    file = directory / ".dockerignore"
    if not file.is_file():
        return ()
    lines = [line.strip() for line in file.read_text(errors="replace").splitlines()]
    return tuple(line for line in lines if line and not line.startswith("#"))


def _ignored(name: str, patterns: tuple[str, ...]) -> bool:
    from fnmatch import fnmatch

    verdict = False
    for pattern in patterns:
        plain = pattern.lstrip("!").strip("/").removeprefix("**/")
        if fnmatch(name, plain) or fnmatch(f"{name}/", plain):
            verdict = not pattern.startswith("!")
    return verdict
