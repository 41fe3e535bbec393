"""`.dockerignore`: what a build context holds, as BuildKit reads the patterns."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

States = tuple[bool, ...]


class Ignore:
    """The patterns of one ignore file. What matched a folder matches what is in it, unless a later `!` says otherwise.

    Patterns are taken apart and translated by docker's own SDK; how they inherit
    is moby/patternmatcher's MatchesUsingParentResults, which BuildKit uses.
    """

    def __init__(self, lines: tuple[str, ...]) -> None:
        from docker.utils.build import Pattern
        from docker.utils.fnmatch import translate

        found = [Pattern(line) for line in lines]
        # a trailing `**` holds for all that is below, as the SDK's translation does not
        self.patterns = [(re.compile(translate(p.cleaned_pattern)).match, p.exclusion) for p in found if p.dirs]
        self.negates = any(negative for _, negative in self.patterns)

    def match(self, path: str, parent: States = ()) -> tuple[bool, States]:
        """Whether *path* is kept out, and which patterns matched it or its parent."""
        out, states = False, []
        for number, (matches, negative) in enumerate(self.patterns):
            hit = (bool(parent) and parent[number]) or matches(path) is not None
            states.append(hit)
            if hit:
                out = not negative
        return out, tuple(states)

    def keeps_out(self, path: str) -> bool:
        """Whether *path* is kept out, its parents looked at from the top."""
        out, states = False, tuple[bool, ...]()
        parts = path.split("/")
        for number in range(len(parts)):
            out, states = self.match("/".join(parts[: number + 1]), states)
        return out

    def walk(self, root: Path, below: str = "", parent: States = ()) -> Iterator[os.DirEntry[str]]:
        """Every file and link that gets in; folders that are kept out whole, and `.git`, are not entered."""
        with os.scandir(root) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                path = f"{below}/{entry.name}" if below else entry.name
                out, states = self.match(path, parent)
                if entry.is_dir(follow_symlinks=False):
                    if path == ".git" and not out:
                        yield entry
                    elif path != ".git" and (not out or self.negates):
                        yield from self.walk(Path(entry.path), path, states)
                elif not out:
                    yield entry


def ignore_file(directory: Path, dockerfile: str = "") -> Path:
    """The ignore file of a build: the Dockerfile's own wins over the folder's."""
    own = directory / f"{dockerfile or 'Dockerfile'}.dockerignore"
    return own if own.is_file() else directory / ".dockerignore"


def ignore_patterns(file: Path) -> tuple[str, ...]:
    """The patterns of an ignore file, without comments; none where it cannot be read."""
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return ()
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines()]
    return tuple(line for line in lines if line and not line.startswith("#"))
