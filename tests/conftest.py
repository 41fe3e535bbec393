"""Every test works in this checkout, and writes its runs into a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["suites.plugin"]
HOUSE = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The checkout as home, and an empty outputs folder."""
    monkeypatch.setenv("DRILLBOOK_HOME", str(HOUSE))
    monkeypatch.setenv("DRILLBOOK_OUTPUTS", str(tmp_path / "outputs"))
    for name in ("DRILLBOOK_RUN_DIR", "DRILLBOOK_RESUME"):
        monkeypatch.delenv(name, raising=False)
    yield HOUSE
