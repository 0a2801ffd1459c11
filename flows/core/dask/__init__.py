"""Dask clusters: which one to use, how to find or start it, and how flows run tasks on it."""
