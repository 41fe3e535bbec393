"""What a commit draws, how tests are dealt out, and the table of a night."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from suites import draw, plugin, seconds, stages, table
from suites.__main__ import hexadecimal
from suites.stages import Ended, Stage

HASH = "0123456789abcdef0123456789abcdef01234567"
lengths = st.lists(st.floats(0.05, 100), min_size=1, max_size=60)


@given(lengths, st.integers(1, 8))
def test_every_test_is_in_a_part(lengths: list[float], parts: int) -> None:
    """All parts together are all tests, and no part is empty."""
    items = list(enumerate(lengths))
    found = [seconds.part(items, lambda item: item[1], number, parts) for number in range(parts)]
    assert {item for part in found for item in part} == set(items)
    assert all(found)


@given(lengths, st.integers(1, 8))
def test_a_part_takes_no_longer_than_its_share_and_one_test(lengths: list[float], parts: int) -> None:
    """What lies in a part is its share of the seconds, but for what its first and last test reach over."""
    items = list(enumerate(lengths))
    for number in range(parts):
        took = sum(item[1] for item in seconds.part(items, lambda item: item[1], number, parts))
        assert took <= sum(lengths) / parts + max(lengths) + 1e-6


def test_some_commits_draw_every_part() -> None:
    """Of each suite, and of faults and steps independently of each other."""
    hashes = [sha256(str(n).encode()).hexdigest()[:40] for n in range(200)]
    assert {draw.number(one) for one in hashes} == set(range(draw.PARTS))
    pairs = Counter((draw.number(one, 8), draw.number(one, draw.PARTS, salt=1)) for one in hashes)
    assert len({fault for fault, _ in pairs}) == 8
    assert len({steps for _, steps in pairs}) == draw.PARTS


def test_the_same_commit_draws_the_same() -> None:
    """A failure can be repeated by its hash alone, whole or short."""
    assert draw.every(list("abcdefghijkl"), HASH) == draw.every(list("abcdefghijkl"), HASH[:8]) != []
    assert draw.every(["only"], HASH) == ["only"]
    assert draw.every([], HASH) == []


def test_the_kept_seconds_are_of_tests_that_are_there() -> None:
    """A file that was moved or removed is not in them any more."""
    here = Path(__file__).resolve().parents[2]
    files = {test.partition("::")[0] for test in seconds.known()}
    assert [name for name in sorted(files) if not (here / name).is_file()] == []


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(stages, "REPORTS", tmp_path)
    return tmp_path


def row(test: str, outcome: str = "passed", suite: str = "unit", **more: Any) -> dict[str, Any]:
    return {"suite": suite, "test": test, "seconds": 1.5, "outcome": outcome, **more}


def ended(reports: Path, name: str, code: int, *rows: dict[str, Any], may_be_empty: bool = False) -> Ended:
    if rows:
        (reports / f"{name}.json").write_text(json.dumps(rows))
    return Ended(Stage(name, ("make", name), may_be_empty), code, 60.0)


def test_the_table_names_what_failed_and_how_to_repeat_it(reports: Path) -> None:
    """A test by its id, another case by its own command; the closing line counts all of them."""
    told = table.text(
        [
            ended(reports, "tests", 1, row("a.py::test_a"), row("a.py::test_b[x y]", "failed"), row("c", "skipped")),
            ended(
                reports, "corpus", 1, row("zstd: a bit", "failed", "corpus", repeat="make corpus CASES='zstd: a bit'")
            ),
        ]
    )
    assert ".venv/bin/pytest 'a.py::test_b[x y]'" in told
    assert "make corpus CASES='zstd: a bit'" in told
    assert told.splitlines()[-1] == "1 passed, 2 failed, 1 skipped"
    assert ["unit", "3", "1", "1", "4"] in [line.split() for line in told.splitlines()]


def test_a_stage_that_failed_beside_its_cases_is_a_failure(reports: Path) -> None:
    """Exit code 1 with every case passed, a crash before the first case, and a lint with no cases at all."""
    for one in (ended(reports, "tests", 2, row("a")), ended(reports, "sweep", 1), ended(reports, "lint", 2)):
        assert one.failed
        assert [found["outcome"] for found in table.rows_of(one)][-1] == "failed"
    assert "make lint" in table.text([ended(reports, "lint", 2)])


def test_only_what_was_drawn_may_be_nothing(reports: Path) -> None:
    """pytest's exit code 5 is no failure where a draw may leave no test; elsewhere it is."""
    assert not ended(reports, "alone", stages.NOTHING_DRAWN, may_be_empty=True).failed
    assert ended(reports, "tests", stages.NOTHING_DRAWN).failed


def test_stages_go_on_after_one_that_failed(reports: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What they print is shown and kept; each has its own exit code."""
    found = stages.carry_out([Stage("one", ("sh", "-c", "echo broken; exit 3")), Stage("two", ("echo", "fine"))])
    assert [one.code for one in found] == [3, 0]
    assert (reports / "one.log").read_text() == "broken\n"
    assert "fine" in capfd.readouterr().out


def test_stages_beside_each_other_count_once(reports: Path) -> None:
    """They run at the same time, and the whole is as long as the longest of them."""
    met = str(reports / "met")
    one = Stage("one", ("sh", "-c", f"for n in $(seq 100); do [ -e {met} ] && exit; sleep 0.1; done; exit 9"))
    found = stages.carry_out([one, Stage("two", ("touch", met), beside=True)])
    assert [(ended.stage.name, ended.code) for ended in found] == [("one", 0), ("two", 0)]
    walls = [Ended(ended.stage, 0, 60.0 + 30 * ended.stage.beside) for ended in found]
    assert ["whole", "1.5"] in [line.split() for line in table.text(walls).splitlines()]


def test_a_night_leaves_nothing_out(reports: Path) -> None:
    """Every test is beside others or alone; every program that is no test has a stage."""
    found = {stage.name: stage.argv for stage in stages.nightly(2)}
    assert list(found) == ["lint", "tests", "alone", "corpus", "sweep", "restarts", "no-engine"]
    rest = f"not ({found['no-engine'][-1]})"
    assert [found[name][-1] for name in ("tests", "alone")] == [f"not alone and {rest}", f"alone and {rest}"]
    assert found["no-engine"][: len(stages.NOWHERE)] == stages.NOWHERE, "a test that forgot its mark reaches the engine"
    assert ("ALONE=no" in found["sweep"], "ALONE=only" in found["restarts"]) == (True, True)
    assert not any("--draw" in words for words in found.values())
    drawn = stages.sample(2, HASH)
    assert all(HASH in " ".join(stage.argv) for stage in drawn)


def test_ci_runs_what_a_developer_runs() -> None:
    """`.ci/run` is the lint, the README's test and the sample; the workflow runs that on a push, and a night's all."""
    here = Path(__file__).resolve().parents[2]
    lines = (here / ".ci" / "run").read_text().splitlines()
    assert [line for line in lines if line.startswith("make")] == ["make lint", "make test", "make sample"]
    jobs = yaml.safe_load((here / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    told = {name: [step.get("run", "") for step in job["steps"]] for name, job in jobs.items()}
    assert "bash .ci/run" in told["check"]
    assert "make nightly" in told["nightly"]


def test_a_night_s_seconds_take_the_place_of_a_file_s_older_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that was renamed is forgotten, a file that the reports do not tell of is kept, one that is gone is not."""
    here, other = "tests/unit/test_suites.py", "tests/unit/test_docs.py"
    kept, report = tmp_path / "seconds.json", tmp_path / "tests.json"
    kept.write_text(json.dumps({f"{here}::old": 5.0, f"{other}::kept": 2.0, "tests/gone.py::x": 1.0}))
    report.write_text(json.dumps([row(f"{here}::new"), row(f"{here}::short") | {"seconds": 0.01}]))
    monkeypatch.setattr(seconds, "FILE", kept)
    seconds.known.cache_clear()
    try:
        assert seconds.remember([report]) == 2
        assert json.loads(kept.read_text()) == {f"{here}::new": 1.5, f"{other}::kept": 2.0}
    finally:
        seconds.known.cache_clear()


def test_a_worker_that_crashes_is_a_failure_in_the_results(tmp_path: Path) -> None:
    """pytest-xdist tells of it with no properties of the test; the other rows are kept."""
    results = plugin.Results(tmp_path / "tests.json")
    for properties, outcome in (((("suite", "matrix"),), "passed"), ((), "failed")):
        name = f"tests/drills/test_x.py::test_{outcome}"
        results.pytest_runtest_logreport(
            pytest.TestReport(name, (name, None, name), {}, outcome, None, "call", user_properties=properties)
        )
    results.pytest_sessionfinish()
    told = json.loads((tmp_path / "tests.json").read_text())
    assert [(one["suite"], one["outcome"]) for one in told] == [("matrix", "passed"), ("drills", "failed")]


@pytest.mark.parametrize("word", ["HEAD", "0123456789abcdef; ls", "12"])
def test_what_is_no_hash_draws_nothing(word: str) -> None:
    """It is refused, and not taken for a part."""
    with pytest.raises(ArgumentTypeError, match="no commit's hash"):
        hexadecimal(word)
    assert hexadecimal(HASH) == HASH
