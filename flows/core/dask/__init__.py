"""Dask clusters: which one is meant, how it is found or started, and tasks of flows on it."""
