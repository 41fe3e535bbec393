"""The page that tells what was detected, and by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from corpus.damage import BOTH, BY_SHELL, SHELL, Case

JUDGES = (*BOTH, "list", "null", "full", "plain", "configured")
HEAD = """# What finds a broken backup

`make corpus` takes sound backups of one small database with PostgreSQL {version}, one for each compression, breaks
{broken} copies of them, each in one way, and asks every judge. *Green* means that it called the backup good.

- **drillbook** is the verdict of `06-drill`: *as found*, and *signed*: with checksums in the manifest that were made to
  agree, as after a bug before hashing, or by a liar. Then nothing but the restore and its comparison can tell.
- **`--list`**, **`-f /dev/null`** and **`-d`** are exit codes of `pg_restore`: listing the dump, writing it as SQL to
  nowhere, and a whole restore into an empty database.
- **[firedrill](https://pypi.org/project/firedrill/)** {firedrill} restores the dump into a container of the same
  PostgreSQL {major}, which has the backup's roles; with *reference* it also has a structure reference that it wrote
  from the sound dump, and the exact rows of each table as `min_rows` (but for the table with a blank in its name, which
  it refuses). Its `COLLATION_MISMATCH` is ignored: 0.6.0 reports it of the sound dump too, where a locale has no
  version.

Neither `pg_restore` nor firedrill is given what drillbook's manifest knows, and neither looks at roles or volumes:
where the dump itself is whole, their cells are "–". In the column *signed* that means: signed, this change restores to
the very same content, or there is nothing to sign.

{counts}

| what is wrong | drillbook | signed | `--list` | `-f /dev/null` | `-d` | firedrill | with reference |
|---|---|---|---|---|---|---|---|
"""
TAIL = """
A sound backup must be green and a broken one red: every other answer is in **bold**. The cases are made in
`tests/corpus/damage.py`; `make corpus` fails when one of drillbook's cells is wrong.
"""
VERSION = "0.6.0"


def right(case: Case) -> str:
    return "green" if case.name.startswith("sound") else "red"


def wrong(cases: Sequence[Case], judged: Mapping[tuple[int, str], str]) -> list[str]:
    """drillbook's cells that are not as they must be."""
    return [
        f"WRONG: {case.name}, {flavour}: {judged[number, flavour]}"
        for number, case in enumerate(cases)
        for flavour in (*case.flavours, *((SHELL,) if case.name in BY_SHELL else ()))
        if judged[number, flavour] != right(case)
    ]


def text(cases: Sequence[Case], judged: Mapping[tuple[int, str], str], version: str, ran: bool) -> str:
    """The whole page."""
    broken = [number for number, case in enumerate(cases) if right(case) == "red"]
    names = {"list": "`pg_restore --list`", "null": "`pg_restore -f /dev/null`", "full": "`pg_restore -d`",
             "plain": "firedrill", "configured": "firedrill with its reference"}  # fmt: skip
    seen = [number for number in broken if cases[number].dump]
    flavours = [(number, flavour) for number in broken for flavour in cases[number].flavours]
    found = sum(judged[job] == "red" for job in flavours)
    lines = [
        f"- drillbook found {found} of {len(flavours)} broken backups ({len(broken)} breakages, as found or signed)"
    ]
    for judge, name in names.items():
        if ran or judge in ("list", "null", "full"):
            told = sum(judged[number, judge] == "red" for number in seen)
            lines.append(f"- {name} found {told} of the {len(seen)} that touch the dump")
    head = HEAD.format(
        version=version,
        major=version.split(".", maxsplit=1)[0],
        broken=len(broken),
        firedrill=VERSION,
        counts="\n".join(lines),
    )
    return head + "".join(_row(number, case, judged) for number, case in enumerate(cases)) + TAIL


def _row(number: int, case: Case, judged: Mapping[tuple[int, str], str]) -> str:
    cells = [judged.get((number, judge), "–") for judge in JUDGES]
    told = [cell if cell in ("–", right(case)) else f"**{cell}**" for cell in cells]
    return f"| {case.name} | {' | '.join(told)} |\n"
