"""Runs a notebook, and is what a notebook runs."""
