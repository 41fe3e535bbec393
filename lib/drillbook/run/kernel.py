"""The kernel of a run: ipykernel without its debugger, to which nobody can attach there.

The debugger is half of what the start of a kernel costs: 0.36 of 0.71 s of CPU, the medians of 12 starts of each
(https://github.com/ipython/ipykernel/pull/1543).
"""

from __future__ import annotations

import runpy
import sys

if __name__ == "__main__":
    sys.modules["debugpy"] = None  # type: ignore[assignment]
    runpy.run_module("ipykernel_launcher", run_name="__main__")
