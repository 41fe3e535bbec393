"""The dear end of the ladder on the sandbox: pg_amcheck, the app's own answer, servers kept, killed drills swept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rounds import take_backup, take_drill
from there import scratch

from drillbook.act import drill
from drillbook.act.scratch_sweep import sweep
from drillbook.act.site import Site
from drillbook.errors import CheckFailed
from drillbook.target import Drill, Smoke, Target
from drillbook.vault.catalog import Backup, Vault

pytestmark = [pytest.mark.docker, pytest.mark.proofs]


@pytest.fixture
def target(looked_at: Site, tmp_path: Path) -> Target:
    """The sandbox's own target, with a vault that is this test's alone."""
    found = looked_at.target
    return changed(found, backup=found.backup.model_copy(update={"vault": str(tmp_path / "vault")}))


def changed(target: Target, **parts: Any) -> Target:
    moved = target.model_copy(update=parts)
    moved._file = target.file
    return moved


def smoking(target: Target, **smoke: Any) -> Target:
    """The same target, whose smoke request is another one."""
    asked = target.drill.smoke["matches"].model_copy(update=smoke)
    return changed(target, drill=target.drill.model_copy(update={"smoke": {"matches": asked}}))


def by_id(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {check["id"]: check for check in result["checks"]}


def failed(target: Target, taken: Backup, keep: bool = False) -> dict[str, Any]:
    with pytest.raises(CheckFailed) as caught:
        take_drill(target, taken, keep=keep)
    return dict(caught.value.evidence)


def test_the_whole_ladder_passes_on_the_sandbox(engine: Any, target: Target) -> None:
    """Its assertions are true, its app answers with the restored database, no check is left out, nothing stays."""
    taken = take_backup(target)
    result = take_drill(target, taken)
    checks = by_id(result)
    assert result["left_out"] == []
    assert checks["smoke:matches"]["observed"] == "HTTP 200"
    assert checks["connect:amcheck"]["observed"] == "no damage"
    assert sum(":assertion:" in name for name in checks) == 3
    assert scratch(engine) == set()


def test_a_fast_drill_starts_no_server_and_reads_the_dump(engine: Any, target: Target) -> None:
    """With the source's own pg_restore; redis is not started either."""
    taken = take_backup(target)
    checks = by_id(take_drill(target, taken, "fast"))
    assert [name for name in checks if ":" in name] == [
        "connect:archive",
        *(f"{name}:archive" for name in taken.whole().volumes),
    ]
    assert scratch(engine) == set()


def test_an_app_that_answers_500_fails_the_drill(engine: Any, target: Target) -> None:
    """It starts, but what it asks for is not there; the answer is told, without what the app was given."""
    asked = smoking(target, environment={"PGHOST": "{host}", "PGDATABASE": "nothing"}, timeout_seconds=8)
    taken = take_backup(target)
    smoke = by_id(failed(asked, taken))["smoke:matches"]
    assert smoke["verdict"] == "fail"
    assert smoke["observed"].startswith("HTTP 500: ")
    assert Vault.of(target).get(taken.name).verdict == "failed"
    assert scratch(engine) == set()


def test_an_app_that_ends_fails_the_drill(engine: Any, target: Target) -> None:
    """With what it said last."""
    taken = take_backup(target)
    ended = by_id(failed(smoking(target, environment={"PASSWORD_FILE": "/nowhere"}), taken))["smoke:matches"]
    assert "the app ended with 1" in ended["observed"]
    assert scratch(engine) == set()


def test_an_app_that_fails_live_too_tells_nothing_of_the_backup(engine: Any, target: Target) -> None:
    """On the night of stale code the backup must be provable although the app answers nobody: left out, and why."""
    taken = take_backup(target)
    result = take_drill(smoking(target, port=3999, timeout_seconds=3), taken)
    [left] = [one for one in result["left_out"] if one["id"] == "smoke:matches"]
    assert left["why"].startswith("no answer: ")
    assert "the live app1 does not answer" in left["why"]
    assert result["verdict"] == "pass"
    assert scratch(engine) == set()


def test_the_app_reaches_the_scratch_server_and_nothing_else(engine: Any, target: Target) -> None:
    """By the name that the database's service has in the stack; the live redis and the world are out of reach."""
    seen = {}

    def look(api: Any, container: str, network: str, asked: Smoke, live: int) -> tuple[int, str]:
        for host, port in (("postgres", 5432), ("redis-queue", 6379), ("1.1.1.1", 53)):
            probe = ["bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}"]
            made = api.exec_create(container, ["timeout", "3", *probe])
            api.exec_start(made["Id"])
            seen[host] = api.exec_inspect(made["Id"])["ExitCode"] == 0
        return 200, ""

    from drillbook.act import smoke_app

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(smoke_app, "_asked", look)
        take_drill(target, take_backup(target))
    assert seen == {"postgres": True, "redis-queue": False, "1.1.1.1": False}


CORRUPT = """set -e
file=$PGDATA/$(psql -U {user} -d connect -Atc "checkpoint; select pg_relation_filepath('public.users')" | tail -1)
printf '\\xff\\xff\\xff\\xff' | dd of="$file" bs=1 seek=$(( $(stat -c %s "$file") - 60 )) conv=notrunc 2>/dev/null
printf '\\xff\\xff\\x00\\x00' | dd of="$file" bs=1 seek=24 conv=notrunc 2>/dev/null
"""


def test_damage_in_a_restored_table_is_found(engine: Any, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes of a table's file are overwritten after the comparison: pg_amcheck tells of it."""
    compared = drill.compare

    def and_then_damaged(*given: Any) -> Any:
        found = compared(*given)
        [name] = [name for name in scratch(engine) if engine.containers.get(name).status == "running"]
        container = engine.containers.get(name)
        code, said = container.exec_run(["bash", "-c", CORRUPT.format(user="connect")])
        assert code == 0, said
        container.restart()
        ready = "until pg_isready -q -h 127.0.0.1; do sleep 0.1; done"
        assert container.exec_run(["timeout", "60", "bash", "-c", ready]).exit_code == 0
        return found

    monkeypatch.setattr(drill, "compare", and_then_damaged)
    asked = changed(target, drill=Drill())
    checks = by_id(failed(asked, take_backup(target)))
    assert checks["connect:amcheck"]["verdict"] == "fail"
    assert "users" in checks["connect:amcheck"]["observed"]


def test_a_failed_drills_container_is_kept_when_asked(engine: Any, target: Target) -> None:
    """It holds the restored rows; a sweep leaves it; the command that the result names removes it."""
    asked = smoking(target, environment={"PGHOST": "{host}", "PGDATABASE": "nothing"}, timeout_seconds=4)
    [kept] = failed(asked, take_backup(target), keep=True)["kept"]
    try:
        name = kept["remove"].rpartition(" ")[2]
        sweep(target)
        assert scratch(engine) == {name}
        reach = kept["reach"].replace(" -it ", " ").replace(" -l", " -d connect -Atc 'select count(*) from users'")
        said = subprocess.run(["sh", "-c", reach], check=True, capture_output=True, text=True, timeout=60)
        assert said.stdout.strip() == "10"
    finally:
        subprocess.run(["sh", "-c", kept["remove"]], check=True, capture_output=True, timeout=60)
    assert scratch(engine) == set()


KILLED = """
import os, signal, sys
from pathlib import Path
from drillbook.act import smoke_app
from drillbook.observe import redis
from drillbook.target import load_target
from drillbook.vault.catalog import Vault
from rounds import take_drill

def die(*given, **named):
    os.kill(os.getpid(), signal.SIGKILL)

setattr({"app": smoke_app, "redis": redis}[sys.argv[3]], {"app": "_asked", "redis": "content"}[sys.argv[3]], die)
target = load_target(sys.argv[1])
take_drill(target, Vault.of(target).get(sys.argv[2]))
"""


@pytest.mark.parametrize("where", ["app", "redis"])
def test_what_a_killed_drill_left_is_swept(engine: Any, target: Target, tmp_path: Path, where: str) -> None:
    """kill -9 while the app, or a scratch redis, runs: its server, network and volume go with the next sweep."""
    import yaml

    taken = take_backup(target)
    file = tmp_path / "killed.yaml"
    raw = yaml.safe_load(target.file.read_text())
    raw["stack"]["directory"] = str(target.directory)
    raw["databases"]["main"]["password"] = f"file:{target.file.parent.parent / target.name}.password"
    raw["backup"] = {"vault": target.backup.vault}
    file.write_text(yaml.safe_dump(raw))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", KILLED, str(file), taken.name, where]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=environment) as process:
        _, said = process.communicate(timeout=300)
    assert process.returncode == -9, said
    left = scratch(engine, process.pid)
    assert len(left) == {"app": 3, "redis": 2}[where], left  # a scratch redis and its volume share their name
    sweep(target)
    assert scratch(engine, process.pid) == set()
