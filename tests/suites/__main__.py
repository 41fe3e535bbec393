"""`python -m suites nightly` runs everything; `python -m suites sample [SEED]` what a commit draws of the long suites.

Both end with one table, and with 1 where anything failed. SEED is the commit's hash, of `HEAD` where none is given.
`python -m suites remember` keeps how long each test took in the reports that are there, to be committed.
"""

from __future__ import annotations

import argparse
import re
import subprocess

from suites import seconds, stages, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="suites", description=__doc__)
    parser.add_argument("what", choices=("nightly", "sample", "remember"))
    parser.add_argument("seed", nargs="?", default="", type=hexadecimal)
    parser.add_argument("--jobs", type=int, default=3)
    asked = parser.parse_args()
    if asked.what == "remember":
        print(seconds.remember(stage.results for stage in stages.nightly(asked.jobs) if stage.results.is_file()))
        return 0
    seed = "" if asked.what == "nightly" else asked.seed or head()
    ended = stages.carry_out(stages.sample(asked.jobs, seed) if seed else stages.nightly(asked.jobs))
    print(f"\n{table.text(ended, seed)}", flush=True)
    return int(any(stage.failed for stage in ended))


def hexadecimal(word: str) -> str:
    """*word*, a commit's hash.

    Raises:
        ArgumentTypeError: it is none.
    """
    if word and not re.fullmatch("[0-9a-f]{4,40}", word):
        raise argparse.ArgumentTypeError(f"{word!r} is no commit's hash")
    return word


def head() -> str:
    """The hash of the commit that is checked out."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=stages.HOUSE, check=True, capture_output=True, text=True, timeout=30
    )
    return done.stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
