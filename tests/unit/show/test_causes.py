"""Causes as a person reads them, and where they lead."""

from __future__ import annotations

from dataclasses import replace

import builders

from drillbook.decide.diagnose import diagnose
from drillbook.show import causes


def test_causes_carry_their_proof() -> None:
    """Each cause is shown with what speaks for it and what against another."""
    text = causes.causes(diagnose(builders.stale_artifact())).text
    assert text.startswith("stale-artifact  (confidence 98%)")
    assert "What speaks against it" in text


def test_the_misleading_error_stands_beside_the_real_cause() -> None:
    """What the site says is quoted, and named a symptom."""
    text = causes.causes(diagnose(builders.stale_artifact())).text
    assert text.index("symptom") < text.index("Cannot read properties of undefined (reading 'findUnique')")


def test_two_replicas_are_one_finding() -> None:
    """The same finding at app1 and app2 is one line that names both."""
    one = builders.stale_artifact()
    two = replace(
        one,
        sources={"app1": one.sources["app1"], "app2": one.sources["app1"]},
        images=(*one.images, replace(one.images[0], service="app2")),
        containers=(*one.containers, builders.container("app2")),
    )
    lines = [line for line in causes.causes(diagnose(two)).text.splitlines() if "byte-identical" in line]
    assert len(lines) == 1
    assert "app1, app2" in lines[0]


def test_no_cause_is_not_always_well() -> None:
    """Without a cause the callout says whether that means pass or only unknown."""
    assert causes.causes(diagnose(builders.healthy())).text.startswith("no cause")
    unseen = diagnose(builders.healthy(unknown={"vault": "cannot be listed"}))
    assert causes.causes(unseen).text.startswith("verdict unknown")


def test_next_step_can_be_copied_and_opened() -> None:
    """The next runbook stands there as the commands that run and open it, for the target as given, and as a link."""
    view = causes.next_step(diagnose(builders.stale_artifact()), "sandbox/x.yaml", "next/03-reset.ipynb")
    assert "drillbook run reset --target sandbox/x.yaml -p scope=auto" in view.text
    assert "drillbook open reset --target sandbox/x.yaml -p scope=auto" in view.text
    assert 'href="next/03-reset.ipynb"' in view.html
