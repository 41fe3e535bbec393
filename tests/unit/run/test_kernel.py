"""The kernel of a run: what it loads, and what it leaves out."""

from __future__ import annotations

import subprocess
import sys

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from drillbook.run.engine import ThisPython

NAMES = ("debugpy", "ipykernel", "pydevd")
LOADED = f"import sys; print([name for name in {NAMES} if sys.modules.get(name)], '' in sys.path)"


def test_the_kernel_of_a_run_has_no_debugger_and_the_path_of_any_other() -> None:
    assert _said(ThisPython().kernel_spec.argv) == "['ipykernel'] True\n"
    plain = ["-m", "ipykernel_launcher"]
    assert _said([*ThisPython().kernel_spec.argv[:1], *plain, "-f", "{connection_file}"]) == (
        "['debugpy', 'ipykernel', 'pydevd'] True\n"
    )


def test_what_the_engine_does_not_load_others_may() -> None:
    code = "import sys, drillbook.run.engine; assert 'botocore' not in sys.modules; import boto3, rfc3987_syntax"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _said(argv: list[str]) -> str:
    manager = KernelManager()
    manager._kernel_spec = KernelSpec(argv=argv, language="python")
    manager.start_kernel()
    client, heard = manager.blocking_client(), list[str]()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        client.execute_interactive(LOADED, timeout=60, output_hook=lambda m: heard.append(m["content"].get("text", "")))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return "".join(heard)
