"""The scratch server: as near to the source as can be had, reached by nothing but us, gone afterwards."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from drillbook.act import cluster as clusters
from drillbook.act.cluster import Cluster
from drillbook.act.scratch_marks import FOLDER, KEPT, KEPT_FILE, NAME, claim, labels, new_name
from drillbook.errors import DatabaseDown, RunbookError
from drillbook.observe import binaries, engine
from drillbook.observe.command import Completed, environment, run, run_checked
from drillbook.observe.server import PINNED, Place, declared, one, server_version, session, system_identifier
from drillbook.target import Target
from drillbook.vault.manifest import ServerEntry

SOCKET = "/drillbook-socket"
BACKUP = "/backup"
WAIT_SECONDS = 120
PORT = 5432


@dataclass
class Fate:
    """What becomes of a scratch server at the end of its drill: gone, or kept, and then how to reach and remove it."""

    kept: bool = False
    reach: str = ""
    remove: str = ""


@dataclass(frozen=True)
class Scratch:
    """A running scratch server. `prefix` goes before a client program's name to run it there.

    `container` is its name on the engine, empty for one of local programs.
    """

    place: Place
    prefix: tuple[str, ...]
    backup: str
    env: dict[str, str]
    version: str
    facts: dict[str, Any]
    container: str = ""
    fate: Fate = field(default_factory=Fate)

    def client(self, program: str, *words: str, timeout: float, stdin: str = "") -> Completed:
        """Run a client program against it; any exit code but 0 is an error.

        Raises:
            CommandFailed: with the code and the last lines of what it said.
        """
        return run_checked(self.argv(program, *words), timeout=timeout, env=self.env, stdin=stdin)

    def argv(self, program: str, *words: str) -> tuple[str, ...]:
        """The exact command of a client program against it."""
        host = SOCKET if self.container else self.place.host
        server = ("-h", host, "-p", str(self.place.port), "-U", self.place.user, "-w")
        return (*self.program(program), *server, *words)

    def program(self, name: str) -> tuple[str, ...]:
        """What calls one of its programs."""
        return (*self.prefix, name) if self.container else (f"{self.prefix[0]}/{name}",)

    def connect(self, dbname: str, settings: Mapping[str, str] = PINNED) -> psycopg.Connection:
        """A session in one of its databases, with the same pinned settings as on the source, or other *settings*."""
        place = Place(self.place.host, self.place.port, self.place.user, dbname)
        return session(place, settings)


@contextmanager
def scratch_server(target: Target, key: str, source: ServerEntry, backup: Path, label: str) -> Iterator[Scratch]:
    """A fresh server of the source's own image, or of local programs, with durability off.

    Changes nothing that lasts: the server and its data are gone at the end of
    the block, however it ends.

    Raises:
        RunbookError: it does not come up, or is the source itself.
    """
    database = target.databases.get(key)
    start = _container if database is not None and database.service else _cluster
    with start(target, source, backup, label) as scratch:
        with scratch.connect("postgres") as connection:
            identifier = system_identifier(connection)
        if source.system_identifier and identifier == source.system_identifier:
            raise RunbookError(
                "the scratch server is the source itself: both have the same system identifier",
                "nothing was restored; see whether the backup's folder or a socket is shared with the live server",
            )
        yield scratch


@contextmanager
def _container(target: Target, source: ServerEntry, backup: Path, label: str) -> Iterator[Scratch]:
    name, env, fate = new_name(), environment(target), Fate()
    image = image_of(target, source)
    with tempfile.TemporaryDirectory(prefix=FOLDER) as folder:
        claim(Path(folder))
        Path(folder).chmod(0o777)  # the server's user in the image is not ours
        argv = run_words(name, label, image, source, Path(folder), backup)
        try:
            run_checked(
                argv, timeout=120, env=env, hint="docker images shows whether the server's image is still there"
            )
            place = Place(folder, PORT, source.user, "postgres")
            version = _wait(place, lambda: _log(name, env))
            facts = {"kind": "container", "image_id": image, "image_ref": source.image_ref, "version": version}
            prefix = ("docker", "exec", "-i", name)
            yield Scratch(place, prefix, BACKUP, env, version, facts, name, fate)
        finally:
            run(("docker", "exec", name, "sh", "-c", f"rm -rf {SOCKET}/.s.PGSQL.*"), timeout=30, env=env)
            if not fate.kept or not _keep_container(name, source.user, fate, env):
                run(("docker", "rm", "-f", "-v", name), timeout=60, env=env)


def _keep_container(name: str, user: str, fate: Fate, env: dict[str, str]) -> bool:
    """Let it run on under a name that says it is kept; whether that could be done."""
    kept = name.replace(NAME, KEPT)
    fate.kept = run(("docker", "rename", name, kept), timeout=60, env=env).code == 0
    fate.reach = shlex.join(("docker", "exec", "-it", kept, "psql", "-U", user, "-l"))
    fate.remove = shlex.join(("docker", "rm", "-f", "-v", kept))
    return fate.kept


def run_words(name: str, label: str, image: str, source: ServerEntry, socket: Path, backup: Path) -> tuple[str, ...]:
    """The argv that starts the scratch container."""
    owner = [word for k, v in labels(label).items() for word in ("--label", f"{k}={v}")]
    durability = [word for k, v in clusters.FAST.items() for word in ("-c", f"{k}={v}")]
    sockets = f"unix_socket_directories=/var/run/postgresql,{SOCKET}"
    preload = ("-c", f"shared_preload_libraries={source.preload}") if source.preload else ()
    return (
        "docker", "run", "-d", "--name", name, "--network", "none", *owner,
        "--shm-size", "256m", "-v", f"{socket}:{SOCKET}", "-v", f"{backup}:{BACKUP}:ro",
        "-e", f"POSTGRES_USER={source.user}", "-e", "POSTGRES_DB=postgres", "-e", "POSTGRES_HOST_AUTH_METHOD=trust",
        image, "postgres", *durability, "-c", sockets, *preload,
    )  # fmt: skip


def image_of(target: Target, source: ServerEntry) -> str:
    """The source's image by id, or by its name when that id is gone."""
    client = engine.client(target)
    for reference in (source.image_id, source.image_ref):
        if reference and engine.image_id(client, reference):
            return reference
    raise RunbookError(
        f"the image of the backup's server ({source.image_ref}) is not on this engine",
        f"docker pull {source.image_ref}, then drill again",
    )


def _log(name: str, env: dict[str, str]) -> str:
    done = run(("docker", "logs", "--tail", "5", name), timeout=30, env=env)
    return done.complaint


def _wait(place: Place, told: Any) -> str:
    """The server's version, once it is the final one: an image's first start has a temporary server without TCP."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            with session(place, PINNED) as connection:
                if one(connection, "SHOW listen_addresses"):
                    return server_version(connection)
        except (DatabaseDown, psycopg.OperationalError):
            pass
        time.sleep(0.2)
    raise RunbookError(
        f"the scratch server did not answer within {WAIT_SECONDS} s: {told()}", "drill again; see its image"
    )


@contextmanager
def _cluster(_target: Target, source: ServerEntry, backup: Path, _label: str) -> Iterator[Scratch]:
    found = binaries.at_least(source.major, binaries.SERVER)
    folder, fate = Path(tempfile.mkdtemp(prefix=FOLDER)), Fate()
    cluster = Cluster(found, folder, source.user, PORT)
    preload = {"shared_preload_libraries": source.preload} if source.preload else {}
    try:
        claim(folder)
        clusters.initialise(cluster)
        clusters.start(cluster, {**clusters.FAST, **preload})
        place = Place(str(folder), PORT, source.user, "postgres")
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        facts = {"kind": "programs", "folder": str(found.folder), "version": found.version}
        yield Scratch(place, (str(found.folder),), str(backup), env, found.version, facts, fate=fate)
    finally:
        if fate.kept:
            keep_cluster(cluster, fate, preload)
        else:
            clusters.stop(cluster)
            shutil.rmtree(folder, ignore_errors=True)


def keep_cluster(cluster: Cluster, fate: Fate, options: Mapping[str, str]) -> None:
    """Stop it with its data on disk: what a run starts ends with it, so whoever looks at it starts it again."""
    clusters.stop(cluster, mode="fast")
    (cluster.folder / KEPT_FILE).touch()
    psql = (cluster.binaries.program("psql"), "-h", str(cluster.folder), "-p", str(cluster.port), "-U", cluster.user)
    fate.reach = f"{shlex.join(clusters.start_words(cluster, options))} && {shlex.join((*psql, '-l'))}"
    stop, gone = shlex.join(clusters.stop_words(cluster)), shlex.join(("rm", "-rf", str(cluster.folder)))
    fate.remove = f"{stop}; {gone}"


def is_local(target: Target, key: str) -> bool:
    """Whether the scratch server of *key* is made from local programs, with this machine's locales."""
    return not declared(target, key).service
