"""What a database held at one snapshot, in a form that can be compared."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


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
    """A sequence's last value, None before its first use, and what a restore must reach.

    `column_extreme` is the greatest value (the least, when it counts down) in
    the column that owns the sequence; `ascending` tells which way it counts.
    """

    schema_name: str
    sequence: str
    last_value: int | None
    column_extreme: int | None = None
    ascending: bool = True

    @property
    def name(self) -> str:
        return f"{self.schema_name}.{self.sequence}"


class DatabaseContent(Frozen):
    """Everything of one database that a restore must reproduce.

    `schema_objects` maps `kind:name` (table, column, index, foreign_key,
    constraint, view, function, trigger, type, policy, …) to its definition,
    `grants` an object to its owner and ACL as JSON, `extensions` a name to its
    version, `settings` what belongs to the database itself (owner, encoding,
    `set:ROLE:NAME`), `large_objects` is their number and the sum of their hashes.
    """

    database: str
    server_version: str
    algorithm: str
    tables: tuple[TableDigest, ...]
    sequences: tuple[SequenceState, ...] = ()
    schema_objects: dict[str, str] = Field(default_factory=dict)
    grants: dict[str, str] = Field(default_factory=dict)
    extensions: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, str] = Field(default_factory=dict)
    large_objects: tuple[int, str] = (0, "0")
    snapshot: str = ""

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    @property
    def major(self) -> int:
        return int(self.server_version.split(".")[0].split()[0])

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it: no table, or no row in any, and no large object."""
        return self.rows == 0 and self.large_objects[0] == 0

    def counts(self) -> dict[str, int]:
        """How many objects of each kind the schema has."""
        kinds = [key.split(":", 1)[0] for key in self.schema_objects]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}
