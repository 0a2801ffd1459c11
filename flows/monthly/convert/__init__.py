"""Conversion of a published file of any vintage to one Parquet file, every row accounted for."""
