"""The incident from beginning to end on a real stack: broken as it was, resolved, and nothing lost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from drillbook.act.site import Site
from drillbook.run.demo import play_docker
from drillbook.run.ideal import IDEAL
from drillbook.run.ledger import verify
from drillbook.target import load_target

pytestmark = pytest.mark.matrix


def test_the_incident_is_played_and_resolved(sandbox: Site, foreign_project: Any, tmp_path: Path) -> None:
    """Three rebuilds fail, the runbooks resolve both blows, no row and no job is lost, and a stranger is untouched."""
    raw = yaml.safe_load(sandbox.target_file.read_text())
    raw["stack"]["directory"] = str(sandbox.directory)
    raw["databases"]["main"]["password"] = f"file:{sandbox.password_file}"
    raw["backup"] = {"vault": str(tmp_path / "vault")}
    file = tmp_path / f"{sandbox.project}.yaml"
    file.write_text(yaml.safe_dump(raw))
    target, stranger = load_target(str(file)), foreign_project.snapshot()
    port = httpx.URL(target.endpoints["health"].url).port or 80

    assert play_docker(target, port) == 0

    assert foreign_project.snapshot() == stranger
    assert httpx.get(target.endpoints["matches"].url, timeout=10).status_code == 200
    outputs = Path(os.environ["DRILLBOOK_OUTPUTS"]) / target.name
    told = json.loads((outputs / "demo.json").read_text())
    assert told["verdict"] == "pass"
    names = [row["what"] for row in told["content"]]
    assert len([n for n in names if n.startswith("public.")]) == 24
    assert f"volume {sandbox.project}_redis_queue_data" in names
    outcomes = [scene["outcome"] for scene in told["scenes"]]
    failing = "/api/matches/generate answers 500: TypeError: Cannot read properties of undefined (reading 'findUnique')"
    assert outcomes[1:5] == [failing] * 4, "the break and three rebuilds"
    assert [o for o in outcomes if o.startswith("refused")] == [o for o in outcomes if o.endswith("(exit 3)")]
    assert len(list(outputs.glob("*/notebook.html"))) == len(list(outputs.glob("*/run.json"))) == 12
    assert [row["phase"] for row in told["timeline"]] == list(IDEAL)
    assert all(row["scenes"] for row in told["timeline"])
    assert told["requests_failed"] == 0, told["timeline"]
    assert "Traceback" not in (outputs / "demo.html").read_text()
    assert verify() == [], "the ledger's chain and every executed copy"
