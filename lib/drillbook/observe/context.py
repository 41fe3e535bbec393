"""The build context: what a build would be given, after the ignore file."""

from __future__ import annotations

import os
from pathlib import Path

from drillbook.observe.digests import file_digests, unreadable
from drillbook.observe.facts import ContextFact, FilesFact, ServiceFact, SourceFact
from drillbook.observe.ignore import Ignore, ignore_file, ignore_patterns
from drillbook.observe.names import printable
from drillbook.observe.source import tracked_names


def folder(service: ServiceFact) -> Path | None:
    """The folder that the service is built from; None for a context that is a URL, or that is not there."""
    place = Path(service.context)
    return place if service.context and "://" not in service.context and place.is_dir() else None


def build_context(
    service: str, directory: Path, dockerfile: str, source: SourceFact, image: FilesFact | None
) -> ContextFact:
    """What a build of *service* from *directory* would be given; paths are relative to the source's folder.

    Changes nothing. Untracked files are hashed only where the image holds one of
    the same path and size. Without git nothing but the source's artifacts is untracked.

    Raises:
        RunbookError: a folder that gets in may not be read; a build would fail at it too.
    """
    ignore = Ignore(ignore_patterns(ignore_file(directory, dockerfile)))
    base = Path(source.directory)
    try:
        through = {name for entry in ignore.walk(directory) if (name := _relative(entry.path, base, entry))}
    except OSError as error:
        raise unreadable(error.filename, error) from error
    names = tracked_names(base)
    known = set(source.tracked)
    tracked = {name for name in through if printable(name) in known}
    beside = through - tracked
    if names is None:
        beside = {name for name in beside if printable(name) in source.artifacts or name == ".git/"}
    stamps = {printable(name): stamp for name in beside if (stamp := _stamp(base / name))}
    shared = [n for n in beside if image and image.stamps.get(p := printable(n), (-1,))[0] == stamps.get(p, (-2,))[0]]
    found = file_digests(base, shared) if shared else {}
    same = {printable(n): digest for n, (digest, _) in found.items() if image and image.files[printable(n)] == digest}
    return ContextFact(
        service=service,
        directory=str(directory),
        tracked=tuple(sorted(map(printable, tracked))),
        dropped=tuple(sorted(known - set(map(printable, tracked)))),
        untracked=tuple(sorted(map(printable, beside))),
        identical=same,
        stamps=stamps,
    )


def _relative(path: str, base: Path, entry: os.DirEntry[str]) -> str:
    """*path* relative to the source; empty for what lies outside of it, or is no file."""
    if entry.is_dir(follow_symlinks=False):
        return ".git/"
    inside = f"{base}/"
    return path[len(inside) :] if path.startswith(inside) else ""


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.lstat()
    except (OSError, ValueError):
        return None
    return stat.st_size, int(stat.st_mtime)
