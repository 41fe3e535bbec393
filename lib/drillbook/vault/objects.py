"""A vault in a store of objects, by fsspec: an object is there whole or not at all, which its service promises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drillbook.errors import VaultError
from drillbook.vault.store import CHUNK

TAKEN = ("PreconditionFailed", "pre-conditions", "ConditionalRequestConflict")
"""How S3 says that a name is taken; s3fs passes its words on in a plain OSError."""
PART_BYTES = 4 * CHUNK


class ObjectStore:
    """A `Store` at any URL that fsspec knows; *options* go to its file system as they are."""

    folder: Path | None = None

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        self.url = url
        self._options = dict(options)
        self._fs: Any = None
        self._root = ""

    @contextmanager
    def _reached(self, doing: str) -> Iterator[Any]:
        """The file system. Whatever its library raises within is told as a fact about this vault."""
        try:
            if self._fs is None:
                self._connect()
            yield self._fs
        except VaultError:
            raise
        except Exception as error:
            said = (str(error).strip().split("\n")[-1] or type(error).__name__)[:300]
            hint = "see that the place answers and its credentials are right; what is half written does not count"
            raise VaultError(f"the vault {self.url} could not be {doing}: {said}", hint) from error

    def _connect(self) -> None:
        import fsspec

        try:
            self._fs, root = fsspec.core.url_to_fs(
                self.url, skip_instance_cache=True, use_listings_cache=False, **self._options
            )
        except ImportError as error:
            kind = self.url.partition("://")[0]
            hint = "pip install 'drillbook[s3]'" if kind == "s3" else "install the package that it names"
            raise VaultError(f"nothing here can read {kind}:// vaults: {error}", hint) from error
        self._root = root.rstrip("/")

    def sizes(self) -> dict[str, int]:
        with self._reached("listed") as fs:
            prefix = self._root.lstrip("/") + "/"
            found = fs.find(self._root, detail=True) if fs.exists(self._root) else {}
            files = {path.lstrip("/").removeprefix(prefix): info for path, info in found.items()}
            return {name: int(info["size"] or 0) for name, info in files.items() if info["type"] == "file"}

    def chunks(self, name: str) -> Iterator[bytes]:
        with self._reached("read") as fs, fs.open(f"{self._root}/{name}", "rb", block_size=PART_BYTES) as handle:
            while piece := handle.read(CHUNK):
                yield bytes(piece)

    def read(self, name: str) -> bytes:
        with self._reached("read") as fs:
            return bytes(fs.cat_file(f"{self._root}/{name}"))

    def put(self, file: Path, name: str) -> None:
        with self._reached("written") as fs:
            fs.put_file(str(file), f"{self._root}/{name}")

    def write(self, data: bytes, name: str) -> None:
        with self._reached("written") as fs:
            taken = not _created(fs, f"{self._root}/{name}", data)
        if taken:
            raise FileExistsError(f"{name} is there already")

    def remove(self, *names: str) -> None:
        with self._reached("cleared") as fs:
            for path in (f"{self._root}/{name}" for name in names):
                if fs.exists(path):
                    fs.rm_file(path)

    def remove_folder(self, name: str) -> None:
        self.remove(*sorted(file for file in self.sizes() if file.startswith(f"{name}/")))


def _created(fs: Any, path: str, data: bytes) -> bool:
    """Whether *path* was made anew; the service decides between two who try at once, where it can."""
    try:
        fs.pipe_file(path, data, mode="create")
    except FileExistsError:
        return False
    except OSError as error:
        if any(word in str(error) for word in TAKEN):
            return False
        raise
    return True
