"""What can go wrong in the middle of a backup: each ends clearly, leaves no half backup, and the next run is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from postgres import writer
from rounds import take_backup, take_drill

from drillbook.act import backup as backups
from drillbook.act import cluster as clusters
from drillbook.act import dump
from drillbook.act.cluster import Cluster
from drillbook.errors import RunbookError
from drillbook.observe import binaries, database
from drillbook.target import Target, parse_target
from drillbook.vault.catalog import Vault

pytestmark = pytest.mark.proofs

SCHEMA = """
CREATE TABLE users (id int PRIMARY KEY, name text);
CREATE TABLE big AS SELECT n, repeat(md5(n::text), 20) AS t FROM generate_series(1, 40000) AS n;
INSERT INTO users SELECT n, 'user ' || n FROM generate_series(1, 300) AS n;
"""


@pytest.fixture
def db(postgres_server: Cluster, database: str) -> Iterator[psycopg.Connection]:
    with writer(postgres_server, database) as connection:
        connection.execute(SCHEMA)
        yield connection


def whole_again(target: Target) -> None:
    """Nothing half-made is in the vault, and the next backup and its drill are good."""
    assert Vault.of(target).backups() == ()
    taken = take_backup(target)
    assert take_drill(target, taken)["verdict"] == "pass"
    assert [path.name for path in Path(target.vault_url).iterdir()] == [taken.name]


def test_a_server_killed_in_the_middle_of_a_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGQUIT to the server while pg_dump runs, as the kernel's OOM killer or a power cut would have it."""
    with tempfile.TemporaryDirectory(prefix="drillbook-k-") as folder:
        cluster = Cluster(binaries.installed(binaries.SERVER)[-1], Path(folder), "keeper")
        clusters.initialise(cluster)
        clusters.start(cluster, {"fsync": "off"})
        try:
            with writer(cluster, "postgres") as connection:
                connection.execute("CREATE DATABASE app")
            with writer(cluster, "app") as connection:
                connection.execute(SCHEMA)
            raw = {"name": "killed", "databases": {"main": {"host": folder, "dbname": "app", "user": "keeper"}},
                   "backup": {"vault": str(tmp_path / "vault")}}  # fmt: skip
            target = parse_target(raw, tmp_path / "killed.yaml")
            real = database.content

            def killed(*given: Any) -> Any:
                clusters.stop(cluster)
                return real(*given)

            with monkeypatch.context() as patch, pytest.raises(RunbookError, match="app"):
                patch.setattr(database, "content", killed)
                take_backup(target)
            clusters.start(cluster, {"fsync": "off"})
            whole_again(target)
        finally:
            clusters.stop(cluster)


def test_a_table_dropped_before_the_dump_reaches_it(
    db: psycopg.Connection, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the snapshot, and gone when the dump wants it: the run fails, and says which table."""
    real = database.sequences

    def dropping(connection: psycopg.Connection) -> Any:
        found = real(connection)
        db.execute("DROP TABLE users")
        return found

    with monkeypatch.context() as patch, pytest.raises(RunbookError, match="users"):
        patch.setattr(database, "sequences", dropping)
        take_backup(target)
    whole_again(target)


def test_a_table_dropped_during_the_dump_waits_for_its_end(
    db: psycopg.Connection, target: Target, postgres_server: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever drops it waits; the backup holds the table, or the run fails clearly: never one without the other."""
    real, dropped = database.content, []

    def drop() -> None:
        with writer(postgres_server, target.databases["main"].dbname) as other:
            other.execute("DROP TABLE users")
            dropped.append(time.monotonic())

    thread = threading.Thread(target=drop)

    def dropping(*given: Any) -> Any:
        found = real(*given)  # now this session holds every table
        thread.start()
        return found

    monkeypatch.setattr(database, "content", dropping)
    try:
        taken = take_backup(target)
    except RunbookError as error:  # a worker of pg_dump met the waiting DROP
        assert "lock" in str(error)
        taken = None
    monkeypatch.undo()
    thread.join(30)
    assert dropped
    if taken:
        assert any(table.name == "public.users" for table in taken.whole().databases["main"].content.tables)
        assert take_drill(target, taken)["verdict"] == "pass"
    else:
        whole_again(target)


def test_a_lock_held_for_long_ends_the_backup_and_names_its_holder(
    db: psycopg.Connection, target: Target, postgres_server: Cluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forgotten migration: after the wait the fact names the table's lock and the session that holds it."""
    monkeypatch.setattr(dump, "LOCK_SECONDS", 2)
    holder = writer(postgres_server, database)
    holder.execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
    try:
        with pytest.raises(RunbookError, match="lock") as caught:
            take_backup(target)
        assert f"session {holder.info.backend_pid}" in str(caught.value)
    finally:
        holder.close()
    whole_again(target)


def test_a_clock_set_back_hides_no_newer_backup(
    db: psycopg.Connection, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest is the one taken last; one dated in the future is never called fresh."""
    first = take_backup(target)
    take_drill(target, first)

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) - timedelta(days=10)

    with monkeypatch.context() as patch:
        patch.setattr(backups, "datetime", Earlier)
        second = take_backup(target)
    vault = Vault.of(target)
    assert second.ended < first.ended
    assert second.name == vault.choose("newest", target.identity).name == vault.backups()[-1].name
    assert vault.latest_proven(timedelta(hours=1)) is not None
    assert vault.latest_proven(timedelta(days=20), datetime.now(UTC) - timedelta(days=10)) is None


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[4:]
import rounds
from drillbook.act import executor, journal
from drillbook.act.journal import Journal
from drillbook.target import load_target

at, kind = int(sys.argv[2]), sys.argv[3]
real, seen = Journal.write, []

def write(self, event, **fields):
    real(self, event, **fields)
    if event in ("intent", "done"):
        seen.append(event)
        if len(seen) == at:
            os.kill(os.getpid(), signal.SIGKILL)

Journal.write = write
target = load_target(sys.argv[1])
if kind == "backup":
    rounds.take_backup(target)
else:
    rounds.take_drill(target, rounds.Vault.of(target).backups()[-1])
print("whole")
"""


def killed_at(target: Target, at: int, kind: str, tmp_path: Path) -> bool:
    """Whether a process that does *kind* was killed by itself at its line *at* of the journal; False when it ended."""
    file = tmp_path / f"{target.name}.yaml"
    raw = {"name": target.name, "databases": {"main": target.databases["main"].model_dump(exclude_defaults=True)},
           "backup": {"vault": target.backup.vault}}  # fmt: skip
    file.write_text(yaml.safe_dump(raw))
    argv = [sys.executable, "-c", KILLED, str(file), str(at), kind, *sys.path]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL or done.stdout.endswith("whole\n"), done.stderr
    return done.returncode == -signal.SIGKILL


def test_kill_9_at_every_step_of_a_backup(db: psycopg.Connection, target: Target, tmp_path: Path) -> None:
    """Before and after each step: never a half backup in the catalog, and the next run sweeps and is whole."""
    for at in range(1, 100):
        if not killed_at(target, at, "backup", tmp_path):
            break
        assert all(b.verdict == "unproven" and Vault.of(target).damage(b) == {} for b in Vault.of(target).backups())
    assert at > 8  # begin, a database, roles and finish, twice each
    taken = Vault.of(target).backups()[-1]
    assert take_drill(target, taken)["verdict"] == "pass"
    names = {path.name for path in Path(target.vault_url).iterdir()}
    assert names == {backup.name for backup in Vault.of(target).backups()}


def test_kill_9_at_every_step_of_a_drill(db: psycopg.Connection, target: Target, tmp_path: Path) -> None:
    """No proof comes of a killed drill, and the next drill passes."""
    taken = take_backup(target)
    for at in range(1, 100):
        if not killed_at(target, at, "drill", tmp_path):
            break
        proofs = Vault.of(target).get(taken.name).proofs
        assert all(proof.verdict == "pass" for proof in proofs)
        assert len(proofs) <= 1
    assert at > 12
    assert Vault.of(target).get(taken.name).verdict == "proven"
