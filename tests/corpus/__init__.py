"""Broken backups, made by a script, and what each judge says to them: `make corpus`."""
