"""The source tree: what git tracks, and what lies beside it untracked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from drillbook.errors import CommandFailed
from drillbook.observe.command import Completed, run
from drillbook.observe.digests import file_digests, sha256, unreadable
from drillbook.observe.facts import SourceFact
from drillbook.observe.ignore import Ignore, ignore_file, ignore_patterns
from drillbook.observe.names import printable

__all__ = ["sha256", "source_tree", "tracked_names"]


def source_tree(directory: Path, artifacts: tuple[str, ...]) -> SourceFact:
    """The tracked files of *directory* and the named *artifacts* beside them, by content.

    Changes nothing but the cache of digests. Without git every file but the artifacts counts as source.

    Raises:
        CommandFailed: the folder is not there.
        RunbookError: a file in it may not be read.
    """
    if not directory.is_dir():
        raise CommandFailed(f"the source folder {directory} is not there", "mend stack.directory in the target's file")
    listed = tracked_names(directory)
    is_git = listed is not None
    names = listed if listed is not None else list(_beside(directory, artifacts))
    derived = {name for artifact in artifacts for name in below(directory / artifact, directory)} - set(names)
    found = file_digests(directory, [*names, *derived])
    ignore = Ignore(patterns := ignore_patterns(ignore_file(directory)))
    through = tuple(n for n in artifacts if (directory / n).exists() and not ignore.keeps_out(n))
    return SourceFact(
        directory=str(directory),
        revision=_git(directory, "rev-parse", "--short=12", "HEAD").stdout.strip() if is_git else "",
        tracked={printable(name): found[name][0] for name in names if name in found},
        artifacts={printable(name): found[name][0] for name in sorted(derived) if name in found},
        dirty=tuple(sorted(_dirty(directory))) if is_git else (),
        ignore_patterns=patterns,
        artifacts_in_context=through,
        is_git=is_git,
        stamps={printable(name): stamp for name, (_, stamp) in found.items()},
        revised=_revised(directory) if is_git else 0.0,
    )


def tracked_names(directory: Path) -> list[str] | None:
    """The names that git tracks below *directory*, as the file system has them; None without git."""
    listed = _git(directory, "ls-files", "-z", "--recurse-submodules")
    return [name for name in listed.stdout.split("\0") if name] if listed.code == 0 else None


def below(folder: Path, base: Path) -> Iterable[str]:
    """Every file and link in *folder*, relative to *base*; *folder* itself where it is a file.

    Raises:
        RunbookError: a folder in it may not be read.
    """
    if not folder.is_dir() or folder.is_symlink():
        return [os.path.relpath(folder, base)] if folder.exists() or folder.is_symlink() else []
    if folder != base and base not in folder.parents:
        return [os.path.relpath(path, base) for path in _files(str(folder))]
    return [path[len(str(base)) + 1 :] for path in _files(str(folder))]


def _files(folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder, onerror=_refuse):
        links = [name for name in folders if Path(place, name).is_symlink()]
        yield from (os.path.join(place, name) for name in (*files, *links))  # noqa: PTH118 - keeps odd bytes


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise unreadable(error.filename, error) from error


def _beside(directory: Path, artifacts: tuple[str, ...]) -> Iterator[str]:
    """Every file of *directory* but the artifacts' and git's own."""
    derived = {*artifacts, ".git"}
    for name in below(directory, directory):
        parts = name.split("/")
        if derived.isdisjoint("/".join(parts[: n + 1]) for n in range(len(parts))):
            yield name


def _git(directory: Path, *words: str) -> Completed:
    argv = ("git", "-c", "safe.directory=*", "-c", "core.quotePath=off", "-c", "core.fsmonitor=false",
            "--no-optional-locks", "-C", str(directory), *words)  # fmt: skip
    try:
        return run(argv, timeout=60, errors="surrogateescape")
    except CommandFailed as error:
        return Completed(argv, 127, "", error.fact, 0.0)


def _revised(directory: Path) -> float:
    told = _git(directory, "log", "-1", "--format=%ct").stdout.strip()
    return float(told) if told.isdigit() else 0.0


def _dirty(directory: Path) -> set[str]:
    status = _git(directory, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=no").stdout
    return {printable(line[3:]) for line in status.split("\0") if line}
