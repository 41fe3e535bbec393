"""Commands: argv in, a captured ending out. Nothing here decides what to run."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from drillbook.errors import CommandFailed
from drillbook.target import Target

SCRUBBED = ("COMPOSE_", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_CERT_PATH", "BUILDX_BUILDER")


@dataclass(frozen=True)
class Completed:
    """How a command ended."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def complaint(self) -> str:
        """The last lines that it said, for an error's fact."""
        return " | ".join((self.stderr.strip() or self.stdout.strip()).splitlines()[-4:])


def environment(target: Target, **more: str) -> dict[str, str]:
    """What a child inherits: ours without compose's and docker's own variables, with the target's host."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith(SCRUBBED)}
    host = {"DOCKER_HOST": target.stack.docker_host} if target.stack and target.stack.docker_host else {}
    return {**ours, **host, **more}


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
    errors: str = "replace",
) -> Completed:
    """Run *argv* to its end and capture everything, whatever the exit code; *errors* decodes what is not UTF-8.

    Raises:
        CommandFailed: it is not there, or ran longer than *timeout* seconds; it is then
            killed with all that it started.
    """
    started = time.monotonic()
    try:
        with _start(argv, env, cwd) as child:
            out, err = _drain(child, stdin.encode(), timeout)
    except (FileNotFoundError, PermissionError) as error:
        raise CommandFailed(f"{argv[0]} is not there: {error}", "drillbook doctor says what is missing") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(
            f"{' '.join(argv[:4])} … was still running after {timeout:.0f} s and was ended",
            "look at what it waits for, then run the runbook again",
        ) from error
    seconds = time.monotonic() - started
    code, texts = child.returncode, [text.decode(errors=errors) for text in (out, err)]
    return Completed(tuple(argv), code, texts[0], texts[1], seconds)


def _start(argv: Sequence[str], env: Mapping[str, str] | None, cwd: Path | None) -> subprocess.Popen[bytes]:
    """The child in a process group of its own, so that what it starts can be ended with it."""
    pipe = subprocess.PIPE
    given = dict(env) if env is not None else None
    return subprocess.Popen(list(argv), stdin=pipe, stdout=pipe, stderr=pipe, env=given, cwd=cwd, process_group=0)


def _drain(child: subprocess.Popen[bytes], stdin: bytes, timeout: float) -> tuple[bytes, bytes]:
    """All that the child says; when the wait is cut short, the child and all that it started are killed."""
    try:
        return child.communicate(stdin, timeout=timeout)
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        raise


def run_checked(
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
    hint: str = "",
) -> Completed:
    """As `run`, where any exit code but 0 is an error.

    Raises:
        CommandFailed: with the code and the last lines of what it said.
    """
    done = run(argv, timeout=timeout, env=env, cwd=cwd, stdin=stdin)
    if done.code != 0:
        short = " ".join(argv) if len(" ".join(argv)) < 160 else " ".join(argv)[:160] + " …"
        raise CommandFailed(f"`{short}` ended with {done.code}: {done.complaint}", hint, done)
    return done
