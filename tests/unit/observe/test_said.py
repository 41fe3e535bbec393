"""What programs say is shown without secrets; an error's own words are left alone."""

from __future__ import annotations

import pytest

from drillbook.observe.said import hidden, kind, plain


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("postgres://connect:hunter22@db/x", "postgres://connect:***@db/x"),
        ("redis://:hunter22@cache:6379/0", "redis://:***@cache:6379/0"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ('{"authorization":"Basic dXNlcjpwdw=="}', '{"authorization":"***"}'),
        ("sent Bearer abcdefgh12345678", "sent Bearer ***"),
        ("token=abc next", "token=*** next"),
        ("GET /cb?access_token=abc&code=1 500", "GET /cb?access_token=***&code=1 500"),
        ("POSTGRES_PASSWORD=hunter22", "POSTGRES_PASSWORD=***"),
        ('{"password": "hunter 22", "user": "x"}', '{"password": ***, "user": "x"}'),
        ("psql --password hunter22 -h db", "psql --password *** -h db"),
        ("Set-Cookie: sid=abc; Path=/", "Set-Cookie: ***"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln is old", "jwt *** is old"),
    ],
)
def test_secrets_are_hidden(said: str, told: str) -> None:
    """What looks like a secret is taken out before it is shown or kept."""
    assert hidden(said) == told


@pytest.mark.parametrize(
    "said",
    [
        "the passwordless way",
        'FATAL: password authentication failed for user "connect"',
        "SyntaxError: Unexpected token < in JSON at position 0",
        "TypeError: Cannot read properties of undefined (reading 'findUnique')",
        "connect ECONNREFUSED http://127.0.0.1:5432/path",
        "The table `public.organizations` does not exist in the current database.",
    ],
)
def test_an_errors_own_words_stay(said: str) -> None:
    """A line that only speaks of passwords and tokens is the symptom itself."""
    assert hidden(said) == said


def test_lines_that_differ_by_ids_are_of_one_kind() -> None:
    """Numbers, times, addresses and uuids do not make another error; words do."""
    one = "2026-01-01T02:03:04Z job 17 at 0xdeadBEEF of 550e8400-e29b-41d4-a716-446655440001 failed"
    two = "2026-11-24T22:33:44Z job 4711 at 0x0 of 123e4567-e89b-12d3-a456-426614174000 failed"
    assert kind(one) == kind(two) != kind(one.replace("failed", "ended"))


def test_colours_are_taken_off() -> None:
    """A terminal's colours do not stand between a word and who looks for it."""
    assert plain("\x1b[1;31mFATAL\x1b[0m: x\x1b[K") == "FATAL: x"
