"""`drillbook sandbox` on a machine without an engine: the practice database alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from drillbook.act import embedded, install
from drillbook.cli import app
from drillbook.errors import BadParameters, EngineDown
from drillbook.run import sandbox


@pytest.fixture
def sandboxed(house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A house of its own around the practice stack's sources; ENGINE=embedded."""
    home = tmp_path / "house"
    (home / "sandbox").mkdir(parents=True)
    for name in ("runbooks", "parameters", "sandbox/connect"):
        (home / name).symlink_to(house / name)
    monkeypatch.setenv("DRILLBOOK_HOME", str(home))
    monkeypatch.setenv("ENGINE", "embedded")
    yield home / "sandbox/.state/embedded"
    embedded.down_embedded()


def told(*words: str) -> dict[str, Any]:
    """What `drillbook sandbox …` prints on standard output."""
    result = CliRunner().invoke(app, ["sandbox", *words], catch_exceptions=False)
    return json.loads(result.stdout)


def test_up_break_and_down_work_without_an_engine(sandboxed: Path) -> None:
    """Each says which engine it used; up mends what break did, and down leaves nothing."""
    made = told("up")
    assert (made["engine"], made["target"], made["tables"]) == ("embedded", "embedded", 24)
    assert (sandboxed / "socket").is_symlink()
    broken = told("break", "lost-schema")
    assert (broken["engine"], broken["tables"]) == ("embedded", 0)
    assert told("up")["tables"] == 24
    assert told("down") == {"engine": "embedded", "target": "embedded"}
    assert not sandboxed.exists()
    assert told("down")["engine"] == "embedded"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("break", "stale-artifact"), "lost-schema"),
        (("up", "--project", "other"), "--project"),
        (("up", "--port", "9090"), "--port"),
        (("down", "--project", "other"), "--project"),
    ],
)
def test_what_an_embedded_sandbox_has_not_is_refused(sandboxed: Path, words: tuple[str, ...], hint: str) -> None:
    """Containers' breakages, projects and ports are not passed over in silence; nothing is made or removed."""
    with pytest.raises(BadParameters) as caught:
        told(*words)
    assert hint in caught.value.hint
    assert not sandboxed.exists()


def test_without_a_choice_the_engine_that_answers_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """break and down look, and install nothing; a wrong choice is told."""
    monkeypatch.delenv("ENGINE", raising=False)
    for version, engine in (("", "embedded"), ("20.10.24", "docker")):
        monkeypatch.setattr(install, "answers", lambda version=version: version)
        assert install.engine_in_use() == engine
    monkeypatch.setenv("ENGINE", "podman")
    with pytest.raises(BadParameters, match="podman"):
        install.engine_in_use()


def test_up_falls_back_when_no_engine_can_be_had(sandboxed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on with the database, and names the engine that it used."""

    def none(_: object) -> None:
        raise EngineDown("no container engine answers", "start docker")

    monkeypatch.delenv("ENGINE")
    monkeypatch.setattr(install, "_docker", none)
    monkeypatch.setattr(embedded, "up_embedded", lambda rows: {"rows": rows})
    assert sandbox.up("connect", 8080, 7) == {"engine": "embedded", "rows": 7}
