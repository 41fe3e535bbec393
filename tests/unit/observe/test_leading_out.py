"""Which of the host's paths lead out of a container."""

from __future__ import annotations

import socket
from pathlib import Path

from drillbook.observe.leading_out import leading_out


def config(*sources: str) -> dict[str, object]:
    mounts = [{"type": "bind", "source": source, "target": "/x", "read_only": True} for source in sources]
    return {"services": {"app": {"volumes": [*mounts, {"type": "volume", "source": "/run/named"}]}, "db": {}}}


def test_sockets_and_what_holds_them(tmp_path: Path) -> None:
    """By whatever name, and read-only too: a socket is written to all the same."""
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "file").touch()
    (tmp_path / "held").mkdir()
    with socket.socket(socket.AF_UNIX) as wire:
        wire.bind(str(tmp_path / "held" / "s"))
        (tmp_path / "link").symlink_to(tmp_path / "held" / "s")
        places = [tmp_path / name for name in ("plain", "plain/file", "held", "held/s", "link", "gone")]
        found = leading_out(config(*map(str, places)))
    assert found == {str(tmp_path / name) for name in ("held", "held/s", "link")}


def test_the_host_s_own() -> None:
    """Where sockets, devices and the engine's data lie, and every folder that they lie in."""
    out = ["/", "/var/run/docker.sock", "/run/", "/var", "/var/lib", "/var/lib/docker/volumes", "/proc", "/dev/net/tun"]
    kept = ["/srv", "/runner", "/etc/ssl", "/var/lib/docker2", "/opt/run"]
    assert leading_out(config(*out, *kept)) == set(out)
