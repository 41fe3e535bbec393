"""The lock of a vault: one backup at a time goes into it, from whatever machine."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from drillbook.act.journal import now
from drillbook.errors import Locked, VaultError
from drillbook.observe.owner import is_gone, ourselves
from drillbook.vault.store import Store

NAME = ".lock.json"


@contextmanager
def vault_lock(store: Store, run: str) -> Iterator[None]:
    """Hold the vault's lock for the block. The lock of a process of this machine that is gone is taken over.

    Raises:
        Locked: another holds it; the error says who, and since when.
        VaultError: the vault cannot be written.
    """
    held = {**ourselves(), "run": run, "since": now()}
    _acquire(store, held)
    try:
        yield
    finally:
        with suppress(VaultError, OSError):  # unreachable now; it names this process, and the next sees that it is gone
            if _holder(store) == held:
                store.remove(NAME)


def _acquire(store: Store, held: dict[str, str]) -> None:
    from filelock import FileLock, Timeout

    if _taken(store, held):
        return
    dead = _holder(store)
    if dead and not is_gone(dead):
        raise _locked(store, dead)
    place = Path(tempfile.gettempdir()) / f"drillbook-{sha256(store.url.encode()).hexdigest()[:12]}.takeover"
    try:
        with FileLock(place, timeout=5):  # one taker of this machine at a time: no live lock is removed for a dead one
            if _holder(store) == dead:
                store.remove(NAME)
            if _taken(store, held):
                return
    except Timeout as error:
        raise _locked(store, dead) from error
    raise _locked(store, _holder(store))


def _taken(store: Store, held: dict[str, str]) -> bool:
    try:
        store.write(json.dumps(held).encode(), NAME)
    except FileExistsError:
        return False
    return True


def _holder(store: Store) -> dict[str, Any]:
    """What the lock says of its holder; empty where there is none, or nothing that can be read."""
    if NAME not in store.sizes():
        return {}
    try:
        found = json.loads(store.read(NAME))
    except (ValueError, FileNotFoundError):
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _locked(store: Store, holder: dict[str, Any]) -> Locked:
    who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')} since {holder.get('since', '?')}"
    return Locked(
        f"the vault {store.url} is locked by {who}, run {holder.get('run') or 'unknown'}",
        f"wait until it has ended; only when that process is surely gone remove {store.url}/{NAME}",
        holder,
    )
