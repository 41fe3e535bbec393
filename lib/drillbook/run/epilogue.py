"""The end of a play: one table on the screen, and one page beside the executed copies."""

from __future__ import annotations

import html
import json
from pathlib import Path

from drillbook import home
from drillbook.act import durable
from drillbook.act.journal import now
from drillbook.run import ideal
from drillbook.run.play import Play
from drillbook.show import page
from drillbook.show.view import View, callout, table

Held = dict[str, tuple[str, str]]
"""name → rows or keys, and digest."""

NOTHING = ("–", "–")


def end(stage: Play, before: Held, after: Held) -> int:
    """Tell the play, write `demo.html` and `demo.json` beside its runs.

    0 when no row was lost and no request failed on the way from alert to healthy, else 1.
    """
    rows = [_row(name, before.get(name, NOTHING), after.get(name, NOTHING)) for name in sorted({*before, *after})]
    lost = [row for row in rows if row["verdict"] != "pass"]
    total = sum(scene.seconds for scene in stage.scenes)
    failing = ideal.failed(stage.scenes)
    kind = "fail" if lost or failing else "pass"
    equal = f"nothing lost: {len(rows)} tables and volumes equal the baseline"
    words = f"{len(lost)} tables or volumes differ" if lost else equal
    words += f"; but {failing} requests failed that should not have" if failing else ""
    scenes = _scenes(stage)
    views = [callout(kind, words, f"{total:.0f} s in all, {now()}"), *_ideal(stage),
             table("What happened", scenes), table("Rows and digests, before and after", rows)]  # fmt: skip
    folder = home.outputs() / stage.target.name
    file = page.write(folder / "demo.html", "drillbook: the incident, played and resolved", [*views, _copies(stage)])
    told = {"verdict": kind, "seconds": round(total, 1), "scenes": scenes, "content": rows,
            "alert_to_healthy_seconds": round(ideal.seconds(stage.scenes), 1), "requests_failed": failing,
            "timeline": ideal.timeline(stage.scenes)}  # fmt: skip
    durable.replace(folder / "demo.json", json.dumps(told, indent=1, default=str).encode())
    copies = f"executed copies: {folder}/<run>/notebook.ipynb\nthe whole as a page: {file}"
    stage.told("\n" + "\n\n".join(view.text for view in reversed(views)) + f"\n\n{copies}")
    return 1 if lost else 0


def _ideal(stage: Play) -> list[View]:
    """The report's ideal timeline beside ours; nothing where the play has no code half."""
    if not any(scene.phase == ideal.DETECTION for scene in stage.scenes):
        return []
    took = f"From alert to healthy: {ideal.seconds(stage.scenes):.0f} s here, 30 minutes in the report's ideal"
    return [table(took, ideal.timeline(stage.scenes))]


def _scenes(stage: Play) -> list[dict[str, object]]:
    return [
        {"#": number, "step": s.title, "outcome": s.outcome, "seconds": f"{s.seconds:.1f}",
         "requests": s.asked, "failed": s.failed, "broken before": s.unmended, "executed copy": _run(s.copy)}
        for number, s in enumerate(stage.scenes, 1)
    ]  # fmt: skip


def _row(name: str, before: tuple[str, str], after: tuple[str, str]) -> dict[str, object]:
    return {
        "what": name,
        "rows before": before[0],
        "rows after": after[0],
        "digest before": before[1],
        "digest after": after[1],
        "verdict": "pass" if before == after else "fail",
    }


def _run(copy: Path | None) -> str:
    return copy.parent.name if copy else ""


def _copies(stage: Play) -> View:
    """Every executed copy as an HTML page beside itself, linked."""
    links = []
    for scene in stage.scenes:
        if scene.copy and scene.copy.is_file():
            made = page.notebook_html(scene.copy)
            links.append(f'<li><a href="{made.parent.name}/{made.name}">{html.escape(scene.title)}</a></li>')
    return View(f"<h2>Executed copies</h2><ul>{''.join(links)}</ul>", "")
