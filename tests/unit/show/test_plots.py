"""Plots: SVG that can be read, parsed and embedded, the same each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

from drillbook.show import plots
from drillbook.show.history import drawn

START = datetime(2025, 10, 1, tzinfo=UTC)


def series(*values: float) -> tuple[tuple[datetime, float], ...]:
    return tuple((START + timedelta(days=n), value) for n, value in enumerate(values))


def words(svg: str) -> list[str]:
    return [(text.text or "").strip() for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_a_restore_is_shown_against_its_budget() -> None:
    """The budget is a line with its number; far below it the scale is logarithmic, and says so."""
    assert {"budget 90 s", "What a restore takes (RTO), in seconds"} <= set(
        words(plots.restore_times(series(4, 30), 90))
    )
    assert "What a restore takes (RTO), in seconds (logarithmic)" in words(plots.restore_times(series(4, 5), 900))


def test_sizes_have_the_unit_that_fits() -> None:
    """And their durations lie below."""
    said = words(plots.sizes_and_durations(series(1e6, 3.2e6), series(4, 5)))
    assert {"Size of each backup, in MB", "Time that each took, in seconds"} <= set(said)


def test_a_tables_name_is_shown_as_it_is() -> None:
    """A dollar starts no formula, an underscore hides no line, and letters of any script stay."""
    tables = {name: series(1, 2) for name in ("public.a$b$c", "_hidden.t", "public.한빛")}
    assert set(words(plots.rows(tables))) >= {"public.a$b$c", "public.한빛", "_hidden.t"}


def test_the_age_of_the_last_proven_backup_has_its_limit() -> None:
    """Beyond which no reset rests on it."""
    assert "too old for a reset: 24 h" in words(plots.proven_age(series(1, 25, 2), 24))


def test_one_point_is_no_plot() -> None:
    """What is not drawn is said, and nothing is shown for it."""
    assert (
        plots.restore_times(series(4), 90) == plots.rows({"t": series(1)}) == plots.proven_age(series(1, 2), 24) == ""
    )
    assert plots.sizes_and_durations(series(1), series(1)) == ""
    view = drawn({"rto": "", "rows": plots.rows({"t": series(1, 2)})})
    assert "what a restore takes: a plot begins with the second one" in view.text
    assert "rows.svg" in view.text


def test_the_same_plot_is_the_same_file() -> None:
    """No time of making and no random ids: the run's hash depends on what is shown alone."""
    assert plots.restore_times(series(4, 5), 90) == plots.restore_times(series(4, 5), 90)
