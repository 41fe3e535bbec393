"""Secrets stay out of what a run leaves."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from drillbook.run.redact import Redactor, secrets_of, smells_of_secret
from drillbook.target import parse_target

VALUE = 'pa"ss\n<w&ö/rd\\'


@pytest.fixture
def redactor() -> Redactor:
    return Redactor({"env:DB": VALUE, "env:LONGER": "abcdefgh", "env:SHORTER": "abcdef"})


@pytest.mark.parametrize(
    "form",
    [
        VALUE, json.dumps(VALUE), json.dumps(json.dumps(VALUE)), repr(VALUE), html.escape(VALUE), quote(VALUE),
        quote(VALUE, safe=""), base64.b64encode(VALUE.encode()).decode(),
    ],
)  # fmt: skip
def test_every_spelling_is_replaced(redactor: Redactor, form: str) -> None:
    """As outputs, tracebacks, JSON, HTML and URLs write it."""
    assert "[redacted env:DB]" in redactor.text(f"before {form} after")
    assert "ss" not in redactor.text(form)


def test_the_longer_secret_goes_first(redactor: Redactor) -> None:
    """One that begins with another leaves no rest."""
    assert redactor.text("abcdefgh abcdef") == "[redacted env:LONGER] [redacted env:SHORTER]"


def test_a_notebooks_line_lists_hide_nothing(redactor: Redactor) -> None:
    """A secret with a line break is split by nbformat's lists of lines."""
    first, second = VALUE.split("\n")
    notebook = {"cells": [{"outputs": [{"text": [f"x {first}\n", f"{second} y"]}]}]}
    assert json.loads(redactor.notebook(json.dumps(notebook)))["cells"][0]["outputs"][0]["text"] == (
        "x [redacted env:DB] y"
    )


def test_files_of_a_run_are_cleaned(redactor: Redactor, tmp_path: Path) -> None:
    """Text files alone, and only those that need it."""
    (tmp_path / "a.log").write_text(f"x {VALUE}")
    (tmp_path / "b.json").write_text("{}")
    assert redactor.folder(tmp_path) == [tmp_path / "a.log"]
    assert (tmp_path / "a.log").read_text() == "x [redacted env:DB]"


def test_short_values_are_no_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replacing `abc` everywhere would make the copy unreadable; six characters count."""
    monkeypatch.setenv("APP_TOKEN", "12345")
    monkeypatch.setenv("OTHER_TOKEN", "123456")
    monkeypatch.setenv("TOKEN_FILE", "/etc/token")
    (tmp_path / "pw").write_text("from-a-file\n")
    raw = {"name": "x", "databases": {"m": {"host": "/x", "dbname": "x", "user": "x", "password": "file:pw"}}}
    found = secrets_of(parse_target(raw, tmp_path / "x.yaml"))
    assert found["env:OTHER_TOKEN"] == "123456"
    assert found["file:pw"] == "from-a-file"
    assert "env:APP_TOKEN" not in found
    assert "env:TOKEN_FILE" not in found


@pytest.mark.parametrize(("name", "secret"), [("db_password", True), ("key", True), ("keyboard", False),
                                              ("API_KEY", True), ("monkey", False), ("key_file", False)])  # fmt: skip
def test_a_secrets_name_has_the_word(name: str, secret: bool) -> None:
    """A word, not a part of one."""
    assert smells_of_secret(name) is secret


def test_each_line_of_a_key_file_is_a_secret(tmp_path: Path) -> None:
    """An age key file has comments; its key alone in an output is as bad as all of it."""
    key = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"
    (tmp_path / "age.key").write_text(f"# created: 2025-10-13\n{key}\n")
    raw = {
        "name": "sealed",
        "databases": {"main": {"host": "/nowhere", "dbname": "x", "user": "x"}},
        "backup": {"decrypt_with": "file:age.key", "vault_options": {"secret": "env:S3_SECRET"}},
    }
    target = parse_target(raw, tmp_path / "sealed.yaml")
    assert Redactor(secrets_of(target)).text(f"got {key}!") == "got [redacted file:age.key line 2]!"
