"""Known incidents are validated: a wrong file is told with its place."""

from __future__ import annotations

import re
import textwrap
import typing
from dataclasses import asdict
from pathlib import Path

import pytest

from drillbook.decide import diagnose
from drillbook.errors import RunbookError
from drillbook.observe.incidents import CauseId, incident, incidents

GOOD = """id: one
title: it broke
date: "2026-01-02"
symptoms: ["boom \\\\d+"]
causes: [stale-artifact]
resolved_by: [a reset]
"""


def written(folder: Path, text: str, name: str = "one") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(text)
    return file


def test_a_good_file_is_read(tmp_path: Path) -> None:
    """What is not given is empty."""
    found = incident(written(tmp_path, GOOD))
    assert (found.id, found.symptoms, found.causes, found.did_not_help) == (
        "one",
        ("boom \\d+",),
        ("stale-artifact",),
        (),
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("boom \\\\d+", "(boom", "symptoms.0: no regular expression"),
        ("stale-artifact", "stale-artefact", "causes.0"),
        ("title:", "lnik: x\ntitle:", "lnik: unknown key"),
        ('"2026-01-02"', "yesterday", "date"),
        ("id: one", "id: two", "the id is two"),
        ('"2026-01-02"', '"2026-1"', "date"),
        ("id: one", "id: One", "id"),
        ("id: one", "id: [", "cannot be read"),
        ("title: it broke", "facts: {backups: 0}\ntitle: it broke", "facts.backups"),
        ("title: it broke\n", "", "title"),
        ('["boom \\\\d+"]', "boom", "symptoms"),
    ],
)
def test_a_wrong_file_names_the_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    """The error names the file and the path in it."""
    with pytest.raises(RunbookError) as told:
        incident(written(tmp_path, GOOD.replace(old, new)))
    assert "one.yaml" in told.value.fact
    assert says in told.value.fact


def test_a_wrong_cause_is_told_with_the_choices(tmp_path: Path) -> None:
    """Whoever mistypes a cause sees those that a diagnosis can name."""
    with pytest.raises(RunbookError, match="'stale-cache-mount'"):
        incident(written(tmp_path, GOOD.replace("stale-artifact", "stale-artefact")))


@pytest.mark.parametrize("date", ['""', '"2025"', '"2025-10"', '"2025-10-13"'])
def test_a_day_that_nobody_wrote_down_is_left_out(tmp_path: Path, date: str) -> None:
    """A month or a year is better than an invented day."""
    assert incident(written(tmp_path, GOOD.replace('"2026-01-02"', date))).date == date.strip('"')


@pytest.mark.parametrize("text", ["", "- a list", "just words"])
def test_a_file_that_is_no_mapping_is_told(tmp_path: Path, text: str) -> None:
    """An empty file is an error that names it, too."""
    with pytest.raises(RunbookError, match=r"one\.yaml"):
        incident(written(tmp_path, text))


def test_all_of_the_house_are_read_by_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every YAML file is an incident, nothing else is; without the folder there are none."""
    for folder in ("runbooks", "parameters"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("DRILLBOOK_HOME", str(tmp_path))
    assert incidents() == ()
    folder = tmp_path / "parameters" / "incidents"
    folder.mkdir()
    (folder / "README.md").write_text("no incident")
    for name in ("two", "one"):
        written(folder, GOOD.replace("id: one", f"id: {name}"), name)
    assert [found.id for found in incidents()] == ["one", "two"]


def test_every_cause_that_a_diagnosis_names_can_be_remembered() -> None:
    """A cause that the rules know and an incident could not name would make the postmortem's file a wrong one."""
    rules = Path(diagnose.__file__).parent.glob("*.py")
    named = {cause for file in rules for cause in re.findall(r'Cause\(\s*"([a-z-]+)"', file.read_text())}
    assert len(named) > 10
    assert named <= set(typing.get_args(CauseId))


def test_the_readmes_example_is_one(tmp_path: Path) -> None:
    """What a person copies from the page is a valid incident with every key there is."""
    page = (Path(__file__).resolve().parents[3] / "parameters" / "incidents" / "README.md").read_text()
    block = page[page.index("    id: lost-lease") :].split("\n\nOnly", 1)[0]
    found = incident(written(tmp_path, textwrap.dedent(block), "lost-lease"))
    assert [name for name, value in asdict(found).items() if not value] == []
    assert re.search(found.symptoms[1], "Error: worker 4711 lost its lease")
