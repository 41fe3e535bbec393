"""The broken backups: each a sound one with one thing wrong, chosen by place and never by chance."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

METHODS = {"zstd": "zstd:3", "gzip": "6", "lz4": "lz4:1", "none": "none"}
FOUND, SIGNED = "as found", "signed"
BOTH = (FOUND, SIGNED)
SHELL = "by the shell"
BY_SHELL = ("sound: zstd", "zstd: rows, a bit in the middle", "a grant is missing")
"""The cases that `drillbook run drill --json` judges too, signed."""
VOLUME, ROLES, DUMP, MANIFEST = "volumes/files.tar.zst", "roles/main.sql", "databases/main", "manifest.json"


@dataclass(frozen=True)
class Case:
    """One breakage. `break_it` gets the backup's folder; with `dump` false the tools that see a dump alone see nothing.

    `flavours`: as found, and *signed*, with checksums in the manifest that were made to agree. A change that
    restores to the very same content has no signed flavour: signed, it is a sound backup.
    """

    name: str
    break_it: Callable[[Path], None]
    method: str = "zstd"
    flavours: tuple[str, ...] = BOTH
    dump: bool = True


def nothing(_folder: Path) -> None:
    """A sound backup."""


def cut(file: Callable[[Path], Path], at: Callable[[bytes], int]) -> Callable[[Path], None]:
    def inner(folder: Path) -> None:
        found = file(folder)
        os.truncate(found, at(found.read_bytes()))

    return inner


def flip(file: Callable[[Path], Path], where: str, bit: int = 1) -> Callable[[Path], None]:
    def inner(folder: Path) -> None:
        found = file(folder)
        content = bytearray(found.read_bytes())
        content[{"first": 0, "middle": len(content) // 2, "last": -1}[where]] ^= bit
        found.write_bytes(content)

    return inner


def lose(file: Callable[[Path], Path]) -> Callable[[Path], None]:
    return lambda folder: file(folder).unlink()


def swap(one: Callable[[Path], Path], other: Callable[[Path], Path]) -> Callable[[Path], None]:
    def inner(folder: Path) -> None:
        first, second = one(folder), other(folder)
        first_bytes, second_bytes = first.read_bytes(), second.read_bytes()
        first.write_bytes(second_bytes)
        second.write_bytes(first_bytes)

    return inner


def at(relative: str) -> Callable[[Path], Path]:
    return lambda folder: folder / relative


def blob(number: int) -> Callable[[Path], Path]:
    return lambda folder: next((folder / DUMP).glob(f"blob_{number}.dat*"))


def blobs_toc(folder: Path) -> Path:
    return next((folder / DUMP).glob("blobs*.toc"))


def half(content: bytes) -> int:
    return len(content) // 2


def but_one(content: bytes) -> int:
    return len(content) - 1


def at_a_row(content: bytes) -> int:
    """Behind the last row that begins before the middle."""
    return content.rindex(b"\n", 0, half(content)) + 1


def edit(relative: str, old: str, new: str) -> Callable[[Path], None]:
    def inner(folder: Path) -> None:
        text = (folder / relative).read_text()
        assert old in text, f"{old!r} is not in {relative}"
        (folder / relative).write_text(text.replace(old, new, 1))

    return inner


def without_lines(relative: str, *beginnings: str) -> Callable[[Path], None]:
    def inner(folder: Path) -> None:
        lines = (folder / relative).read_text().splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith(beginnings)]
        assert len(kept) < len(lines)
        (folder / relative).write_text("".join(kept))

    return inner


def volume(members: dict[str, bytes]) -> bytes:
    """An archive of a volume with these files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return zstandard.ZstdCompressor(level=3).compress(raw.getvalue())


MEMBERS = {f"upload-{n}.bin": bytes((n * 7 + i * i) % 251 for i in range(20_000)) for n in range(5)}


def other_volume(folder: Path) -> None:
    (folder / VOLUME).write_bytes(volume({**MEMBERS, "upload-3.bin": MEMBERS["upload-3.bin"][:-1] + b"!"}))


def smaller_volume(folder: Path) -> None:
    (folder / VOLUME).write_bytes(volume({k: v for k, v in MEMBERS.items() if k != "upload-3.bin"}))


def extra_file(folder: Path) -> None:
    (folder / DUMP / "9999.dat.zst").write_bytes(b"who put this here")


def no_data(file: Callable[[Path], Path]) -> Callable[[Path], None]:
    return lambda folder: file(folder).write_bytes(b"")


STATEMENTS = {
    "a table was empty when it was dumped": "DELETE FROM jobs",
    "every table was empty when it was dumped": "TRUNCATE users, jobs, left_half, right_half, \"Odd Table\"",
    "an older dump under this manifest": "DELETE FROM jobs WHERE id > 700; UPDATE users SET note = NULL WHERE id > "
    "1400",
    "a table is missing": "DROP TABLE left_half",
    "a row is missing": "DELETE FROM jobs WHERE id = 400",
    "one character of one row": "UPDATE users SET name = overlay(name placing 'X' from 20) WHERE id = 750",
    "a row is there twice": "INSERT INTO \"Odd Table\" VALUES ('line 7')",
    "a row is missing, another is there twice": "DELETE FROM \"Odd Table\" WHERE ctid = '(0,1)'; "
    "INSERT INTO \"Odd Table\" VALUES ('line 2')",
    "two rows swapped between two tables": "UPDATE left_half SET v = md5('right7') WHERE k = 7; "
    "UPDATE right_half SET v = md5('left7') WHERE k = 7",
    "two rows swapped the values of one column": "UPDATE left_half SET v = CASE k WHEN 5 THEN md5('left9') "
    "ELSE md5('left5') END WHERE k IN (5, 9)",
    "NULL became an empty string": "UPDATE users SET note = '' WHERE id = 3",
    "a trailing blank": "UPDATE left_half SET v = v || ' ' WHERE k = 11",
    "1.0 became 1.00": "UPDATE users SET rate = 1.00 WHERE id = 10",
    "a time is one microsecond off": "UPDATE users SET seen = seen + interval '1 us' WHERE id = 9",
    "a large object changed in one byte": "SELECT lo_put(7001, 200000, '\\x00')",
    "a large object is missing": "SELECT lo_unlink(7002)",
    "a sequence is behind its column": "SELECT setval('jobs_id_seq', 10)",
    "an index is missing": "DROP INDEX users_name",
    "a primary key is missing": "ALTER TABLE jobs DROP CONSTRAINT jobs_pkey",
    "a foreign key is missing": "ALTER TABLE jobs DROP CONSTRAINT owned",
    "a constraint is not validated": "ALTER TABLE users DROP CONSTRAINT positive, ADD CONSTRAINT positive "
    "CHECK (rate >= 0) NOT VALID",
    "an extension is missing": "DROP EXTENSION pg_trgm CASCADE",
    "a function does something else": "CREATE OR REPLACE FUNCTION twice(a int) RETURNS int LANGUAGE sql AS 'SELECT a "
    "* 3'",
    "a view shows something else": "CREATE OR REPLACE VIEW named AS SELECT id, upper(name) AS name FROM users",
    "a grant is missing": "REVOKE SELECT ON users FROM corpus_reader",
    "a grant on a large object is missing": "REVOKE SELECT ON LARGE OBJECT 7001 FROM corpus_reader",
    "a table has another owner": "ALTER TABLE jobs OWNER TO postgres",
}  # fmt: skip
"""What was so in the database when this dump was taken, though the manifest says otherwise."""


def cases(data: Callable[[str, str], Callable[[Path], Path]], dumps: Path) -> Iterator[Case]:
    """Every case. *data* gives the file of a table's rows by method; *dumps* holds a dump for each of STATEMENTS."""
    for method in METHODS:
        yield Case(f"sound: {method}", nothing, method)
    yield from _files(data)
    yield from _members(data)
    yield from _belongings()
    for number, name in enumerate(STATEMENTS):
        found = BOTH if number == 0 else (SIGNED,)
        yield Case(name, _instead(dumps / str(number)), flavours=found)


def _instead(dump: Path) -> Callable[[Path], None]:
    def inner(folder: Path) -> None:
        shutil.rmtree(folder / DUMP)
        shutil.copytree(dump, folder / DUMP)

    return inner


def _files(data: Callable[[str, str], Callable[[Path], Path]]) -> Iterator[Case]:
    """Cuts and bits in files of rows and large objects, for each compression."""
    for method in METHODS:
        users, one = data(method, "users"), blob(7001)
        yield Case(f"{method}: rows cut in half", cut(users, half), method)
        yield Case(f"{method}: rows cut by their last byte", cut(users, but_one), method, (FOUND,))
        yield Case(f"{method}: rows, a bit of the first byte", flip(users, "first"), method)
        yield Case(f"{method}: rows, a bit in the middle", flip(users, "middle"), method)
        yield Case(f"{method}: rows, a bit of the last byte", flip(users, "last"), method, (FOUND,))
        yield Case(f"{method}: a large object, a bit in the middle", flip(one, "middle"), method)
    yield Case("none: rows cut at the end of a row", cut(data("none", "users"), at_a_row), "none")
    yield Case("none: a file of rows is empty", no_data(data("none", "jobs")), "none")
    yield Case("zstd: a large object cut in half", cut(blob(7001), half))
    for where in ("first", "middle", "last"):
        flavours = BOTH if where == "first" else (FOUND,)
        yield Case(f"toc.dat, a bit of the {where} byte", flip(at(f"{DUMP}/toc.dat"), where), flavours=flavours)
    yield Case("toc.dat cut in half", cut(at(f"{DUMP}/toc.dat"), half))
    yield Case("blobs.toc cut in half", cut(blobs_toc, half))
    yield Case("blobs.toc, a bit of the first byte", flip(blobs_toc, "first"))


def _members(data: Callable[[str, str], Callable[[Path], Path]]) -> Iterator[Case]:
    yield Case("the rows of a table are missing", lose(data("zstd", "jobs")))
    yield Case("toc.dat is missing", lose(at(f"{DUMP}/toc.dat")))
    yield Case("blobs.toc is missing", lose(blobs_toc))
    yield Case("a large object's file is missing", lose(blob(7002)))
    yield Case("the rows of two tables are swapped", swap(data("zstd", "left_half"), data("zstd", "right_half")))
    yield Case("two large objects are swapped", swap(blob(7001), blob(7002)))
    yield Case("a file that nobody knows", extra_file, flavours=(FOUND,))


def _belongings() -> Iterator[Case]:
    """Roles, a volume's archive, and the manifest itself: what is no part of a dump."""
    roles, archive, manifest = at(ROLES), at(VOLUME), at(MANIFEST)
    for name, broken, flavours in (
        ("roles cut in half", cut(roles, half), BOTH),
        ("roles, a bit in the middle", flip(roles, "middle"), (FOUND,)),
        ("roles are missing", lose(roles), BOTH),
        ("a role is missing", without_lines(ROLES, "CREATE ROLE corpus_reader", "ALTER ROLE corpus_reader"), BOTH),
        ("a role is a superuser now", edit(ROLES, "ROLE corpus_app WITH NOSUPERUSER", "ROLE corpus_app WITH "
        "SUPERUSER"), BOTH),
        ("a membership is missing", without_lines(ROLES, "GRANT corpus_reader"), BOTH),
        ("volume cut in half", cut(archive, half), BOTH),
        ("volume, a bit of the first byte", flip(archive, "first"), BOTH),
        ("volume, a bit in the middle", flip(archive, "middle"), BOTH),
        ("volume, a bit of the last byte", flip(archive, "last"), (FOUND,)),
        ("volume is missing", lose(archive), BOTH),
        ("volume: one byte of one file", other_volume, BOTH),
        ("volume: a file is missing", smaller_volume, BOTH),
        ("manifest cut in half", cut(manifest, half), (FOUND,)),
        ("manifest, a bit of the first byte", flip(manifest, "first"), (FOUND,)),
        ("manifest, a bit of the last byte", flip(manifest, "last"), (FOUND,)),
        ("manifest is missing", lose(manifest), (FOUND,)),
    ):  # fmt: skip
        yield Case(name, broken, flavours=flavours, dump=False)
