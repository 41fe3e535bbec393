"""What pgBackRest says of a stanza: its backup sets, and the state of its repository."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from drillbook.errors import BadTarget, RunbookError
from drillbook.observe.command import run_checked
from drillbook.target import PgBackRest, Target
from drillbook.vault.manifest import Manifest

INFO_SECONDS = 120
QUIET = ("--log-level-console=off", "--log-level-file=off")
"""For what only reads: no log file of ours lies among those of the server's own pgbackrest."""


@dataclass(frozen=True)
class BackupSet:
    """One backup set of a stanza. `reference` are the labels of the sets that it is built on."""

    label: str
    type: Literal["full", "diff", "incr"]
    started: datetime
    stopped: datetime
    stop_lsn: str
    reference: tuple[str, ...]
    bytes: int
    repository_bytes: int
    version: str


@dataclass(frozen=True)
class Stanza:
    """A stanza as `pgbackrest info` tells it; `code` is 0 when all is well. `sets` are oldest first.

    `archive` is the folder of the repository that the server's WAL goes into.
    """

    name: str
    code: int
    message: str
    system_identifier: str
    archive: str
    sets: tuple[BackupSet, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(one.label for one in self.sets)


def described(target: Target) -> PgBackRest:
    """The section of the target's file.

    Raises:
        BadTarget: there is none.
    """
    if target.backup.pgbackrest is None:
        raise BadTarget(
            f"{target.file} has no section backup.pgbackrest, and this backup lies in a repository of pgBackRest",
            "name the stanza there; parameters/targets/example.yaml shows how",
        )
    return target.backup.pgbackrest


def as_owner(target: Target) -> tuple[str, ...]:
    """What goes before a command that must be run by the owner of the server's files; nothing when that is us.

    Raises:
        BadTarget: it is another user, and we are not root.
    """
    user = described(target).run_as
    me = pwd.getpwuid(os.geteuid()).pw_name
    if user in ("", me):
        return ()
    if os.geteuid() != 0:
        raise BadTarget(f"pgbackrest is to run as {user}, and this is {me}", f"run drillbook as {user}, or as root")
    return ("runuser", "-u", user, "--")


def command(target: Target) -> tuple[str, ...]:
    """The beginning of every call of pgbackrest for *target*. Secrets stand in its configuration, never here."""
    section = described(target)
    return (*as_owner(target), "pgbackrest", f"--config={target.path(section.config)}", f"--stanza={section.stanza}")


def environment() -> dict[str, str]:
    """Ours without the variables of libpq and of pgbackrest, which would lead it to another server or repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def stanza(target: Target) -> Stanza:
    """The stanza as it is now. Changes nothing.

    Raises:
        RunbookError: pgbackrest is not there, cannot read its repository, or knows no such stanza.
    """
    argv = (*command(target), *QUIET, "--output=json", "info")
    hint = "apt-get install pgbackrest, and see backup.pgbackrest in the target's file"
    return parsed(run_checked(argv, timeout=INFO_SECONDS, env=environment(), hint=hint).stdout)


def parsed(text: str) -> Stanza:
    """The stanza in the JSON that `info` printed.

    Raises:
        RunbookError: it tells of none.
    """
    found = json.loads(text or "[]")
    if len(found) != 1 or not found[0].get("db"):
        said = found[0]["status"]["message"] if found else "nothing"
        raise RunbookError(
            f"pgbackrest knows no such stanza: {said}", "pgbackrest stanza-create, as the server's owner, then check"
        )
    told = found[0]
    sets = tuple(_set(raw) for raw in told["backup"])
    status, newest = told["status"], told["db"][-1]
    archive = f"archive/{told['name']}/{newest['version']}-{newest['id']}"
    return Stanza(
        told["name"], int(status["code"]), str(status["message"]), str(newest["system-id"]), archive, sets
    )  # fmt: skip


def missing(target: Target, manifests: Iterable[Manifest]) -> frozenset[str]:
    """The names of the backups whose set is not in the repository any more. Changes nothing.

    Raises:
        RunbookError: there are such backups, and the repository cannot be read.
    """
    physical = [manifest for manifest in manifests if manifest.physical]
    labels = set(stanza(target).labels) if physical else set()
    return frozenset(m.name for m in physical if not {entry.label for entry in m.physical.values()} <= labels)


def has_segment(target: Target, archive: str, segment: str) -> bool:
    """Whether the folder *archive* of the repository holds the WAL *segment*. Changes nothing.

    Raises:
        RunbookError: the repository cannot be listed.
    """
    place = f"{archive}/{segment[:16]}"
    argv = (*command(target), *QUIET, f"--filter=^{segment}-[0-9a-f]{{40}}", "repo-ls", place)
    return bool(run_checked(argv, timeout=INFO_SECONDS, env=environment()).stdout.strip())


def _set(raw: dict[str, Any]) -> BackupSet:
    times = {name: datetime.fromtimestamp(raw["timestamp"][name], UTC) for name in ("start", "stop")}
    lsn = raw.get("lsn") or {}  # a set of a stopped server has none
    return BackupSet(
        label=raw["label"], type=raw["type"], started=times["start"], stopped=times["stop"],
        stop_lsn=str(lsn.get("stop", "")), reference=tuple(raw.get("reference") or ()),
        bytes=int(raw["info"]["size"]),
        repository_bytes=int(raw["info"]["repository"]["delta"]), version=raw["backrest"]["version"],
    )  # fmt: skip
