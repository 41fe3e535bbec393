"""pg_dump, pg_restore, pg_dumpall and psql of the right version, wherever the server is.

For a server in a container they run in a helper container of the server's own
image, in the server's network; for one at a host from programs installed here.
The password goes by a file of mode 0600, never by argv.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from drillbook.errors import CommandFailed, RunbookError
from drillbook.observe import binaries, engine
from drillbook.observe.command import Completed, environment, run
from drillbook.observe.server import Place, declared, place
from drillbook.target import Target

INSIDE = "/backup"
KEYS = "/run/drillbook"


@dataclass(frozen=True)
class ClientTools:
    """The programs for one server. `folder` is what they may write to, `inside` its name as they see it.

    `private` is for short texts that they are to read, `private_inside` its name as they see it.
    """

    folder: Path
    inside: str
    private: Path
    private_inside: str
    where: Place
    prefix: tuple[str, ...]
    suffix: tuple[str, ...]
    env: dict[str, str]
    version: str
    binaries: binaries.Binaries | None = None

    def path(self, relative: str) -> str:
        """*relative* to the folder, as the programs see it."""
        return f"{self.inside}/{relative}"

    def text(self, name: str, content: str) -> str:
        """The file *name* with *content*, as the programs see it; it is gone with them."""
        (self.private / name).write_text(content)
        return f"{self.private_inside}/{name}"

    def argv(self, program: str, name: str, words: tuple[str, ...]) -> tuple[str, ...]:
        """The exact command; *name* is the helper container's, and unused for local programs."""
        server = ("-h", self.where.host, "-p", str(self.where.port), "-U", self.where.user, "-w")
        if self.binaries is not None:
            return (self.binaries.program(program), *server, *words)
        return (*self.prefix, "--name", name, "--entrypoint", program, *self.suffix, *server, *words)

    def run(self, program: str, *words: str, timeout: float, stdin: str = "") -> Completed:
        """Run one to its end, with *stdin* to read; any exit code but 0 is an error.

        Raises:
            CommandFailed: with the code and the last lines of what it said.
        """
        with self.started(program, *words, stdin=stdin) as running:
            return running.wait(timeout)

    def succeeds(self, program: str, *words: str, timeout: float) -> bool:
        """Whether it ends with 0."""
        with self.started(program, *words) as running:
            return running.ended(timeout).code == 0

    @contextmanager
    def started(self, program: str, *words: str, stdin: str = "") -> Iterator[Running]:
        """The program, running beside us; at the end of the block it is ended if it still runs."""
        name = f"drillbook-{program.replace('_', '-')}-{secrets.token_hex(4)}"
        argv = self.argv(program, name, words)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
            given.write(stdin.encode())
            given.seek(0)
            process = subprocess.Popen(list(argv), stdout=out, stderr=err, stdin=given, env=self.env)
            try:
                yield Running(argv, process, out, err, time.monotonic())
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait(30)
                    if self.binaries is None:
                        run(("docker", "rm", "-f", "-v", name), timeout=60, env=self.env)


@dataclass(frozen=True)
class Running:
    """A program under way, its output going to files."""

    argv: tuple[str, ...]
    process: subprocess.Popen[bytes]
    out: IO[bytes]
    err: IO[bytes]
    began: float

    def ended(self, timeout: float) -> Completed:
        """How it ended.

        Raises:
            CommandFailed: it still runs after *timeout* seconds.
        """
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            fact = f"{self._program} was still running after {timeout:.0f} s and was ended"
            raise CommandFailed(fact, "see what it waits for (a lock?), then run the runbook again") from error
        texts = []
        for stream in (self.out, self.err):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
        return Completed(self.argv, code, texts[0], texts[1], time.monotonic() - self.began)

    def wait(self, timeout: float) -> Completed:
        """As `ended`, where any exit code but 0 is an error too."""
        done = self.ended(timeout)
        if done.code != 0:
            raise CommandFailed(f"{self._program} ended with {done.code}: {done.complaint}", "", done)
        return done

    @property
    def _program(self) -> str:
        for word in self.argv:
            if word.rsplit("/", 1)[-1].startswith(("pg_", "psql")):
                return word.rsplit("/", 1)[-1]
        return self.argv[0]


@contextmanager
def client_tools(target: Target, key: str, folder: Path, label: str, major: int) -> Iterator[ClientTools]:
    """The programs for the server of database *key*, with *folder* to read and write.

    Changes nothing but a key file that is gone afterwards.

    Raises:
        RunbookError: for a server at a host, when no programs of *major* or newer are installed here.
    """
    where = place(target, key)
    with tempfile.TemporaryDirectory(prefix="drillbook-") as private:
        passfile = Path(private) / "pgpass"
        passfile.touch(0o600)
        passfile.write_text(f"*:*:*:*:{_escaped(where.password)}\n")
        if declared(target, key).service:
            yield _helper(target, key, folder, label, Path(private), where)
        else:
            yield _local(folder, passfile, where, major)


def require(target: Target, majors: Mapping[str, int]) -> dict[str, str]:
    """database key → version of the local programs that will serve it, for the servers that are in no container.

    *majors*: the key of a server's first database → the server's major version. Changes nothing.

    Raises:
        RunbookError: none that is new enough is on PATH, in the conda environment or in the extra `embedded`.
    """
    local = {key: major for key, major in majors.items() if not declared(target, key).service}
    return {key: binaries.at_least(major, binaries.CLIENT).version for key, major in local.items()}


def _escaped(password: str) -> str:
    if "\n" in password:
        raise RunbookError("a database's password has a line break in it", "libpq's password file cannot hold one")
    return password.replace("\\", "\\\\").replace(":", "\\:")


def _helper(target: Target, key: str, folder: Path, label: str, private: Path, where: Place) -> ClientTools:
    container = engine.container_of(target, declared(target, key).service)
    prefix = (
        "docker", "run", "--rm", "-i", "--label", f"drillbook.helper={label}", "--network", f"container:{container.id}",
        "--user", f"{os.getuid()}:{os.getgid()}", "-v", f"{folder}:{INSIDE}", "-v", f"{private}:{KEYS}:ro",
        "-e", f"PGPASSFILE={KEYS}/pgpass",
    )  # fmt: skip
    inside = Place("127.0.0.1", where.port, where.user, where.dbname)
    env = environment(target)
    return ClientTools(folder, INSIDE, private, KEYS, inside, prefix, (container.image_id,), env, container.image_ref)


def _local(folder: Path, passfile: Path, where: Place, major: int) -> ClientTools:
    found = binaries.at_least(major, binaries.CLIENT)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    env["PGPASSFILE"] = str(passfile)
    private = passfile.parent
    return ClientTools(folder, str(folder), private, str(private), where, (), (), env, found.version, found)
