"""The cache map, as a person sees it."""

from __future__ import annotations

import pytest

from drillbook.decide.caches import Cache
from drillbook.show import caches

LONG = "docker compose -p connect --project-directory /opt/connect -f /opt/connect/compose.yaml build --no-cache app1"
LAYERS = Cache(
    "layers", "layer cache", "60 records", "yes", 803_000_000, 1740, LONG, no_cache=True, note="of\nevery project"
)
MASK = Cache("mask", "volume or bind over the code", "mounts", "no", note="nothing is mounted")
PROXY = Cache("proxy", "proxy cache", "the endpoints' server", "unknown", note="no <endpoint> answered")


def test_what_is_there_comes_first() -> None:
    """What is present or unknown is shown as it is, what is absent behind a click."""
    html = caches.cache_map([MASK, LAYERS, PROXY]).html
    assert html.index("layer cache") < html.index("proxy cache") < html.index("<details") < html.index("mounts")
    assert "○ 1 are absent: volume or bind over the code" in html
    assert "no &lt;endpoint&gt; answered" in html


def test_a_log_holds_each_command_whole() -> None:
    """A command can be copied from a log as from a page, and a note never runs: it is one line of comment."""
    lines = caches.cache_map([LAYERS]).text.splitlines()
    assert lines[1] == "● yes     layer cache (60 records), 803 MB, 29 min old, --no-cache clears it: yes"
    assert lines[2:] == ["    # of every project", f"    {LONG}"]


def test_an_empty_map_says_so() -> None:
    """Without a single row that is said."""
    assert caches.cache_map([]).text == "Caches, from source to response: none"


def test_nothing_present() -> None:
    """When everything is absent, that is said before the fold."""
    assert caches.cache_map([MASK]).html.startswith("<p")


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (2215, "2.2 kB"),
        (12_300_000, "12 MB"),
        (5_000_000_000_000_000, "5000 TB"),
    ],
)
def test_sizes_are_short(count: int | None, said: str) -> None:
    """Bytes are said in two digits and a unit."""
    assert caches.size(count) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "–"), (0.2, "0 s"), (119, "119 s"), (1740, "29 min"), (7200, "2 h"), (3 * 86400, "3 days")],
)
def test_ages_are_short(seconds: float | None, said: str) -> None:
    """Ages are said in the unit that a person would choose."""
    assert caches.age(seconds) == said
