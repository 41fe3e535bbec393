"""A rehearsal on real containers: it tells the truth, reaches nothing of the target, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
from shell import described, run
from there import of_project, tags

import checkout
from drillbook.act import breakage
from drillbook.act.executor import Context
from drillbook.act.rehearsal import LABEL, Rehearsal
from drillbook.act.rehearse_sweep import sweep
from drillbook.act.site import Site
from drillbook.decide.plan import Step
from drillbook.decide.rehearsed import Rehearsed
from drillbook.errors import CheckFailed, Locked
from drillbook.observe import engine as engines
from drillbook.run.record import Record, new_run_folder
from drillbook.run.rehearse import RehearseRun
from drillbook.target import Target, load_target

pytestmark = [pytest.mark.docker, pytest.mark.matrix]
PROJECT = checkout.project("drilltest")
SWEEP = Step("sweep", "rehearse.sweep", "")


@pytest.fixture
def target(proven_vault: Path, healthy: Site, tmp_path: Path) -> Target:
    """The sandbox with a proven backup in its vault."""
    return load_target(str(described(healthy, tmp_path, backup={"vault": str(proven_vault)})))


@dataclass(frozen=True)
class Real:
    """The target itself: all of it that a rehearsal could touch."""

    target: Target
    engine: Any

    def seen(self) -> dict[str, Any]:
        name = self.target.stack.project
        ours, containers = {"label": f"com.docker.compose.project={name}"}, of_project(self.engine, name)
        files = [path for path in sorted(self.target.directory.rglob("*")) if path.is_file()]
        return {
            "containers": sorted((c.id, c.attrs["State"]["StartedAt"], c.attrs["RestartCount"]) for c in containers),
            "images": tags(self.engine, name),
            "volumes": sorted(v.name for v in self.engine.volumes.list(filters=ours)),
            "networks": sorted(n.id for n in self.engine.networks.list(filters=ours)),
            "files": [(str(path), path.stat().st_mtime_ns) for path in files],
            "rows": self.rows(),
            "answer": httpx.get(self.target.endpoints["matches"].url, timeout=10).status_code,
        }

    def rows(self) -> str:
        container = engines.container_of(self.target, "postgres").id
        query = "SELECT string_agg(relname || ' ' || n_live_tup, ', ' ORDER BY 1) FROM pg_stat_user_tables"
        done = self.engine.containers.get(container).exec_run(["psql", "-U", "connect", "-Atc", query])
        return str(done.output.decode())


@pytest.fixture
def real(target: Target, engine: Any) -> Real:
    return Real(target, engine)


def left(engine: Any) -> list[str]:
    """Everything that any copy of this target left on the engine, and in the folder of the runs."""
    ours = {"label": f"{LABEL}={Site(PROJECT).target.identity}"}
    found = [row["Names"][0][1:] for row in engine.api.containers(all=True, filters=ours)]
    found += [row["Name"] for row in (*engine.api.networks(filters=ours), *engine.api.volumes(filters=ours)["Volumes"])]
    found += list(tags(engine, f"{PROJECT}-rehearsal-"))
    return found + [str(path) for path in Path(os.environ["DRILLBOOK_OUTPUTS"]).rglob(".rehearsal-*")]


@pytest.fixture(autouse=True)
def nothing_left(engine: Any, sandbox: Site) -> Iterator[None]:
    """No copy is there before a test, or after it."""
    assert left(engine) == []
    yield
    assert left(engine) == []


def rehearse(target: Target, scope: str = "auto", keep: bool = False) -> RehearseRun:
    """A rehearsal up to its Verify, without a notebook around it."""
    folder = new_run_folder(target.name, "rehearse")
    found = RehearseRun(target, Record.create(folder, "rehearse", target.name, parameters={}), folder)
    found.confirm(found.observe(), scope)
    found.act(found.plan(keep))
    return found


def test_a_rehearsal_tells_what_the_reset_would_take(real: Real, healthy: Site, foreign_project: Any) -> None:
    """By the shell, on the night of the stale artifact: it would work; all is as broken as before, nothing is left."""
    breakage.break_stack("stale-artifact", healthy.project)
    before, stranger = real.seen(), foreign_project.snapshot()
    assert before["answer"] == 500

    ended = run("rehearse", str(real.target.file))

    assert ended.code == 0, ended.said
    result = ended.record["result"]
    assert (result["verdict"], result["not_rehearsed"], result["failed"]) == ("pass", [], None)
    assert {"build-images", "prove-app1", "canary-app1", "green-app1-1"} <= {s["step"] for s in result["steps"]}
    would = result["would"]
    assert would["works"]
    assert 5 < would["seconds"] < 300
    assert (would["downtime_seconds"], would["requests_failed"]) == (0.0, 0)
    assert would["requests"] > 50
    assert would["requests_unmended"], "the copy was as broken as the target, until it was reset"
    assert result["copy"]["restore_seconds"] > 0
    assert (real.seen(), foreign_project.snapshot()) == (before, stranger)
    secret = healthy.password_file.read_text().strip().encode()
    outputs = Path(os.environ["DRILLBOOK_OUTPUTS"])
    assert not [path for path in outputs.rglob("*") if path.is_file() and secret in path.read_bytes()]


def test_it_would_fail_where_the_reset_fails(real: Real, healthy: Site) -> None:
    """A Dockerfile that does not build: the step is named, nothing that serves had been touched, nothing is left."""
    dockerfile = healthy.directory / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("RUN BUILD_ID", "RUN exit 7 # "))
    before = real.seen()
    found = rehearse(real.target, "images")
    with pytest.raises(CheckFailed, match="the reset would fail in build-images"):
        found.verify()
    result = found.record.result
    assert result is not None
    assert (result["verdict"], result["would"]["works"], result["failed"]["step"]) == ("fail", False, "build-images")
    assert result["failed"]["back"].startswith("not needed")
    assert "exit 7" in result["failed"]["fact"]
    assert real.seen() == before


def test_the_way_back_is_rehearsed_too(real: Real, healthy: Site) -> None:
    """The new build answers, but not as it must: the copy comes back to what served before, and the answer says so."""
    route = healthy.directory / "app/api/matches/generate/route.js"
    route.write_text('exports.GET = async () => { throw new Error("new and wrong"); };\n')
    before = real.seen()
    assert before["answer"] == 200
    found = rehearse(real.target, "images")
    with pytest.raises(CheckFailed, match="would fail in well-app"):
        found.verify()
    assert found.record.result is not None
    assert found.record.result["failed"]["back"].startswith("taken")
    assert real.seen() == before


SCRIPT = """
import sys
from drillbook.run.record import Record, new_run_folder
from drillbook.run.rehearse import RehearseRun
from drillbook.target import load_target
target = load_target(sys.argv[1])
folder = new_run_folder(target.name, "rehearse")
run = RehearseRun(target, Record.create(folder, "rehearse", target.name, parameters={}), folder)
run.confirm(run.observe(), "images")
run.act(run.plan())
"""


def test_what_a_killed_rehearsal_leaves_goes_with_the_next(real: Real, engine: Any, tmp_path: Path) -> None:
    """While it lives no other begins; killed in the middle of the reset, all of it is found by label and removed."""
    before, context = real.seen(), Context(real.target, tmp_path)
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(real.target.file)], stdout=subprocess.DEVNULL)
    try:
        wait(lambda: any("app1-2" in name for name in left(engine)) or process.poll() is not None)
        with pytest.raises(Locked, match=f"is under way, process {process.pid}"):
            sweep(SWEEP, context)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    there = left(engine)
    assert len(there) > 15
    swept = sweep(SWEEP, context)["swept"]
    assert [name for name in there if name not in swept and not name.startswith("/")] == []
    assert real.seen() == before


def wait(until: Callable[[], bool], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_one_that_is_asked_to_end_removes_its_copy(real: Real, engine: Any) -> None:
    """SIGTERM while the copy is reset: the process takes its copy along."""
    before = real.seen()
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(real.target.file)], stdout=subprocess.DEVNULL)
    wait(lambda: any("drillbook-build" in name for name in left(engine)) or process.poll() is not None)
    process.terminate()
    assert process.wait(60) == 143
    assert left(engine) == []
    assert real.seen() == before


class Listener(BaseHTTPRequestHandler):
    """Whatever listens on the host."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def listening() -> Iterator[int]:
    """A port of the host, open on all of its addresses."""
    server = ThreadingHTTPServer(("0.0.0.0", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def reached(engine: Any, container: str, places: dict[str, tuple[str, int]]) -> set[str]:
    """The names of those *places* that a connection from inside *container* comes through to."""
    script = 'for p in "$@"; do timeout 4 bash -c "exec 3<>/dev/tcp/${p#*=}" 2>/dev/null && echo "${p%%=*}"; done; true'
    words = [f"{name}={host}/{port}" for name, (host, port) in places.items()]
    done = engine.containers.get(container).exec_run(["bash", "-c", script, "bash", *words])
    return set(done.output.decode().split())


def gateway(engine: Any, network: str) -> str:
    """The first address of a network: the host's own, where it has one there."""
    return str(ip_network(engine.api.inspect_network(network)["IPAM"]["Config"][0]["Subnet"])[1])


def lan_address() -> str:
    """The host's own address on its way to the world; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.connect(("198.51.100.7", 9))
        return str(wire.getsockname()[0])


def named(engine: Any, container: str, name: str) -> str:
    done = engine.containers.get(container).exec_run(["getent", "hosts", name])
    return done.output.decode().split(" ")[0]


@pytest.mark.parametrize("closed", [True, False], ids=["root", "not-root"])
def test_nothing_in_the_copy_reaches_the_target(
    real: Real, engine: Any, listening: int, closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by address, not by name, not by the host's ports; the same places are open from the target's own container.

    Without root's means the host's own addresses stay open: the plan says so in one line.
    """
    ours = real.target.stack.project
    app = engines.container_of(real.target, "app1").name
    address = {s: engines.container_of(real.target, s).address for s in ("postgres", "redis-queue", "proxy")}
    bridge, docker0 = gateway(engine, f"{ours}_default"), gateway(engine, "bridge")
    stacks = {s: (address[s], port) for s, port in {"postgres": 5432, "redis-queue": 6379, "proxy": 80}.items()}
    hosts = {"bridge": (bridge, listening), "docker0": (docker0, listening), "lan": (lan_address(), listening)}
    assert reached(engine, app, stacks | hosts) == set(stacks | hosts), "the danger"
    if not closed:
        monkeypatch.setattr("drillbook.act.netns.is_possible", lambda: False)

    def look(_run: object, rehearsal: Rehearsal, *_: object) -> Rehearsed:
        copy = rehearsal.making.project
        own = {s: engines.container_of(rehearsal.copy, s).address for s in ("postgres", "proxy")}
        inside = {"own-postgres": (own["postgres"], 5432), "own-name": ("postgres", 5432)}
        world = {"world": ("198.51.100.7", 80), "gateway": (gateway(engine, f"{copy}_default"), listening)}
        seen.update(reached(engine, f"{copy}-app1-1", {**stacks, **hosts, **world, **inside}))
        names.update({name: named(engine, f"{copy}-app1-1", name) for name in ("postgres", f"{ours}-postgres-1")})
        assert names["postgres"] == own["postgres"] != address["postgres"]
        return Rehearsed(None)

    seen, names = set[str](), dict[str, str]()
    monkeypatch.setattr("drillbook.run.rehearse.rehearsed", look)
    found = rehearse(real.target, "images")
    notes = json.loads((found.folder / "plan.json").read_text())["notes"]
    assert names[f"{ours}-postgres-1"] == ""
    assert any(note.startswith("cut off:" if closed else "left open:") for note in notes)
    assert seen == {"own-postgres", "own-name"} | (set() if closed else {*hosts, "gateway"})


def test_a_copy_that_is_kept_can_be_reached_and_removed(real: Real, engine: Any) -> None:
    """Each of the words that the result gives does what it says; the file with the secrets is gone at once."""
    before = real.seen()
    found = rehearse(real.target, "containers", keep=True)
    found.verify()
    told = found.copied["end"]["evidence"]
    _, psql, curl = told["reach"]
    assert shell(psql.replace("-it", "-i") + " -Atc 'SELECT count(*) > 0 FROM users'") == "t"
    assert "200 OK" in shell(curl)
    assert list(Path(os.environ["DRILLBOOK_OUTPUTS"]).rglob("compose.json")) == []
    assert sweep(SWEEP, Context(real.target, found.folder))["swept"] == [], "it stays for a day"
    for line in told["remove"]:
        shell(line)
    assert real.seen() == before


def shell(line: str) -> str:
    return subprocess.run(["bash", "-c", line], check=True, capture_output=True, text=True).stdout.strip()
