"""Compose v2 and buildx for an engine that came without them. Standard library only."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from drillbook.act.install import Say, apt, can_apt, run, tell
from drillbook.errors import EngineDown

PLUGINS = {"compose": "docker-compose", "buildx": "docker-buildx"}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def ensure_plugins(say: Say = tell) -> list[str]:
    """The plugins that had to be added so that `docker compose` v2 and `docker buildx` work.

    Raises:
        EngineDown: some are missing, and cannot be installed here.
    """
    missing = [name for name in PLUGINS if not _works(name)]
    if not missing:
        return []
    if not can_apt():
        raise EngineDown(
            f"the engine answers, but docker {' and docker '.join(missing)} (v2) is missing",
            "install the packages docker-compose-plugin and docker-buildx-plugin, or use ENGINE=embedded",
        )
    say(f"installing docker {' and '.join(missing)}")
    _from_this_release(missing)
    left = [name for name in missing if not _works(name)]
    if left:
        _from_trixie(left)
    if still := [name for name in left if not _works(name)]:
        raise EngineDown(f"docker {' and '.join(still)} does not work though it was installed", "try ENGINE=embedded")
    return missing


def _works(name: str) -> bool:
    """Whether the plugin answers, and compose is not v1."""
    done = run(["docker", name, "version"], timeout=20, check=False)
    return done.returncode == 0 and "version v1" not in done.stdout


def _from_this_release(names: list[str]) -> None:
    """Ubuntu, and Debian from 13 on, have the plugins as packages of their own release."""
    packages = {"compose": "docker-compose-v2", "buildx": "docker-buildx"}
    if run(["apt-cache", "show", "docker-buildx"], timeout=60, check=False).returncode != 0:
        return
    if run(["apt-cache", "show", "docker-compose-v2"], timeout=60, check=False).returncode != 0:
        packages["compose"] = "docker-compose"
    apt("install", "--no-install-recommends", *(packages[name] for name in names))


def _from_trixie(names: list[str]) -> None:
    """Take the static binaries out of Debian 13's packages; apt verifies the signatures.

    apt gets lists, caches and sources of its own, so the machine's stay as they are.
    """
    if not KEYRING.is_file():
        apt("install", "--no-install-recommends", "debian-archive-keyring")
    with tempfile.TemporaryDirectory(prefix="drillbook-apt-") as name:
        folder = Path(name)
        isolated = _isolated(folder)
        run(["apt-get", *isolated, "update"], timeout=300)
        run(["apt-get", *isolated, "download", *(PLUGINS[n] for n in names)], timeout=300, cwd=folder)
        for package in folder.glob("*.deb"):
            run(["dpkg-deb", "-x", str(package), str(folder / "x")], timeout=120)
        plugins = Path.home() / ".docker" / "cli-plugins"
        plugins.mkdir(parents=True, exist_ok=True)
        for plugin in (PLUGINS[n] for n in names):
            shutil.copyfile(folder / "x/usr/libexec/docker/cli-plugins" / plugin, plugins / f"{plugin}.new")
            (plugins / f"{plugin}.new").chmod(0o755)
            (plugins / f"{plugin}.new").replace(plugins / plugin)


def _isolated(folder: Path) -> list[str]:
    """apt options that use nothing but trixie, and write nothing outside *folder*."""
    for part in ("lists/partial", "cache/archives/partial", "parts"):
        (folder / part).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {_mirror()} trixie main\n")
    options = {
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": folder / "parts",
        "Dir::Etc::preferencesparts": folder / "parts",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
    }
    return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]


def _mirror() -> str:
    """The Debian mirror that this machine's apt uses."""
    done = run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], timeout=60, check=False)
    mirrors = [line.rstrip("/") for line in done.stdout.splitlines() if line.rstrip("/").endswith("/debian")]
    return mirrors[0] if mirrors else "http://deb.debian.org/debian"
