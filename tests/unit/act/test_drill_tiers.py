"""The ladder on a real server: what each tier proves, and each check made to fail once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from ghost import ghost_owner
from postgres import writer
from rounds import take_backup, take_drill

from drillbook.act.cluster import Cluster
from drillbook.act.scratch_marks import FOLDER
from drillbook.act.scratch_sweep import sweep_folders
from drillbook.errors import CheckFailed
from drillbook.target import Target, parse_target
from drillbook.vault.catalog import Backup, Vault

SCHEMA = """
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE jobs (id int PRIMARY KEY, owner int REFERENCES users);
INSERT INTO users SELECT n, 'user ' || n FROM generate_series(1, 300) AS n;
INSERT INTO jobs SELECT n, n FROM generate_series(1, 100) AS n;
"""


@pytest.fixture
def db(postgres_server: Cluster, database: str) -> Iterator[psycopg.Connection]:
    """A writing session in a database with two tables."""
    with writer(postgres_server, database) as connection:
        connection.execute(SCHEMA)
        yield connection


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A folder for scratch folders that no other drill on this machine sweeps; a socket's path must be short."""
    with tempfile.TemporaryDirectory(prefix="t-") as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield name


def asking(target: Target, **drill: object) -> Target:
    """The same target whose file asks this of a drill."""
    return parse_target({**target.model_dump(exclude_defaults=True), "drill": drill}, target.file)


def asserting(target: Target, sql: str, **more: object) -> Target:
    return asking(target, assertions=[{"name": "it", "database": "main", "sql": sql, **more}])


def standing(target: Target, taken: Backup) -> str:
    return Vault.of(target).get(taken.name).verdict


def by_id(result: dict) -> dict[str, dict]:
    return {check["id"]: check for check in result["checks"]}


def failed(target: Target, taken: Backup, *words: str, tier: str = "full") -> dict[str, dict]:
    """The checks of a drill that must fail, and say so with *words*."""
    with pytest.raises(CheckFailed) as caught:
        take_drill(target, taken, tier)
    assert all(word in caught.value.fact for word in words), caught.value.fact
    return by_id(caught.value.evidence)


def damage(taken: Backup) -> bytes:
    """Flip a bit of the largest member; gives what was there."""
    file = max(taken.folder.rglob("*.dat.gz"), key=lambda path: path.stat().st_size)
    before = file.read_bytes()
    file.write_bytes(before[:-9] + bytes([before[-9] ^ 1]) + before[-8:])
    return before


def test_only_a_full_drill_proves(db: psycopg.Connection, target: Target) -> None:
    """A fast one and a sample pass and change nothing: neither before the proof nor after it."""
    taken = take_backup(target)
    for tier in ("fast", "sample"):
        result = take_drill(target, taken, tier)
        assert (result["verdict"], result["tier"], result["standing"]) == ("pass", tier, "unproven")
        assert "amcheck" in [one["id"] for one in result["left_out"]]
    assert take_drill(target, taken)["standing"] == "proven"
    assert take_drill(target, taken, "fast")["standing"] == "proven"


def test_a_drill_of_any_tier_that_finds_a_fault_unproves(db: psycopg.Connection, target: Target) -> None:
    """Files rot after they were proven; a full drill alone makes it good again."""
    taken = take_backup(target)
    take_drill(target, taken)
    before = damage(taken)
    assert failed(target, taken, "checksums", tier="fast")["checksums"]["verdict"] == "fail"
    assert standing(target, taken) == "failed"
    max(taken.folder.rglob("*.dat.gz"), key=lambda path: path.stat().st_size).write_bytes(before)
    take_drill(target, taken, "fast")
    assert standing(target, taken) == "failed"
    take_drill(target, taken)
    assert standing(target, taken) == "proven"


def test_a_fast_drill_restores_nothing_and_reads_everything(db: psycopg.Connection, target: Target) -> None:
    """pg_restore itself finds a cut member, and no server is started."""
    taken = take_backup(target)
    result = take_drill(target, taken, "fast")
    assert [check["id"].rpartition(":")[2] for check in result["checks"]] == ["checksums", "manifest", "archive"]
    assert result["rto_seconds"] == 0
    max(taken.folder.rglob("*.dat.gz"), key=lambda path: path.stat().st_size).unlink()
    [archive] = [c for name, c in failed(target, taken, tier="fast").items() if name.endswith(":archive")]
    assert archive["verdict"] == "fail"


def test_a_sample_counts_every_row_and_digests_some_tables(
    db: psycopg.Connection, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost row is found in any table; a changed one only where the digest was taken, and that is told."""
    from drillbook.act import drill
    from drillbook.decide.sample import sampled

    taken = take_backup(target)
    monkeypatch.setattr(drill, "sampled", lambda tables, seed: sampled(tables, seed, 1))
    result = take_drill(target, taken, "sample")
    rows = {name.partition(":")[2] for name in by_id(result) if ":rows:" in name}
    tables = {name.partition(":")[2] for name in by_id(result) if ":table:" in name}
    assert len(rows) == len(tables) == 1
    assert "another choice for each backup" in {one["id"]: one["why"] for one in result["left_out"]}["table"]


UNTRUE = {
    "false": ("SELECT count(*) = 299 FROM users", "false"),
    "null": ("SELECT NULL::boolean", "NULL"),
    "number": ("SELECT count(*) FROM users", "no boolean, but int"),
    "rows": ("SELECT true FROM users", "more than one row"),
    "none": ("SELECT true WHERE false", "no row"),
    "columns": ("SELECT true, true", "2 columns"),
    "statements": ("SELECT true; SELECT false", "more than one statement"),
    "error": ("SELECT nonsense", 'column "nonsense" does not exist'),
    "writes": ("DELETE FROM users", "read-only transaction"),
}


def test_an_assertion_that_is_not_true_fails(db: psycopg.Connection, target: Target) -> None:
    """False, NULL, an error, an attempt to write: only one row of one column that is true passes."""
    taken = take_backup(target)
    asked = [{"name": name, "database": "main", "sql": sql} for name, (sql, _) in UNTRUE.items()]
    checks = failed(asking(target, assertions=asked), taken)
    told = {name.rpartition(":")[2]: check for name, check in checks.items() if ":assertion:" in name}
    assert {check["verdict"] for check in told.values()} == {"fail"}
    for name, (_, expected) in UNTRUE.items():
        assert expected in told[name]["observed"]
    assert standing(target, taken) == "failed"


def test_a_true_assertion_passes_and_finds_tables_as_the_app_does(db: psycopg.Connection, target: Target) -> None:
    """Without a schema before the table's name."""
    result = take_drill(asserting(target, "SELECT count(*) = 300 FROM users"), take_backup(target))
    assert [c["observed"] for name, c in by_id(result).items() if name.endswith(":assertion:it")] == ["true"]


def test_an_assertion_that_takes_too_long_fails(db: psycopg.Connection, target: Target) -> None:
    """It is cut off by the server."""
    slow = asserting(target, "SELECT true FROM pg_sleep(60)", timeout_seconds=0.2)
    [check] = [c for name, c in failed(slow, take_backup(target)).items() if name.endswith(":assertion:it")]
    assert "statement timeout" in check["observed"]


def test_over_the_budget_the_drill_fails_and_the_backup_is_proven(db: psycopg.Connection, target: Target) -> None:
    """How long it takes says nothing about what it holds; the fact tells which of the two it is."""
    taken = take_backup(target)
    raw = target.model_dump(exclude_defaults=True)
    raw["backup"]["rto_budget_seconds"] = 0.01
    checks = failed(parse_target(raw, target.file), taken, "takes too long")
    assert [name for name, check in checks.items() if check["verdict"] != "pass"] == ["rto"]
    assert standing(target, taken) == "proven"


def test_what_was_not_valid_on_the_source_does_not_fail(db: psycopg.Connection, target: Target) -> None:
    """A constraint NOT VALID comes back as such; pg_dump leaves an invalid index out, and the check says so."""
    db.execute("ALTER TABLE jobs ADD CONSTRAINT positive CHECK (id > 50) NOT VALID")
    db.execute("INSERT INTO users VALUES (1000, 'user 1')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        db.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON users (name)")
    result = take_drill(target, take_backup(target))
    [told] = [check for name, check in by_id(result).items() if name.endswith(":constraints")]
    assert told["verdict"] == "pass"
    assert "constraint:public.jobs.positive" in told["expected"]
    assert "index:public.broken" in told["expected"]


def test_where_amcheck_is_not_to_be_had_the_result_says_so(
    db: psycopg.Connection, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not fail the drill, and nobody can take it for made."""
    from drillbook.act import drill_checks

    monkeypatch.setattr(drill_checks, "EXTENSION", "SELECT WHERE false")
    result = take_drill(target, take_backup(target))
    whys = {one["id"].rpartition(":")[2]: one["why"] for one in result["left_out"]}
    assert whys["amcheck"] == "the scratch server has no extension amcheck"
    assert not any(name.endswith(":amcheck") for name in by_id(result))


def test_a_database_that_does_not_answer_is_not_called_checked(
    db: psycopg.Connection, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pg_amcheck that could not look is unknown, which is not a pass and not left out."""
    from drillbook.act import drill_checks

    monkeypatch.setattr(drill_checks, "EXTENSION", "SELECT pg_terminate_backend(pg_backend_pid())")
    checks = failed(target, take_backup(target), ":amcheck")
    [amcheck] = [check for name, check in checks.items() if name.endswith(":amcheck")]
    assert amcheck["verdict"] == "unknown"


def smoking(target: Target, *command: str, **more: object) -> Target:
    return asking(target, smoke={"it": {"command": command, "database": "main", **more}})


def test_a_command_is_a_smoke_request_where_there_is_no_stack(
    db: psycopg.Connection, target: Target, postgres_server: Cluster
) -> None:
    """It is pointed at the scratch server, by libpq's variables and by what its environment asks for."""
    psql, taken = postgres_server.binaries.program("psql"), take_backup(target)
    url = {"URL": "postgresql:///{dbname}?host={host}&port={port}&user={user}"}
    db.execute("DELETE FROM jobs")  # the live server would answer otherwise
    for source in ('"$URL"', ""):
        script = f"test $('{psql}' {source} -Atc 'SELECT count(*) FROM jobs') = 100"
        result = take_drill(smoking(target, "sh", "-c", script, environment=url), taken)
        assert by_id(result)["smoke:it"]["observed"] == "exit code 0"


WRONG = {
    "code": (["sh", "-c", "echo no users >&2; exit 3"], "exit code 3: no users"),
    "secret": (["sh", "-c", "echo $API_WORD >&2; exit 1"], "exit code 1: …"),
    "endless": (["sleep", "60"], "was still running after"),
    "absent": (["/nowhere/app"], "is not there"),
}


def test_a_smoke_request_that_does_not_pass_fails(db: psycopg.Connection, target: Target) -> None:
    """Another code, no end, no program; and nothing that it was given is told."""
    more = {"database": "main", "timeout_seconds": 2, "environment": {"API_WORD": "hunter22"}}
    smoke = {name: {"command": command, **more} for name, (command, _) in WRONG.items()}
    checks = failed(asking(target, smoke=smoke), take_backup(target), "smoke:")
    for name, (_, told) in WRONG.items():
        assert checks[f"smoke:{name}"]["verdict"] == "fail"
        assert told in checks[f"smoke:{name}"]["observed"]


def test_a_failed_drills_server_is_kept_when_asked(db: psycopg.Connection, target: Target, short: str) -> None:
    """The result says how to look at it and how to remove it; a sweep leaves it for a day, then takes it."""
    taken, false = take_backup(target), asserting(target, "SELECT false")
    kept = []
    for _ in range(2):
        with pytest.raises(CheckFailed) as caught:
            take_drill(false, taken, keep=True)
        kept += caught.value.evidence["kept"]
    seen = subprocess.run(["sh", "-c", kept[0]["reach"]], check=True, capture_output=True, text=True, timeout=60)
    assert target.databases["main"].dbname in seen.stdout
    folder = Path(kept[0]["remove"].rpartition(" ")[2])
    assert folder.name.startswith(FOLDER)
    subprocess.run(["sh", "-c", kept[0]["remove"]], check=True, capture_output=True, timeout=60)
    assert not folder.exists()

    other = Path(kept[1]["remove"].rpartition(" ")[2])
    (other / "owner.json").write_text(dead_owner())
    sweep_folders()
    assert other.exists()
    os.utime(other / "kept", (1, 1))
    assert str(other) in sweep_folders()
    assert not other.exists()


def test_a_drill_that_passes_keeps_nothing(db: psycopg.Connection, target: Target) -> None:
    """Whatever was asked."""
    assert take_drill(target, take_backup(target), keep=True)["kept"] == []


def dead_owner() -> str:
    """What a process that runs no more wrote into its folder."""
    import json

    return json.dumps(ghost_owner())


KILLED = """
import os, signal, sys, tempfile
from pathlib import Path
from drillbook.act import cluster as clusters
from drillbook.act.cluster import Cluster
from drillbook.act.scratch import scratch_server
from drillbook.observe import binaries
from drillbook.target import load_target
from drillbook.vault.manifest import ServerEntry
found = binaries.installed(binaries.SERVER)[-1]
source = ServerEntry(version=found.version, user="keeper")
server = scratch_server(load_target(sys.argv[1]), "main", source, Path("/"), "x")
print(server.__enter__().place.host, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_server_of_a_killed_drill_is_swept(
    target: Target, tmp_path: Path, postgres_server: Cluster, short: str
) -> None:
    """kill -9 leaves a server and its folder; the next drill ends the one and removes the other."""
    file = tmp_path / "killed.yaml"
    file.write_text(f"name: killed\ndatabases: {{main: {{host: {postgres_server.folder}, dbname: x, user: keeper}}}}\n")
    argv = [sys.executable, "-c", KILLED, str(file)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": short}
    said = subprocess.run(argv, capture_output=True, text=True, timeout=120, env=environment, check=False)
    folder = Path(said.stdout.strip())
    assert folder.name.startswith(FOLDER), said.stderr
    pid = int((folder / "data/postmaster.pid").read_text().split()[0])
    assert Path(f"/proc/{pid}").exists()
    assert str(folder) in sweep_folders()
    assert not folder.exists()
    assert not Path(f"/proc/{pid}").exists()


def test_a_folder_of_a_drill_that_lives_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that says nothing of whose it is."""
    from drillbook.act.scratch_marks import claim

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("alive", "silent", "dead"):
        (tmp_path / f"{FOLDER}{name}").mkdir()
    claim(tmp_path / f"{FOLDER}alive")
    (tmp_path / f"{FOLDER}dead" / "owner.json").write_text(dead_owner())
    assert sweep_folders() == [str(tmp_path / f"{FOLDER}dead")]
