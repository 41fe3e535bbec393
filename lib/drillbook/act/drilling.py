"""The modules whose actions a drill's plan names: importing this registers them all."""

from drillbook.act import (
    drill,
    drill_archive,
    drill_checks,
    drill_proof,
    drill_smoke,
    drill_volume,
    scratch_sweep,
)

VERBS = (drill, drill_archive, drill_checks, drill_proof, drill_smoke, drill_volume, scratch_sweep)
