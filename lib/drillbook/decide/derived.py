"""What builds and package managers leave beside the sources, told by its place."""

from __future__ import annotations

DERIVED = frozenset({
    ".next", ".nuxt", ".output", ".svelte-kit", ".turbo", ".parcel-cache", ".cache", "dist", "build", "out", "target",
    "obj", "node_modules", "__pycache__", ".gradle", ".venv", ".pytest_cache", ".mypy_cache", "vendor/bundle",
})  # fmt: skip
"""Folders that well-known tools write beside the sources."""
FETCHED = frozenset({"node_modules", ".venv", "venv", "site-packages", "vendor", "bower_components", ".gradle"})
"""Of others' making: what is in it was fetched, whatever its folders are called."""


def derived(path: str) -> str:
    """The outermost well-known folder that *path* lies in; empty where it lies in none."""
    parts = path.split("/")
    for end in range(1, len(parts)):
        if parts[end - 1] in DERIVED or "/".join(parts[max(0, end - 2) : end]) in DERIVED:
            return "/".join(parts[:end])
    return ""


def is_fetched(path: str) -> bool:
    """Whether *path* is a dependency's, and so says nothing of the sources."""
    return not FETCHED.isdisjoint(path.split("/")[:-1])


def is_output(path: str) -> bool:
    """Whether *path* lies where a build of the sources writes."""
    return bool(derived(path)) and not is_fetched(path)
