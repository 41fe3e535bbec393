"""Put on PYTHONPATH by the sweep alone: in a run's kernel, the fault strikes when the journal reaches its step.

SWEEP_STEP names the step, SWEEP_MOMENT when: `begun` right after the intent is on disk, `within` a quarter of a
second later, `acted` after the action and before its outcome is written. SWEEP_COMMAND is what is then run; the words
{runner} and {kernel} in it stand for the process ids of the run and of this kernel.
"""

import json
import os
import subprocess
import sys
import threading
from importlib.machinery import PathFinder
from pathlib import Path

STEP, MOMENT = os.environ.get("SWEEP_STEP", ""), os.environ.get("SWEEP_MOMENT", "begun")
RUN = os.environ.get("DRILLBOOK_RUN_DIR", "")


def strike() -> None:
    runner = json.loads(Path(RUN, "run.json").read_text())["pid"]
    words = json.loads(os.environ["SWEEP_COMMAND"])
    told = [word.format(runner=runner, kernel=os.getpid()) for word in words]
    Path(RUN, "struck").touch()
    subprocess.run(told, check=False)


def arm(module) -> None:
    real = module.Journal.write

    def write(self, event, **fields):
        here = fields.get("step") == STEP and not Path(RUN, "struck").exists()
        if here and event == "done" and MOMENT == "acted":
            strike()
        real(self, event, **fields)
        if here and event == "intent" and MOMENT == "begun":
            strike()
        if here and event == "intent" and MOMENT == "within":
            threading.Timer(0.25, strike).start()

    module.Journal.write = write


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "drillbook.act.journal":
            return None
        spec = PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def loaded(module):
            load(module)
            arm(module)

        spec.loader.exec_module = loaded
        return spec


if STEP and RUN:
    sys.meta_path.insert(0, Finder)
