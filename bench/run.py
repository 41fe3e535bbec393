"""What drillbook costs beside the bare tools: ratios from one run, A B A B, medians. A report, never a test.

With a container engine it makes a sandbox of its own (project `bench`, port 18090), and takes it down at the end.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import code_part
import data_part
from docker_part import Stack

from drillbook.act import sandbox
from drillbook.act.install import ensure_engine
from drillbook.run.runner import run_runbook

HOUSE = Path(__file__).resolve().parents[1]
FIXTURES = HOUSE / "tests/notebooks/fixtures"
PROJECT, PORT = "bench", 18090
PLAIN = "name: plain\ndatabases: {main: {host: /nowhere, dbname: x, user: x}}\n"
Action = Callable[[], object]


def seconds(action: Action) -> float:
    """How long *action* takes."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def alternate(times: int, ours: Action, bare: Action) -> tuple[float, float]:
    """The medians of both, measured in turn, so that a busy machine is busy for both."""
    pairs = [(seconds(ours), seconds(bare)) for _ in range(times)]
    return median(a for a, _ in pairs), median(b for _, b in pairs)


def line(what: str, ours: float, bare: float | None = None, command: str = "") -> None:
    """One line of the table: our seconds, the bare ones, their ratio, and the bare command."""
    beside = f"{'':>9} {'':>7}" if bare is None else f"{bare:>7.2f} s {ours / bare:>6.2f}x"
    print(f"{what:<32} {ours:>7.2f} s {beside}  {command}", flush=True)


def shell(*words: str) -> Action:
    """A command whose output nobody reads."""
    return lambda: subprocess.run(words, check=True, capture_output=True, timeout=600)


def starting(times: int) -> None:
    """The shell and the library, before they do anything."""
    python = sys.executable
    ours, bare = alternate(times, shell(python, "-c", "import drillbook"), shell(python, "-c", "pass"))
    line("import drillbook", ours, bare, "python -c pass")
    ours, bare = alternate(times, shell(python, "-m", "drillbook.cli", "--help"), shell(python, "-c", "import typer"))
    line("drillbook --help", ours, bare, "python -c 'import typer'")


def empty_runbook(times: int, folder: Path) -> None:
    """A runbook without a single call: what the run itself costs, kernel included, beside papermill alone."""
    shutil.copytree(FIXTURES, folder / "runbooks")
    (folder / "parameters/targets").mkdir(parents=True)
    (folder / "parameters/targets/plain.yaml").write_text(PLAIN)
    empty, out = str(FIXTURES / "01-empty.ipynb"), str(folder / "out.ipynb")
    papermill = shell(sys.executable, "-m", "papermill", "--log-level", "ERROR", empty, out)
    with environment(DRILLBOOK_HOME=folder):
        ours, bare = alternate(times, lambda: run_runbook("empty", "plain", quiet=True), papermill)
    line("an empty runbook, run", ours, bare, "papermill 01-empty.ipynb out.ipynb")


def stack(times: int, rows: int, folder: Path) -> None:
    """The sandbox grown by *rows*: observation, backup and drill, each beside the bare tool."""
    print(f"making the sandbox {PROJECT} with {rows:,} rows more", file=sys.stderr)
    try:
        sandbox.up(PROJECT, PORT, rows)
        parts = Stack(PROJECT, folder)
        for what, ours, bare, command in parts.pairs():
            line(what, *alternate(times, ours, bare), command)
        peak(parts.diagnose)
    finally:
        if PROJECT in sandbox.all_sandboxes():
            sandbox.down(PROJECT)


def data(times: int, gigabytes: float, major: int | None, folder: Path) -> tuple[float, ...]:
    """A database of *gigabytes*: backup and drill beside others, and the memory; the seconds of ours."""
    print(f"making a database of {gigabytes:g} GB of table data", file=sys.stderr)
    folder.mkdir()
    with data_part.shop(folder, gigabytes, major) as shop:
        dump = f"pg_dump -Fd -j 2 -Z {shop.method}"
        backup, bare = alternate(times, shop.back_up, shop.bare_dump)
        line(f"backup of {gigabytes:g} GB", backup, bare, f"{dump}, version {shop.cluster.binaries.version}")
        for name, action in shop.rivals():
            if action is None:
                print(f"{'the same, beside':<32} not measured, for a program is missing: {name}")
            else:
                line("the same, beside", backup, seconds(action), f"{name}, once")
        drill, bare = alternate(times, shop.drill, shop.bare_restore)
        line(f"drill of {gigabytes:g} GB", drill, bare, "initdb; pg_restore -j 2; count(*); all of it removed")
        for name in ("backup", "drill"):
            taken, most = shop.runbook(name)
            line(f"all of the runbook {name}", taken, None, f"{most:.0f} MB at most: all its Python processes (PSS)")
    shutil.rmtree(folder)
    return backup, drill


def sizes(times: int, each: list[float], major: int | None, folder: Path) -> None:
    """Databases of several sizes, and how the cost grows with them."""
    costs = {size: data(times, size, major, folder / f"{size:g}") for size in each}
    for size, cost in list(costs.items())[1:]:
        first, before = next(iter(costs.items()))
        grown = " and ".join(f"{now / then:.2f}x" for now, then in zip(cost, before, strict=True))
        print(f"{size / first:g} times the data cost {grown}: backup and drill")


def code(times: int, folder: Path) -> None:
    """An image of 50,000 files and 1 GB: the first look, a later one, and the memory that it takes."""
    print(f"making an image of {code_part.FILES:,} files and {code_part.BYTES / 1e9:g} GB", file=sys.stderr)
    with code_part.big_service(folder) as file:
        bare = f"docker export {code_part.PROJECT}-app-1 | sha256sum"
        line("first look at 50,000 files", *alternate(times, lambda: code_part.first(file), code_part.export), bare)
        later = median(seconds(lambda: code_part.look_at(str(file))) for _ in range(times))
        line("a later look at them", later, None, "the digests of its layers are known")
        peaks: list[float] = []
        ours, exported = alternate(times, lambda: peaks.append(code_part.runbook(file)), code_part.export)
        line("all of the runbook, first look", ours, exported, f"{bare}; the kernel's start is in ours")
        print(f"{'peak RSS, that runbook':<32} {max(peaks):>7.0f} MB  the largest process of it")


def peak(argv: tuple[str, ...]) -> None:
    """The most memory that a process of ours held."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(argv)} ended with {os.waitstatus_to_exitcode(status)}")
    here = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{'peak RSS, diagnose':<32} {used.ru_maxrss / 1024:>7.0f} MB  the largest process of {' '.join(argv[2:])}")
    print(f"{'peak RSS, backup and drill':<32} {here / 1024:>7.0f} MB  this process, which called the library")


@contextmanager
def environment(**values: Path) -> Iterator[None]:
    """Within, these variables are set."""
    before = dict(os.environ)
    os.environ.update({name: str(value) for name, value in values.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="further rows in the sandbox's largest tables")
    parser.add_argument("--times", type=int, default=3, help="how often each is measured")
    parser.add_argument("--sizes", default="1", help="GB of table data in the large databases, such as 1,5")
    parser.add_argument(
        "--major", type=int, help="the large databases' version, of those on PATH too; the newest if none"
    )
    parser.add_argument("--only", choices=("data",), help="leave the other parts out")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{platform.platform()}, {os.cpu_count()} processors, load {load:.1f}, medians of {given.times}\n")
    print(f"{'what':<32} {'ours':>9} {'bare':>9} {'ratio':>7}  the bare command")
    with tempfile.TemporaryDirectory(prefix="drillbook-bench-") as name, environment(DRILLBOOK_HOME=HOUSE):
        folder = Path(name)
        with environment(DRILLBOOK_OUTPUTS=folder / "outputs"):
            if given.only is None:
                starting(2 * given.times - 1)
                empty_runbook(given.times, folder / "house")
            sizes(given.times, [float(size) for size in given.sizes.split(",")], given.major, folder)
            if given.only is None and ensure_engine() == "docker":
                stack(given.times, given.rows, folder)
                code(given.times, folder)


if __name__ == "__main__":
    main()
