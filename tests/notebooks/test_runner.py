"""What `drillbook run` promises: a truthful record and copy, whatever happens to the run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import drillbook
from drillbook.errors import BadParameters
from drillbook.run import ledger
from drillbook.run.record import Record, settle
from drillbook.run.runner import run_runbook

FIXTURES = Path(__file__).parent / "fixtures"
LIB = Path(drillbook.__file__).resolve().parents[1]
TARGET = """\
name: plain
databases:
  main: {host: /nowhere, dbname: x, user: x, password: "env:PLAIN_PASSWORD"}
"""
SECRET = "hunter2-\"<&'é"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A house of its own, with the fixtures as its runbooks."""
    shutil.copytree(FIXTURES, tmp_path / "runbooks")
    (tmp_path / "parameters/targets").mkdir(parents=True)
    (tmp_path / "parameters/targets/plain.yaml").write_text(TARGET)
    monkeypatch.setenv("DRILLBOOK_HOME", str(tmp_path))
    monkeypatch.delenv("DRILLBOOK_OUTPUTS", raising=False)
    monkeypatch.delenv("DRILLBOOK_RUN_DIR", raising=False)
    monkeypatch.setenv("PLAIN_PASSWORD", SECRET)
    monkeypatch.setenv("PYTHONPATH", str(LIB))
    return tmp_path


def shell(*words: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "drillbook.cli", *words]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def sleeping(house: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run of the runbook that takes long, once its own child runs; and its folder."""
    yield from begun(house, "sleeps")


@pytest.fixture
def telling(house: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run that printed a secret and goes on; and its folder."""
    yield from begun(house, "secret-wait")


def begun(house: Path, runbook: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    process = shell("run", runbook, "--target", "plain", "--json")
    wait(lambda: bool(list(house.glob("outputs/plain/*/sleeper.pid"))))
    yield process, next(house.glob("outputs/plain/*/sleeper.pid")).parent
    process.kill()
    process.communicate()


def wait(done: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def processes_of(folder: Path) -> dict[int, str]:
    """The command lines of all living processes that belong to the run in *folder*, by pid."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and str(folder).encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def kernel_of(folder: Path) -> int:
    return next(pid for pid, line in processes_of(folder).items() if "drillbook.run.kernel" in line)


def copy_of(record: Record) -> dict[str, Any]:
    return json.loads((record.folder / "notebook.ipynb").read_text())


def statuses(record: Record) -> list[str]:
    cells = [cell for cell in copy_of(record)["cells"] if cell["cell_type"] == "code"]
    return [cell["metadata"].get("papermill", {}).get("status", "") for cell in cells]


def banner(record: Record) -> str:
    first = copy_of(record)["cells"][0]
    return first["source"] if "drillbook-banner" in first["metadata"].get("tags", []) else ""


def test_a_run_succeeds_and_keeps_its_copy_to_its_owner(house: Path) -> None:
    """Status, exit code, seconds and copy are there, modes are 0700 and 0600, the ledger vouches for it."""
    record = run_runbook("empty", "plain")
    assert (record.status, record.exit_code, record.error) == ("succeeded", 0, None)
    assert settle(record.folder).status == "succeeded"
    assert set(statuses(record)) == {"completed"}
    assert banner(record) == ""
    assert stat.S_IMODE(record.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in record.folder.iterdir()} == {0o600}
    assert ledger.verify() == []


def test_a_failing_cell_fails_the_run_and_later_cells_stay_pending(house: Path) -> None:
    """papermill calls later cells completed; the copy must not."""
    record = run_runbook("fails", "plain")
    assert (record.status, record.exit_code) == ("failed", 1)
    assert record.error is not None
    assert "ZeroDivisionError: division by zero" in record.error["fact"]
    assert record.step == "Act"
    assert statuses(record)[-2:] == ["failed", "pending"]
    assert "ZeroDivisionError" in banner(record)


@pytest.mark.parametrize(
    ("name", "code", "status", "reason"),
    [("refused", 3, "refused", "approval-needed"), ("locked", 4, "refused", "locked")],
)
def test_a_runbook_error_decides_the_exit_code(house: Path, name: str, code: int, status: str, reason: str) -> None:
    """The error's class says how the run ended, and its hint is kept."""
    record = run_runbook(name, "plain")
    assert (record.exit_code, record.status, record.reason) == (code, status, reason)
    assert record.error is not None
    assert record.error["hint"]
    assert record.error["hint"] in banner(record)


def test_what_the_session_wrote_decides(house: Path) -> None:
    """The record that the kernel kept wins over what papermill saw."""
    record = run_runbook("says", "plain")
    assert (record.status, record.exit_code, record.reason, record.step) == ("failed", 1, "check-failed", "verify")
    assert record.error == {"type": "CheckFailed", "fact": "it is not over", "hint": "run 01-diagnose"}
    assert record.result == {"verdict": "fail"}


def test_a_kernel_that_dies_aborts_the_run(house: Path) -> None:
    """The cell it died in is `aborted`, the later one `pending`, and nothing is called completed."""
    record = run_runbook("kernel-dies", "plain")
    assert (record.status, record.reason, record.exit_code) == ("aborted", "kernel died", 1)
    assert statuses(record)[-2:] == ["aborted", "pending"]
    assert "was aborted (kernel died" in banner(record)


def test_a_kernel_killed_from_outside_aborts_the_run(sleeping: tuple[subprocess.Popen[str], Path]) -> None:
    """As by the out-of-memory killer; the kernel's own children end too."""
    process, folder = sleeping
    os.kill(kernel_of(folder), signal.SIGKILL)
    out, err = process.communicate(timeout=40)
    assert process.returncode == 1
    assert json.loads(out)["reason"] == "kernel died"
    assert "HINT:" in err
    assert processes_of(folder) == {}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_aborts_the_run_and_ends_all_it_began(
    sleeping: tuple[subprocess.Popen[str], Path], number: int, code: int
) -> None:
    """Neither the kernel nor what it started in a session of its own outlives the run."""
    process, folder = sleeping
    assert len(processes_of(folder)) >= 3
    process.send_signal(number)
    out, err = process.communicate(timeout=40)
    told = json.loads(out)
    assert process.returncode == told["exit_code"] == code
    assert (told["status"], told["reason"]) == ("aborted", signal.Signals(number).name)
    assert "HINT:" in err
    assert processes_of(folder) == {}
    record = Record.load(folder)
    assert statuses(record)[-2:] == ["aborted", "pending"]
    assert ledger.verify() == []


def test_a_killed_runner_leaves_no_process_and_is_settled(sleeping: tuple[subprocess.Popen[str], Path]) -> None:
    """SIGKILL leaves no time to write; the next look says `aborted`, process died, and enters it."""
    process, folder = sleeping
    assert settle(folder).status == "running"
    process.kill()
    process.communicate()
    wait(lambda: processes_of(folder) == {})
    records = {record.run: record for record in ledger.settle_all()}
    settled = records[folder.name]
    assert (settled.status, settled.reason, settled.exit_code) == ("aborted", "process died", None)
    assert statuses(settled)[-2:] == ["aborted", "pending"]
    assert "was aborted (process died)" in banner(settled)
    assert ledger.verify() == []


def test_a_cell_that_runs_out_of_time_fails_the_run(house: Path) -> None:
    """The cell is `aborted`, the kernel and its children are ended."""
    record = run_runbook("sleeps", "plain", cell_timeout=2)
    assert (record.status, record.reason, record.exit_code) == ("failed", "cell timed out", 1)
    assert statuses(record)[-2:] == ["aborted", "pending"]
    assert processes_of(record.folder) == {}


def test_a_runbook_that_exits_early_did_not_succeed(house: Path) -> None:
    """papermill takes sys.exit(0) for success, though cells were left."""
    record = run_runbook("exits", "plain")
    assert (record.status, record.reason) == ("failed", "stopped early")


@pytest.mark.parametrize(
    ("given", "path", "hint"),
    [
        ({"cuont": "3"}, "parameter cuont", "did you mean 'count'?"),
        ({"count": "three"}, "parameter count", "int"),
        ({"scope": "image"}, "parameter scope", "did you mean 'images'?"),
        ({"password": "hunter2"}, "parameter password", "env:NAME"),
    ],
)
def test_bad_parameters_end_before_a_kernel_starts(house: Path, given: dict[str, str], path: str, hint: str) -> None:
    """Exit 2, the path, the nearest valid name; the record and an unexecuted copy are kept."""
    record = run_runbook("parameters", "plain", given)
    assert (record.status, record.exit_code) == ("failed", 2)
    assert record.error is not None
    assert path in record.error["fact"]
    assert hint in record.error["hint"]
    assert record.folder.parent.name == "plain"
    assert not (record.folder / "stderr.log").exists()
    assert banner(record)
    assert "hunter2" not in (record.folder / "run.json").read_text()


def test_an_unknown_target_is_a_bad_parameter(house: Path) -> None:
    """The record is kept, though no target's folder can hold it."""
    record = run_runbook("empty", "plian")
    assert record.exit_code == 2
    assert record.folder.parent.name == "_invalid"
    assert record.error is not None
    assert "did you mean 'plain'?" in record.error["hint"]


def test_an_executed_copy_is_refused_as_input(house: Path) -> None:
    """It is a record; and a copy that someone put among the runbooks is found out too."""
    record = run_runbook("empty", "plain")
    copy = record.folder / "notebook.ipynb"
    with pytest.raises(BadParameters, match="does not lie in"):
        run_runbook(str(copy), "plain")
    shutil.copy(copy, house / "runbooks/11-copied.ipynb")
    with pytest.raises(BadParameters, match="executed copy"):
        run_runbook("copied", "plain")


def test_a_secret_reaches_nothing_that_a_run_leaves(house: Path) -> None:
    """Not the outputs, tracebacks, record, journal or log, in any spelling."""
    record = run_runbook("secret", "plain")
    assert record.status == "failed"
    for file in record.folder.iterdir():
        assert "hunter2" not in file.read_text(), file
    assert "[redacted env:PLAIN_PASSWORD]" in (record.folder / "notebook.ipynb").read_text()
    assert record.result == {"password": "[redacted env:PLAIN_PASSWORD]"}
    assert "[redacted env:PLAIN_PASSWORD]" in (record.folder / "journal.jsonl").read_text()
    assert "[redacted env:PLAIN_PASSWORD]" in (record.folder / "stderr.log").read_text()
    assert "hunter2" not in json.dumps(record.data)


def test_a_secret_is_not_even_there_while_the_run_lasts(telling: tuple[subprocess.Popen[str], Path]) -> None:
    """Each save is clean: a run that is killed leaves nothing behind that a later pass would have to find."""
    _, folder = telling
    wait(lambda: "redacted" in (folder / "stderr.log").read_text())
    assert "[redacted env:PLAIN_PASSWORD]" in (folder / "notebook.ipynb").read_text()
    for file in folder.iterdir():
        assert "hunter2" not in file.read_text(), file


def test_a_killed_child_leaves_no_process(sleeping: tuple[subprocess.Popen[str], Path]) -> None:
    """The process between runner and kernel may be killed too; the runner then ends the kernel and says so."""
    process, folder = sleeping
    os.kill(next(pid for pid, line in processes_of(folder).items() if "drillbook.run.child" in line), signal.SIGKILL)
    out, err = process.communicate(timeout=40)
    told = json.loads(out)
    assert (told["status"], told["reason"], process.returncode) == ("aborted", "runner's child died", 1)
    assert "HINT:" in err
    assert processes_of(folder) == {}
    assert statuses(Record.load(folder))[-2:] == ["aborted", "pending"]


def test_values_reach_the_kernel_as_they_were_given(house: Path) -> None:
    """papermill's own -p would make 7 of 007."""
    given = {"code": "007", "count": "3", "fast": "true", "names": '["a", "b"]', "scope": "images"}
    record = run_runbook("parameters", "plain", given, {"ratio": 2, "count": 1})
    text = "".join(copy_of(record)["cells"][3]["outputs"][0]["text"])
    assert record.status == "succeeded"
    assert text == "'007' 3 2.0 True ['a', 'b'] 'images' None\n"


def test_the_kernel_is_this_interpreter_whatever_kernelspecs_say(
    house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stray spec called python3 that cannot even start changes nothing."""
    spec = tmp_path / "jupyter/kernels/python3/kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": ["/bin/false"], "display_name": "stray", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    assert run_runbook("empty", "plain").status == "succeeded"


def test_outputs_that_cannot_be_made_are_told(house: Path) -> None:
    """A file where the folder of the runs should be: exit 1, a fact and a hint, no traceback."""
    (house / "outputs").write_text("in the way")
    process = shell("run", "empty", "--target", "plain")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "HINT:" in err
    assert "Traceback" not in err


def test_json_stands_alone_on_standard_output(house: Path) -> None:
    """Everything else goes to standard error, for an unknown runbook too."""
    for name, code in (("fails", 1), ("fals", 2)):
        process = shell("run", name, "--target", "plain", "--json")
        out, err = process.communicate(timeout=40)
        assert json.loads(out)["exit_code"] == process.returncode == code
        assert "HINT:" in err
