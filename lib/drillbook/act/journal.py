"""The journal: a run's append-only record of intents and outcomes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drillbook.errors import Unrecorded


def now() -> str:
    """The time as the journal writes it: UTC, milliseconds, `Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _whole(handle: int, data: bytes) -> None:
    """Write all of *data*: a full disk takes a part of it, and says so only at the next call."""
    while data:
        data = data[os.write(handle, data) :]


class Journal:
    """One `journal.jsonl`; each line is on disk before the call returns."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def write(self, event: str, **fields: Any) -> None:
        """Append one line, fsynced. *event* is said only of what has happened.

        Changes the journal's file, made with mode 0600. A last line that a cut
        left half-written is closed first, so that it spoils no other.

        Raises:
            Unrecorded: it is not on disk.
        """
        line = json.dumps({"at": now(), "event": event, **fields}, ensure_ascii=False, default=str)
        try:
            self._append(line.encode())
        except OSError as error:
            raise Unrecorded(
                f"the journal cannot be written: {error.strerror}: {self.file}; nothing is done that is not recorded",
                f"free space there, then go on with --resume {self.file.parent.name}",
            ) from error

    def _append(self, line: bytes) -> None:
        handle = os.open(self.file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(handle).st_size
            cut = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            _whole(handle, b"\n" * cut + line + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every whole line; a last line that a cut left half-written is passed over."""
        if not self.file.is_file():
            return
        for line in self.file.read_bytes().split(b"\n"):
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry

    def done(self) -> set[str]:
        """The ids of the steps whose outcome is `done`."""
        return {entry["step"] for entry in self.lines() if entry["event"] == "done"}
