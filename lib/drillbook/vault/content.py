"""What a database held at one snapshot, in a form that can be compared."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value that cannot change once made, and knows no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TableDigest(Frozen):
    """Rows of one table (its own, not its children's) and their order-independent hash.

    `sum64` is the exact sum of one signed 64-bit hash per row, in decimal;
    None where the table was counted but not hashed.
    """

    schema_name: str
    table: str
    rows: int
    sum64: str | None
    bytes: int = 0

    @property
    def name(self) -> str:
        return f"{self.schema_name}.{self.table}"


class SequenceState(Frozen):
    """A sequence's last value; None before its first use."""

    schema_name: str
    sequence: str
    last_value: int | None

    @property
    def name(self) -> str:
        return f"{self.schema_name}.{self.sequence}"


class DatabaseContent(Frozen):
    """Everything of one database that a restore must reproduce.

    `schema_objects` maps `kind:name` (table, column, index, constraint, view,
    function, trigger, type, policy, …) to its definition, `grants` an object to
    its owner and ACL, `extensions` a name to its version, `large_objects` is
    their number and the sum of their hashes.
    """

    database: str
    server_version: str
    algorithm: str
    tables: tuple[TableDigest, ...]
    sequences: tuple[SequenceState, ...] = ()
    schema_objects: dict[str, str] = {}
    grants: dict[str, str] = {}
    extensions: dict[str, str] = {}
    large_objects: tuple[int, str] = (0, "0")
    snapshot: str = ""

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def major(self) -> int:
        return int(self.server_version.split(".")[0].split()[0])

    def counts(self) -> dict[str, int]:
        """How many tables, indexes and foreign keys the schema has."""
        kinds = [key.split(":", 1)[0] for key in self.schema_objects]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}
