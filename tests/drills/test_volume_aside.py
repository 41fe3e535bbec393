"""A volume is emptied on a real engine: kept aside whole, and whatever moment the run is killed at, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rounds import carry_out, drop_plan, take_backup, take_drill

import checkout
from drillbook.act import images, volume_aside
from drillbook.decide.plan import Plan
from drillbook.decide.proof import Proof, proof_for_data
from drillbook.decide.reset_data import volume_names, volume_steps
from drillbook.errors import NotProven, Refused, RunbookError
from drillbook.observe import engine as engines
from drillbook.observe import redis
from drillbook.observe.backups import backup_facts
from drillbook.observe.command import run_checked
from drillbook.observe.facts import BackupFact, Snapshot
from drillbook.observe.held import RESETTING, with_held
from drillbook.observe.volumes import Listing, archive, listed, window
from drillbook.target import Target, load_target

pytestmark = [pytest.mark.docker, pytest.mark.proofs]

PROJECT = checkout.project("drillaside")
UP, CACHE = f"{PROJECT}_up", f"{PROJECT}_cache"
SERVICES = ("cache", "app", "reader", "other")
COMPOSE = """x-app: &app
  image: {image}
  entrypoint: [sleep, infinity]
  init: true
  network_mode: none
  stop_grace_period: 1s
services:
  cache:
    image: {image}
    command: [redis-server, --dir, /data, --save, "", --appendonly, "no"]
    network_mode: none
    stop_grace_period: 2s
    healthcheck: {{test: [CMD, redis-cli, ping], interval: 1s, timeout: 5s, retries: 10}}
    volumes: ["cache:/data"]
  app: {{<<: *app, volumes: ["up:/up"]}}
  reader: {{<<: *app, volumes: ["up:/shared", "cache:/cache:ro"]}}
  other: *app
volumes: {{cache: , up: }}
"""
TARGET = """name: {project}
stack: {{project: {project}, directory: .}}
volumes:
  cache: {{kind: redis, service: cache, volatile: true}}
  up: {{stop: true}}
backup: {{vault: {vault}}}
"""
FILL = """cd /up && find . -mindepth 1 -delete
head -c 5000000 /dev/urandom > a-big && mkdir -p 'd ü/e' empty && echo one > 'd ü/one' && ln 'd ü/one' b-link
ln -s nowhere link && mkfifo pipe && echo x > z && chmod 640 z && chown 7:8 z && chmod 1777 empty && : > none
"""


@pytest.fixture(scope="module")
def site(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A redis that saves nothing by itself, two services on one volume, and one that has none."""
    folder = tmp_path_factory.mktemp(PROJECT)
    (folder / "compose.yaml").write_text(COMPOSE.format(image=f"drillbook-redis:{images.tag()}"))
    compose = ("docker", "compose", "-p", PROJECT, "--project-directory", str(folder))
    run_checked((*compose, "up", "-d", "--wait"), timeout=120)
    yield folder
    run_checked((*compose, "down", "--timeout", "1", "--volumes"), timeout=120)
    clean(engine)


def clean(engine: Any) -> None:
    """Remove what resets kept aside here."""
    for label in ("drillbook.kept.target", f"{RESETTING}.target"):
        for volume in engine.volumes.list(filters={"label": f"{label}={PROJECT}"}):
            volume.remove()


@pytest.fixture
def target(site: Path, tmp_path: Path, engine: Any) -> Iterator[Target]:
    """The stack, running, with files of every kind and some keys, and a vault of this test's own."""
    (site / "target.yaml").write_text(TARGET.format(project=PROJECT, vault=tmp_path / "vault"))
    run_checked(("docker", "start", *(f"{PROJECT}-{name}-1" for name in SERVICES)), timeout=60)
    inside(engine, "app", "sh", "-c", FILL)
    inside(engine, "cache", "redis-cli", "FLUSHALL")
    inside(engine, "cache", "redis-cli", "MSET", "a", "1", "b", "2")
    yield load_target(str(site / "target.yaml"))
    clean(engine)
    assert helpers(engine) == []


def inside(engine: Any, service: str, *argv: str) -> str:
    """What a command in the service's container says."""
    code, output = engine.containers.get(f"{PROJECT}-{service}-1").exec_run(list(argv))
    assert code == 0, output
    return str(output.decode().strip())


def helpers(engine: Any) -> list[str]:
    """The labels of the helpers of this stack's resets that are left."""
    found = engine.api.containers(all=True, filters={"label": "drillbook.helper"})
    labels = [row["Labels"]["drillbook.helper"] for row in found]
    return [label for label in labels if label.startswith(PROJECT)]


def states(engine: Any) -> dict[str, tuple[str, str, str]]:
    """id, state and start of each service's container."""
    found = {name: engine.containers.get(f"{PROJECT}-{name}-1") for name in SERVICES}
    return {name: (one.id, one.status, one.attrs["State"]["StartedAt"]) for name, one in found.items()}


def held(engine: Any, volume: str) -> Listing:
    """Every member of *volume*."""
    image = engine.images.get(f"drillbook-redis:{images.tag()}").id
    with window(engine, image, volume, "ro", "test") as container:
        return listed(archive(engine, container))


def seen(target: Target, *names: str, **changes: Any) -> Snapshot:
    """What a plan for *names* needs of the target."""
    there = Snapshot(target.name, target.identity, engines.containers(target), volumes=engines.volumes(target))
    return replace(with_held(target, there, volume_names(target, there, names)), **changes)


def planned(target: Target, *names: str, second: int = 1) -> Plan:
    """What a reset of the volumes *names* would do now."""
    proof = Proof(BackupFact("20251013t010000Z-abc123", "", 0.0, True), False, "")
    steps = volume_steps(target, seen(target, *names), proof, names, f"2025-10-13T02:03:{second:02d}Z")
    return Plan("reset", target.name, target.identity, {}, steps)


def aside(volume: str, second: int = 1) -> str:
    return f"{volume}-aside-20251013t0203{second:02d}z"


def named(engine: Any) -> list[str]:
    """The volumes here but the stack's own, without its prefix."""
    names = (volume.name for volume in engine.volumes.list() if volume.name.startswith(f"{PROJECT}_"))
    return sorted(name.removeprefix(f"{PROJECT}_") for name in names if name not in (UP, CACHE))


def test_files_are_kept_whole_and_the_volume_is_empty(engine: Any, target: Target) -> None:
    """Links, pipes, owners and modes too; the two services on it were stopped once, the others never."""
    before, was = held(engine, UP), states(engine)
    assert len(before.members) == 10
    plan = planned(target, "up")
    carry_out(target, plan)
    assert held(engine, aside(UP)) == before
    assert held(engine, UP).members == {}
    now = states(engine)
    assert {name for name in SERVICES if now[name] != was[name]} == {"app", "reader"}
    assert {name: (id_, state) for name, (id_, state, _) in now.items()} == {
        name: (id_, "running") for name, (id_, _, _) in was.items()
    }
    assert named(engine) == [aside("up")]
    inside(engine, "app", "sh", "-c", "echo new > /up/new")
    assert [one["evidence"].get("seen", "") for one in carry_out(target, plan)] == ["cleared before this"] * 2 + [""]
    assert inside(engine, "app", "ls", "/up") == "new"


def test_the_last_column_brings_it_back(engine: Any, target: Target) -> None:
    """The very command, as a shell takes it."""
    before = held(engine, UP)
    plan = planned(target, "up")
    carry_out(target, plan)
    inside(engine, "app", "sh", "-c", "echo new > /up/new")
    subprocess.run(["sh", "-c", plan.steps[1].recovers], check=True, capture_output=True, timeout=120)
    assert held(engine, UP) == before
    assert states(engine)["app"][1] == "running"


def test_keys_that_a_redis_does_not_save_by_itself_are_kept(engine: Any, target: Target) -> None:
    """Caches are what `auto` means; it saves before it is stopped, is healthy and empty, and gets its keys back."""
    plan = planned(target, "auto")
    assert [step.subject for step in plan.steps][:2] == [CACHE, CACHE]
    carry_out(target, plan)
    assert engine.containers.get(f"{PROJECT}-cache-1").attrs["State"]["Health"]["Status"] == "healthy"
    assert inside(engine, "cache", "redis-cli", "DBSIZE") == "0"
    assert list(held(engine, aside(CACHE)).members) == ["dump.rdb"]
    subprocess.run(["sh", "-c", plan.steps[1].recovers], check=True, capture_output=True, timeout=120)
    assert redis.content(engine, f"{PROJECT}-cache-1", "").keys == 2


def test_what_was_kept_is_dropped_only_when_held(engine: Any, target: Target) -> None:
    """The proof of the very files: dropped by a plan of its own. Files that no backup has: they stay."""
    taken = take_backup(target)
    take_drill(target, taken)
    facts = seen(target, "up", backups=backup_facts(target))
    proof = proof_for_data(facts, 24, "volumes", (UP,))
    assert (proof.backup.name, proof.lost) == (taken.name, False)
    assert proof.backup.volumes[UP].members == 10
    carry_out(target, planned(target, "up"))
    lost = proof_for_data(seen(target, "up", backups=backup_facts(target)), 24, "volumes", (UP,))
    assert lost.said.startswith(f"{UP} is already lost (it is empty now): this rests on")
    inside(engine, "app", "sh", "-c", "echo new > /up/new")
    carry_out(target, planned(target, "up", second=2))
    with pytest.raises(NotProven, match="does not hold the files"):
        drop_plan(target, aside(UP, 2))
    carry_out(target, drop_plan(target, aside(UP)))
    assert named(engine) == [aside("up", 2)]


def test_a_strangers_container_is_never_stopped(engine: Any, target: Target) -> None:
    """Seen by the plan, or come since: refused, with nothing stopped, copied or left."""
    plan, was = planned(target, "up"), states(engine)
    stranger = engine.containers.run(
        f"drillbook-redis:{images.tag()}", entrypoint=["sleep", "infinity"], detach=True, network_mode="none",
        name=f"{PROJECT}-stranger", volumes={UP: {"bind": "/x", "mode": "ro"}},
    )  # fmt: skip
    try:
        with pytest.raises(RunbookError, match=f"{PROJECT}-stranger uses volume"):
            carry_out(target, plan)
        with pytest.raises(Refused, match=f"is used by {PROJECT}-stranger"):
            planned(target, "up")
        stranger.reload()
        assert stranger.status == "running"
    finally:
        stranger.remove(force=True, v=True)
    assert states(engine) == was
    assert named(engine) == []


def test_a_server_that_nobody_declared_is_found_by_its_files(engine: Any, target: Target) -> None:
    """Wherever it lies in the volume."""
    inside(engine, "app", "sh", "-c", "mkdir -p /up/16/main/global && : > /up/16/main/global/pg_control")
    with pytest.raises(Refused, match=r"holds a PostgreSQL server's data \(16/main/global/pg_control\)"):
        planned(target, "up")


def test_an_image_without_programs_is_not_chosen_to_clear(engine: Any, target: Target) -> None:
    """Known before anything is stopped."""
    facts = seen(target, "up")
    assert facts.held[UP].image_id == engines.containers(target)[0].image_id
    assert facts.held[UP].members == 10
    assert (facts.held[UP].others, facts.held[UP].keys, facts.held[UP].is_empty) == ((), None, False)
    assert facts.held.keys() == {UP}
    assert seen(target, "auto").held[CACHE].keys == 2


@pytest.mark.parametrize("name", ["save", "copy", "_copied", "_holds", "_wanted"])
@pytest.mark.parametrize("end", ["error", "sigterm"])
def test_what_ends_before_the_clearing_leaves_all_as_it_was(
    engine: Any, target: Target, monkeypatch: pytest.MonkeyPatch, name: str, end: str
) -> None:
    """The containers run, the files are there, and no copy or mark is left; the same plan can be carried out again."""
    before, plan = held(engine, UP), planned(target, "up", "auto")

    def ended(*_given: Any, **_named: Any) -> Any:
        if end == "sigterm":
            os.kill(os.getpid(), signal.SIGTERM)
        raise OSError(f"{name} broke")

    with monkeypatch.context() as patch, pytest.raises((RunbookError, SystemExit)):
        patch.setattr(volume_aside, name, ended)
        carry_out(target, plan)
    assert held(engine, UP) == before
    assert {state for _, state, _ in states(engine).values()} == {"running"}
    assert named(engine) == []
    carry_out(target, plan)
    assert held(engine, aside(UP)) == before


def test_what_is_written_after_the_copy_is_not_cleared(
    engine: Any, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody put a file there while the containers were stopped: refused, and all is as it was."""
    before, plan = held(engine, UP), planned(target, "up")
    real = volume_aside._copied

    def written(*given: Any) -> Any:
        done = real(*given)
        run_checked(("docker", "run", "--rm", "-v", f"{UP}:/up", "--entrypoint", "touch",
                     f"drillbook-redis:{images.tag()}", "/up/late"), timeout=60)  # fmt: skip
        return done

    with monkeypatch.context() as patch, pytest.raises(RunbookError, match="holds late, which"):
        patch.setattr(volume_aside, "_copied", written)
        carry_out(target, plan)
    assert held(engine, UP).members.keys() == before.members.keys() | {"late"}
    assert (named(engine), states(engine)["app"][1]) == ([], "running")


KILLED = """
import json, os, signal, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[1])
from docker.api.client import APIClient
from drillbook.act import volume_aside
from drillbook.act.executor import Context, _actions
from drillbook.decide.plan import Step
from drillbook.target import load_target

at, seen, real = int(sys.argv[3]), [], volume_aside.run_checked

def moment():
    seen.append(1)
    if len(seen) == at:
        os.kill(os.getpid(), signal.SIGKILL)

def around(method):
    def inner(*given, **named):
        moment()
        done = method(*given, **named)
        moment()
        return done
    return inner

def put(self, container, path, data):
    def cut():
        for number, chunk in enumerate(data):
            yield chunk
            if number in (0, 40):
                moment()
    return copied(self, container, path, cut())

def run(argv, **named):
    if argv[1] == "run":
        real([*argv[:-1], "cd /drillbook-volume && rm -rf a-big b-link dump.rdb"], **named)
    else:
        real(argv[:3], **named)
    moment()
    return real(argv, **named)

copied = APIClient.put_archive
for name in ("create_volume", "remove_volume"):
    setattr(APIClient, name, around(getattr(APIClient, name)))
APIClient.put_archive = around(put)
volume_aside.run_checked = around(run)
context = Context(load_target(sys.argv[2]), Path("killed"))
for told in json.loads(sys.argv[4]):
    step = Step.from_json(told)
    _actions[step.verb](step, context)
print("whole")
"""


def killed_at(target: Target, plan: Plan, moment: int) -> bool:
    """Whether a process that carries out *plan* killed itself at its *moment*; False when it came to its end."""
    told = (json.dumps(sys.path), str(target.file), str(moment), json.dumps([step.as_json() for step in plan.steps]))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *told], capture_output=True, text=True, timeout=300, check=False, env=os.environ
    )
    assert done.returncode == -signal.SIGKILL or done.stdout.endswith("whole\n"), done.stderr
    return done.returncode == -signal.SIGKILL


def is_somewhere(before: Listing, *places: Listing) -> bool:
    """Whether every member is in one of *places*, as it was."""
    return all(any(place.what(name) == before.what(name) for place in places) for name in before.members)


UP_ALONE, WITH_CACHE = (("up",), 1), (("up", "auto"), 2)


@pytest.mark.parametrize(
    ("names", "again", "moments", "most"),
    [
        pytest.param(*UP_ALONE, range(1, 8), 0, id="up, 1 to 7"),
        pytest.param(*UP_ALONE, range(8, 15), 0, id="up, 8 to 14"),
        pytest.param(*UP_ALONE, range(15, 200), 20, id="up, 15 to the end"),
        pytest.param(*WITH_CACHE, range(1, 20, 5), 0, id="up and cache, 1 to 16"),
        pytest.param(*WITH_CACHE, range(21, 200, 5), 36, id="up and cache, 21 to the end"),
    ],
)
def test_kill_9_around_and_within_each_operation(
    engine: Any, target: Target, names: tuple[str, ...], again: int, moments: range, most: int
) -> None:
    """All that was in the volumes is in them or in what is kept; the same plan, or a new one, comes to the end.

    `most`: the last moments are past the end of the operations, of which there are at least so many.
    """
    whole = False
    for moment in moments:
        inside(engine, "app", "sh", "-c", FILL)
        inside(engine, "cache", "redis-cli", "MSET", "a", "1", "b", "2")
        before, was, plan = held(engine, UP), states(engine), planned(target, *names)
        whole = not killed_at(target, plan, moment)
        if whole:
            break
        there = {volume.name for volume in engine.volumes.list()}
        assert is_somewhere(before, held(engine, UP), *(held(engine, n) for n in (aside(UP),) if n in there)), moment
        carry_out(target, plan if again == 1 else planned(target, *names, second=again))
        now = [held(engine, f"{PROJECT}_{name}") for name in named(engine) if name.startswith("up-aside-")]
        assert held(engine, aside(UP)) == before if again == 1 else is_somewhere(before, *now), moment
        assert held(engine, UP).members == {}, moment
        assert inside(engine, "cache", "redis-cli", "DBSIZE") == ("0" if "auto" in names else "2"), moment
        assert {n: one[:2] for n, one in states(engine).items()} == {n: one[:2] for n, one in was.items()}, moment
        assert not [name for name in named(engine) if name.endswith((".stopped", ".cleared"))], moment
        assert helpers(engine) == [], moment
        clean(engine)
    assert whole == bool(most)
    assert moment > most
