"""Make the corpus, have every judge judge it, and write `docs/detection.md`; ends with 1 when drillbook is wrong once.

PYTHONPATH=lib:tests/unit:tests python -m corpus FOLDER_OF_POSTGRESQL_PROGRAMS FIREDRILL [--draw SEED] [WORD …]

Where only some cases are judged, drawn by a commit's hash or with a WORD in their names, the page stays as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
os.environ.setdefault("DRILLBOOK_HOME", str(ROOT))

from postgres import running  # noqa: E402
from rounds import resign  # noqa: E402

import scratch  # noqa: E402
from corpus import judges, page, sound  # noqa: E402
from corpus.damage import BY_SHELL, DUMP, FOUND, SHELL, Case, cases  # noqa: E402
from drillbook.act import images, install  # noqa: E402
from drillbook.act.cluster import Cluster  # noqa: E402
from drillbook.act.roles import without_role  # noqa: E402
from drillbook.observe.binaries import Binaries  # noqa: E402
from drillbook.vault.catalog import Backup  # noqa: E402
from suites.draw import every  # noqa: E402

WORKERS = 3
IMAGE = "drillbook-corpus"
DOCKERFILE = r"""FROM {base}
COPY pg /opt/postgresql
COPY --chmod=644 roles.sql /
ENV PATH=/opt/postgresql/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PGDATA=/pgdata
RUN install -d -m 700 -o postgres /pgdata && setpriv --reuid=postgres --regid=postgres --init-groups sh -ec ' \
  initdb -U postgres --auth=trust --data-checksums; pg_ctl -w -o "-c listen_addresses=" start; \
  psql -X -v ON_ERROR_STOP=1 -d postgres -f /roles.sql; pg_ctl -w -m fast stop'
"""
"""A cluster that is made already, outside of the volume: each of firedrill's containers is ready in a moment."""


@dataclass
class Work:
    """What every judgement needs; made before the workers are forked."""

    folder: Path
    server: Cluster
    taken: dict[str, Backup]
    cases: list[Case] = field(default_factory=list)
    firedrill: judges.Firedrill | None = None


WORK: list[Work] = []


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="corpus")
    parser.add_argument("programs", type=Path)
    parser.add_argument("firedrill", type=Path)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--draw", default="", metavar="SEED")
    parser.add_argument("--results", type=Path, metavar="FILE")
    asked = parser.parse_args(words)
    began, programs = time.monotonic(), asked.programs
    os.environ["PATH"] = f"{programs}:{os.environ['PATH']}"  # the only ones here that know lz4 and zstd
    with (
        scratch.in_memory(),
        tempfile.TemporaryDirectory(prefix="corpus-") as name,
        running(_binaries(programs), "postgres") as server,
    ):
        os.environ["DRILLBOOK_OUTPUTS"] = str(Path(name) / "outputs")
        work = prepare(Path(name), server)
        whole = len(work.cases)
        work.cases = chosen(work.cases, asked.words, asked.draw)
        with fire(work, programs, asked.firedrill) as work.firedrill:
            WORK.append(work)
            judged = judge(work)
    if work.firedrill is not None and len(work.cases) == whole:
        text = page.text(work.cases, judged, _binaries(programs).version, ran=True)
        (ROOT / "docs" / "detection.md").write_text(text)
    wrong = page.wrong(work.cases, judged)
    if asked.results:
        keep(asked.results, work.cases, wrong, time.monotonic() - began)
    for line in wrong:
        print(line, file=sys.stderr)
    print(
        f"{len(work.cases)} backups judged in {time.monotonic() - began:.0f} s; {len(wrong)} wrong cells of drillbook's"
    )
    return 1 if wrong else 0


def chosen(cases: Sequence[Case], words: Sequence[str], seed: str) -> list[Case]:
    """Those with one of *words* in their names, or that *seed* draws; else all of them."""
    if words:
        return [case for case in cases if any(word in case.name for word in words)]
    return every(cases, seed) if seed else list(cases)


def keep(file: Path, cases: Sequence[Case], wrong: Sequence[str], seconds: float) -> None:
    """How each case ended, as the table of a night reads it; the seconds are shared out evenly."""
    rows = [
        {
            "suite": "corpus", "test": case.name, "seconds": seconds / len(cases),
            "outcome": "failed" if any(line.startswith(f"WRONG: {case.name}, ") for line in wrong) else "passed",
            "repeat": f"make corpus CASES={shlex.quote(case.name)}",
        }
        for case in cases
    ]  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(rows, indent=1))


def _binaries(programs: Path) -> Binaries:
    said = subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, text=True).stdout
    version = said.split()[2]
    return Binaries(programs, int(version.split(".")[0]), version)


def prepare(folder: Path, server: Cluster) -> Work:
    """The sound backups, and the list of cases."""
    taken = sound.backups(server, folder / "sound")
    (folder / "dumps").mkdir()
    sound.other_dumps(server, folder / "dumps")
    return Work(folder, server, taken, list(cases(sound.data_files(server, taken), folder / "dumps")))


@contextmanager
def fire(work: Work, programs: Path, firedrill: Path) -> Iterator[judges.Firedrill | None]:
    """firedrill, with an image of these very programs in which the backup's roles are made first.

    None with ENGINE=embedded: it restores into containers alone.
    """
    if os.environ.get("ENGINE") == "embedded":
        print("ENGINE=embedded: firedrill is not run, and docs/detection.md stays as it is", file=sys.stderr)
        yield None
        return
    install.ensure_engine()
    base, folder = f"drillbook-postgres:{images.ensure_images()}", work.folder / "image"
    shutil.copytree(programs.parent, folder / "pg", symlinks=True)
    made = (work.taken["zstd"].folder / "roles" / "main.sql").read_text()
    (folder / "roles.sql").write_text(without_role(made, work.server.user))
    (folder / "Dockerfile").write_text(DOCKERFILE.format(base=base))
    tag = f"{IMAGE}:{work.server.binaries.major}"
    subprocess.run(
        ["docker", "build", "-q", "-t", tag, str(folder)], check=True, stdout=subprocess.DEVNULL, timeout=300
    )
    reference, config = work.folder / "reference.txt", work.folder / "firedrill.yml"
    dump = work.taken["zstd"].folder / DUMP
    words = ("--image", f"{IMAGE}:{{major}}", "--no-config", "--quiet", "--write-reference", str(reference))
    subprocess.run([firedrill, "run", dump, *words], check=True, timeout=300)
    tables = work.taken["zstd"].whole().databases["main"].content.tables
    rows = "".join(f"    {t.name}: {{min_rows: {t.rows}}}\n" for t in tables if " " not in t.name)
    known = "0.6.0 compares `C.UTF-8|c ` with `C.UTF-8|c`, where a locale has no version"
    ignored = f"ignore:\n  - {{check: COLLATION_MISMATCH, reason: '{known}'}}\n"
    config.write_text(f"version: 1\nstructure: {{reference: {reference}}}\n{ignored}volume:\n  tables:\n{rows}")
    try:
        yield judges.Firedrill(firedrill, f"{IMAGE}:{{major}}", config)
    finally:
        subprocess.run(["docker", "rmi", "-f", tag], check=False, capture_output=True, timeout=60)


def judge(work: Work) -> dict[tuple[int, str], str]:
    """(number of the case, judge) → what that judge says; drillbook's judges are its flavours."""
    jobs = [(n, flavour) for n, case in enumerate(work.cases) for flavour in case.flavours]
    jobs += [(n, SHELL) for n, case in enumerate(work.cases) if case.name in BY_SHELL]
    jobs += [(n, "tools") for n, case in enumerate(work.cases) if case.dump]
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("fork")) as pool:
        found: dict[tuple[int, str], str] = {}
        for number, told in pool.map(carry_out, jobs):
            found |= {(number, judge): said for judge, said in told.items()}
    return found


def carry_out(job: tuple[int, str]) -> tuple[int, dict[str, str]]:
    """One judgement, of a copy that is broken for it and gone afterwards."""
    [work], (number, what) = WORK, job
    case = work.cases[number]
    with tempfile.TemporaryDirectory(dir=work.folder) as name:
        vault = Path(name) / "vault"
        folder = sound.copy_of(work.taken[case.method], vault)
        case.break_it(folder)
        if what == "tools":
            told = judges.pg_restore(work.server, folder / DUMP)
            return number, {**told, **(work.firedrill(folder / DUMP) if work.firedrill else {})}
        if what != FOUND:
            resign(folder)
        target = sound.target(work.server, vault)
        if what == SHELL:
            return number, {what: judges.shell(target, folder.name)}
        verdict, why = judges.drillbook(target, folder.name)
    print(f"{verdict:7} {what:9} {case.name}: {why[:150]}", flush=True)
    return number, {what: verdict}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
