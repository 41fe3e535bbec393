"""Caches on the host: folders beside the sources that `COPY . .` brings into the build."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from drillbook.decide.cache import Cache, Present, ages
from drillbook.observe.facts import Snapshot
from drillbook.observe.facts_signs import FolderFact

PURE = {"node-modules-cache": "node_modules/.cache", "next-cache": ".next/cache", "pycache": "__pycache__"}
"""Caches of a tool and nothing else: removing one costs time, never data."""
REUSED = {
    "node-modules-cache": "bundlers keep compiled modules there and look at times, not at content",
    "next-cache": "next build takes compiled pages from it",
    "pycache": "Python takes the bytecode when time and size of the source fit",
}


def host_caches(snapshot: Snapshot, now: float) -> Iterator[Cache]:
    """One row a folder that a build would be given, and one for each kind that is absent."""
    folders = snapshot.caches.folders if snapshot.caches else ()
    artifacts = [f for f in folders if not any(_is(f, name) for name in PURE.values())]
    given = [f for f in artifacts if f.in_context]
    yield from (_artifact(f, now) for f in given)
    if not given:
        yield _absent(snapshot, artifacts)
    yield from (_pure(snapshot, key, [f for f in folders if _is(f, PURE[key])], now) for key in PURE)


def _is(folder: FolderFact, name: str) -> bool:
    return f"/{folder.path}".endswith(f"/{name}")


def _artifact(folder: FolderFact, now: float) -> Cache:
    where = shlex.quote(folder.path)
    return Cache(
        f"host-artifact:{folder.path}", "host artifact in the build context", folder.path, "yes", folder.bytes,
        ages(now, [folder.newest]), f'mv {where} "$(mktemp -d -p /var/tmp)"', no_cache=False,
        note=f"{_files(folder)} that no commit knows; COPY takes them along, and a build that finds them may skip its "
        "work. Moved out of the context, not deleted; then rebuild",
    )  # fmt: skip


def _absent(snapshot: Snapshot, beside: Sequence[FolderFact]) -> Cache:
    what = "host artifacts in the build context"
    why = _unseen(snapshot)
    if why:
        return Cache("host-artifact", what, "beside the sources", "unknown", note=why)
    note = f"kept out of the context: {', '.join(f.path for f in beside)}" if beside else "none beside the sources"
    return Cache("host-artifact", what, "beside the sources", "no", _bytes(beside), note=note)


def _pure(snapshot: Snapshot, key: str, found: Sequence[FolderFact], now: float) -> Cache:
    given = [f for f in found if f.in_context]
    present: Present = "yes" if given else "unknown" if _unseen(snapshot) else "no"
    shown = given or found
    paths = [f.path for f in shown]
    note = f"kept out of the context: {', '.join(paths)}" if found and not given else REUSED[key]
    return Cache(
        key, PURE[key], ", ".join(paths) or "beside the sources", present, _bytes(shown),
        ages(now, [f.newest for f in shown]), f"rm -rf -- {shlex.join(paths)}" if paths else "", no_cache=False,
        note=_unseen(snapshot) if present == "unknown" else note,
    )  # fmt: skip


def _unseen(snapshot: Snapshot) -> str:
    """Why nothing can be said of the build contexts; empty where every one was looked into."""
    if snapshot.caches is None:
        return snapshot.unknown.get("caches", "the caches were not observed")
    missing = [service for service in snapshot.sources if service not in snapshot.contexts]
    if missing or not snapshot.sources:
        names = [f"{what} of {service}" for service in missing for what in ("build context", "source")]
        told = next((why for name in names if (why := snapshot.unknown.get(name))), "it was not observed")
        return f"build context of {', '.join(missing) or 'every service'}: {told}"
    return ""


def _bytes(folders: Sequence[FolderFact]) -> int | None:
    return sum(f.bytes for f in folders) if folders else None


def _files(folder: FolderFact) -> str:
    return f"{'more than ' if folder.cut else ''}{folder.files} files"
