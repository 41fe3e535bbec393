"""The modules whose actions a rehearsal's plan names: importing this registers them all."""

from drillbook.act import (
    rehearse_end,
    rehearse_network,
    rehearse_server,
    rehearse_source,
    rehearse_start,
    rehearse_sweep,
    rehearse_volume,
    restore,
)

VERBS = (
    rehearse_end, rehearse_network, rehearse_server, rehearse_source, rehearse_start, rehearse_sweep,
    rehearse_volume, restore,
)  # fmt: skip
