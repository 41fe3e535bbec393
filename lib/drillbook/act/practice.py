"""The content of the practice database and queue: loaded like a migration, and told by a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from drillbook import home
from drillbook.observe.command import run_checked

# Every table's rows with their hash, then the schema, the sequences, the roles and the databases.
CONTENT = r"""
set timezone to 'UTC';
select format('select %1$L, count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) from %1$s t', c.oid::regclass)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' order by c.oid::regclass::text
\gexec
select attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname = 'public' and attnum > 0 and not attisdropped
order by attrelid::regclass::text, attnum;
select indexdef from pg_indexes where schemaname !~ '^pg_' order by 1;
select conrelid::regclass, conname, pg_get_constraintdef(oid) from pg_constraint order by 1, 2;
select schemaname, sequencename, last_value from pg_sequences order by 1, 2;
select rolname, rolsuper, rolcanlogin from pg_roles where rolname !~ '^pg_' order by 1;
select datname from pg_database order by 1;
"""
SHAPE = """select (select count(*) from pg_tables where schemaname = 'public'),
(select count(*) from pg_indexes where schemaname = 'public'),
(select count(*) from pg_constraint where contype = 'f')"""
# The order in which a set or a hash gives its members differs from one start of the server to the next.
QUEUE = """local function sorted(key, type)
  local found = redis.call(type == 'set' and 'SMEMBERS' or 'HGETALL', key)
  local step, lines = type == 'set' and 1 or 2, {}
  for i = 1, #found, step do lines[#lines + 1] = table.concat(found, ' ', i, i + step - 1) end
  table.sort(lines)
  return table.concat(lines, ',')
end
local keys, told = redis.call('KEYS', '*'), ''
table.sort(keys)
for _, key in ipairs(keys) do
  local type = redis.call('TYPE', key).ok
  local value = (type == 'set' or type == 'hash') and sorted(key, type) or redis.call('DUMP', key)
  told = told .. key .. ' ' .. redis.sha1hex(value) .. ' '
end
return redis.sha1hex(told)"""


def load(psql: Sequence[str], rows: int) -> None:
    """Load schema and seed through *psql* in one transaction, grown by *rows*.

    Raises:
        CommandFailed: psql says why.
    """
    files = [
        folder() / "schema.sql",
        folder() / "seed" / "data.sql",
        *([folder() / "seed" / "grow.sql"] if rows else []),
    ]
    script = "\n".join(file.read_text() for file in files)
    strict = (*psql, "-q", "-1", "-v", "ON_ERROR_STOP=1", "-v", f"rows={rows}", "-f", "-")
    run_checked(strict, timeout=3600, stdin=f"{script}\n")
    run_checked((*psql, "-q", "-c", "analyze"), timeout=600)


def content(psql: Sequence[str]) -> str:
    """A digest over every row, the schema with its columns, the sequences, the roles and the databases."""
    told = run_checked((*psql, "-q", "-At", "-v", "ON_ERROR_STOP=1", "-f", "-"), timeout=600, stdin=CONTENT).stdout
    return hashlib.sha256(told.encode()).hexdigest()


def shape(psql: Sequence[str]) -> dict[str, int]:
    """How many tables, indexes and foreign keys there are."""
    told = run_checked((*psql, "-q", "-At", "-c", SHAPE), timeout=60).stdout
    return dict(zip(("tables", "indexes", "foreign_keys"), map(int, told.split("|")), strict=True))


def fill(redis_cli: Sequence[str], name: str) -> None:
    """Run the commands of `seed/<name>.redis`, and save."""
    commands = (folder() / "seed" / f"{name}.redis").read_text()
    said = run_checked(redis_cli, timeout=60, stdin=f"{commands}SAVE\n").stdout
    assert "ERR" not in said, said


def queue(redis_cli: Sequence[str]) -> str:
    """A digest over every key and its value."""
    return run_checked((*redis_cli, "EVAL", QUEUE, "0"), timeout=60).stdout.strip()


def folder() -> Path:
    """Where schema and seed lie."""
    return home.sandbox() / "connect"
