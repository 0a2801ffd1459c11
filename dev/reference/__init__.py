"""Generate docs/reference.md from the code."""
