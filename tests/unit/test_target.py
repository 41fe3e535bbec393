"""Targets: the commented example is the manual, and the loader its proof."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from drillbook import home, target
from drillbook.errors import BadTarget
from drillbook.target import Code, Signs, load_target

PARTS = {
    target.Target: "",
    target.Stack: "stack",
    target.Service: "stack.services.*",
    target.Proxy: "stack.proxy",
    target.Code: "stack.services.*.code",
    target.Database: "databases.*",
    target.Volume: "volumes.*",
    target.Endpoint: "endpoints.*",
    target.Backup: "backup",
    target.PgBackRest: "backup.pgbackrest",
    target.Copy: "backup.copies.*",
    target.Retention: "backup.retention",
    target.Drill: "drill",
    target.Assertion: "drill.assertions.*",
    target.Smoke: "drill.smoke.*",
    target.Signs: "signs",
    target.Prometheus: "signs.prometheus",
}


def written(raw: Any, path: str) -> set[str]:
    """The keys of *raw* at *path*, where `*` stands for every key, or every item of a list."""
    places = [raw]
    for part in filter(None, path.split(".")):
        pairs = [p.items() if isinstance(p, dict) else enumerate(p) for p in places]
        places = [v for items in pairs for k, v in items if part in ("*", k)]
    return {key for place in places for key in place}


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_the_example_comments_every_key(part: type[BaseModel]) -> None:
    """Whoever writes a target's file finds every key in example.yaml."""
    raw = yaml.safe_load((home.targets() / "example.yaml").read_text())
    assert written(raw, PARTS[part]) == set(part.model_fields)


def test_every_part_of_a_target_is_looked_at() -> None:
    """A new part of a target cannot be forgotten in the example."""
    assert set(target.Part.__subclasses__()) == set(PARTS)


@pytest.mark.parametrize("name", ["connect", "embedded", "example"])
def test_the_targets_of_the_house_load(name: str) -> None:
    """Every file in parameters/targets/ is a target, named like its file."""
    assert load_target(name).name == name


def test_a_typo_names_the_file_the_path_and_the_nearest_key(tmp_path: Path) -> None:
    """An unknown key is told with where it stands and what was probably meant."""
    raw = yaml.safe_load((home.targets() / "connect.yaml").read_text())
    raw["endpoints"]["health"]["statsu"] = 200
    file = tmp_path / "wrong.yaml"
    file.write_text(yaml.safe_dump(raw))
    with pytest.raises(BadTarget) as told:
        load_target(str(file))
    assert str(file) in told.value.fact
    assert "endpoints.health.statsu" in told.value.fact
    assert "did you mean 'status'?" in told.value.hint


def test_an_unknown_target_names_the_nearest(tmp_path: Path) -> None:
    """A mistyped target is answered with the one that was probably meant."""
    with pytest.raises(BadTarget) as told:
        load_target("conect")
    assert "did you mean 'connect'?" in told.value.hint


@pytest.mark.parametrize("content", [b"name: [", b"name: \xff", b"\x00"])
def test_what_is_no_yaml_is_told(tmp_path: Path, content: bytes) -> None:
    """Broken YAML, broken UTF-8 and what YAML does not know."""
    file = tmp_path / "shop.yaml"
    file.write_bytes(content)
    with pytest.raises(BadTarget, match=r"shop\.yaml cannot be read"):
        load_target(str(file))


@pytest.mark.parametrize("what", ["folder.yaml", "gone.yaml", "file.yaml/shop.yaml"])
def test_what_is_no_file_is_no_target(tmp_path: Path, what: str) -> None:
    """A folder, nothing, and a way through a file."""
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "file.yaml").touch()
    with pytest.raises(BadTarget, match="there is no target"):
        load_target(str(tmp_path / what))


def test_a_file_of_another_user_is_told(tmp_path: Path) -> None:
    """Neither a traceback nor a target that is said not to be there."""
    file = tmp_path / "shop.yaml"
    file.write_text("name: shop")
    file.chmod(0)
    me = os.geteuid()
    if me == 0:  # root may read whatever the mode is
        os.seteuid(65534)
    try:
        with pytest.raises(BadTarget, match="cannot be read: Permission denied") as caught:
            load_target(str(file))
    finally:
        os.seteuid(me)
    assert "may read it" in caught.value.hint


def test_a_secret_is_never_written_into_the_file(tmp_path: Path) -> None:
    """A password in plain text is refused."""
    file = tmp_path / "leak.yaml"
    file.write_text("name: leak\ndatabases: {main: {host: db, dbname: a, user: a, password: hunter2}}\n")
    with pytest.raises(BadTarget, match="env:NAME or file:PATH") as told:
        load_target(str(file))
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    ("backup", "database", "says"),
    [
        ("{engine: pgbackrest}", "host: db", "needs a section pgbackrest"),
        ("{engine: pgbackrest, pgbackrest: {stanza: a}}", "service: db", "named by host, not by service"),
        ("{engine: pgbackrest, pgbackrest: {stanza: ../a}}", "host: db", "stanza"),
    ],
)
def test_what_pgbackrest_cannot_back_up_is_refused(tmp_path: Path, backup: str, database: str, says: str) -> None:
    """When the file is read: a stanza is one server's, and its name is no path."""
    file = tmp_path / "plain.yaml"
    file.write_text(f"name: plain\nstack: {{project: a, directory: ., files: [a]}}\nbackup: {backup}\n"
                    f"databases: {{main: {{{database}, dbname: a, user: a}}}}\n")  # fmt: skip
    with pytest.raises(BadTarget, match=says):
        load_target(str(file))


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("artifacts", ["../dist"], "a path below the code's folder"),
        ("artifacts", ["/var/lib"], "a path below the code's folder"),
        ("artifacts", ["."], "a path below the code's folder"),
        ("manifest", "a/../../passwd", "a path below the code's folder"),
        ("build_id", "/etc/passwd", "a path below the code's folder"),
        ("image", "app", "an absolute path in the image"),
    ],
)
def test_no_path_of_the_code_leaves_its_folder(key: str, value: Any, says: str) -> None:
    """What lies outside of it is no artifact, and no file of the machine's is read as one."""
    with pytest.raises(ValidationError, match=says):
        Code.model_validate({"image": "/app", key: value})


def test_paths_of_the_code_are_written_in_one_way() -> None:
    """However they are written: they are compared with what git and the engine say."""
    code = Code(image="//app/", artifacts=("./.next/", "dist//x"), manifest="./m.json")
    assert (code.image, code.artifacts, code.manifest, code.build_id) == ("/app", (".next", "dist/x"), "m.json", "")


def test_a_pattern_that_is_none_is_refused() -> None:
    """When the file is loaded, not at three in the morning."""
    with pytest.raises(ValidationError, match="no regular expression"):
        Signs(log_pattern="(")


@pytest.mark.parametrize(
    "line", ["TypeError: x", "ERROR: relation", "java.lang.NullPointerException", "panic: runtime"]
)
def test_the_default_pattern_finds_the_errors_of_common_languages(line: str) -> None:
    """Node, PostgreSQL, Java, Go."""
    assert re.search(Signs().log_pattern, line)
