"""Set off one fault: `strike.py WHAT DIRECTORY PROJECT IDENTITY OUTPUTS`, run by the hook inside a run.

Each fault takes them all: the site's folder, its compose project, the target's identity, the disk of its runs.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path


def build(directory: Path, project: str, identity: str, outputs: Path) -> None:
    """The base image that the build names is not there."""
    env = directory / ".env"
    env.write_text(env.read_text() + "BASE_TAG=gone\n")


def proxy(directory: Path, project: str, identity: str, outputs: Path) -> None:
    """Somebody edits the proxy's configuration, and leaves out a bracket."""
    with (directory / "proxy" / "default.conf").open("a") as file:
        file.write("\nserver { listen 81;\n")


def unhealthy(directory: Path, project: str, identity: str, outputs: Path) -> None:
    """From now on each new container of an app loses the program that its health check calls."""
    seen = set(_containers(project, identity))
    code = (
        "import subprocess, sys, time\nsys.path.insert(0, sys.argv[1])\nimport strike\n"
        "seen, until = set(sys.argv[4:]), time.monotonic() + 60\n"
        "while time.monotonic() < until:\n"
        "    for name in set(strike._containers(*sys.argv[2:4])) - seen:\n"
        "        strike._disable(name)\n"
        "        seen.add(name)\n"
        "    time.sleep(0.05)\n"
    )
    folder = str(Path(__file__).resolve().parent)
    _loose(outputs, code, folder, project, identity, *seen)


def _loose(outputs: Path, code: str, *words: str) -> None:
    """Run *code* beside all this, and go on; `saboteur` in *outputs* tells its number.

    It descends from the run, which ends whatever is left of its own: the fault's mend finishes what it began.
    """
    argv, nowhere = [sys.executable, "-c", code, *words], subprocess.DEVNULL
    told = outputs / "saboteur"
    made = subprocess.Popen(argv, start_new_session=True, stdin=nowhere, stdout=nowhere, stderr=nowhere)
    told.write_text(str(made.pid))


def _disable(name: str) -> None:
    for _ in range(40):
        done = subprocess.run(
            ["docker", "exec", name, "rm", "-f", "/bin/bash", "/usr/bin/bash"], capture_output=True, check=False
        )
        if done.returncode == 0:
            return
        time.sleep(0.05)


def _containers(project: str, identity: str) -> list[str]:
    """The ids of the project's containers and of the target's canaries."""
    found = []
    for label in (f"com.docker.compose.project={project}", f"drillbook.canary={identity}"):
        argv = ["docker", "ps", "-aq", "--no-trunc", "--filter", f"label={label}"]
        found += subprocess.run(argv, capture_output=True, text=True, check=False).stdout.split()
    return found


def engine(directory: Path, project: str, identity: str, outputs: Path) -> None:
    """The container engine stops and starts again, and the run goes on meanwhile."""
    code = (
        "from drillbook.act import install\n"
        "install.stop_engine(lambda line: None)\n"
        "install.ensure_engine(lambda line: None)\n"
        "import pathlib, sys\n"
        "pathlib.Path(sys.argv[1]).unlink()\n"
    )
    _loose(outputs, code, str(outputs / "saboteur"))
    time.sleep(0.5)


def disk(directory: Path, project: str, identity: str, outputs: Path) -> None:
    """Everything that is free on the disk of the runs is written full."""
    with (outputs / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65536)
        except OSError:
            pass
    with (outputs / "filler").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"\0")
        except OSError:
            pass


if __name__ == "__main__":
    what, where, name, target, runs = sys.argv[1:]
    faults = {"build": build, "proxy": proxy, "unhealthy": unhealthy, "engine": engine, "disk": disk}
    faults[what](Path(where), name, target, Path(runs))
