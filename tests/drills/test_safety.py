"""What a reset refuses, on real containers: what would be lost is shown to be lost, and the way out to lead out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from engine_images import anonymous
from rounds import put_back, take_backup, take_drill
from there import of_project, tags

import checkout
from drillbook.act import images
from drillbook.decide.safety import refuse_unsafe
from drillbook.errors import CommandFailed, DataNotKept, NameTaken
from drillbook.observe import compose
from drillbook.observe.command import environment, run_checked
from drillbook.observe.snapshot import observe
from drillbook.target import Target, parse_target
from drillbook.vault.catalog import Vault

PROJECT = checkout.project("drillsafety")
LABEL = {"label": f"com.docker.compose.project={PROJECT}"}
DATA = "/var/lib/postgresql/data"
HEALTH = {"test": ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "connect"], "interval": "300ms", "retries": 100}
TRUST = {"POSTGRES_USER": "connect", "POSTGRES_HOST_AUTH_METHOD": "trust"}
SLEEPING = {"command": ["sleep", "600"], "init": True, "healthcheck": {"disable": True}, "volumes": [f"pg:{DATA}"]}
Service = dict[str, Any]
more = pytest.mark.proofs


def pgdata(directory: str, *volumes: str) -> Service:
    return {"environment": {**TRUST, "PGDATA": directory}, **({"volumes": list(volumes)} if volumes else {})}


BY_IMAGE: Service = {}
LAYER = pgdata("/srv/pgdata")
MEMORY = {"tmpfs": [DATA]}
OVER_DISK = {**MEMORY, "volumes": ["pg:/var/lib/postgresql"]}
TRAP = pgdata("/var/lib/postgresql/18/docker", "/var/lib/postgresql", f"pg:{DATA}")


class Stack:
    """A stack of one PostgreSQL server, in a folder of its own."""

    def __init__(self, folder: Path, service: Service) -> None:
        folder.mkdir(exist_ok=True)
        self.file, self.nameless = folder / "compose.yaml", set[str]()
        server = {"image": f"drillbook-postgres:{images.tag()}", "environment": TRUST, "healthcheck": HEALTH}
        self.write({"services": {"postgres": {**server, **service}}, "volumes": {"pg": None}})
        raw = {
            "name": PROJECT,
            "stack": {"project": PROJECT, "directory": str(folder)},
            "databases": {"main": {"service": "postgres", "dbname": "connect", "user": "connect"}},
            "backup": {"vault": "vault"},
        }
        self.target: Target = parse_target(raw, folder / "target.yaml")

    def write(self, config: dict[str, Any]) -> None:
        self.file.write_text(yaml.safe_dump(config))

    def compose(self, *words: str) -> str:
        self.nameless |= anonymous(self.target)
        argv = compose.compose_argv(self.target, *words)
        done = run_checked(argv, timeout=120, env=environment(self.target))
        self.nameless |= anonymous(self.target)
        return done.stdout

    def up(self, *words: str) -> None:
        self.compose("up", "-d", "--wait", *words)

    def sql(self, query: str) -> str:
        words = ("psql", "-U", "connect", "-d", "connect", "-v", "ON_ERROR_STOP=1", "-Atc", query)
        return run_checked(("docker", "exec", f"{PROJECT}-postgres-1", *words), timeout=60).stdout.strip()

    def filled(self) -> Stack:
        self.up()
        self.sql("CREATE TABLE users (name text); INSERT INTO users VALUES ('ada'), ('grace')")
        return self

    def refused(self) -> DataNotKept:
        with pytest.raises(DataNotKept) as caught:
            refuse_unsafe(self.target, observe(self.target))
        return caught.value


Make = Callable[..., Stack]


@pytest.fixture
def make(engine: Any, tmp_path: Path) -> Iterator[Make]:
    """A stack in a folder; whatever of it is left, also by a run that was killed, is taken away by name or label."""
    stacks: list[Stack] = []

    def stack(service: Service, folder: str = "stack") -> Stack:
        stacks.append(Stack(tmp_path / folder, service))
        return stacks[-1]

    _clean(engine, set())
    yield stack
    _clean(engine, {name for made in stacks for name in made.nameless})


def _clean(engine: Any, nameless: set[str]) -> None:
    for container in of_project(engine, PROJECT):
        container.remove(force=True, v=True)
    for network in engine.networks.list(filters=LABEL):
        network.remove()
    for tag in tags(engine, f"{PROJECT}-data"):
        engine.images.remove(tag)
    for volume in engine.volumes.list():
        if volume.name in nameless or (volume.attrs["Labels"] or {}).get("com.docker.compose.project") == PROJECT:
            volume.remove()


def test_two_stacks_of_one_name(make: Make, engine: Any) -> None:
    """Compose takes the other folder's container for its own, running or not; the refusal names it."""
    ours, other = make(SLEEPING), make({}, "other")
    sleeper = {"image": f"drillbook-redis:{images.tag()}", "command": ["sleep", "600"], "init": True}
    other.write({"services": {"keeper": sleeper}})
    ours.up("--no-start")
    observed = observe(ours.target)
    assert observed.strangers == ()
    other.up()
    name = f"{PROJECT}-keeper-1"
    for state in ("", " (stopped)"):
        assert name in ours.compose("ps", "-a", "--format", "{{.Name}}"), "the danger"
        with pytest.raises(NameTaken) as caught:
            refuse_unsafe(ours.target, observe(ours.target))
        folder = other.target.directory
        assert caught.value.fact == (
            f"the compose project name {PROJECT} is also that of {folder} (compose.yaml): {name}{state}"
        )
        engine.containers.get(name).stop(timeout=1)
    engine.containers.get(name).remove(v=True)
    refuse_unsafe(ours.target, observed)


def test_containers_that_compose_leaves_alone_are_no_strangers(make: Make, engine: Any) -> None:
    """One by `docker run` has the project's label from a built image; a one-off one of our own is ours."""
    ours = make(SLEEPING)
    once = ours.compose("run", "--detach", "--no-deps", "postgres", "sleep", "60").strip()
    by_hand = engine.containers.run(
        f"drillbook-redis:{images.tag()}", ["sleep", "60"], init=True, detach=True, network_mode="none",
        labels={"com.docker.compose.project": PROJECT, "com.docker.compose.service": "postgres"},
    )  # fmt: skip
    told = ours.compose("ps", "-a", "--format", "{{.Name}}")
    assert by_hand.name not in told
    assert observe(ours.target).strangers == ()
    assert engine.containers.get(once).status == "running"


@pytest.mark.parametrize(
    ("service", "directory", "fate"),
    [
        pytest.param(BY_IMAGE, DATA, "on the anonymous volume", id="by-image"),
        pytest.param({"volumes": [DATA]}, DATA, "on the anonymous volume", id="nameless", marks=more),
        pytest.param(TRAP, "/var/lib/postgresql/18/docker", "on the anonymous volume", id="trap", marks=more),
        pytest.param(LAYER, "/srv/pgdata", "in the container's own layer", id="layer"),
        pytest.param(MEMORY, DATA, "in memory", id="memory", marks=more),
        pytest.param(OVER_DISK, DATA, "in memory", id="memory-over-disk", marks=more),
    ],
)
def test_data_that_goes_with_its_container_is_refused(make: Make, service: Service, directory: str, fate: str) -> None:
    """By the server's word while it runs, and by its PGDATA when it does not."""
    stack = make(service).filled()
    where = f"the files of database main lie in {directory} of {PROJECT}-postgres-1"
    fact = stack.refused().fact
    assert fact.startswith(f"{where} (so says the server), {fate}")
    stack.compose("stop", "--timeout", "5")
    fact = stack.refused().fact
    assert fact.startswith(f"{where} (so says its PGDATA), {fate}")


@pytest.mark.parametrize(
    "service",
    [
        pytest.param({"volumes": [f"pg:{DATA}"]}, id="named", marks=more),
        pytest.param(pgdata(f"{DATA}/pgdata", f"pg:{DATA}"), id="below"),
        pytest.param(pgdata("/var/lib/postgresql/18/docker", "pg:/var/lib/postgresql"), id="far-below", marks=more),
    ],
)
def test_data_on_a_named_volume_passes(make: Make, service: Service) -> None:
    """Also in a folder below the mount; and it is there after the container was made anew."""
    stack = make(service).filled()
    refuse_unsafe(stack.target, observe(stack.target))
    stack.compose("down", "--timeout", "5")
    stack.up()
    assert stack.sql("SELECT count(*) FROM users") == "2"


@pytest.mark.parametrize(
    ("service", "recreate"),
    [
        pytest.param(BY_IMAGE, [("down", "--timeout", "5")], id="by-image", marks=more),
        pytest.param(LAYER, [], id="layer", marks=more),
    ],
)
def test_what_is_refused_would_be_lost(make: Make, service: Service, recreate: list[tuple[str, ...]]) -> None:
    """The wrong way: the container is made anew, and the server starts empty."""
    stack = make(service).filled()
    stack.refused()
    for words in recreate:
        stack.compose(*words)
    stack.up("--force-recreate")
    with pytest.raises(CommandFailed, match='relation "users" does not exist'):
        stack.sql("SELECT count(*) FROM users")


@pytest.mark.proofs
@pytest.mark.parametrize(
    "service",
    [
        pytest.param(BY_IMAGE, id="by-image"),
        pytest.param(TRAP, id="trap"),
        pytest.param(LAYER, id="layer"),
        pytest.param(MEMORY, id="memory"),
    ],
)
def test_the_way_leads_out(make: Make, engine: Any, service: Service) -> None:
    """Each line of the hint, taken as it stands: the rows are there, and stay when the container is made anew."""
    stack = make(service).filled()
    for line in lines(stack):
        take(stack, line)
    stack.up()
    for _ in range(2):
        assert stack.sql("SELECT string_agg(name, ' ' ORDER BY name) FROM users") == "ada grace"
        refuse_unsafe(stack.target, observe(stack.target))
        stack.compose("down", "--timeout", "5")
        stack.up()


@pytest.mark.proofs
def test_the_way_never_fills_a_volume_that_holds_something(make: Make, engine: Any) -> None:
    """Two data directories in one are none: the copy stops, the server starts again as it was, the way is still open.

    Here the compose file was mended before its time, and names a volume of its own.
    """
    stack = make(BY_IMAGE).filled()
    stack.write(
        _merged(yaml.safe_load(stack.file.read_text()), {"services": {"postgres": {"volumes": [f"pg:{DATA}"]}}})
    )
    backup, drill, stop, create, copy, up, left = lines(stack)
    for line in (stop, create):
        take(stack, line)
    touch = f"--entrypoint touch drillbook-redis:{images.tag()} /pg/precious"
    run_checked(("bash", "-c", f"docker run --rm -v {PROJECT}_pg:/pg {touch}"), timeout=60)
    with pytest.raises(CommandFailed, match="the new volume is not empty"):
        take(stack, copy)
    take(stack, f"docker start {PROJECT}-postgres-1")
    stack.up("--no-recreate")
    assert stack.sql("SELECT count(*) FROM users") == "2"
    engine.volumes.get(f"{PROJECT}_pg").remove()
    for line in (backup, drill, stop, create, copy, up, left):
        take(stack, line)
    stack.up()
    assert stack.sql("SELECT count(*) FROM users") == "2"


@pytest.mark.proofs
def test_tablespace_in_the_layer_is_emptied_while_the_server_runs(make: Make) -> None:
    """Beside data on a named volume; after that a new container has all the rows."""
    stack = make({"volumes": [f"pg:{DATA}"]}).filled()
    run_checked(("docker", "exec", f"{PROJECT}-postgres-1", "install", "-d", "-o", "postgres", "/fast"), timeout=60)
    stack.sql("CREATE TABLESPACE fast LOCATION '/fast'")
    stack.sql("CREATE TABLE logs (id int PRIMARY KEY USING INDEX TABLESPACE fast) TABLESPACE fast")
    stack.sql("INSERT INTO logs SELECT generate_series(1, 1000)")
    assert stack.refused().fact.startswith(f"the files of tablespace fast lie in /fast of {PROJECT}-postgres-1")
    for line in lines(stack):
        take(stack, line)
    refuse_unsafe(stack.target, observe(stack.target))
    stack.up("--force-recreate")
    assert stack.sql("SELECT count(*), (SELECT count(*) FROM users) FROM logs") == "1000|2"


def lines(stack: Stack) -> list[str]:
    """The lines that the hint says to take."""
    return [line.strip() for line in stack.refused().hint.splitlines() if line.startswith("     ")]


def take(stack: Stack, line: str) -> None:
    """One line: drillbook's without its notebook, docker's in a shell, any other into the compose file."""
    vault = Vault.of(stack.target)
    match line.split()[:3]:
        case ["drillbook", "run", "backup"]:
            take_backup(stack.target)
        case ["drillbook", "run", "drill"]:
            assert take_drill(stack.target, vault.backups()[-1])["verdict"] == "pass"
        case ["drillbook", "run", "restore"]:
            stack.up()
            put_back(stack.target, vault.backups()[-1])
        case ["docker", *_]:
            stack.nameless |= anonymous(stack.target)
            run_checked(("bash", "-c", line), timeout=120)
        case _:
            stack.write(_merged(yaml.safe_load(stack.file.read_text()), yaml.safe_load(line)))


def _merged(config: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """*config* as a person would edit it: the new mount takes the place of any other at its path."""
    for name, body in (more.get("services") or {}).items():
        service, [mount] = config["services"][name], body["volumes"]
        path = mount.partition(":")[2]
        others = [m for m in service.get("volumes") or () if re.sub(".*:", "", m) != path]
        service.update(volumes=[*others, mount], tmpfs=[p for p in service.get("tmpfs") or () if p != path])
    return {**config, "volumes": {**config["volumes"], **(more.get("volumes") or {})}}
