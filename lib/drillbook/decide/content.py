"""Files held against files, by content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import pathspec

from drillbook.observe.facts import FilesFact, SourceFact

NAMED = 3
CODE_SUFFIXES = (
    ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".node", ".wasm", ".py", ".pyc", ".so", ".rb", ".php", ".pl", ".lua",
    ".jar", ".war", ".class", ".dll", ".exe", ".ex", ".beam", ".css", ".html", ".sh",
)  # fmt: skip
"""What a process loads as code; a mounted data file that is not the image's masks nothing."""


def source_digest(sources: Mapping[str, str]) -> str:
    """One digest over path → sha256: the sha256 of the sorted lines `<sha256>  <path>`, as sha256sum prints them."""
    lines = sorted(f"{digest}  {path}\n" for path, digest in sources.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def differing(source: SourceFact, files: Mapping[str, str]) -> list[str]:
    """Tracked files whose content in *files* is another, or that are missing from a folder that was copied."""
    copied = {path.rpartition("/")[0] for path in source.tracked if path in files}
    gone = [p for p in source.tracked if p not in files and "/" in p and p.rpartition("/")[0] in copied]
    other = [p for p, digest in source.tracked.items() if p in files and files[p] != digest]
    return sorted({*gone, *other})


def compares(source: SourceFact, found: FilesFact) -> bool:
    """Whether the content of an image can be held against the source: a file of it is there, or a manifest tells."""
    return bool(found.built_from) or any(found.files.get(path) == digest for path, digest in source.tracked.items())


def named(paths: Iterable[str]) -> str:
    """The first few paths, and how many more."""
    paths = list(paths)
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return f"{', '.join(paths[:NAMED])}{more}"


def is_code(path: str) -> bool:
    """Whether a process would load the file as code, by its name."""
    return path.endswith(CODE_SUFFIXES)


def matching(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path is one of *patterns*, which are written as in .gitignore."""
    if not patterns:
        return lambda _: False
    return pathspec.PathSpec.from_lines("gitignore", patterns).match_file


def below(path: str, folder: str) -> bool:
    """Whether *path* is *folder* or lies in it; `.` holds everything."""
    return folder in (".", path) or path.startswith(f"{folder}/")
