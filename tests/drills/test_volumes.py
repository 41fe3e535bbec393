"""Volumes are copied at one moment, whatever writes into them, and what was stopped for it runs again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rounds import carry_out, drop_plan, planned, put_back, take_backup, take_drill

import checkout
from drillbook.act import archive, images
from drillbook.act.quiet import STOPPED
from drillbook.decide.backup import plan_backup
from drillbook.decide.chosen import wanted
from drillbook.decide.plan import Plan
from drillbook.errors import CommandFailed, NotProven, RunbookError
from drillbook.observe import redis
from drillbook.observe.command import run_checked
from drillbook.observe.data import data_facts
from drillbook.target import Target, load_target
from drillbook.vault.catalog import Vault

pytestmark = [pytest.mark.docker, pytest.mark.proofs]

PROJECT, PASSWORD = checkout.project("drillvolumes"), "odd 'pass\" word"
COMPOSE = """services:
  queue:
    image: {image}
    command: ["redis-server", "--dir", "/data", "--requirepass", {password}, "--appendonly", "yes", "--save", ""]
    network_mode: none
    volumes: ["queue:/data"]
  writer:
    image: {image}
    command: ["sh", "-c", "while :; do [ -e /up/hold ] || echo >> /up/now; sleep 0.01; done"]
    init: true
    network_mode: none
    stop_grace_period: 1s
    volumes: ["uploads:/up"]
volumes: {{queue: , uploads: }}
"""
TARGET = """name: {project}
stack: {{project: {project}, directory: .}}
volumes:
  queue: {{kind: redis, service: queue, password: "file:password"}}
  uploads: {{{uploads}}}
backup: {{vault: {vault}}}
"""


@pytest.fixture(scope="module")
def site(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A redis with a password that appends, and a service that never stops writing.

    It appends: a file that is written anew is empty for a moment, and two looks that meet it empty are alike.
    """
    import json

    folder = tmp_path_factory.mktemp(PROJECT)
    (folder / "password").write_text(PASSWORD)
    password = json.dumps(PASSWORD)
    (folder / "compose.yaml").write_text(COMPOSE.format(image=f"drillbook-redis:{images.tag()}", password=password))
    compose = ("docker", "compose", "-p", PROJECT, "--project-directory", str(folder))
    run_checked((*compose, "up", "-d"), timeout=120)
    begun = "until [ -s /up/now ]; do sleep 0.1; done"
    run_checked((*compose, "exec", "-T", "writer", "sh", "-c", begun), timeout=60)
    yield folder
    run_checked((*compose, "down", "--timeout", "1", "--volumes"), timeout=120)
    for label in ("drillbook.kept.target", "drillbook.restored.target"):
        for volume in engine.volumes.list(filters={"label": f"{label}={PROJECT}"}):
            volume.remove()


@pytest.fixture
def make(site: Path, tmp_path: Path) -> Any:
    """The target, with a vault of this test's own, and what its file says of the files that never rest."""

    def target(uploads: str) -> Target:
        (site / "target.yaml").write_text(TARGET.format(project=PROJECT, uploads=uploads, vault=tmp_path / "vault"))
        return load_target(str(site / "target.yaml"))

    return target


def writer(engine: Any) -> Any:
    return engine.containers.get(f"{PROJECT}-writer-1")


def only(target: Target, volume: str) -> Plan:
    """The plan of a backup of one volume."""
    plan = plan_backup(target.name, target.identity, data_facts(target))
    steps = tuple(s for s in plan.steps if s.verb != "backup.volume" or s.id == f"volume-{volume}")
    return Plan("backup", target.name, target.identity, plan.basis, steps, plan.notes)


def ask(target: Target, *words: str) -> str:
    from drillbook.observe import engine

    client = engine.client(target)
    return redis.cli(client, f"{PROJECT}-queue-1", PASSWORD, *words)


def test_files_that_change_meanwhile_are_no_backup(make: Any) -> None:
    """The fact says so, the hint names the three ways, and no half backup is left."""
    target = make("kind: files")
    with pytest.raises(RunbookError, match="changed while they were read, 3 times") as caught:
        carry_out(target, only(target, "uploads"))
    assert "volumes.uploads.stop: true" in caught.value.hint
    assert list(target.vault.iterdir()) == []


def test_a_cache_may_change_and_the_manifest_tells(make: Any) -> None:
    """`volatile: true`: copied as it comes."""
    target = make("volatile: true")
    name = carry_out(target, only(target, "uploads"))[-1]["evidence"]["backup"]
    entry = Vault.of(target).get(name).whole().volumes[f"{PROJECT}_uploads"]
    assert entry.changed_while_read
    assert take_drill(target, Vault.of(target).get(name))["verdict"] == "pass"


def test_a_short_stop_is_announced_made_and_ended(engine: Any, make: Any) -> None:
    """The plan names the container; it was stopped once, and runs again."""
    target, before = make("stop: true"), writer(engine).attrs["State"]["StartedAt"]
    plan = only(target, "uploads")
    assert plan.notes == (f"{PROJECT}-writer-1 are stopped while {PROJECT}_uploads is copied, and started again",)
    assert plan.steps[1].args["stops"] == [f"{PROJECT}-writer-1"]
    name = carry_out(target, plan)[-1]["evidence"]["backup"]
    assert not Vault.of(target).get(name).whole().volumes[f"{PROJECT}_uploads"].changed_while_read
    assert writer(engine).status == "running"
    assert writer(engine).attrs["State"]["StartedAt"] != before
    assert engine.volumes.list(filters={"label": f"{STOPPED}.target={PROJECT}"}) == []


@pytest.mark.parametrize("end", [ValueError("broken"), KeyboardInterrupt(), SystemExit(143)])
def test_what_was_stopped_runs_again_however_it_ends(
    engine: Any, make: Any, monkeypatch: pytest.MonkeyPatch, end: BaseException
) -> None:
    """A failure, Ctrl-C and SIGTERM in the middle of the copy."""
    target, seen = make("stop: true"), []

    def broken(*_given: Any) -> None:
        seen.append(writer(engine).status)
        raise end

    monkeypatch.setattr(archive, "_archive", broken)
    with pytest.raises((RunbookError, KeyboardInterrupt, SystemExit)):
        carry_out(target, only(target, "uploads"))
    assert seen == ["exited"]
    assert writer(engine).status == "running"


def test_what_a_killed_run_left_stopped_is_started_by_the_next(engine: Any, make: Any) -> None:
    """Its mark lies on the engine; another target's is not touched."""
    target = make("volatile: true")
    mine = {STOPPED: f"{PROJECT}-writer-1 {PROJECT}-gone-1", f"{STOPPED}.target": PROJECT}
    another = f"another {PROJECT}"
    other = engine.volumes.create(labels={STOPPED: "x", f"{STOPPED}.target": another})
    engine.volumes.create(labels=mine)
    writer(engine).stop()
    try:
        carry_out(target, only(target, "uploads"))
        assert writer(engine).status == "running"
        marks = [{"label": f"{STOPPED}.target={name}"} for name in (PROJECT, another)]
        assert [v.name for mark in marks for v in engine.volumes.list(filters=mark)] == [other.name]
    finally:
        other.remove()


def test_commands_hold_the_files_still(engine: Any, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`before` makes the writer hold, `after` lets it go on, also when the copy fails."""
    target = make("before: [sh, -c, 'touch /up/hold && sleep 0.1'], after: [rm, /up/hold]")
    plan = only(target, "uploads")
    assert plan.steps[1].args["before"] == ["sh", "-c", "touch /up/hold && sleep 0.1"]
    name = carry_out(target, plan)[-1]["evidence"]["backup"]
    assert not Vault.of(target).get(name).whole().volumes[f"{PROJECT}_uploads"].changed_while_read
    assert writer(engine).exec_run(["ls", "/up"]).output == b"now\n"
    monkeypatch.setattr(archive, "_archive", None)
    with pytest.raises(RunbookError):
        carry_out(target, plan)
    assert writer(engine).exec_run(["ls", "/up"]).output == b"now\n"


def test_a_command_that_fails_ends_the_backup(make: Any) -> None:
    """Its code and words are the fact; what holds inconsistent files is no backup."""
    target = make("before: [sh, -c, 'echo no >&2; exit 3'], after: [rm, -f, /up/hold]")
    with pytest.raises(CommandFailed, match="ended with 3: no"):
        carry_out(target, only(target, "uploads"))
    assert list(target.vault.iterdir()) == []


def test_a_redis_with_a_password_that_appends(engine: Any, make: Any) -> None:
    """Backed up, proven, lost, and put back with every key; another volume is filled beside."""
    target = make("stop: true")
    ask(target, "FLUSHALL")
    for n in range(300):
        ask(target, "RPUSH", f"queue:{n % 7}", f"job {n}")
    ask(target, "BGREWRITEAOF")
    ask(target, "SET", "last", "of all")
    held = redis.digests(target)
    taken = take_backup(target)
    entry = taken.whole().volumes[f"{PROJECT}_queue"]
    assert (entry.keys, entry.config["appendonly"], entry.config["appenddirname"]) == (8, "yes", "appendonlydir")
    assert take_drill(target, taken)["verdict"] == "pass"
    ask(target, "FLUSHALL")
    ask(target, "SET", "late", "1")
    plan = planned(target, taken, wanted(volumes="queue", into="beside"))
    assert carry_out(target, plan)[-1]["evidence"]["verdict"] == "pass"
    assert ask(target, "GET", "late").strip() == "1"
    assert put_back(target, taken, wanted(databases="none", volumes="queue"))["verdict"] == "pass"
    assert redis.digests(target) == held


def test_kept_volumes_are_dropped_only_when_held(engine: Any, make: Any) -> None:
    """Files that a proven backup holds: dropped. A redis' files that none holds: they stay."""
    target = make("stop: true")
    writer(engine).exec_run(["touch", "/up/hold"])
    taken = take_backup(target)
    take_drill(target, taken)
    ask(target, "SET", "later", "than the backup")
    put_back(target, taken, wanted(databases="none", volumes="uploads"))
    put_back(target, taken, wanted(databases="none", volumes="queue"))
    files, queue = (f"{PROJECT}_{key}_before_{taken.short}" for key in ("uploads", "queue"))
    with pytest.raises(NotProven, match="does not hold the files"):
        drop_plan(target, queue)
    plan = drop_plan(target, files)
    assert plan.steps[-1].argv == ("docker", "volume", "rm", files)
    carry_out(target, plan)
    assert [v.name for v in engine.volumes.list() if v.name in (files, queue)] == [queue]
    writer(engine).exec_run(["rm", "/up/hold"])
