"""Drills on the practice stack, which the tests of this folder share."""
