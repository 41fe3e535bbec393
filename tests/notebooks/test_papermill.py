"""Every runbook under plain papermill: the same gates, a truthful record in the ledger, and no copy that acts again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbformat
import psycopg
import pytest

import drillbook
from drillbook.act import cluster as clusters
from drillbook.act import practice
from drillbook.act.cluster import Cluster
from drillbook.errors import BadParameters
from drillbook.observe import binaries
from drillbook.run import ledger

HOUSE = Path(__file__).resolve().parents[2]
LIB = Path(drillbook.__file__).resolve().parents[1]
OURS = ("DRILLBOOK_", "JPY_", "PG", "ENGINE")
KERNEL = {
    "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "display_name": "Python 3",
    "language": "python",
}


@dataclass
class Ended:
    """A run under papermill: papermill's exit code, what it said, its output and our record."""

    code: int
    said: str
    copy: Path
    folder: Path

    @property
    def record(self) -> dict[str, Any]:
        return json.loads((self.folder / "run.json").read_text())

    @property
    def shown(self) -> str:
        """Everything that the executed copy shows as text."""
        cells = nbformat.read(self.copy, 4).cells
        found = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
        texts = [o.get("text", "") + o.get("data", {}).get("text/plain", "") for o in found]
        return "\n".join([*texts, *(o.evalue for o in found if o.output_type == "error")])

    @property
    def fingerprint(self) -> str:
        return str(self.record["result"]["plan"]["fingerprint"])


@dataclass
class Night:
    """A house with one target, a private PostgreSQL server, and what was run so far."""

    folder: Path
    server: Cluster
    ended: dict[str, Ended] = field(default_factory=dict)
    untouched: dict[str, int] = field(default_factory=dict)
    emptied: dict[str, int] = field(default_factory=dict)
    restored: dict[str, int] = field(default_factory=dict)

    @property
    def target(self) -> Path:
        return self.folder / "target.yaml"

    @property
    def outputs(self) -> Path:
        return self.folder / "outputs"

    def seed(self) -> None:
        """The practice database, as `sandbox up` loads it."""
        with self._connect("postgres") as connection:
            connection.execute("CREATE DATABASE connect")
        psql = (self.server.binaries.program("psql"), "-X", "-h", str(self.server.folder))
        practice.load((*psql, "-U", "connect", "-d", "connect"), 0)

    def databases(self) -> dict[str, int]:
        """Each database with the number of its tables."""
        with self._connect("postgres") as connection:
            names = connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate").fetchall()
        return {name: self._tables(name) for (name,) in names}

    def _tables(self, dbname: str) -> int:
        with self._connect(dbname) as connection:
            row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        return int(row[0]) if row else 0

    def _connect(self, dbname: str) -> psycopg.Connection:
        return psycopg.connect(host=str(self.server.folder), user="connect", dbname=dbname, autocommit=True)

    def run(self, name: str, runbook: str, approval: str = "", **given: str) -> Ended:
        """`papermill runbooks/… OUT -p target …`. A fingerprint may look like a number: `-r` keeps it as it is."""
        words = [word for key, value in {"target": str(self.target), **given}.items() for word in ("-p", key, value)]
        approved = ["-r", "approval", approval] if approval else []
        return self.papermill(name, HOUSE / "runbooks" / runbook, *words, *approved)

    def papermill(self, name: str, notebook: Path, *words: str) -> Ended:
        """`papermill NOTEBOOK OUT …`; how it ended is kept under *name*."""
        before, copy = self.runs(), self.folder / f"{name}.ipynb"
        argv = [sys.executable, "-m", "papermill", str(notebook), str(copy), "--no-progress-bar", *words]
        done = subprocess.run(
            argv, env=self._environment(), cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        (folder,) = self.runs() - before
        self.ended[name] = Ended(done.returncode, done.stdout + done.stderr, copy, folder)
        return self.ended[name]

    def runs(self) -> set[Path]:
        return {file.parent for file in self.outputs.glob("*/*/run.json")}

    def _environment(self) -> dict[str, str]:
        spec = self.folder / "jupyter/kernels/python3/kernel.json"
        spec.parent.mkdir(parents=True, exist_ok=True)
        spec.write_text(json.dumps(KERNEL))
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith(OURS)},
            "JUPYTER_PATH": str(self.folder / "jupyter"),
            "DRILLBOOK_HOME": str(HOUSE),
            "DRILLBOOK_OUTPUTS": str(self.outputs),
            "PYTHONPATH": str(LIB),
        }


@pytest.fixture(scope="module")
def night() -> Iterator[Night]:
    """The whole night, run by papermill alone."""
    with tempfile.TemporaryDirectory(prefix="drillbook-n-") as name, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRILLBOOK_HOME", str(HOUSE))
        server = Cluster(binaries.installed(binaries.SERVER)[-1], Path(name), "connect")
        target = f"name: night\ndatabases: {{main: {{host: {name}, dbname: connect, user: connect}}}}\n"
        clusters.initialise(server)
        clusters.start(server, clusters.FAST)
        try:
            night = Night(Path(name), server)
            night.target.write_text(f"{target}backup: {{vault: vault}}\n")
            night.seed()
            play(night)
            yield night
        finally:
            clusters.stop(server)


def play(night: Night) -> None:
    """Refused wherever it must be; what the reset put aside is brought back."""
    night.run("diagnose", "01-diagnose.ipynb")
    night.run("mistyped", "02-backup.ipynb", tarqet="connect")
    night.run("backup", "02-backup.ipynb")
    night.run("drill", "06-drill.ipynb")
    plan = night.run("reset, planned", "03-reset.ipynb", scope="database")
    night.untouched = night.databases()
    night.run("reset", "03-reset.ipynb", scope="database", approval=plan.fingerprint)
    night.emptied = night.databases()
    plan = night.run("restore, planned", "04-restore.ipynb")
    night.run("restore", "04-restore.ipynb", approval=plan.fingerprint)
    night.run("verify", "05-verify.ipynb", against="newest")
    night.restored = night.databases()
    night.papermill("reset, its copy again", night.ended["reset"].copy)
    night.run("postmortem", "10-postmortem.ipynb", title="the night")


SUCCEEDED = ("diagnose", "backup", "drill", "reset", "restore", "verify", "postmortem")
REFUSED = ("reset, planned", "reset, its copy again", "restore, planned")


@pytest.mark.parametrize("name", SUCCEEDED)
def test_every_runbook_runs_under_papermill(night: Night, name: str) -> None:
    """papermill exits 0, and the record says succeeded, by papermill, with the runbook's own result."""
    ended = night.ended[name]
    assert ended.code == 0, ended.said
    record = ended.record
    assert (record["status"], record["exit_code"], record["mode"]) == ("succeeded", 0, "papermill")
    assert record["error"] is None
    assert record["result"]
    assert record["ended"]
    assert (record["target"], record["notebook"]) == ("night", None), "the copy lies where papermill was told to put it"


@pytest.mark.parametrize("name", REFUSED)
def test_an_absent_or_outdated_approval_is_refused(night: Night, name: str) -> None:
    """papermill fails, the record says refused, exit 3; the executed copy shows the plan and its fingerprint."""
    ended = night.ended[name]
    assert ended.code != 0
    record = ended.record
    assert (record["status"], record["exit_code"], record["mode"]) == ("refused", 3, "papermill")
    assert record["reason"] == "approval-needed"
    assert record["error"]["hint"]
    assert ended.fingerprint in ended.shown
    assert all(step["id"] in ended.shown for step in record["result"]["plan"]["steps"])


def test_nothing_changes_before_the_approval(night: Night) -> None:
    """The refused reset leaves the database; the approved one puts it aside, with all its tables."""
    assert night.untouched == {"connect": 24, "postgres": 0}
    assert night.emptied["connect"] == 0
    assert sorted(night.emptied.values()) == [0, 0, 24]


def test_an_executed_copy_that_is_run_again_does_not_act(night: Night) -> None:
    """Not even when all is as it was before: the approval in it was for the facts of then, and a run changes them."""
    used, again = night.ended["reset"], night.ended["reset, its copy again"]
    assert used.record["result"]["plan"]["fingerprint"] in again.copy.read_text()
    assert again.fingerprint != used.fingerprint
    assert "is not for this plan" in again.record["error"]["fact"]
    assert night.databases() == night.restored


def test_a_finished_run_is_no_place_to_run_again(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """In JupyterLab a kernel works where its notebook lies: in the folder of a record, a start is refused."""
    monkeypatch.chdir(night.ended["reset"].folder)
    with pytest.raises(BadParameters, match="a record and not a runbook"):
        drillbook.start("reset", str(night.target))


def test_an_unknown_parameter_is_refused_by_the_start_cell(night: Night) -> None:
    """papermill only warns; the record says bad parameters, exit 2, and names the nearest."""
    ended = night.ended["mistyped"]
    assert ended.code != 0
    assert "unknown parameter: tarqet" in ended.said
    record = ended.record
    assert (record["status"], record["exit_code"], record["mode"]) == ("failed", 2, "papermill")
    assert "parameter tarqet" in record["error"]["fact"]
    assert "did you mean 'target'?" in record["error"]["hint"]
    assert record["step"] is None


def test_the_data_is_back(night: Night) -> None:
    """Restore and verify hold every digest against the backup."""
    assert night.databases()["connect"] == 24
    for name in ("drill", "restore", "verify"):
        result = night.ended[name].record["result"]
        assert result["verdict"] == "pass"
        assert result["checks"]


def test_a_drill_leaves_its_checks_as_junit(night: Night) -> None:
    """One case a check and one for each that was left out, readable by its owner only."""
    drill = night.ended["drill"]
    file, result = drill.folder / "junit.xml", drill.record["result"]
    suite = ElementTree.parse(file).getroot().find("testsuite")
    assert suite is not None
    assert len(suite) == len(result["checks"]) + len(result["left_out"])
    assert file.stat().st_mode & 0o777 == 0o600
    assert (result["tier"], result["standing"], result["kept"]) == ("full", "proven", [])
    assert "smoke" in [one["id"] for one in result["left_out"]]


def test_the_postmortem_is_one_page(night: Night) -> None:
    """One HTML file, with nothing outside of it, that tells every run before it."""
    ended = night.ended["postmortem"]
    (page,) = ended.folder.glob("*.html")
    said = page.read_text()
    assert "the night" in said
    assert all(run.folder.name in said for run in night.ended.values() if run is not ended)
    assert 'src="http' not in said


def test_every_run_is_in_the_ledger(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its mode and its end; the chain holds."""
    monkeypatch.setenv("DRILLBOOK_OUTPUTS", str(night.outputs))
    assert ledger.verify() == []
    told = {entry["run"]: entry for entry in map(json.loads, ledger.file().read_text().splitlines())}
    assert set(told) == {ended.folder.name for ended in night.ended.values()}
    for ended in night.ended.values():
        assert told[ended.folder.name]["mode"] == "papermill"
        assert told[ended.folder.name]["status"] == ended.record["status"]
