"""Buckets: what one is, a folder as bucket, and one module per cloud store."""
