"""Set off one fault: `strike.py WHAT DIRECTORY OUTPUTS`, run by the hook inside a run.

Each fault takes both: the site's folder, and the disk of its runs.
"""

from __future__ import annotations

import sys
from pathlib import Path


def build(directory: Path, outputs: Path) -> None:
    """The base image that the build names is not there."""
    env = directory / ".env"
    env.write_text(env.read_text() + "BASE_TAG=gone\n")


def proxy(directory: Path, outputs: Path) -> None:
    """Somebody edits the proxy's configuration, and leaves out a bracket."""
    with (directory / "proxy" / "default.conf").open("a") as file:
        file.write("\nserver { listen 81;\n")


def disk(directory: Path, outputs: Path) -> None:
    """Everything that is free on the disk of the runs is written full."""
    with (outputs / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65536)
        except OSError:
            pass
    with (outputs / "filler").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"\0")
        except OSError:
            pass


if __name__ == "__main__":
    what, where, runs = sys.argv[1:]
    {"build": build, "proxy": proxy, "disk": disk}[what](Path(where), Path(runs))
