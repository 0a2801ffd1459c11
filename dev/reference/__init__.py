"""Generates docs/reference.md from the code."""
