"""The process that executes a runbook: `python -m drillbook.run.child`, started by the runner alone.

It reads one line of JSON, the job, from standard input, and writes events as
JSON lines on standard output. Standard input stays open as long as the runner
lives: its end means that the runner is gone, and then the kernel ends too.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from drillbook.run import family

SAVE_SECONDS = 10.0


def main() -> None:
    """Execute the job and tell how it ended."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # the runner decides; an ignored signal would be inherited
    job = json.loads(sys.stdin.readline())
    family.adopt_orphans()
    threading.Thread(target=_watch_the_runner, args=(Path(job["folder"]),), daemon=True).start()
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def tell(name: str, **fields: Any) -> None:
        events.write(json.dumps({"event": name, **fields}) + "\n")

    tell("end", **_execute(job, tell))


def _watch_the_runner(folder: Path) -> None:
    while os.read(0, 1):  # not through sys.stdin: its lock must be free when this process ends
        pass
    family.end(os.getpid(), folder)
    time.sleep(SAVE_SECONDS)
    os._exit(1)


def _execute(job: dict[str, Any], tell: Any) -> dict[str, Any]:
    from drillbook.run.engine import CellTimeoutError, DeadKernelError, PapermillExecutionError, execute

    try:
        execute(job, tell)
    except PapermillExecutionError as error:
        return {"how": "error", "ename": error.ename, "evalue": error.evalue}
    except CellTimeoutError:
        return {"how": "timeout"}
    except DeadKernelError:
        return {"how": "kernel died"}
    except OSError as error:
        return {"how": "unwritten", "evalue": f"{error.strerror or error}: {error.filename or job['folder']}"}
    except RuntimeError as error:  # nbclient's word for a kernel that never answered
        return {"how": "no kernel", "evalue": str(error)}
    return {"how": "done"}


if __name__ == "__main__":
    main()
