"""Commands: everything captured, nothing inherited that could aim elsewhere, nothing left running."""

from __future__ import annotations

import time
from pathlib import Path

import builders
import pytest

from drillbook.errors import CommandFailed
from drillbook.observe.command import environment, run, run_checked


def test_ending_is_captured_whatever_the_code() -> None:
    """The caller gets code, both outputs and seconds, also of a command that failed."""
    done = run(("sh", "-c", "echo out; echo err >&2; exit 3"), timeout=10)
    assert (done.code, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert done.seconds > 0


def test_failure_tells_the_last_lines() -> None:
    """A checked command that fails says with which code, and quotes its last lines."""
    with pytest.raises(CommandFailed, match=r"ended with 3: b \| c \| d \| e") as caught:
        run_checked(("sh", "-c", "printf 'a\nb\nc\nd\ne\n' >&2; exit 3"), timeout=10, hint="mend it")
    assert caught.value.hint == "mend it"
    assert caught.value.evidence.code == 3


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_timeout_kills_all_that_was_started(tmp_path: Path) -> None:
    """A command that hangs is ended after its time, with its children, and the fact says so."""
    started = time.monotonic()
    with pytest.raises(CommandFailed, match="still running after 1 s"):
        run(("sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; wait"), timeout=1)
    assert time.monotonic() - started < 30
    child = int((tmp_path / "pid").read_text())
    until = time.monotonic() + 10
    while alive(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(child)


@pytest.mark.parametrize("mode", [None, 0o600])
def test_missing_program_is_a_fact(tmp_path: Path, mode: int | None) -> None:
    """A program that is not installed, or may not be run, is told as a fact with a hint."""
    program = tmp_path / "program"
    if mode is not None:
        program.touch(mode)
    with pytest.raises(CommandFailed, match="is not there") as caught:
        run((str(program),), timeout=5)
    assert "doctor" in caught.value.hint


def test_odd_bytes_do_not_break_the_capture() -> None:
    """Output that is not UTF-8 is shown with replacements."""
    assert run(("printf", "\\377ok"), timeout=5).stdout == "\ufffdok"


def test_input_reaches_the_command() -> None:
    """Text for standard input arrives whole."""
    assert run(("cat",), timeout=5, stdin="überall\n").stdout == "überall\n"


def test_environment_cannot_be_aimed_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of compose and docker are not inherited: the target alone says which engine and project."""
    for name in ("COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "DOCKER_HOST", "DOCKER_CONTEXT", "BUILDX_BUILDER"):
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("KEPT", "yes")
    given = environment(builders.target(), DOCKER_BUILDKIT="1")
    assert "elsewhere" not in given.values()
    assert (given["KEPT"], given["DOCKER_BUILDKIT"]) == ("yes", "1")


def test_target_names_its_engine() -> None:
    """A target's own docker_host is handed to every child."""
    there = builders.target(stack={"project": "connect", "directory": ".", "docker_host": "ssh://server"})
    assert environment(there)["DOCKER_HOST"] == "ssh://server"
