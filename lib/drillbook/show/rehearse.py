"""What a rehearsal tells a person: would it work, how long, how long down; and what to mind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drillbook.decide.evidence import Evidence
from drillbook.decide.rehearsed import Rehearsed
from drillbook.show.view import View, callout, folded, table


def answer(target: str, found: Rehearsed, copy: Mapping[str, Any]) -> View:
    """The answer in a box: what the reset of the target would take, or where it would fail and why."""
    took = f"The copy took {copy['seconds']:.0f} s to make, {copy['restore_seconds']:.0f} s of them to restore."
    if found.works:
        down = float(found.meanwhile["downtime_seconds"])
        quiet = "no request failed" if found.down else "no endpoint down"  # a short one is waited out by those who ask
        what = f"endpoints down for {down:.1f} s" if down else quiet
        title = f"It would work: about {found.seconds:.0f} s, {what}"
        return callout("pass", title, f"{_in_place(found)}{_requests(found.meanwhile)}\n{took}")
    title = f"It would fail in {found.failed}; nothing of {target} was touched"
    more = f"\n{_requests(found.meanwhile)}" if found.meanwhile else ""
    return callout("fail", title, f"{found.fact}\nThe way back: {found.back}.{more}\n{took}")


def _in_place(found: Rehearsed) -> str:
    """What cannot run twice at once."""
    said = ", ".join(f"{name} for {seconds:.0f} s" for name, seconds in found.down.items())
    return f"Replaced in place, and down meanwhile: {said}.\n" if said else ""


def _requests(told: Mapping[str, Any]) -> str:
    said = f"{told['requests_failed']} of {told['requests']} requests failed, the slowest took"
    unmended = told["requests_unmended"]
    more = f"; {unmended} more of endpoints that failed from the beginning, until they were mended" if unmended else ""
    return f"{said} {told['worst_seconds']:.2f} s{more}."


def steps(found: Rehearsed) -> View:
    """What took how long; the title names the longest."""
    rows = [{"step": s["step"], "on": s["subject"], "seconds": f"{s['seconds']:.1f}"} for s in found.steps]
    longest = max(found.steps, key=lambda step: float(step["seconds"]), default=None)
    title = f"{len(rows)} steps" + (f", the longest: {longest['step']}, {longest['seconds']:.0f} s" if longest else "")
    return folded(title, table("Steps of the reset on the copy", rows))


def minded(missing: Sequence[str], refused: str, untouched: Evidence) -> View:
    """What the answer does not say by itself."""
    kind = "pass" if untouched.verdict == "pass" else "fail"
    title = f"{untouched.subject} itself was {'not touched' if kind == 'pass' else 'changed by somebody'}"
    views = [callout(kind, title, untouched.observed)]
    if refused:
        views.append(callout("warn", "The real reset would be refused now", refused))
    if missing:
        views.append(callout("warn", "Not rehearsed", "\n".join(f"• {name}" for name in missing)))
    return sum(views[1:], views[0])


def kept(told: Mapping[str, Sequence[str]]) -> View:
    """How to reach a copy that was kept, and the words that remove it."""
    reach, gone = "\n".join(told["reach"]), "\n".join(told["remove"])
    text = f"look at it:\n{reach}\n\nremove it (the next rehearsal after a day does too):\n{gone}"
    return callout("warn", "the copy was kept and runs on", text)
