"""The kernel of a run: ipykernel without its debugger, to which nobody can attach there.

Importing and starting the debugger is a sixth of the CPU of a run (https://github.com/ipython/ipykernel/pull/1543).
"""

from __future__ import annotations

import runpy
import sys

if __name__ == "__main__":
    sys.modules["debugpy"] = None  # type: ignore[assignment]
    runpy.run_module("ipykernel_launcher", run_name="__main__")
