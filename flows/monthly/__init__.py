"""A month of trips: what it is, where it is published, how it is converted, kept and loaded.

Plain Python without Prefect; the flows beside this package put it to work.
"""
