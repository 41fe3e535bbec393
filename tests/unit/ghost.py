"""A process that has ended: what it left behind is nobody's."""

from __future__ import annotations

import subprocess

from drillbook.observe import holder


def ghost() -> holder.Holder:
    """One that ran on this machine, and was ended just now."""
    process = subprocess.Popen(["sleep", "60"])
    was = holder.of(process.pid)
    process.kill()
    process.wait()
    return was


def ghost_owner() -> dict[str, str]:
    """The same as it writes itself into a file."""
    was = ghost()
    return {"host": was.host, "pid": str(was.pid), "pid_started": was.pid_started}
