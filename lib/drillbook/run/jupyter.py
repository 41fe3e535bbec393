"""JupyterLab for one user on this host: started, waited for, and ended with its kernels."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

from drillbook import home, show
from drillbook.errors import RunbookError
from drillbook.run import family, stopped
from drillbook.run.supervise import SIGNALS, python_path

READY_SECONDS = 90.0
END_SECONDS = 30.0
LOG = "jupyter.log"
OURS = ("DRILLBOOK_RUN_DIR", "DRILLBOOK_RESUME")


class ThisPython(KernelSpecManager):
    """Offers the interpreter that runs drillbook, whatever kernelspec called python3 lies around.

    It tells a foreseen error without a traceback from the first cell on, even before a run was started.
    """

    def _kernel_dirs_default(self) -> list[str]:
        return []

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        spec = super().get_kernel_spec(kernel_name)
        spec.argv = [*spec.argv, f"--ext={stopped.__name__}"]
        return spec


def argv(port: int, page: str, workspaces: str, *, browser: bool) -> list[str]:
    """The command that serves JupyterLab on this host alone, rooted in the folder of the runs."""
    return [
        sys.executable, "-m", "jupyterlab",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={home.outputs()}",
        f"--ServerApp.kernel_spec_manager_class={__name__}.{ThisPython.__name__}",
        f"--LabApp.default_url=/doc/tree/{page}",
        f"--LabApp.workspaces_dir={workspaces}",
        *(() if browser else ("--no-browser",)),
        *(("--allow-root",) if os.geteuid() == 0 else ()),
    ]  # fmt: skip


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def serve(folder: Path, page: str, token: str, ready: Callable[[int], None], *, browser: bool) -> int:
    """Serve until JupyterLab ends or a signal ends it, kernels included; its exit code, 0 after a signal.

    Calls *ready* with the port once the server answers. What JupyterLab says
    goes into *folder*; the user's own settings and workspaces stay as they are.

    Raises:
        RunbookError: it ended before it answered, or did not answer in time.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="drillbook-lab-") as workspaces, _log(folder) as log:
        child = subprocess.Popen(
            argv(port, page, workspaces, browser=browser), env=environment(token), cwd=home.outputs(),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        with _passed_on(child) as asked:
            try:
                if _answers(child, port, token, asked):
                    ready(port)
                code = _wait(child, asked)
            finally:
                _end(child, folder)
    if code and not asked:
        raise RunbookError(f"JupyterLab ended with exit code {code}", f"see {folder / LOG}")
    return 0


def environment(token: str) -> dict[str, str]:
    """What JupyterLab inherits; the token travels here, so that no `ps` shows it."""
    config = [str(Path(show.__file__).with_name("lab")), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    return {
        **{key: value for key, value in os.environ.items() if key not in OURS},
        "JUPYTER_TOKEN": token,
        "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, config)),
        "DRILLBOOK_HOME": str(home.home()),
        "DRILLBOOK_OUTPUTS": str(home.outputs()),
        "PYTHONPATH": python_path(),
    }


@contextmanager
def _log(folder: Path) -> Iterator[int]:
    handle = os.open(folder / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def _passed_on(child: subprocess.Popen[bytes]) -> Iterator[list[float]]:
    """Signals to this process ask *child* to end; when each came."""
    asked: list[float] = []

    def ask(_: int, __: FrameType | None) -> None:
        asked.append(time.monotonic())
        child.send_signal(signal.SIGTERM)

    before = {number: signal.signal(number, ask) for number in SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _answers(child: subprocess.Popen[bytes], port: int, token: str, asked: list[float]) -> bool:
    """Wait until the server answers; False when it ended, or is to end, before that."""
    import httpx

    deadline = time.monotonic() + READY_SECONDS
    headers = {"Authorization": f"token {token}"}
    while child.poll() is None and not asked:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/api/status", headers=headers, timeout=2).is_success:
                return True
        except httpx.TransportError:
            time.sleep(0.2)
        if time.monotonic() > deadline:
            raise RunbookError(
                f"JupyterLab did not answer within {READY_SECONDS:g} s", f"see {LOG} in the run's folder"
            )
    return False


def _wait(child: subprocess.Popen[bytes], asked: list[float]) -> int:
    """Wait for *child*; one that was asked to end gets some time for it."""
    while True:
        try:
            return child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            if asked and time.monotonic() - asked[0] > END_SECONDS:
                return 1


def _end(child: subprocess.Popen[bytes], folder: Path) -> None:
    """End what is left of *child* and its kernels."""
    family.end(child.pid, folder)
    if child.poll() is None:
        child.kill()
        child.wait(timeout=10)
