"""Backups with a real pgBackRest: a set and its increments, drilled, and a moment brought back beside what is live."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from backrest import Archived, archived, archiving, backup_plan, drill_plan, drill_set, put_back_to, take_set
from postgres import is_root
from rounds import carry_out

from drillbook.act import still
from drillbook.act.pgbackrest_drill import roles_as_then
from drillbook.act.recovered import recovered
from drillbook.act.scratch import Scratch
from drillbook.act.scratch_sweep import sweep_folders
from drillbook.decide.chosen import Wanted
from drillbook.decide.plan import Plan, Step
from drillbook.errors import BadParameters, CheckFailed, CommandFailed, NoUsableBackup, RunbookError, VaultError
from drillbook.observe import pgbackrest
from drillbook.observe.backups import backup_facts
from drillbook.observe.database import contents
from drillbook.observe.server import Place
from drillbook.vault.catalog import Vault

pytestmark = pytest.mark.proofs

__all__ = ["archived"]


def digests(archived: Archived) -> dict[str, tuple[int, str | None]]:
    return {table.name: (table.rows, table.sum64) for table in contents(archived.target)["shop"].tables}


def copies(archived: Archived) -> list[Path]:
    """The folders of recovered servers that are there now."""
    return list(archived.cluster.folder.glob("drillbook-s-*"))


def runs(pid: int) -> bool:
    """Whether the process does something; one that has ended and that nobody has asked for has no command line."""
    file = Path(f"/proc/{pid}/cmdline")
    return file.exists() and file.read_bytes() != b""


@contextmanager
def damaged(archived: Archived, pattern: str) -> Iterator[None]:
    """Within, one bit is wrong in the newest file of the repository that matches *pattern*."""
    file = max(archived.repository.glob(pattern), key=lambda path: path.name)
    whole = file.read_bytes()
    content = bytearray(whole)
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    try:
        yield
    finally:
        file.write_bytes(whole)


def standing(archived: Archived, name: str) -> str:
    return Vault.of(archived.target).get(name).verdict


def test_a_cut_backup_leaves_nothing_in_the_vault_and_the_next_is_whole(archived: Archived) -> None:
    """pgbackrest is killed under way: no manifest, no partial folder; what it left in its repository hinders nobody."""
    plan = backup_plan(archived.target)
    steps = tuple(replace(s, timeout_seconds=0.8) if s.verb == "pgbackrest.backup" else s for s in plan.steps)
    with pytest.raises(CommandFailed, match="was still running"):
        carry_out(archived.target, replace(plan, steps=steps))
    assert list(archived.target.vault.iterdir()) == []
    taken = take_set(archived.target)
    assert taken.whole().physical["shop"].type == "full"
    assert taken.whole().physical["shop"].tied


def test_a_full_set_and_its_increment_are_proven(archived: Archived) -> None:
    """Each recovers to its own restore point: what was written after it is not there, and nothing is left behind."""
    first = Vault.of(archived.target).latest() or take_set(archived.target)
    with archived.connect() as live:
        live.execute("CREATE ROLE later LOGIN PASSWORD 'x'")
        live.execute("INSERT INTO users (name) SELECT 'later' FROM generate_series(1, 50)")
    second = take_set(archived.target)
    with archived.connect() as live:
        live.execute("DELETE FROM users WHERE name = 'later'; DROP ROLE later")
    here = Scratch(Place(str(archived.cluster.folder), 5432, "keeper", "postgres"), ("",), "", {}, "", {})
    with pytest.raises(RunbookError, match="roles differ: later, later password"):
        roles_as_then(here, second.whole().servers["shop"])
    assert (first.whole().rows, second.whole().rows) == (500, 550)
    entry = second.whole().physical["shop"]
    assert (entry.type, entry.reference) == ("incr", (first.whole().physical["shop"].label,))
    for taken in (first, second):
        proof = drill_set(archived.target, taken)
        assert proof["verdict"] == "pass"
        assert ("shop:roles", "pass") in [(c["id"], c["verdict"]) for c in proof["checks"]]
        point = taken.whole().physical["shop"].restore_point
        assert any(c["id"] == "shop:restore" and f'"{point}"' in c["observed"] for c in proof["checks"])
        assert standing(archived, taken.name) == "proven"
    assert copies(archived) == []
    assert not (archived.cluster.folder / "never").exists(), "a recovery option of the configuration was followed"


@pytest.mark.parametrize(
    ("pattern", "check"),
    [("archive/main/15-1/*/0*.lz4", "shop:restore"), ("backup/main/*F/pg_data/base/5/1255.lz4", "shop:archive")],
    ids=["a WAL segment", "a file of the full set"],
)
def test_a_drill_is_red_when_the_repository_is_damaged(archived: Archived, pattern: str, check: str) -> None:
    """One bit: pgBackRest's info says ok, the drill of the increment says fail, and nothing is left behind."""
    taken = take_set(archived.target)
    with damaged(archived, pattern):
        assert pgbackrest.stanza(archived.target).code == 0
        with pytest.raises(CheckFailed, match="is not proven") as caught:
            drill_set(archived.target, taken)
    verdicts = {c["id"]: c["verdict"] for c in caught.value.evidence["checks"]}
    assert verdicts[check] == "fail"
    assert standing(archived, taken.name) == "failed"
    assert copies(archived) == []
    assert drill_set(archived.target, taken)["verdict"] == "pass"


@pytest.mark.skipif(not is_root(), reason="only root can take another user's place")
def test_the_files_of_another_user_are_handled_by_that_user(tmp_path: Path) -> None:
    """As on Debian, where all is postgres' own: pgbackrest and the scratch server run as it, and leave nothing."""
    with archiving(tmp_path, run_as="postgres") as server:
        taken = take_set(server.target)
        assert drill_set(server.target, taken)["verdict"] == "pass"
        assert {path.owner() for path in server.repository.rglob("*")} == {"postgres"}
        assert copies(server) == []


def test_a_dropped_table_comes_back_from_the_moment_before(archived: Archived) -> None:
    """With what was written after the last backup, and before all of it had reached the archive; beside, then live."""
    last = take_set(archived.target).whole().databases["shop"].content
    time.sleep(1)  # pgBackRest tells the end of a set in whole seconds: a moment within that second is before it
    with archived.connect() as live:
        live.execute("CREATE ROLE clerk; GRANT SELECT ON orders TO clerk")
        live.execute("INSERT INTO orders (owner, note) SELECT 1, '{}' FROM generate_series(1, 7)")
        before = digests(archived)
        [[moment]] = live.execute("SELECT now()").fetchall()
        live.execute("DROP TABLE orders")
        live.execute("DROP OWNED BY clerk; DROP ROLE clerk")
    assert {t.name: t.rows for t in last.tables}["public.orders"] == before["public.orders"][0] - 7
    lost = digests(archived)
    assert put_back_to(archived.target, moment.isoformat(), Wanted(into="beside"))["verdict"] == "pass"
    assert digests(archived) == lost, "what goes beside touches nothing that is live"
    result = put_back_to(archived.target, moment.isoformat())
    assert result["verdict"] == "pass"
    told = next(c for c in result["checks"] if c["id"] == "shop:moment")
    assert "this moment has no digest" in told["observed"]
    assert digests(archived) == before
    with archived.connect("postgres") as keeper:
        names = [row[0] for row in keeper.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()]
        [[clerk]] = keeper.execute("SELECT count(*) FROM pg_roles WHERE rolname = 'clerk'").fetchall()
    assert clerk == 1
    [kept] = [name for name in names if name.startswith("shop_before_")]
    with archived.connect(kept) as aside:
        assert aside.execute("SELECT to_regclass('orders')").fetchone() == (None,)
    assert copies(archived) == []


def test_recovery_finds_an_end_even_where_nobody_has_written_since(archived: Archived) -> None:
    """PostgreSQL takes a moment as reached when it sees a later transaction; on an idle server that one is ours."""
    step = Step("archive", "pgbackrest.archive", "main", args={"key": "shop"})
    with archived.connect() as live:
        [[before]] = live.execute("SELECT txid_snapshot_xmax(txid_current_snapshot())").fetchall()
        [done] = carry_out(archived.target, Plan("restore", "archived", archived.target.identity, {}, (step,)))
        [[after]] = live.execute("SELECT txid_snapshot_xmax(txid_current_snapshot())").fetchall()
    assert after == before + 1
    folder = pgbackrest.stanza(archived.target).archive
    assert pgbackrest.has_segment(archived.target, folder, done["evidence"]["segment"])
    assert not pgbackrest.has_segment(archived.target, folder, "00000001000000FF000000FF")


def test_a_backup_is_put_back_whole_to_its_own_restore_point(archived: Archived) -> None:
    """Held against the manifest, as a dump is."""
    before, taken = digests(archived), take_set(archived.target)
    with archived.connect() as live:
        live.execute("UPDATE users SET name = 'wrong'")
    result = put_back_to(archived.target, taken.name)
    assert result["verdict"] == "pass"
    assert "compared with the manifest" in next(c["observed"] for c in result["checks"] if c["id"] == "shop:moment")
    assert digests(archived) == before


def test_a_moment_that_no_backup_leads_to_is_refused(archived: Archived) -> None:
    """With the facts: what time it is, when the first backup ended, that a zone is missing."""
    first = (Vault.of(archived.target).backups() or (take_set(archived.target),))[0]
    stopped, now = first.whole().physical["shop"].stopped, datetime.now(UTC)
    for text, error, says in [
        ((now + timedelta(hours=1)).isoformat(), BadParameters, "is not past yet"),
        ("2025-10-13T02:59:00", BadParameters, "has no zone"),
        ("2025-10-13 at night", BadParameters, "is no time"),
        ("last night", VaultError, "no backup called"),
        (stopped.isoformat(), NoUsableBackup, "lies before the end of the first backup"),
    ]:
        with pytest.raises(error, match=says):
            put_back_to(archived.target, text)


def test_a_copy_whose_drill_was_killed_is_swept_by_the_next(archived: Archived) -> None:
    """kill -9 leaves a server with the target's data: it is stopped and removed before the next one starts."""
    taken = Vault.of(archived.target).latest() or take_set(archived.target)
    if os.fork() == 0:
        with suppress(BaseException):
            manifest = taken.whole()
            step = next(s for s in drill_plan(archived.target, taken).steps if s.verb == "pgbackrest.drill")
            with recovered(archived.target, manifest.servers["shop"], manifest.physical["shop"], step):
                os.kill(os.getpid(), signal.SIGKILL)
        os._exit(1)
    _, status = os.wait()
    assert os.WTERMSIG(status) == signal.SIGKILL
    [left] = copies(archived)
    pid = int((left / "data/postmaster.pid").read_text().split()[0])
    assert runs(pid)
    assert sweep_folders(archived.cluster.folder) == [str(left)]
    assert copies(archived) == []
    assert not runs(pid)


def test_nothing_is_ever_restored_into_the_live_servers_folder(archived: Archived) -> None:
    """Whatever the target's file says of the place for copies."""
    taken, data = Vault.of(archived.target).latest() or take_set(archived.target), archived.cluster.data
    section = archived.target.backup.pgbackrest.model_copy(update={"scratch": str(data)})
    backup = archived.target.backup.model_copy(update={"pgbackrest": section})
    before = sorted(path.name for path in data.iterdir())
    with pytest.raises(CheckFailed, match="lie in one another"):
        drill_set(archived.target.model_copy(update={"backup": backup}), taken)
    assert sorted(path.name for path in data.iterdir()) == before


def test_unlogged_tables_are_told_and_not_promised(archived: Archived) -> None:
    """Recovery empties them, so the manifest does not count their rows."""
    with archived.connect() as live:
        live.execute("CREATE UNLOGGED TABLE cached (id serial PRIMARY KEY); INSERT INTO cached VALUES (1), (2)")
        live.execute("SELECT nextval('cached_id_seq')")
    try:
        taken = take_set(archived.target)
        assert "shop/public.cached" in taken.whole().physical["shop"].unlogged
        assert drill_set(archived.target, taken)["verdict"] == "pass"
    finally:
        with archived.connect() as live:
            live.execute("DROP TABLE cached")


@contextmanager
def never_still(archived: Archived, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within, somebody commits between the snapshots and the restore point, every time."""
    begin = still._begun

    def begun(session: psycopg.Connection) -> str:
        seen = begin(session)
        with archived.connect() as busy:
            busy.execute("UPDATE users SET name = 'another' WHERE id = 1")
        return seen

    patch.setattr(still, "_begun", begun)
    yield


@contextmanager
def never_done(archived: Archived, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within, a transaction has written, and does not end."""
    with archived.connect() as busy:
        busy.execute("BEGIN")
        busy.execute("UPDATE users SET name = name WHERE id = 1")
        yield
        busy.execute("ROLLBACK")


@pytest.mark.parametrize("busy", [never_still, never_done])
def test_a_server_that_is_never_still_ties_nothing(archived: Archived, busy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt says so, and there is a restore point all the same."""
    monkeypatch.setattr(still, "TRIES", 3)
    with busy(archived, monkeypatch), still.still(archived.target, ("shop",), "drillbook-busy") as found:
        assert not found.tied
        assert found.point == "drillbook-busy-3"


def test_what_is_tied_to_nothing_cannot_be_proven(archived: Archived, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drill is unknown, not pass, not fail; its server can be kept, looked at by the command told, and removed."""
    with monkeypatch.context() as patch, never_still(archived, patch):
        patch.setattr(still, "TRIES", 3)
        taken = take_set(archived.target)
    assert not taken.whole().physical["shop"].tied
    with pytest.raises(CheckFailed) as caught:
        drill_set(archived.target, taken, keep=True)
    assert caught.value.evidence["verdict"] == "unknown"
    assert standing(archived, taken.name) == "unproven"
    [kept] = caught.value.evidence["kept"]
    assert " shop " in subprocess.run(kept["reach"], shell=True, check=True, capture_output=True, text=True).stdout
    subprocess.run(kept["remove"], shell=True, check=True, capture_output=True)
    assert copies(archived) == []


def test_a_server_that_is_still_for_a_moment_is_waited_for(archived: Archived) -> None:
    """A transaction that ends while we try costs a try, not the proof."""
    with archived.connect() as busy:
        busy.execute("BEGIN")
        busy.execute("UPDATE users SET name = name WHERE id = 1")
        timer = threading.Timer(0.5, lambda: busy.execute("COMMIT"))
        timer.start()
        with still.still(archived.target, ("shop",), "drillbook-test") as found:
            assert found.tied
            assert not found.point.endswith("-1")
        timer.join()


def test_a_set_that_has_left_the_repository_is_proven_no_more(archived: Archived) -> None:
    """Whatever its proof says: a reset must not rest on it, and a restore tells it before anything is touched."""
    proven = [f.name for f in backup_facts(archived.target) if f.proven]
    last = Vault.of(archived.target).get(proven[-1])
    label = last.whole().physical["shop"].label
    kept = archived.repository.with_name("kept")
    shutil.copytree(archived.repository, kept)
    argv = (*pgbackrest.command(archived.target), f"--set={label}", "expire")
    subprocess.run(argv, check=True, timeout=60, env=pgbackrest.environment())
    try:
        assert last.name not in [f.name for f in backup_facts(archived.target) if f.proven]
        with pytest.raises(NoUsableBackup, match="is not in the repository"):
            put_back_to(archived.target, last.name)
    finally:
        shutil.rmtree(archived.repository)
        kept.rename(archived.repository)
