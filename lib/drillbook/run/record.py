"""A run's folder and its record, `run.json`."""

from __future__ import annotations

import json
import platform
import re
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from drillbook import __version__, home
from drillbook.act import durable
from drillbook.act.journal import Journal, now
from drillbook.errors import RunbookError
from drillbook.observe.holder import Holder, gone, me

FILE = "run.json"
INVALID = "_invalid"


def versions() -> dict[str, str]:
    """The versions that a reader of an old run will ask for."""
    return {"drillbook": __version__, "python": platform.python_version(), "platform": platform.platform()}


@dataclass
class Record:
    """What is known of a run. `status` is `running` only while it is alive."""

    folder: Path
    run: str = ""
    runbook: str = ""
    target: str = ""
    status: str = "running"
    reason: str = ""
    exit_code: int | None = None
    started: str = field(default_factory=now)
    ended: str | None = None
    seconds: float | None = None
    pid: int = 0
    pid_started: str = ""
    pid_kernel: int | None = None
    host: str = ""
    user: str = ""
    mode: str = "unattended"
    parameters: dict[str, Any] = field(default_factory=dict)
    step: str | None = None
    error: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    notebook: str | None = "notebook.ipynb"
    versions: dict[str, str] = field(default_factory=versions)

    @classmethod
    def create(cls, folder: Path, runbook: str, target: str, **more: Any) -> Record:
        """The record of a run that begins now in *folder*, by this process; it is saved."""
        record = cls(folder, folder.name, runbook, target, **asdict(me()), **more)
        record.save()
        return record

    @classmethod
    def load(cls, folder: Path) -> Record:
        """The record in *folder*.

        Raises:
            RunbookError: there is none, or it is not whole.
        """
        known = {f.name for f in fields(cls)} - {"folder"}
        try:
            raw = json.loads((folder / FILE).read_bytes())
            return cls(folder, **{key: value for key, value in raw.items() if key in known})
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise RunbookError(
                f"{folder / FILE} is not the record of a run: {error}", "drillbook runs lists the runs"
            ) from error

    @property
    def holder(self) -> Holder:
        """The process that runs it."""
        return Holder(self.host, self.user, self.pid, self.pid_started)

    @property
    def data(self) -> dict[str, Any]:
        """What `run.json` says."""
        body = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "folder"}
        return {"format": 1, **body}

    def save(self) -> None:
        """Write `run.json`, whole and on disk."""
        text = json.dumps(self.data, indent=1, ensure_ascii=False, default=str)
        durable.replace(self.folder / FILE, text.encode() + b"\n")

    def update(self, **changes: Any) -> None:
        """Set fields by name and save."""
        known = {f.name for f in fields(self)} - {"folder"}
        if unknown := sorted(set(changes) - known):
            raise TypeError(f"a record has no {', '.join(unknown)}")
        for name, value in changes.items():
            setattr(self, name, value)
        self.save()

    def finish(self, status: str, exit_code: int, reason: str = "", **changes: Any) -> None:
        """End the run now, with what it ended as."""
        began = datetime.fromisoformat(self.started)
        seconds = round((datetime.now(UTC) - began).total_seconds(), 3)
        self.update(status=status, exit_code=exit_code, reason=reason, ended=now(), seconds=seconds, **changes)


def new_run_folder(target: str, runbook: str) -> Path:
    """A new, empty folder for a run of *runbook* on *target*; its name is the run's id.

    Raises:
        RunbookError: the folder of the runs cannot be written.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    safe = re.sub(r"[^a-z0-9-]+", "-", runbook.lower())
    path = home.outputs() / target / f"{stamp}-{safe}-{secrets.token_hex(3)}"
    try:
        return durable.folder(path)
    except OSError as error:
        raise RunbookError(
            f"the run's folder cannot be made: {error.strerror}: {path}",
            "free space or correct the mode there, or set DRILLBOOK_OUTPUTS to another folder",
        ) from error


def folders(target: str = "") -> list[Path]:
    """The folders of all runs, or of *target*'s, oldest first."""
    found = home.outputs().glob(f"{target or '*'}/*/{FILE}")
    return sorted((file.parent for file in found), key=lambda folder: folder.name)


def last_step(folder: Path) -> str | None:
    """The last step that the journal in *folder* names."""
    steps = [line["step"] for line in Journal(folder / "journal.jsonl").lines() if line.get("step")]
    return str(steps[-1]) if steps else None


def settle(folder: Path) -> Record:
    """The record in *folder*; a running one whose process is provably gone becomes `aborted`.

    Changes such a record only. It never says more than is known: when the run
    ended and with what exit code stays unknown. Where it cannot be written, for
    the disk is full or the folder is somebody else's, what is given says so all
    the same, and the next look writes it.
    """
    record = Record.load(folder)
    if record.status == "running" and gone(record.holder):
        step = last_step(folder) or record.step
        where = f"; the last step in its journal is {step}" if step else ""
        error = record.error or {
            "type": "Aborted",
            "fact": f"the process of this run is gone, and it left no end{where}",
            "hint": f"look at what there is now with 01-diagnose; then resume with --resume {record.run}",
        }
        with suppress(OSError):
            record.update(status="aborted", reason="process died", step=step, error=error)
    return record
