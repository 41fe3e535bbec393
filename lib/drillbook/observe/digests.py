"""Digests that are remembered: of images by their layers, of files by what no program can set back.

Below `outputs/.cache`; removing it is always safe. See docs/decisions/0007.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from drillbook import home
from drillbook.errors import RunbookError
from drillbook.observe.names import printable

VERSION = 2
KEPT = 60
THREADS, CHUNK, LIMIT, PIECE, SLICE = 2, 200, 300_000, 1 << 18, 1000
RACY_SECONDS = 2.0
"""A file that changed less than this before it was hashed may change again within one tick of its clock."""


def key_of(*parts: Any) -> str:
    """A name for what *parts* say."""
    return hashlib.sha256(json.dumps([VERSION, *parts]).encode()).hexdigest()[:40]


def recall(kind: str, key: str) -> dict[str, Any]:
    """What was remembered; empty when nothing was, or when it cannot be read."""
    try:
        told = json.loads((_folder() / f"{kind}-{key}.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def remember(kind: str, key: str, value: Mapping[str, Any]) -> None:
    """Keep *value*, whole or not at all, mode 0600; where that cannot be, it is computed again next time."""
    with suppress(OSError):
        folder = _folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        aside = folder / f".{secrets.token_hex(6)}"
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as stream:
            stream.writelines(_json(value))
        aside.replace(folder / f"{kind}-{key}.json")
        _sweep(folder)


def _json(value: Mapping[str, Any]) -> Iterator[str]:
    """*value* as JSON in pieces: json.dumps holds those of 50,000 names at once, json.dump takes five times as long."""
    items, comma = iter(value.items()), "{"
    while part := dict(islice(items, SLICE)):
        deep = {name: inner for name, inner in part.items() if isinstance(inner, Mapping) and len(inner) > SLICE}
        flat = {name: inner for name, inner in part.items() if name not in deep}
        if flat:
            yield comma + json.dumps(flat, separators=(",", ":"))[1:-1]
            comma = ","
        for name, inner in deep.items():
            yield f"{comma}{json.dumps(name)}:"
            yield from _json(inner)
            comma = ","
    yield "{}" if comma == "{" else "}"


def _folder() -> Path:
    return home.outputs() / ".cache" / "digests"


def _sweep(folder: Path) -> None:
    files = sorted(folder.glob("*.json"), key=lambda f: f.stat().st_mtime, reverse=True)
    for file in files[KEPT:]:
        file.unlink(missing_ok=True)


def sha256(file: Path | str) -> str:
    """The sha256 of the file's content, in hex; of its target's name for a symbolic link."""
    if os.path.islink(file):  # noqa: PTH114 - a Path for each of 50,000 names takes a second
        return hashlib.sha256(os.fsencode(os.readlink(file))).hexdigest()  # noqa: PTH115
    digest = hashlib.sha256()
    with open(file, "rb", buffering=0) as handle:  # noqa: PTH123
        while piece := handle.read(PIECE):  # hashlib.file_digest clears a buffer of this size for each file
            digest.update(piece)
    return digest.hexdigest()


def file_digests(directory: Path, names: Iterable[str]) -> dict[str, tuple[str, tuple[int, int]]]:
    """name → sha256, and bytes and whole seconds of the last change, for each file or link of *names* that is there.

    A digest is remembered by device, inode, size, mtime and ctime. `rsync -a` and
    `touch` set the mtime, which is why BuildKit's size and mtime are a trap; nobody sets the ctime.
    """
    key = key_of("files", str(directory))
    known, now = recall("files", key), time.time()
    marks, stamps, young = dict[str, str](), dict[str, tuple[int, int]](), set[str]()
    for name in names:
        if (seen := _stat(f"{directory}/{name}")) is not None:
            marks[name] = f"{seen.st_dev} {seen.st_ino} {seen.st_size} {seen.st_mtime_ns} {seen.st_ctime_ns} "
            stamps[name] = (seen.st_size, int(seen.st_mtime))
            young |= {name} if now - seen.st_ctime <= RACY_SECONDS else set()
    same = {n: known[k][len(mark) :] for n, mark in marks.items() if known.get(k := printable(n), "").startswith(mark)}
    if len(same) < len(marks):
        fresh = _fresh(directory, [name for name in marks if name not in same])
        settled = ((printable(n), f"{marks[n]}{d}") for n, d in fresh.items() if d and n not in young)
        remember("files", key, {**(known if len(known) < LIMIT else {}), **dict(settled)})
        same |= fresh
    return {n: (d, stamp) for n, stamp in stamps.items() if (d := same.get(n))}


def _stat(path: str) -> os.stat_result | None:
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode) else None


def _fresh(directory: Path, names: list[str]) -> dict[str, str]:
    """name → sha256, in a few threads: hashing gives up the interpreter's lock."""
    parts = [names[start : start + CHUNK] for start in range(0, len(names), CHUNK)]
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        done = pool.map(lambda part: [(name, _hashed(f"{directory}/{name}")) for name in part], parts)
        return dict(pair for part in done for pair in part)


def _hashed(path: str) -> str:
    """The sha256; nothing for a file that has gone meanwhile.

    Raises:
        RunbookError: it may not be read.
    """
    try:
        return sha256(path)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path | str, error: OSError) -> RunbookError:
    """What to say of a file or folder of the sources that may not be read."""
    fact = f"{printable(str(path))} cannot be read: {error.strerror}"
    return RunbookError(fact, "run this as a user who may read the sources, or keep it out in .dockerignore")
