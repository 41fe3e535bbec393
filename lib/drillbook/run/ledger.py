"""The ledger: the append-only, hash-chained record of runs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from drillbook import home
from drillbook.act import durable
from drillbook.act.journal import now
from drillbook.errors import RunbookError
from drillbook.run import executed
from drillbook.run.record import FILE, Record, folders, settle

COPIES = ("notebook.ipynb", FILE, "journal.jsonl")
START = "0" * 64


def file() -> Path:
    """Where the ledger lies."""
    return home.outputs() / "ledger.jsonl"


def enter(folder: Path) -> dict[str, Any] | None:
    """Enter the finished run in *folder*, once; a running one is not entered.

    Changes the ledger; a torn last line, left by a crash, is cut off first.
    Gives the entry, or None when it was there or the run still runs.
    """
    record = Record.load(folder)
    if record.status == "running":
        return None
    with _alone():
        entries = [entry for entry in map(_parse, _lines()) if entry]
        if any(entry.get("run") == record.run for entry in entries):
            return None
        entry = _entry(record, entries[-1].get("hash", START) if entries else START)
        _append(entry)
    return entry


def settle_all(target: str = "") -> list[Record]:
    """All runs, or *target*'s, newest first; those found dead are settled, those not entered are entered.

    What cannot be written, for the disk is full or the folder is somebody else's, is left for the next look.
    """
    records = []
    entered = {entry.get("run") for entry in map(_parse, _lines()) if entry}
    for folder in reversed(folders(target)):
        record = settle(folder)
        if record.run not in entered and record.status != "running":
            with suppress(OSError):
                _enter_late(record)
        records.append(record)
    return records


def _enter_late(record: Record) -> None:
    """Enter a run that ended without entering itself; the copy of one that died says so first."""
    if record.mode == "unattended" and record.status == "aborted":
        executed.mend(record)
    enter(record.folder)


def verify() -> list[str]:
    """What is wrong with the ledger and the copies it vouches for; nothing wrong is an empty list.

    Changes nothing.
    """
    wrong, before, seen = [], START, set()
    for number, line in enumerate(_lines(), 1):
        entry = _parse(line)
        if entry is None:
            wrong.append(f"line {number} is broken")
            continue
        if entry.get("hash") != _hash(entry):
            wrong.append(f"line {number} (run {entry.get('run')}) was changed: its hash does not match")
        if entry.get("prev") != before:
            wrong.append(f"line {number} (run {entry.get('run')}) does not follow the line before it")
        before = entry.get("hash", "")
        seen.add(entry.get("run"))
        wrong.extend(_changed(entry))
    finished = [folder.name for folder in folders() if Record.load(folder).status != "running"]
    return wrong + [f"run {run} has ended but is not in the ledger" for run in finished if run not in seen]


def _changed(entry: dict[str, Any]) -> Iterator[str]:
    folder = home.outputs() / str(entry.get("folder"))
    for name, digest in dict(entry.get("files") or {}).items():
        found = _digest(folder / name)
        if found != digest:
            what = "is missing" if found is None else "was changed"
            yield f"run {entry.get('run')}: {name} {what} since the run was entered"


def _entry(record: Record, prev: str) -> dict[str, Any]:
    unattended = record.mode == "unattended"  # a person's own copy in JupyterLab goes on changing
    names = [name for name in COPIES if unattended or name != "notebook.ipynb"]
    digests = {name: _digest(record.folder / name) for name in names}
    entry = {
        "at": now(),
        **{key: getattr(record, key) for key in ("run", "runbook", "target", "mode", "status", "reason", "exit_code")},
        "started": record.started,
        "ended": record.ended,
        "folder": str(record.folder.relative_to(home.outputs())),
        "files": {name: digest for name, digest in digests.items() if digest},
        "prev": prev,
    }
    return {**entry, "hash": _hash(entry)}


def _hash(entry: dict[str, Any]) -> str:
    body = {key: value for key, value in entry.items() if key != "hash"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _lines() -> list[bytes]:
    return file().read_bytes().splitlines() if file().is_file() else []


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _append(entry: dict[str, Any]) -> None:
    handle = os.open(file(), os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(handle, "r+b") as stream:
        whole = stream.read()
        stream.seek(whole.rfind(b"\n") + 1)
        stream.truncate()
        stream.write(json.dumps(entry, ensure_ascii=True).encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def _alone() -> Iterator[None]:
    from filelock import FileLock, Timeout

    durable.folder(home.outputs() / ".locks")
    try:
        with FileLock(home.outputs() / ".locks" / "ledger.lock", timeout=30, mode=0o600):
            yield
    except Timeout as error:
        raise RunbookError("the ledger is held by another process", "try again") from error
