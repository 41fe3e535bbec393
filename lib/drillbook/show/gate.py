"""The gate: a person types the plan's fingerprint. It never gates by itself; the next cell checks."""

from __future__ import annotations

from dataclasses import dataclass

from drillbook.decide.plan import Plan
from drillbook.show.view import callout, show

TYPED = 6


@dataclass
class Approval:
    """A fingerprint given back, or none yet."""

    fingerprint: str = ""

    def covers(self, plan: Plan) -> bool:
        """Whether exactly this plan was approved."""
        return bool(self.fingerprint) and self.fingerprint == plan.fingerprint


def ask(plan: Plan) -> Approval:
    """Show a field for the fingerprint (six digits are enough) and a button; what it gives is filled in by a person."""
    import ipywidgets
    from IPython.display import display

    given = Approval()
    field = ipywidgets.Text(placeholder=f"first {TYPED} digits", description="Fingerprint", layout={"width": "320px"})
    button = ipywidgets.Button(
        description="Approve this plan", button_style="danger", disabled=True, layout={"width": "180px"}
    )
    said = ipywidgets.HTML(f"Plan <code>{plan.fingerprint}</code>. Nothing happens before the next cell is run.")

    def typed(change: dict[str, str]) -> None:
        given_digits = change["new"].strip().lower()
        button.disabled = len(given_digits) < TYPED or not plan.fingerprint.startswith(given_digits)

    def pressed(_: object) -> None:
        given.fingerprint = plan.fingerprint
        button.disabled = field.disabled = True
        button.description, button.button_style = "Approved", "success"
        said.value = f"<b>Approved {plan.fingerprint}.</b> Now click into the next cell and run it."

    field.observe(typed, names="value")
    button.on_click(pressed)
    display(ipywidgets.VBox([said, ipywidgets.HBox([field, button])]))
    return given


def told(plan: Plan, approval: str) -> Approval:
    """The approval that was given as a parameter, shown as it stands."""
    if approval.strip().lower() == plan.fingerprint:
        show(callout("pass", f"approved: {plan.fingerprint}"))
    return Approval(approval.strip().lower())


def carried(plan: Plan, run: str) -> Approval:
    """The approval that the cut run *run* was given for this very plan, carried on."""
    show(callout("pass", f"approved: {plan.fingerprint}", f"in {run}, for this same plan, which is not finished"))
    return Approval(plan.fingerprint)
