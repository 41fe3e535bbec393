"""The copy's own folder: the target's source files and artifacts with their times, and what git says of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from drillbook.act import durable
from drillbook.act.executor import Context, verb
from drillbook.act.guard import guarded, undo
from drillbook.act.rehearsal import under_way
from drillbook.act.rehearse_end import discard
from drillbook.decide.plan import Step
from drillbook.errors import StepFailed
from drillbook.observe.command import run
from drillbook.observe.facts import SourceFact
from drillbook.observe.source import below, source_tree
from drillbook.target import Target

TIMEOUT_SECONDS = 300
SOURCE = "source"
NO_GIT = "not a repository: else git would find the one above\n"


@verb("rehearse.sources")
@guarded
def sources(step: Step, context: Context) -> Mapping[str, Any]:
    """Copy what git tracks, the artifacts and the extras, each with its time; an empty place for every other bind."""
    rehearsal = under_way(context)
    undo(context, lambda: discard(rehearsal))
    rehearsal.claim()
    base, trees = root(rehearsal.target), _trees(rehearsal.target)
    own = rehearsal.folder / SOURCE
    taken = {path for tree in trees for path in _files(rehearsal.target, tree)}
    for path in sorted(taken):
        _copied(path, own / path.relative_to(base))
    tracked = {str((Path(tree.directory) / name).relative_to(base)) for tree in trees for name in tree.tracked}
    _remembered(own, rehearsal.target.directory, trees[0].is_git, tracked)
    for place, origin in rehearsal.made.scratch.items():
        _emptied(Path(place), Path(origin))
    durable.folder(rehearsal.folder / "vault")
    return {"files": len(taken), "empty": len(rehearsal.made.scratch)}


def root(target: Target) -> Path:
    """The folder that holds the target's own and every service's source; the target's own where all lie inside."""
    stack = target.stack
    assert stack is not None
    directory = target.directory.resolve()
    places = [(directory / s.code.source).resolve() for s in stack.services.values() if s.code]
    return Path(os.path.commonpath([directory, *places]))


def placed(target: Target, folder: Path) -> Path:
    """The copy's counterpart of the target's folder, in the copy's own *folder*."""
    return folder / SOURCE / target.directory.resolve().relative_to(root(target))


def _trees(target: Target) -> list[SourceFact]:
    """The deployed folder first, then each source that lies elsewhere."""
    stack = target.stack
    assert stack is not None
    code = [s.code for s in stack.services.values() if s.code]
    artifacts = tuple(sorted({place.placed(name) for place in code for name in place.artifacts}))
    directory = target.directory.resolve()
    found = {directory: artifacts}
    for place in code:
        where = (directory / place.source).resolve()
        if directory not in (where, *where.parents):
            found[where] = place.artifacts
    return [source_tree(where, derived) for where, derived in found.items()]


def _files(target: Target, tree: SourceFact) -> Iterable[Path]:
    directory, stack = Path(tree.directory), target.stack
    yield from (directory / name for name in (*tree.tracked, *tree.artifacts))
    if stack and directory == target.directory.resolve():
        yield from (directory / name for extra in stack.extras for name in below(directory / extra, directory))


def _copied(origin: Path, to: Path) -> None:
    """With its times: a build that trusts them must go wrong here as it does there."""
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    shutil.copy2(origin, to, follow_symlinks=False)


def _remembered(own: Path, directory: Path, is_git: bool, tracked: Iterable[str]) -> None:
    """Have git track the same files there, at the same revision; or have it see that there is no repository."""
    if not is_git:
        (own / ".git").write_text(NO_GIT)
        return
    names = "\0".join(sorted(tracked))
    _git(own, "init", "-q", "--template=")
    (own / ".git" / "info").mkdir(exist_ok=True)
    (own / ".git" / "info" / "attributes").write_text("* -text -filter -ident -working-tree-encoding\n")
    words = ("--literal-pathspecs", "add", "-f", "--pathspec-from-file=-", "--pathspec-file-nul")
    _git(own, *words, stdin=names)
    objects = directory / _git(directory, "rev-parse", "--git-path", "objects")
    (own / ".git" / "objects" / "info").mkdir(parents=True, exist_ok=True)
    (own / ".git" / "objects" / "info" / "alternates").write_text(f"{objects.resolve()}\n")
    if revision := _git(directory, "rev-parse", "--verify", "--quiet", "HEAD"):
        (own / ".git" / "HEAD").write_text(f"{revision}\n")


def _git(directory: Path, *words: str, stdin: str = "") -> str:
    argv = ("git", "-c", "safe.directory=*", "-c", "core.autocrlf=false", "--no-optional-locks",
            "-C", str(directory), *words)  # fmt: skip
    done = run(argv, timeout=TIMEOUT_SECONDS, stdin=stdin)
    if done.code != 0 and stdin:
        raise StepFailed(f"git cannot track the copy's files: {done.complaint}", "see that git works there")
    return done.stdout.strip() if done.code == 0 else ""


def _emptied(place: Path, origin: Path) -> None:
    """An empty file or folder in the place of *origin*, with its owner and mode, unless it was copied."""
    if place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if origin.is_file():
        place.touch()
    else:
        place.mkdir()
    with suppress(OSError):
        there = origin.stat()
        place.chmod(there.st_mode & 0o7777)
        os.chown(place, there.st_uid, there.st_gid)


def size_of(target: Target) -> int:
    """How many bytes the copy's folder would take. Changes nothing."""
    return sum(path.lstat().st_size for tree in _trees(target) for path in _files(target, tree))
