"""03-reset before a person: nothing happens by accident, and the right digits are enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from person import Notebook
from playwright.sync_api import expect

from drillbook.act import breakage, sandbox
from drillbook.act.journal import Journal
from drillbook.act.site import Site
from drillbook.observe import engine
from drillbook.run.record import Record
from drillbook.run.runner import run_runbook

Opens = Callable[..., Notebook]


@pytest.fixture(scope="module")
def broken(stack: Site, target: str, desk: Path) -> Site:
    """The incident: stale code that no rebuild mends, and a backup that a drill has proven."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRILLBOOK_OUTPUTS", str(desk))
        for runbook in ("backup", "drill"):
            record = run_runbook(runbook, target, quiet=True)
            assert record.status == "succeeded", record.error
    breakage.break_stack("stale-artifact", stack.project)
    return stack


def containers(site: Site) -> dict[str, str]:
    return {fact.name: fact.id for fact in engine.containers(site.target)}


def acted(notebook: Notebook) -> list[dict[str, Any]]:
    return [line for line in Journal(notebook.folder / "journal.jsonl").lines() if line["event"] == "intent"]


def fingerprint(notebook: Notebook) -> str:
    """What a person reads off the gate."""
    gate = notebook.output_of(notebook.cell("run.approve"))
    return gate.locator("code").first.inner_text()


def approve(notebook: Notebook, digits: str) -> None:
    gate = notebook.output_of(notebook.cell("run.approve"))
    gate.get_by_role("textbox").fill(digits)
    gate.get_by_role("button", name="Approve this plan").click()
    expect(gate).to_contain_text("Now click into the next cell and run it.")
    notebook.select(notebook.cell("run.act"))


def refused(notebook: Notebook, number: int, fact: str) -> None:
    """Cell *number* ended with *fact* and a HINT, nothing was begun, and no traceback is to be seen."""
    output = notebook.output_of(number)
    expect(output).to_contain_text(fact)
    expect(output).to_contain_text("HINT:")
    assert "Traceback" not in notebook.text
    assert acted(notebook) == []


def test_run_all_cells_changes_nothing(broken: Site, opens: Opens) -> None:
    """The menu's Run All Cells comes to the gate, shows it, and is refused there."""
    before = containers(broken)
    notebook = opens("reset")
    notebook.run_all()
    act = notebook.cell("run.act")
    notebook.shot("reset-1-run-all")
    expect(notebook.output_of(act - 2).get_by_role("textbox")).to_be_visible()
    refused(notebook, act, "the plan has not been approved")
    assert containers(broken) == before
    record = Record.load(notebook.folder)
    assert record.error is not None
    assert (record.error["type"], record.error["status"]) == ("NotApproved", "refused")


def test_wide_tables_stay_inside_the_page(broken: Site, opens: Opens) -> None:
    """At 1280×800 a plan with long commands does not push the notebook sideways."""
    notebook = opens("reset")
    notebook.step_through("run.plan")
    panel = notebook.page.locator(".jp-WindowedPanel-outer").first
    assert panel.evaluate("panel => panel.scrollWidth - panel.clientWidth") <= 0
    outputs = notebook.page.locator(".jp-OutputArea-output")
    assert max(outputs.evaluate_all("all => all.map(o => o.scrollWidth - o.clientWidth)")) <= 0


def test_an_approval_dies_when_the_facts_change(broken: Site, opens: Opens) -> None:
    """A container was recreated after the plan was read: the plan is shown anew, and refused."""
    notebook = opens("reset")
    notebook.step_through("run.approve")
    approve(notebook, fingerprint(notebook)[:6])
    sandbox.compose(broken, "up", "-d", "--no-build", "--no-deps", "--force-recreate", "app2")
    sandbox.wait_healthy(broken.project)
    before = containers(broken)
    notebook.step_through("run.act")
    notebook.shot("reset-2-outdated")
    refused(notebook, notebook.cell("run.act"), "is not for this plan")
    expect(notebook.output_of(notebook.cell("run.act"))).to_contain_text("run the cells again from Observe")
    assert containers(broken) == before


def test_the_right_digits_and_a_click_let_the_next_cell_act(broken: Site, opens: Opens) -> None:
    """Wrong digits leave the button off; the right ones, a click and the next cell end the incident."""
    matches = broken.target.endpoints["matches"].url
    assert httpx.get(matches, timeout=10).status_code == 500
    before = containers(broken)
    notebook = opens("reset")
    gate = notebook.step_through("run.approve")
    button = gate.get_by_role("button", name="Approve this plan")
    expect(button).to_be_disabled()
    gate.get_by_role("textbox").fill("000000")
    expect(button).to_be_disabled()
    notebook.shot("reset-3-gate")
    approve(notebook, fingerprint(notebook)[:6])
    notebook.shot("reset-4-approved")
    assert containers(broken) == before

    notebook.step_through("run.act")
    expect(notebook.step_through("run.verify")).to_contain_text("requests failed")
    notebook.shot("reset-5-verified")
    assert "Traceback" not in notebook.text
    assert httpx.get(matches, timeout=10).status_code == 200
    record = Record.load(notebook.folder)
    assert record.error is None, record.error
    assert record.result is not None and record.result["verdict"] == "pass"
    changed = {name for name, found in containers(broken).items() if found != before[name]}
    assert changed == {f"{broken.project}-{name}-1" for name in ("app1", "app2", "scraper")}
