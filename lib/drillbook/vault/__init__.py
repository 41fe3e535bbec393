"""Backups at rest: layout, manifest, catalog, checksums."""
