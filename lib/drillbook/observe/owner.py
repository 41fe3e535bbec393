"""Whose something is that must not outlive its process: a partial backup, a scratch server, a helper container."""

from __future__ import annotations

from collections.abc import Mapping

from drillbook.observe.holder import Holder, gone, me


def ourselves(prefix: str = "") -> dict[str, str]:
    """This process as strings, for a file or for labels whose names begin with *prefix*."""
    holder = me()
    said = {"host": holder.host, "pid": str(holder.pid), "pid_started": holder.pid_started}
    return {f"{prefix}{name}": value for name, value in said.items()}


def is_gone(owner: Mapping[str, str], prefix: str = "") -> bool:
    """Whether the process that *owner* tells certainly runs no more; of one that is told badly nobody knows."""
    host, pid, started = (owner.get(f"{prefix}{name}", "") for name in ("host", "pid", "pid_started"))
    return pid.isdecimal() and gone(Holder(host, "", int(pid), started))
