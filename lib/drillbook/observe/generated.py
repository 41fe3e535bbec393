"""Files that tools and processes make anew by themselves, as patterns of .gitignore: they differ without harm."""

from __future__ import annotations

GENERATED = (
    "__pycache__/", "*.pyc", "*.pyo", ".pytest_cache/", ".mypy_cache/", ".ruff_cache/",
    ".next/cache/", ".next/trace", "node_modules/.cache/", "node_modules/.vite/", ".cache/", ".parcel-cache/",
    ".turbo/", ".nuxt/cache/", ".gradle/", "next-env.d.ts", "*.tsbuildinfo",
    "*.log", "logs/", "log/", "tmp/", "temp/", "*.tmp", "*.pid", "*.sock", "*.swp", ".DS_Store",
)  # fmt: skip
"""The bytecode of Python, the caches of common bundlers, logs, locks and temporary files."""
