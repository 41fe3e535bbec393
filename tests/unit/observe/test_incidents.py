"""Known incidents are validated: a wrong file is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from drillbook.errors import RunbookError
from drillbook.observe.incidents import incident

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
        ("id: one", "id: [", "cannot be read"),
    ],
)
def test_a_wrong_file_names_the_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    """The error names the file and the path in it."""
    with pytest.raises(RunbookError) as told:
        incident(written(tmp_path, GOOD.replace(old, new)))
    assert "one.yaml" in told.value.fact
    assert says in told.value.fact
