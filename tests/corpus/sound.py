"""The sound backups that the corpus breaks, one for each compression, and dumps for a wrong manifest."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from rounds import resign, take_backup

from corpus.damage import DUMP, MEMBERS, METHODS, STATEMENTS, VOLUME, volume
from drillbook.act import dump as dumping
from drillbook.act.archive import stored
from drillbook.act.cluster import Cluster
from drillbook.observe.volumes import tree_of
from drillbook.target import Target, parse_target
from drillbook.vault.catalog import Backup

SOURCE = Path(__file__).parent / "source.sql"
NAME = "shop"


def target(server: Cluster, vault: Path) -> Target:
    """The corpus' database, with its backups in *vault*."""
    place = {"host": str(server.folder), "port": server.port, "dbname": NAME, "user": server.user}
    raw = {"name": "corpus", "databases": {"main": place}, "backup": {"vault": str(vault)}}
    file = vault.parent / "house" / "parameters" / "targets" / "corpus.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(raw))  # JSON is YAML
    return parse_target(raw, file)


def psql(server: Cluster, dbname: str, *words: str) -> None:
    place = ("-h", str(server.folder), "-p", str(server.port), "-U", server.user, "-d", dbname)
    argv = (server.binaries.program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *place, *words)
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, timeout=120)


def backups(server: Cluster, folder: Path) -> dict[str, Backup]:
    """method → a sound backup of the filled database, each in a vault of its own below *folder*."""
    psql(server, "postgres", "-c", f"CREATE DATABASE {NAME}")
    psql(server, NAME, "-f", str(SOURCE))
    found = {}
    for method, words in METHODS.items():
        dumping.compression = lambda *_given, words=words: words
        taken = found[method] = take_backup(target(server, folder / method / "vault"))
        assert taken.whole().databases["main"].compression == words
        with_volume(taken)
    return found


def with_volume(taken: Backup) -> None:
    """Put an archive of files into the backup, as `backup.volume` would from a container's volume."""
    file = taken.folder / VOLUME
    file.parent.mkdir()
    file.write_bytes(volume(MEMBERS))
    tree = tree_of(stored(file))
    entry = {
        "key": "files", "kind": "files", "service": "web", "destination": "/data", "file": VOLUME,
        "bytes": file.stat().st_size, "members": tree.members, "tree": tree.digest, "image_id": "",
    }  # fmt: skip
    manifest = taken.folder / "manifest.json"
    raw = json.loads(manifest.read_text())
    raw["volumes"] = {"shop_files": entry}
    manifest.write_text(json.dumps(raw))
    resign(taken.folder)


def other_dumps(server: Cluster, folder: Path) -> None:
    """A dump for each of STATEMENTS, of a copy of the database in which it was carried out."""
    for number, statement in enumerate(STATEMENTS.values()):
        name = f"other_{number}"
        psql(server, "postgres", "-c", f"CREATE DATABASE {name} TEMPLATE {NAME}")
        psql(server, name, "-c", statement)
        place = ("-h", str(server.folder), "-p", str(server.port), "-U", server.user, "-d", name)
        words = ("-Fd", "-Z", METHODS["zstd"], "-f", str(folder / str(number)))
        subprocess.run((server.binaries.program("pg_dump"), *place, *words), check=True, timeout=120)
        psql(server, "postgres", "-c", f"DROP DATABASE {name}")


def data_files(server: Cluster, found: dict[str, Backup]) -> Callable[[str, str], Callable[[Path], Path]]:
    """By method and table, what finds the file of its rows in a copy of the backup."""
    names = {}
    for method, taken in found.items():
        argv = (server.binaries.program("pg_restore"), "--list", str(taken.folder / DUMP))
        listed = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
        for line in listed.splitlines():
            if " TABLE DATA public " in line:
                names[method, line.split()[6]] = line.split(";")[0]
    return lambda method, table: lambda folder: next((folder / DUMP).glob(f"{names[method, table]}.dat*"))


def copy_of(taken: Backup, folder: Path) -> Path:
    """The vault of *taken*, copied to *folder*; gives the backup's own folder there."""
    shutil.copytree(taken.folder.parents[1], folder)
    return folder / taken.folder.relative_to(taken.folder.parents[1])
