"""Reads only: engine, compose, source tree, database, endpoints, as frozen facts."""
