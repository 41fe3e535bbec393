"""A volume's listing: its digest is that of every older backup, and what is left of it is found in a whole one."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.observe.volumes import Listing, listed, tree_of

Entries = list[tuple[str, bytes, str]]
ALL: Entries = [
    ("./", b"", "d"), ("./a", b"one", "f"), ("./b", b"./a", "h"), ("./d/", b"", "d"), ("./d/c", b"two", "f"),
    ("./s", b"a", "s"),
]  # fmt: skip
KINDS = {"f": tarfile.REGTYPE, "d": tarfile.DIRTYPE, "h": tarfile.LNKTYPE, "s": tarfile.SYMTYPE}


def stream(entries: Entries) -> Iterator[bytes]:
    """A tar stream as the engine gives it: a content, or where a link leads."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content, kind in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid = KINDS[kind], 0o644, 7, 8
            info.linkname = content.decode() if kind in "hs" else ""
            info.size = len(content) if kind == "f" else 0
            archive.addfile(info, io.BytesIO(content) if kind == "f" else None)
    return iter([made.getvalue()])


def of(*entries: tuple[str, bytes, str]) -> Listing:
    return listed(stream(list(entries)))


def test_the_digest_of_older_backups_stays_what_it_was() -> None:
    """A manifest of any version is still drilled, and what was kept is still found in it."""
    assert tree_of(stream(ALL)).digest == "31f7962a4201e27144562e726f4a29d37a2cdf3f4f7abcea21de184d7ccdb3af"
    assert (tree_of(stream(ALL)).members, tree_of(stream(ALL)).bytes) == (5, 6)
    assert listed(stream(ALL)).links == {"b": "a"}


def test_one_name_of_a_file_may_be_gone() -> None:
    """The other is then listed as the file itself: all that is left is still in the whole."""
    left = of(("./", b"", "d"), ("./b", b"one", "f"), ("./d/", b"", "d"))
    assert left.beyond(of(*ALL)) == ""
    assert of(*ALL).beyond(left) == "a"


@pytest.mark.parametrize(
    "entry",
    [("./a", b"two", "f"), ("./new", b"", "f"), ("./d/c", b"", "d"), ("./s", b"b", "s"), ("./b", b"other", "f")],
    ids=["changed", "new", "a folder now", "leads elsewhere", "no link any more"],
)
def test_what_is_not_in_the_whole_is_named(entry: tuple[str, bytes, str]) -> None:
    """One member is enough."""
    assert of(entry).beyond(of(*ALL)) == entry[0].removeprefix("./")


@given(st.sets(st.sampled_from(range(1, len(ALL)))), st.sets(st.sampled_from(range(1, len(ALL)))))
def test_beyond_is_what_sets_say(one: set[int], other: set[int]) -> None:
    """Empty exactly when every member is there; a hard link without its file cannot be."""
    first, second = ([ALL[n] for n in sorted(numbers) if n != 2] for numbers in (one, other))
    found = of(*first).beyond(of(*second))
    assert (found == "") == ({name for name, *_ in first} <= {name for name, *_ in second})
