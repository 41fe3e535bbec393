"""A registry of our own: Debian's docker-registry on a port of this checkout, with its images in a test's folder."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

import checkout
from drillbook.act.install import apt, can_apt, run
from drillbook.errors import RunbookError

PACKAGE = "docker-registry"
CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/images}}}}
http: {{addr: "{address}", secret: not-one}}
"""


@dataclass
class Registry:
    """It answers at *address* from `start` until `stop`; what was pushed stays."""

    program: str
    folder: Path
    address: str = f"127.0.0.1:{checkout.port(25000)}"
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        config = self.folder / "config.yml"
        config.write_text(CONFIG.format(folder=self.folder, address=self.address))
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([self.program, "serve", str(config)], stdout=log, stderr=log)
        until = time.monotonic() + 20
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://{self.address}/v2/", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """Be out of reach from now on."""
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=20)
            self.process = None


def program(folder: Path) -> str:
    """The installed one, else the one in Debian's package, which is unpacked and not installed: that would start it."""
    if found := shutil.which(PACKAGE):
        return found
    try:
        _download(folder)
        run(["dpkg-deb", "-x", *map(str, folder.glob("*.deb")), str(folder)], timeout=60)
    except RunbookError as error:
        pytest.skip(f"Debian's {PACKAGE} cannot be had, so it is not tested here: {error.fact} {error.hint}")
    return str(folder / "usr/bin" / PACKAGE)


def _download(folder: Path) -> None:
    argv = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", PACKAGE]
    if run(argv, timeout=120, check=False, cwd=folder).returncode == 0:
        return
    if can_apt():
        apt("update", timeout=300)
    run(argv, timeout=120, cwd=folder)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A running registry with nothing in it."""
    found = Registry(program(tmp_path_factory.mktemp("program")), tmp_path_factory.mktemp("registry"))
    found.start()
    yield found
    found.stop()
