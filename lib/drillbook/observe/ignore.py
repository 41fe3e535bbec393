"""`.dockerignore`: what a build context holds, as BuildKit reads the patterns."""

from __future__ import annotations

import os
import posixpath
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

States = tuple[bool, ...]
WILD = re.compile(r"[*?\[\]\\]")
TOKEN = re.compile(r"(?s)\*\*/?|\\?.|\\$")


class Ignore:
    """The patterns of one ignore file. What matched a folder matches what is in it, unless a later `!` says otherwise.

    As moby/patternmatcher's MatchesUsingParentResults, which BuildKit uses: a pattern that could not change
    the answer is not tried, and so is not inherited. docker's SDK differs: `[^a]`, escapes, `..`, a `**` at the end.
    """

    def __init__(self, lines: tuple[str, ...]) -> None:
        found = [(_cleaned(line.removeprefix("!").strip()), line.startswith("!")) for line in lines]
        self.patterns = [(_matcher(pattern), negative) for pattern, negative in found if pattern]
        self.back = tuple(re.sub(r"/?\*\*$", "", pattern) for pattern, negative in found if negative)

    def match(self, path: str, parent: States = ()) -> tuple[bool, States]:
        """Whether *path* is kept out, and which patterns matched it or its parent."""
        out, states = False, []
        for number, (matches, negative) in enumerate(self.patterns):
            hit = bool(parent) and parent[number]
            if not hit and negative == out:
                hit = matches(path) is not None
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

    def _brings_back(self, folder: str) -> bool:
        """Whether a `!` may let in something below *folder*: `!src` never does below node_modules."""
        return any(WILD.search(pattern) or f"{pattern}/".startswith(f"{folder}/") for pattern in self.back)

    def walk(self, root: Path, below: str = "", parent: States = ()) -> Iterator[os.DirEntry[str]]:
        """Every file and link that gets in; folders that are kept out whole, and `.git`, are not entered."""
        with os.scandir(root) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                path = f"{below}/{entry.name}" if below else entry.name
                out, states = self.match(path, parent)
                if entry.is_dir(follow_symlinks=False):
                    if path == ".git" and not out:
                        yield entry
                    elif path != ".git" and (not out or self._brings_back(path)):
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
    lines = [line for line in text.removeprefix("\ufeff").split("\n") if not line.startswith("#")]
    return tuple(line.strip() for line in lines if line.strip())


def _cleaned(pattern: str) -> str:
    """As Go's filepath.Clean, without the slash in front."""
    path = posixpath.normpath(pattern) if pattern else ""
    return path if path == "/" else path.lstrip("/")


def _matcher(pattern: str) -> Callable[[str], Any]:
    """A whole path against *pattern*, as moby/patternmatcher v0.6 translates it; what is no pattern matches nothing."""
    if not WILD.search(pattern.removeprefix("**")) and pattern.startswith("**"):
        end = pattern.removeprefix("**")
        start = r"(?s:.*/)?" if end.startswith("/") else r"(?s:.*)"
        return re.compile(start + re.escape(end.removeprefix("/"))).fullmatch
    if pattern.endswith("**") and not WILD.search(pattern[:-2]):
        return re.compile(re.escape(pattern[:-2]) + r"(?s:.*)").fullmatch
    with warnings.catch_warnings(), suppress(re.error):
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile(TOKEN.sub(_token, pattern)).fullmatch
    return lambda _: None


def _token(found: re.Match[str]) -> str:
    text = found[0]
    if text.startswith("**"):
        return ".*" if found.end() == len(found.string) else "(.*/)?"
    if text[0] == "\\":
        return re.escape(text[1:] or text)
    plain = {"*": "[^/]*", "?": "[^/]", "[": "[", "]": "]", "^": "^", "-": "-"}
    return plain.get(text) or re.escape(text)
