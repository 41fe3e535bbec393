"""A scratch server that pgBackRest restored and that recovered by itself to where it should; gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drillbook.act import cluster as clusters
from drillbook.act.cluster import Cluster
from drillbook.act.scratch import PORT, Fate, Scratch, keep_cluster
from drillbook.act.scratch_marks import FOLDER, claim
from drillbook.act.scratch_sweep import sweep_folders
from drillbook.decide.pgbackrest import SCRATCH, refuse_live
from drillbook.decide.plan import Step
from drillbook.errors import CommandFailed, DatabaseDown, RunbookError
from drillbook.observe import binaries, pgbackrest
from drillbook.observe.binaries import Binaries
from drillbook.observe.command import run, run_checked
from drillbook.observe.server import PINNED, Place, one, session
from drillbook.target import Target
from drillbook.vault.manifest import PhysicalEntry, ServerEntry

NOWHERE = "/nonexistent"
SPARE_BYTES = 256 << 20
PAUSE_SECONDS = 0.1
SOUND = "see that the archive has all WAL from the set's start on, and that backup.pgbackrest.run_as owns the files"
ALONE = {
    **clusters.FAST,
    "archive_mode": "off",
    "hot_standby": "off",
    "max_worker_processes": "0",
    "max_logical_replication_workers": "0",
    "max_prepared_transactions": "1000",
    "archive_cleanup_command": "",
    "recovery_end_command": "",
    "recovery_min_apply_delay": "0",
    "primary_conninfo": "",
    "primary_slot_name": "",
    "logging_collector": "off",
    "log_destination": "stderr",
    "ssl": "off",
}
"""What the copy is started with, over all that came with the files.

Nothing in it acts by itself: no subscription takes what is the live server's, no scheduled job runs. Without
`hot_standby` recovery does not ask for the source's connection limits.
"""
HISTORY = """
SELECT pg_read_file('pg_wal/' || name) FROM pg_ls_waldir() AS wal(name) WHERE name LIKE '%.history'
ORDER BY name DESC LIMIT 1
"""


@contextmanager
def recovered(target: Target, source: ServerEntry, entry: PhysicalEntry, step: Step) -> Iterator[Scratch]:
    """A server with the files that *step*'s argv restores, recovered and open; `facts` tell where recovery ended.

    Changes nothing that lasts, and nothing outside of its own folder.

    Raises:
        RunbookError: there is too little room, pgBackRest said no, or recovery did not come to where it should.
    """
    found = same_major(source.major)
    sweep_folders(_place(target), _owner(target))
    fate = Fate()
    with _folder(target, entry, fate) as folder:
        argv = tuple(word.replace(SCRATCH, str(folder)) for word in step.argv)
        run_checked(argv, timeout=step.timeout_seconds, env=pgbackrest.environment())
        cluster = Cluster(found, folder, source.user, PORT, pgbackrest.as_owner(target))
        try:
            _start(cluster, source)
            place = Place(str(folder), PORT, source.user, "postgres")
            facts = {"kind": "pgbackrest", "set": entry.label, "folder": str(found.folder), "version": found.version}
            ended = _wait(cluster, place, step.timeout_seconds)
            facts["ended"] = ended
            env = pgbackrest.environment()
            yield Scratch(place, (str(found.folder),), str(folder), env, found.version, facts, fate=fate)
        finally:
            if fate.kept:
                keep_cluster(cluster, fate, _settings(cluster, source))
            else:
                clusters.stop(cluster)


def absent(source: ServerEntry, entry: PhysicalEntry) -> Scratch:
    """The scratch server that never came up: nobody answers there."""
    facts = {"kind": "pgbackrest", "set": entry.label, "ended": ""}
    programs = next((str(b.folder) for b in binaries.installed(binaries.SERVER) if b.major == source.major), NOWHERE)
    return Scratch(Place(NOWHERE, PORT, source.user, "postgres"), (programs,), NOWHERE, {}, "", facts)


def same_major(major: int) -> Binaries:
    """The programs of exactly this major version: no other reads its files.

    Raises:
        RunbookError: there are none here.
    """
    for found in binaries.installed(binaries.SERVER):
        if found.major == major:
            return found
    raise RunbookError(
        f"PostgreSQL {major} is not on this machine, and no other version reads its files",
        f"install postgresql-{major}; nothing was restored",
    )


def _place(target: Target) -> Path:
    """Where copies of the server are made."""
    named = pgbackrest.described(target).scratch
    return target.path(named) if named else Path(tempfile.gettempdir())


@contextmanager
def _folder(target: Target, entry: PhysicalEntry, fate: Fate) -> Iterator[Path]:
    """A fresh private folder of the owner of the server's files, with room for all of them; gone after, or kept."""
    place = _place(target)
    live = os.path.realpath(entry.data_directory) if entry.data_directory else ""
    refuse_live(live, str(place.resolve() / FOLDER))
    folder = Path(tempfile.mkdtemp(prefix=FOLDER, dir=place)).resolve()
    try:
        claim(folder)
        free = shutil.disk_usage(folder).free
        if free < entry.bytes + SPARE_BYTES:
            raise RunbookError(
                f"{folder.parent} has {free / 1e9:.2f} GB free, and the copy takes {entry.bytes / 1e9:.2f} GB",
                "name a folder with more room in backup.pgbackrest.scratch; nothing was restored",
            )
        _prepare(folder, _owner(target))
        yield folder
    finally:
        if not fate.kept:
            shutil.rmtree(folder, ignore_errors=True)


def _owner(target: Target) -> int:
    """The user id that the server's files belong to."""
    section = pgbackrest.described(target)
    return pwd.getpwnam(section.run_as).pw_uid if pgbackrest.as_owner(target) else os.geteuid()


def _prepare(folder: Path, owner: int) -> None:
    """What pgBackRest restores into, and what the server reads in place of its source's configuration."""
    for name in ("data", "tablespaces"):
        (folder / name).mkdir(mode=0o700)
    (folder / "hba").write_text("local all all trust\n")
    for name in ("ident", "conf"):
        (folder / name).touch()
    for path in (folder, *folder.iterdir()):
        os.chown(path, owner, -1)


def _start(cluster: Cluster, source: ServerEntry) -> None:
    try:
        clusters.start(cluster, _settings(cluster, source))
    except CommandFailed as error:
        raise CommandFailed(f"recovery did not begin, or failed: {_told(cluster)}", SOUND, error.evidence) from error


def _settings(cluster: Cluster, source: ServerEntry) -> dict[str, str]:
    places = {"config_file": "conf", "hba_file": "hba", "ident_file": "ident"}
    own = {name: str(cluster.folder / file) for name, file in places.items()}
    return {**own, "data_directory": str(cluster.data), "shared_preload_libraries": source.preload, **ALONE}


def _wait(cluster: Cluster, place: Place, seconds: float) -> str:
    """Wait until recovery has ended; the line of the new timeline's history that tells where.

    Raises:
        RunbookError: the server ended instead, or recovery takes longer than *seconds*.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with session(place, PINNED) as connection:
                if one(connection, "SELECT pg_is_in_recovery()") == "False":
                    return one(connection, HISTORY).strip().splitlines()[-1]
        except DatabaseDown:
            if run(cluster.argv("pg_ctl", "status"), timeout=30).code != 0:
                raise CommandFailed(f"recovery failed: {_told(cluster)}", SOUND) from None
        time.sleep(PAUSE_SECONDS)
    raise RunbookError(
        f"recovery has not ended within {seconds:.0f} s: {_told(cluster)}", "drill again, with more time"
    )


def _told(cluster: Cluster) -> str:
    """The last two complaints in the log, which archive-get's go into too; else its last line."""
    log = cluster.folder / "log"
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    bad = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "ERROR"))]
    own = [line for line in bad if "not accepting connections" not in line and "starting up" not in line]
    return " | ".join(own[-2:]) or (lines or ["nothing"])[-1]
