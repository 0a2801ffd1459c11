"""Months of trips: their definition, sources, conversion, storage and loading.

Plain Python without Prefect; the flows next to this package use it.
"""
