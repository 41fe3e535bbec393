"""The picture of freshness: levels across, services down, and the files below it."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import builders

from drillbook.decide.diagnose import diagnose
from drillbook.decide.differences import differences
from drillbook.observe.facts import Snapshot
from drillbook.show import levels, picture


def test_levels_show_where_it_went_wrong() -> None:
    """The grid has one row a service, and tells source pass, context fail and image fail of the incident."""
    text = levels.levels(diagnose(builders.stale_artifact())).text
    assert "app1: source pass, context fail, image fail, container pass, process pass, response –" in text


def test_a_container_belongs_to_its_own_service() -> None:
    """A container of `app-worker` is never counted as one of `app`."""
    names = ("app", "app-worker")
    snapshot = builders.healthy(
        containers=tuple(builders.container(name) for name in names),
        sources={name: builders.source() for name in names},
        images=tuple(builders.image(name) for name in names),
        processes=(),
    )
    old = replace(snapshot.containers[1], tag_image_id=builders.OLD)
    text = levels.levels(diagnose(replace(snapshot, containers=(snapshot.containers[0], old)))).text
    lines = {line.split(":")[0]: line for line in text.splitlines()[1:]}
    assert "container pass" in lines["app"]
    assert "container fail" in lines["app-worker"]


def test_database_target_has_no_grid() -> None:
    """A target without code has no freshness to show."""
    assert levels.levels(diagnose(Snapshot("embedded", "0", databases=(builders.database(),)))).html == ""


def test_the_files_that_differ_are_shown_at_every_level() -> None:
    """The incident's one file is right in the source and the image, and wrong in what the bundle was made from."""
    view = levels.files(differences(builders.stale_artifact()))
    new, old = builders.digest("new db")[:10], builders.digest("old db")[:10]
    line = next(line for line in view.text.splitlines() if "lib/db.js" in line)
    assert [part for part in line.split() if len(part) > 1] == ["app1", "lib/db.js", new, new, old, new]
    assert line.count("✗") == 1


def test_nothing_differs_on_a_healthy_stack() -> None:
    """No table of files where no file differs."""
    assert levels.files(differences(builders.healthy())).html == ""


def test_the_picture_can_be_embedded() -> None:
    """The SVG is well-formed, whatever an answer said, and tells each level's verdict in words, not in colour alone."""
    hostile = builders.answer(endpoint="build", source_digest="<script>&", via="proxy")
    drawn = ElementTree.fromstring(picture.freshness(diagnose(builders.stale_artifact(responses=(hostile,)))))
    words = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert words.count("✗ fail") == 3
    assert words.count("✓ pass") == 3
