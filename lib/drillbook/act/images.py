"""The sandbox's service images, built once from Debian packages. Standard library only."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from drillbook import home
from drillbook.act.install import Say, alone, apt, can_apt, run, tell
from drillbook.errors import CommandFailed, RunbookError

SERVICES = ("postgres", "redis", "nginx", "node")
BASE = "drillbook-base:bookworm"
PUBLIC = "debian:bookworm-slim"
MIRROR = "http://deb.debian.org/debian"


def tag() -> str:
    """The tag of the service images: a digest over all that they are made from."""
    digest = hashlib.sha256(BASE.encode())
    for file in sorted(_folder().iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def ensure_images(say: Say = tell) -> str:
    """Build the service images that are missing, and the base that they stand on; their tag.

    Two that want the same images do not build them twice: the second waits for the first.

    Raises:
        RunbookError: the base can be neither pulled nor made.
        CommandFailed: a build failed.
    """
    wanted = tag()
    if not _missing(wanted):
        return wanted
    with alone():
        if missing := _missing(wanted):
            _ensure_base(say)
            say(f"building the images of {', '.join(missing)} from Debian packages")
        for name in missing:
            _build(name, wanted)
    return wanted


def _folder() -> Path:
    return home.sandbox() / "images"


def _missing(wanted: str) -> list[str]:
    return [name for name in SERVICES if not _there(f"drillbook-{name}:{wanted}")]


def _there(image: str) -> bool:
    return run(["docker", "image", "inspect", "--format", "{{.Id}}", image], timeout=60, check=False).returncode == 0


def _build(name: str, wanted: str) -> None:
    run(
        [
            "docker", "buildx", "build", "--load", "--quiet", "--target", name, "--build-arg", f"BASE={BASE}",
            "--label", f"drillbook.image={name}", "--tag", f"drillbook-{name}:{wanted}", str(_folder()),
        ],
        timeout=900,
    )  # fmt: skip


def _ensure_base(say: Say) -> None:
    """Debian 12 as `drillbook-base`: pulled, or, where no registry answers, made by debootstrap."""
    if _there(BASE):
        return
    if _there(PUBLIC) or _pulled():
        run(["docker", "tag", PUBLIC, BASE], timeout=60)
        return
    if not can_apt():
        raise RunbookError(
            f"{PUBLIC} cannot be pulled, and only root on Debian can make a base image with debootstrap",
            f"docker pull {PUBLIC} where a registry is in reach, or use ENGINE=embedded",
        )
    say("no registry answers: making the base image with debootstrap")
    if run(["sh", "-c", "command -v debootstrap"], timeout=10, check=False).returncode != 0:
        apt("install", "--no-install-recommends", "debootstrap")
    with tempfile.TemporaryDirectory(prefix="drillbook-base-") as name:
        _debootstrap(Path(name) / "root")


def _pulled() -> bool:
    try:
        return run(["docker", "pull", "-q", PUBLIC], timeout=90, check=False).returncode == 0
    except CommandFailed:
        return False


def _debootstrap(root: Path) -> None:
    run(["debootstrap", "--variant=minbase", "bookworm", str(root), MIRROR], timeout=600)
    for unneeded in ("var/cache/apt/archives", "var/lib/apt/lists"):
        for file in (root / unneeded).rglob("*"):
            if file.is_file():
                file.unlink()
    pipe = subprocess.Popen(["tar", "-C", str(root), "--numeric-owner", "-c", "."], stdout=subprocess.PIPE)
    end = partial(pipe.wait, timeout=60)
    imported = run(["docker", "import", "-", BASE], timeout=300, check=False, stdin=pipe.stdout)
    if end() != 0 or imported.returncode != 0:
        raise CommandFailed(f"docker import of the base failed: {imported.stderr.strip()}", "is the disk full?")
