"""One lock per target: a labelled volume on its own engine, and a file lock on this host in front of it."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook import home
from drillbook.act import durable
from drillbook.act.journal import now
from drillbook.errors import EngineDown, Locked
from drillbook.observe.holder import Holder, gone, me
from drillbook.target import Target

if TYPE_CHECKING:
    from docker import DockerClient
    from filelock import BaseFileLock

LABEL = "drillbook.lock."
KEYS = ("token", "host", "user", "pid", "pid_started", "run", "since", "reason")


class TargetLock:
    """The lock of *target*, for the run *run*, with the *reason* that others are told.

    `taken_over` says whose lock it was, when a holder was found that provably
    no longer runs.
    """

    def __init__(self, target: Target, run: str, reason: str) -> None:
        self.target = target
        self.token = secrets.token_hex(8)
        self.said = {"token": self.token, **_said(me()), "run": run, "since": now(), "reason": reason}
        self.taken_over: dict[str, str] | None = None
        self._file: BaseFileLock | None = None

    @property
    def volume(self) -> str:
        """The name of the volume that is the lock on the engine."""
        return f"drillbook-lock-{self.target.identity}"

    @property
    def name(self) -> str:
        """What the lock is called where it is held: its volume, or its file."""
        return self.volume if self.target.stack is not None else str(self.note.with_suffix(".lock"))

    @property
    def note(self) -> Path:
        """The file that tells who holds the file lock."""
        return home.outputs() / ".locks" / f"{self.target.name}-{self.target.identity}.json"

    def acquire(self) -> TargetLock:
        """Take the lock, now or not at all.

        Changes the file lock and its note, and the engine's lock volume.

        Raises:
            Locked: another run holds it; the error says who, since when and why.
            EngineDown: the target's engine does not answer.
        """
        self._acquire_file()
        try:
            if self.target.stack is not None:
                self._acquire_volume()
        except BaseException:
            self._release_file()
            raise
        return self

    def release(self) -> None:
        """Give the lock back; another's is left alone."""
        try:
            if self.target.stack is not None and self._file is not None:
                self._release_volume()
        finally:
            self._release_file()

    def _acquire_file(self) -> None:
        from filelock import FileLock, Timeout

        durable.folder(self.note.parent)
        file = FileLock(self.note.with_suffix(".lock"), timeout=0, mode=0o600)
        try:
            file.acquire()
        except Timeout as error:
            raise self._locked(_note(self.note)) from error
        self._file = file
        if (left := _note(self.note)).get("token"):
            self.taken_over = left
        durable.replace(self.note, json.dumps(self.said).encode())

    def _release_file(self) -> None:
        if self._file is not None:
            self.note.unlink(missing_ok=True)
            self._file.release()
            self._file = None

    def _acquire_volume(self) -> None:
        from drillbook.observe import engine

        client = engine.client(self.target)
        held = self._create(client)
        if held.get("token") == self.token:
            return
        if not gone(_holder(held)):
            raise self._locked(held)
        self._take_over(client, held)

    def _take_over(self, client: DockerClient, dead: dict[str, str]) -> None:
        """Replace the lock of the *dead* holder, one taker of this host at a time."""
        from filelock import FileLock, Timeout

        place = Path(tempfile.gettempdir()) / f"{self.volume}.takeover"
        try:
            with FileLock(place, timeout=5):
                if self._create(client) == dead:
                    client.volumes.get(self.volume).remove()
                held = self._create(client)
        except (Timeout, OSError) as error:
            raise self._locked(dead) from error
        if held.get("token") != self.token:
            raise self._locked(held)
        self.taken_over = dead

    def _create(self, client: DockerClient) -> dict[str, str]:
        """Create the volume unless it is there; what the one that is there now says.

        It is looked at in a second request: of a volume that was there before the engine was started anew, the
        answer to the first one tells no labels. One that goes between the two says nothing, and is held.
        """
        from docker.errors import DockerException, NotFound

        labels = {f"{LABEL}{key}": str(value) for key, value in self.said.items()}
        try:
            client.volumes.create(self.volume, labels=labels)
            volume = client.volumes.get(self.volume)
        except NotFound:
            return {}
        except DockerException as error:
            raise EngineDown(
                f"the lock volume {self.volume} cannot be made: {error}", "run drillbook doctor"
            ) from error
        found = volume.attrs.get("Labels") or {}
        return {key: found.get(f"{LABEL}{key}", "") for key in KEYS}

    def _release_volume(self) -> None:
        from docker.errors import DockerException, NotFound

        from drillbook.observe import engine

        try:
            volume = engine.client(self.target).volumes.get(self.volume)
            if (volume.attrs.get("Labels") or {}).get(f"{LABEL}token") == self.token:
                volume.remove()
        except NotFound:
            return
        except DockerException as error:
            raise EngineDown(
                f"the lock volume {self.volume} cannot be removed: {error}",
                "the next run on this host takes it over once this process has ended",
            ) from error

    def _locked(self, held: dict[str, str]) -> Locked:
        who = _holder(held)
        since, reason = held.get("since") or "an unknown time", held.get("reason") or "an unknown reason"
        told = f"{who}, since {since}, for {reason} (run {held.get('run') or 'unknown'})" if who.user else "another run"
        hint = f"wait until it has ended: drillbook runs --target {self.target.name}"
        if self.target.stack is not None:
            hint += f"; only when that process is surely gone: docker volume rm {self.volume}"
        return Locked(f"the target {self.target.name} is locked by {told}", hint, held)


@contextmanager
def lock(target: Target, run: str, reason: str) -> Iterator[TargetLock]:
    """Hold the lock of *target* for the block.

    Raises:
        Locked, EngineDown: as `TargetLock.acquire`.
    """
    held = TargetLock(target, run, reason).acquire()
    try:
        yield held
    finally:
        held.release()


def _said(holder: Holder) -> dict[str, str]:
    return {key: str(value) for key, value in asdict(holder).items()}


def _holder(held: dict[str, str]) -> Holder:
    pid = held.get("pid", "")
    return Holder(
        held.get("host", ""), held.get("user", ""), int(pid) if pid.isdecimal() else 0, held.get("pid_started", "")
    )


def _note(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
