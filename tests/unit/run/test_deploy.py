"""The files of deploy/ and parameters/ work as they stand."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from drillbook.run import parameters, runbooks

ROOT = Path(__file__).parents[3]
CRON = ROOT / "deploy/cron"
SYSTEMD = ROOT / "deploy/systemd"
RUN = re.compile(r"drillbook run (\S+) --target")


def crontab() -> tuple[dict[str, str], list[str]]:
    """The crontab's variables, and the fields of its one line."""
    lines = [line for line in (CRON / "drillbook").read_text().splitlines() if line and not line.startswith("#")]
    variables = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))
    (job,) = [line for line in lines if not re.match(r"[A-Z_]+=", line)]
    return variables, job.split(None, 6)


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """A drillbook that writes down how it was called, and exits as `codes` says."""
    file = tmp_path / "drillbook"
    file.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\necho "HINT: x" >&2\nexit "$(cat {tmp_path}/$2)"\n')
    file.chmod(0o755)
    return file


def night(fake: Path, backup: int, drill: int) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """One night, run by the crontab's own line."""
    (fake.parent / "backup").write_text(str(backup))
    (fake.parent / "drill").write_text(str(drill))
    variables, fields = crontab()
    command = fields[6].replace("/opt/drillbook", str(ROOT))
    environment = {**os.environ, **variables, "DRILLBOOK": str(fake), "DRILLBOOK_HOME": str(ROOT)}
    argv = [variables["SHELL"], "-c", command]
    done = subprocess.run(argv, env={**environment, "PATH": os.environ["PATH"]}, capture_output=True, text=True,
                          timeout=30, check=False)  # fmt: skip
    return done, (fake.parent / "calls").read_text().splitlines()


def test_the_crontabs_line_is_one_of_cron_d() -> None:
    """Five fields of time, a user, a command that exists."""
    _, fields = crontab()
    assert all(re.fullmatch(r"[0-9*/,-]+", field) for field in fields[:5])
    assert fields[5] == "root"
    program = Path(shlex.split(fields[6])[0].replace("/opt/drillbook", str(ROOT)))
    assert os.access(program, os.X_OK)


def test_a_good_night_is_silent(fake: Path) -> None:
    """Backup, then drill, and no mail."""
    done, calls = night(fake, 0, 0)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert calls == ["run backup --target connect", "run drill --target connect"]


@pytest.mark.parametrize(("backup", "drill", "code", "calls"), [(4, 0, 4, 1), (0, 1, 1, 2)])
def test_a_bad_night_is_told(fake: Path, backup: int, drill: int, code: int, calls: int) -> None:
    """The exit code of what failed, with its HINT; no drill after a failed backup."""
    done, called = night(fake, backup, drill)
    assert done.returncode == code
    assert f"exit code {code}" in done.stdout
    assert "HINT: x" in done.stdout
    assert len(called) == calls


def test_the_service_runs_the_same() -> None:
    """Backup and drill, by the names of real runbooks."""
    text = (SYSTEMD / "drillbook-drill@.service").read_text()
    names = RUN.findall(text)
    assert names == ["backup", "drill"]
    assert {path.stem[3:] for path in (ROOT / "runbooks").glob("*.ipynb")} >= set(names)
    assert "Persistent=yes" in (SYSTEMD / "drillbook-drill@.timer").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    """No unknown key, no wrong value; the program is put where this machine has one."""
    for name in ("drillbook-drill@.service", "drillbook-drill@.timer"):
        text = (SYSTEMD / name).read_text()
        (tmp_path / name.replace("@", "@connect")).write_text(
            text.replace("/opt/drillbook/.venv/bin/drillbook", "/bin/true")
        )
    argv = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "drillbook-drill@connect.service")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    complaints = [line for line in done.stderr.splitlines() if "drillbook-drill" in line]
    assert complaints == []


def test_the_nightly_parameters_fit_their_runbook(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is held against 06-drill as a run would."""
    monkeypatch.setenv("DRILLBOOK_HOME", str(ROOT))
    values = parameters.parameters_file(ROOT / "parameters/nightly-drill.yaml")
    resolved = parameters.resolve(runbooks.find("drill"), {}, values)
    assert resolved["backup"] == "newest"
