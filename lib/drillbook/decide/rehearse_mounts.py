"""What a copy's service mounts: the same places, with nothing of the target's behind them that it could write to."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from drillbook.decide.rehearse_making import Making

LEFT_OUT = "left out: it leads to the host"
EMPTY = "starts empty: what the target has there is in no backup"


def mounts(body: Mapping[str, Any], making: Making) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The mounts of a service as compose renders it, in the copy; and the host's path → what became of it there.

    Volumes are the copy's own by the same key. A read-only bind stays; one that is written to gets the copy's
    own folder; of one that leads out (a socket, the engine's own) nothing is there.
    """
    found, told = [], dict[str, str]()
    for mount in body.get("volumes") or ():
        match mount["type"]:
            case "volume" | "tmpfs":
                found.append(_plain(mount))
            case "bind" if mount.get("read_only") and mount["source"] in making.leads_out:
                told[mount["source"]] = LEFT_OUT
            case "bind" if mount.get("read_only"):
                found.append(_bind(mount, mount["source"]))
            case "bind":
                place, told[mount["source"]] = _written(mount["source"], making)
                found.append(_bind(mount, place))
            case kind:
                told[mount.get("source", mount["target"])] = f"left out: a mount of type {kind}"
    return found, told


def _plain(mount: Mapping[str, Any]) -> dict[str, Any]:
    return {key: mount[key] for key in ("type", "source", "target", "read_only", "volume", "tmpfs") if key in mount}


def _bind(mount: Mapping[str, Any], source: str) -> dict[str, Any]:
    kept = {key: mount[key] for key in ("type", "target", "read_only") if key in mount}
    return {**kept, "source": source, "bind": {"create_host_path": True}}


def _written(source: str, making: Making) -> tuple[str, str]:
    """Where a bind that is written to lies in the copy, and what that means for its content.

    One that leads out has an empty place too: a service that writes somewhere is alone, here as there.
    """
    inside = None if source in making.leads_out else below(source, making.directory)
    if inside is not None:
        return posixpath.join(making.source, inside), "holds the source files alone, in the copy's own folder"
    place = posixpath.join(making.scratch, source.strip("/").replace("/", "_") or "root")
    return place, LEFT_OUT if source in making.leads_out else EMPTY


def below(path: str, folder: str) -> str | None:
    """*path* as seen from *folder*; None when it does not lie in it."""
    path, folder = posixpath.normpath(path), posixpath.normpath(folder)
    if path == folder:
        return "."
    return path.removeprefix(f"{folder}/") if path.startswith(f"{folder}/") else None


def scratch(bodies: Mapping[str, Mapping[str, Any]], making: Making) -> dict[str, str]:
    """The copy's own place → the host's path that it stands for, of every bind that is written to."""
    return dict(_pairs(bodies, making))


def _pairs(bodies: Mapping[str, Mapping[str, Any]], making: Making) -> Iterator[tuple[str, str]]:
    for body in bodies.values():
        for mount in body.get("volumes") or ():
            if mount["type"] == "bind" and not mount.get("read_only"):
                yield _written(mount["source"], making)[0], mount["source"]
