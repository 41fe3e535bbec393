"""The child that executes a runbook, seen from its parent: started, followed, and ended with all it began."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import drillbook
from drillbook import home
from drillbook.run import family
from drillbook.run.redact import Redactor

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SAVE_SECONDS = 15.0


@dataclass
class Ending:
    """How the child ended: its own words, and the signal to this process that ended it."""

    how: str = "died"
    ename: str = ""
    evalue: str = ""
    section: str = ""
    cell: int | None = None
    signal: int = 0
    aborted_by: int = 0


def follow(job: dict[str, Any], redactor: Redactor, resume: str, say: Callable[[str], None]) -> Ending:
    """Execute *job* in a child process and tell how that ended; *say* hears of each section.

    Every process that the run began has ended when this returns. SIGTERM,
    SIGINT and SIGHUP to this process end the run.
    """
    folder = Path(job["folder"])
    ending = Ending()
    with _signals(ending):
        child = _start(folder, resume)
        log = threading.Thread(target=_log, args=(_pipe(child.stderr), folder / "stderr.log", redactor), daemon=True)
        log.start()
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_read, args=(_pipe(child.stdout), lines), daemon=True).start()
        try:
            _pipe(child.stdin).write(json.dumps({**job, "secrets": redactor.secrets}).encode() + b"\n")
            _pipe(child.stdin).flush()
            ending.aborted_by = _listen(lines, ending, say)
        except BrokenPipeError:
            ending.how = "died"
        finally:
            _end(child, folder)
            log.join(timeout=5)
    return ending


def _start(folder: Path, resume: str) -> subprocess.Popen[bytes]:
    environment = {
        **{key: value for key, value in os.environ.items() if key != "DRILLBOOK_RESUME"},
        "DRILLBOOK_RUN_DIR": str(folder),
        "DRILLBOOK_HOME": str(home.home()),
        "DRILLBOOK_OUTPUTS": str(home.outputs()),
        "PYTHONPATH": python_path(),
        **({"DRILLBOOK_RESUME": resume} if resume else {}),
    }
    argv = [sys.executable, "-P", "-m", "drillbook.run.child"]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        argv, cwd=folder, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    )


def python_path() -> str:
    """This process's PYTHONPATH, absolute for a child elsewhere, and this very library last."""
    given = [str(Path(part).resolve()) for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    return os.pathsep.join([*given, str(Path(drillbook.__file__).resolve().parents[1])])


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("the child was started without this pipe")
    return stream


def _listen(lines: queue.Queue[str | None], ending: Ending, say: Callable[[str], None]) -> int:
    """Follow the child's events to their end, or to the signal that ends the run; that signal."""
    while not ending.signal:
        try:
            line = lines.get(timeout=0.1)
        except queue.Empty:
            continue
        if line is None:
            return 0
        match json.loads(line):
            case {"event": "section", "text": str(text)}:
                ending.section = text
                say(text)
            case {"event": "cell", "index": int(index)}:
                ending.cell = index
            case {"event": "end", "how": str(how), **rest}:
                ending.how = how
                ending.ename, ending.evalue = str(rest.get("ename", "")), str(rest.get("evalue", ""))
    return 0 if ending.how == "done" else ending.signal


def _end(child: subprocess.Popen[bytes], folder: Path) -> None:
    """End what the child began, let the child save its copy, then end the child."""
    family.end(child.pid, folder)
    with suppress(BrokenPipeError):  # it is gone already
        _pipe(child.stdin).close()
    try:
        child.wait(timeout=SAVE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(timeout=SAVE_SECONDS)
    family.end(child.pid, folder, grace_seconds=0)


def _read(stream: IO[bytes], lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line.decode())
    lines.put(None)


def _log(stream: IO[bytes], file: Path, redactor: Redactor) -> None:
    """What the child and the kernel say on their standard error, without secrets."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "wb", buffering=0) as log:
        for line in stream:
            log.write(redactor.text(line.decode(errors="replace")).encode())


@contextmanager
def _signals(ending: Ending) -> Iterator[None]:
    """While inside, the signals that end a run are noted instead of ending this process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(number: int, _: object) -> None:
        ending.signal = ending.signal or number

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
