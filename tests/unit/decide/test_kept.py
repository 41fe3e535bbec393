"""What was kept is dropped only when nothing is in it, or when a proven backup holds exactly that."""

from __future__ import annotations

import manifests
import pytest

from drillbook.decide.kept import BARE, plan_drop
from drillbook.decide.plan import Plan, Step
from drillbook.errors import BadParameters, NotProven
from drillbook.observe.kept import Kept
from drillbook.observe.volumes import Tree
from drillbook.vault.catalog import Backup

NAME = manifests.NAME
DATABASE = Kept("database", "connect_before_x", "main", content=manifests.content(database="connect_before_x"))
SCHEMA = Kept(
    "schema", "connect.public_before_x", "main", "public_before_x", "public",
    tables=(manifests.content().tables[0].model_copy(update={"schema_name": "public_before_x"}),),
    algorithm="record64-v1",
)  # fmt: skip
VOLUME = Kept("volume", "connect_up_before_x", "connect_up", tree=Tree(2, 9, "t" * 64))


def plan(*asked: str, found: tuple[Kept, ...], backups: tuple[Backup, ...] | None = None) -> Plan:
    return plan_drop("connect", "i", found, asked, (manifests.backup(),) if backups is None else backups)


def test_whole_plan() -> None:
    """The backup's files are checked first; one statement or command each."""
    back = f"drillbook run restore --target connect -p backup={NAME} -p into=beside"
    assert plan("all", found=(DATABASE, SCHEMA, VOLUME)).steps == (
        Step("checksums-abc123", "restore.checksums", NAME, args={"backup": NAME}, timeout_seconds=3600),
        Step(
            "drop-connect_before_x", "restore.drop_kept", "connect_before_x", (), 'DROP DATABASE "connect_before_x"',
            args={"kind": "database", "key": "main", "schema": "", "holder": NAME},
            destroys=("database connect_before_x (kept by an earlier run)",), recovers=back, timeout_seconds=3600,
        ),
        Step(
            "drop-connect.public_before_x", "restore.drop_kept", "connect.public_before_x", (),
            'BEGIN; DROP TABLE "public_before_x"."users"; DROP SCHEMA "public_before_x"; COMMIT',
            args={"kind": "schema", "key": "main", "schema": "public_before_x", "holder": NAME},
            destroys=("schema connect.public_before_x (kept by an earlier run)",), recovers=back,
            timeout_seconds=3600,
        ),
        Step(
            "drop-connect_up_before_x", "restore.drop_kept", "connect_up_before_x",
            ("docker", "volume", "rm", "connect_up_before_x"),
            args={"kind": "volume", "key": "connect_up", "schema": "", "holder": NAME},
            destroys=("volume connect_up_before_x (kept by an earlier run)",), recovers=back, timeout_seconds=3600,
        ),
    )  # fmt: skip


@pytest.mark.parametrize("verdict", ["", "fail", "unknown"])
@pytest.mark.parametrize("kept", [DATABASE, SCHEMA, VOLUME], ids=lambda kept: kept.kind)
def test_without_a_proof_nothing_is_dropped(kept: Kept, verdict: str) -> None:
    """A backup that was not drilled, or whose drill did not pass, is no proof."""
    with pytest.raises(NotProven, match="there is no proven backup"):
        plan(kept.name, found=(kept,), backups=(manifests.backup(verdict),))


CHANGED = [
    Kept("database", "a", "main", content=manifests.content(tables=manifests.content().tables[:3])),
    Kept("database", "a", "main", content=manifests.content(schema_objects={**manifests.OBJECTS, "view:v": "x"})),
    Kept("database", "a", "main", content=manifests.content(server_version="17.1", schema_objects={"table:a": "b"})),
    Kept("database", "a", "main", content=manifests.content(large_objects=(1, "5"))),
    Kept("schema", "a", "main", "s", "sales", tables=SCHEMA.tables, algorithm="record64-v1"),
    Kept("schema", "a", "main", "s", "public", tables=SCHEMA.tables, algorithm="text64-v1"),
    Kept("volume", "a", "connect_queue", tree=Tree(2, 9, "u" * 64)),
    Kept("volume", "a", "connect_gone", tree=Tree(2, 9, "t" * 64)),
]


@pytest.mark.parametrize("kept", CHANGED)
def test_what_is_not_held_exactly_stays(kept: Kept) -> None:
    """A table less, a view more, another schema, other files: refused."""
    with pytest.raises(NotProven, match="does not hold"):
        plan("a", found=(kept,))


def test_all_takes_what_it_may_and_tells_of_the_rest() -> None:
    """By name the whole is refused."""
    found = (VOLUME, CHANGED[0])
    made = plan("all", found=found)
    assert [step.subject for step in made.steps] == [NAME, "connect_up_before_x"]
    assert made.notes[0].startswith(f"a stays: {NAME} does not hold it: connect:table:public.logs_b")
    with pytest.raises(NotProven):
        plan("a", "connect_up_before_x", found=found)


@pytest.mark.parametrize(
    "kept",
    [
        Kept("volume", "a", "connect_up", tree=Tree(0, 0, "e")),
        Kept("schema", "a", "main", "s", "public"),
        Kept("database", "a", "main", content=manifests.content(tables=(), schema_objects=dict.fromkeys(BARE, "x"))),
    ],
)
def test_nothing_needs_no_backup(kept: Kept) -> None:
    """What is empty cannot be lost."""
    assert [step.args["holder"] for step in plan("a", found=(kept,), backups=()).steps] == ["nothing"]


def test_unknown_names_and_nothing_kept_are_told() -> None:
    """With what there is."""
    with pytest.raises(BadParameters, match="kept 'connect'") as caught:
        plan("connect", found=(DATABASE,))
    assert "connect_before_x" in caught.value.hint
    with pytest.raises(BadParameters, match="kept anything"):
        plan("all", found=())
