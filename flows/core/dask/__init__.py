"""Dask clusters: which one to use, their classes, and the settings of their workers."""
