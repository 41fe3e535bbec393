"""A database of a GB or more: backup and drill beside the bare tools, borgmatic and a pipe into zstd; and the memory.

It runs on the newest programs of this machine, with or without an engine; the server has its defaults.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rounds import COUNT, carry_out, drill_newest, newest

from drillbook.act import cluster as clusters
from drillbook.act.client_tools import client_tools
from drillbook.act.cluster import Cluster
from drillbook.act.dump import compression
from drillbook.decide.backup import plan_backup
from drillbook.observe import binaries
from drillbook.observe.command import run_checked
from drillbook.observe.data import data_facts
from drillbook.target import Target, parse_target

SQL = Path(__file__).with_name("data.sql")
BORGMATIC = Path(__file__).resolve().parents[1] / "build/borgmatic/bin/borgmatic"
"""In an environment of its own, which `make bench` makes."""
PARTS = 100
"""Parts of a GB of table data, as `data.sql` counts them."""
USER, NAME = "keeper", "shop"
QUICK = {**clusters.FAST, "max_wal_size": "4GB"}
BORG = {"BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes", "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes"}
SAMPLE_SECONDS = 0.05


class Shop:
    """The database on *cluster*, a server of ours; backups, repositories and runs go into *folder*."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.file = folder / "shop.yaml"
        self.file.write_text(
            f"name: {NAME}\ndatabases: {{main: {{host: {cluster.folder}, dbname: {NAME}, user: {USER}}}}}\n"
            f"backup: {{vault: {folder / 'vault'}}}\n"
        )
        self.target = _parsed(self.file)
        with client_tools(self.target, "main", folder, "bench", cluster.binaries.major) as tools:
            self.method = compression(tools, NAME, cluster.binaries.major)

    def back_up(self) -> None:
        """The only backup in the vault."""
        shutil.rmtree(self.folder / "vault", ignore_errors=True)
        carry_out(self.target, plan_backup(NAME, self.target.identity, data_facts(self.target)), self.folder)

    def bare_dump(self) -> None:
        """What one would type."""
        out = self.folder / "bare"
        shutil.rmtree(out, ignore_errors=True)
        _client(self.cluster, NAME, "pg_dump", "-Fd", "-j", "2", "-Z", self.method, "-f", str(out))

    def zstd_pipe(self) -> None:
        """What many a crontab has."""
        dump = " ".join(_argv(self.cluster, NAME, "pg_dump"))
        _shell(f"{dump} | zstd -3 -q -f -o {self.folder / 'pipe.zst'}")

    def borgmatic(self) -> None:
        """A first archive in a new repository, by its PostgreSQL hook with the defaults: format custom, borg's lz4."""
        place = self.folder / "borg"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / "config.yaml").write_text(
            f"repositories: [{{path: {place / 'repo'}}}]\nuser_runtime_directory: {place / 'runtime'}\n"
            f"user_state_directory: {place / 'state'}\nborg_base_directory: {place}\n"
            f"postgresql_databases: [{{name: {NAME}, username: {USER}, "
            f"pg_dump_command: {self.cluster.binaries.program('pg_dump')}, "
            f"psql_command: {self.cluster.binaries.program('psql')}}}]\n"
        )
        argv = (str(BORGMATIC), "-c", str(place / "config.yaml"), "-v", "-1")
        for words in (("repo-create", "-e", "none"), ("create",)):
            # PGHOST and not its own `hostname`, which it would make a part of a path.
            env = {**_without_libpq(), **BORG, "PGHOST": str(self.cluster.folder)}
            run_checked((*argv, *words), timeout=3600, env=env)

    def drill(self) -> None:
        """The newest backup, proven."""
        drill_newest(self.target, self.folder)

    def rivals(self) -> Iterator[tuple[str, Callable[[], None] | None]]:
        """What others do: its name, and the action, or None where a program of it is missing."""
        zstd, borg = shutil.which("zstd"), BORGMATIC.is_file() and shutil.which("borg")
        yield "pg_dump | zstd -3", self.zstd_pipe if zstd else None
        yield "borgmatic create, new repository", self.borgmatic if borg else None

    def bare_restore(self) -> None:
        """The same archive in a new server as initdb makes it, and every table counted."""
        archive = str(newest(self.target).folder / "databases/main")
        with _server(self.cluster.binaries, {}) as bare:
            _client(bare, "postgres", "psql", "-X", "-q", "-c", f"create database {NAME}")
            _client(bare, NAME, "pg_restore", "-j", "2", archive)
            _client(bare, NAME, "psql", "-X", "-q", "-f", "-", stdin=COUNT)

    def runbook(self, name: str) -> tuple[float, float]:
        """An unattended run of a runbook: its seconds, and the most MB that its Python processes held together."""
        argv = [sys.executable, "-m", "drillbook.cli", "run", name, "--target", str(self.file), "--json"]
        began, most = time.monotonic(), 0.0
        with tempfile.TemporaryFile() as out:
            process = subprocess.Popen(argv, stdout=out, stderr=out)
            while process.poll() is None:
                most = max(most, _held(process.pid))
                time.sleep(SAMPLE_SECONDS)
            if process.returncode:
                out.seek(0)
                raise RuntimeError(out.read().decode()[-2000:])
        return time.monotonic() - began, most


@contextmanager
def shop(folder: Path, gigabytes: float, major: int | None) -> Iterator[Shop]:
    """A server at its default settings with *gigabytes* of table data; all of it is removed again."""
    programs = [found for found in binaries.installed(binaries.SERVER) if major in (None, found.major)]
    with _server(programs[-1], QUICK) as cluster:
        _client(cluster, "postgres", "psql", "-X", "-q", "-c", f"create database {NAME}")
        words = ("-v", "ON_ERROR_STOP=1", "-v", f"parts={round(gigabytes * PARTS)}", "-o", "/dev/null", "-f", str(SQL))
        _client(cluster, NAME, "psql", "-X", "-q", *words)
        clusters.stop(cluster)
        clusters.start(cluster, {})
        yield Shop(cluster, folder)


@contextmanager
def _server(programs: binaries.Binaries, settings: dict[str, str]) -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="drillbook-b-") as folder:
        cluster = Cluster(programs, Path(folder), USER)
        clusters.initialise(cluster)
        try:
            clusters.start(cluster, settings)
            yield cluster
        finally:
            clusters.stop(cluster)


def _argv(server: Cluster, dbname: str, program: str, *words: str) -> tuple[str, ...]:
    return (server.binaries.program(program), "-h", str(server.folder), "-U", USER, "-d", dbname, *words)


def _client(server: Cluster, dbname: str, program: str, *words: str, stdin: str = "") -> None:
    run_checked(_argv(server, dbname, program, *words), timeout=3600, env=_without_libpq(), stdin=stdin)


def _parsed(file: Path) -> Target:
    import yaml

    return parse_target(yaml.safe_load(file.read_text()), file)


def _without_libpq() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _shell(line: str) -> None:
    subprocess.run(["bash", "-o", "pipefail", "-c", line], check=True, timeout=3600, env=_without_libpq())


def _held(root: int) -> float:
    """MB that *root* and those of its descendants that are Python hold together; shared pages count once."""
    parents, pythons = {}, set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            name, _, rest = (folder / "stat").read_text().rpartition(")")
            parents[int(folder.name)] = int(rest.split()[1])
            if "(python" in name:
                pythons.add(int(folder.name))
    family = {root}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(map(_proportional, family & pythons))


def _proportional(pid: int) -> float:
    """MB of the process's memory, of shared pages its part (PSS, as the kernel reckons); 0 when it has ended."""
    with suppress(OSError):
        for text in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if text.startswith("Pss:"):
                return int(text.split()[1]) / 1000
    return 0.0
