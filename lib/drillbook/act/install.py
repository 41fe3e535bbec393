"""The container engine: the one that answers, or Debian's own, installed and started.

Runs before anything is installed, beside pip: standard library only.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drillbook.errors import BadParameters, CommandFailed, EngineDown, RunbookError

Say = Callable[[str], None]
tell: Say = functools.partial(print, file=sys.stderr, flush=True)

EMBEDDED_SHOWS = (
    "no container engine: the embedded database carries the database half (diagnose, backup, drill, reset of the "
    "database, restore); the code half of the incident, stale images and their rebuild, is not shown"
)


def ensure_engine(say: Say = tell) -> str:
    """`docker` when an engine with compose v2 and buildx answers or could be installed, else `embedded`.

    `ENGINE=docker|embedded` decides. May install Debian's docker.io, start
    dockerd and put two plugins into `~/.docker/cli-plugins`; says what it does.

    Raises:
        EngineDown: `ENGINE=docker`, and none can be had.
        BadParameters: ENGINE is neither of the two.
    """
    choice = _choice()
    if choice == "embedded":
        say(EMBEDDED_SHOWS)
        return "embedded"
    try:
        with alone():
            _docker(say)
    except RunbookError as error:
        if choice == "docker":
            raise
        say(f"{error}\n{EMBEDDED_SHOWS}")
        return "embedded"
    return "docker"


def engine_in_use() -> str:
    """`docker` or `embedded`, as ENGINE says, else by whether an engine answers. Changes nothing.

    Raises:
        BadParameters: ENGINE is neither of the two.
    """
    return _choice() or ("docker" if answers() else "embedded")


def answers() -> str:
    """The version of the engine that answers, or nothing."""
    if not shutil.which("docker"):
        return ""
    done = run(["docker", "version", "--format", "{{.Server.Version}}"], timeout=20, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def started_here() -> bool:
    """Whether the engine that runs is the one that drillbook started."""
    record = _record()
    return bool(record) and _started(record["pid"]) == record["started"]


def stop_engine(say: Say = tell) -> bool:
    """Stop the engine that drillbook started, and only that one; False when it started none."""
    record = _record()
    if not started_here():
        _record_file().unlink(missing_ok=True)
        return False
    say(f"stopping the dockerd that drillbook started (pid {record['pid']})")
    os.kill(record["pid"], signal.SIGTERM)
    _wait(lambda: _started(record["pid"]) != record["started"], 60, "dockerd has not ended after SIGTERM")
    _record_file().unlink(missing_ok=True)
    return True


def state_folder() -> Path:
    """Where drillbook remembers the engine it started: made when missing."""
    folder = Path("/var/lib/drillbook") if os.geteuid() == 0 else Path.home() / ".local/state/drillbook"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@contextmanager
def alone() -> Iterator[None]:
    """Only one drillbook at a time on this machine sets up the engine, or makes the images; others wait."""
    with (state_folder() / "engine.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run(argv: Sequence[str], *, timeout: float, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    """*argv* carried out, with its output captured.

    Raises:
        CommandFailed: it cannot be started, ran out of time, or, where *check*, its code is not 0.
    """
    options = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL, **options}
    try:
        done = subprocess.run(list(argv), timeout=timeout, check=False, **options)
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{' '.join(argv)} took longer than {timeout:g} s") from error
    except OSError as error:
        raise CommandFailed(f"{argv[0]} cannot be run: {error.strerror}") from error
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout or "").strip()[-2000:]
        raise CommandFailed(f"{' '.join(argv)} ended with {done.returncode}", said)
    return done


def apt(*argv: str, timeout: float = 600) -> None:
    """Run apt-get without a question; waits for another's lock.

    Raises:
        CommandFailed: it failed.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", *argv], timeout=timeout, env=environment)


def can_apt() -> bool:
    """Whether this is Debian or Ubuntu, and we are root."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _choice() -> str:
    choice = os.environ.get("ENGINE", "")
    if choice not in ("", "docker", "embedded"):
        raise BadParameters(f"ENGINE is {choice!r}", "ENGINE is docker or embedded, or not set")
    return choice


def _docker(say: Say) -> None:
    from drillbook.act.plugins import ensure_plugins

    version = answers()
    if not version:
        _install(say)
        version = _start(say)
    added = ensure_plugins(say)
    say(f"container engine {version}" + (f", with {' and '.join(added)} put in place" if added else ""))


def _install(say: Say) -> None:
    if shutil.which("docker") and shutil.which("dockerd"):
        return
    if not can_apt():
        raise EngineDown(
            "no container engine answers, and only root on Debian or Ubuntu can install one here",
            "start docker (with compose v2 and buildx), or use ENGINE=embedded",
        )
    say("no container engine answers: installing Debian's docker.io with apt-get")
    apt("update", timeout=300)
    apt("install", "--no-install-recommends", "docker.io", "iptables", "ca-certificates")


def _start(say: Say) -> str:
    """Start dockerd in a session of its own, and wait until it answers."""
    if answers():
        return answers()
    if os.geteuid() != 0:
        raise EngineDown("the container engine does not answer", "start it: sudo systemctl start docker")
    log = state_folder() / "dockerd.log"
    say(f"starting dockerd in the background; its log is {log}")
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
    with log.open("ab") as output:
        process = subprocess.Popen(
            ["dockerd"], start_new_session=True, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
        )
    _record_file().write_text(json.dumps({"pid": process.pid, "started": _started(process.pid)}))
    _wait(lambda: bool(answers()) or process.poll() is not None, 90, "dockerd does not answer", f"read {log}")
    if process.poll() is not None:
        _record_file().unlink(missing_ok=True)
    if not answers():
        raise EngineDown(f"dockerd ended with {process.returncode}", f"read {log}")
    return answers()


def _wait(done: Callable[[], bool], seconds: float, fact: str, hint: str = "") -> None:
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise EngineDown(f"{fact} ({seconds:g} s)", hint)
        time.sleep(0.2)


def _record_file() -> Path:
    return state_folder() / "engine.json"


def _record() -> dict[str, Any]:
    try:
        record = json.loads(_record_file().read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _started(pid: int) -> str:
    """The start time of process *pid* in clock ticks since boot (proc(5), stat field 22); empty when it is gone."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else fields[18]


def main() -> int:
    """Set up the engine, and the sandbox's images where it is docker; the exit code."""
    from drillbook.act.images import ensure_images

    try:
        if ensure_engine() == "docker":
            ensure_images()
    except RunbookError as error:
        tell(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
