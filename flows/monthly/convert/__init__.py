"""Conversion of a published file of any vintage to one Parquet file, every row accounted for."""

import csv

# Longer fields than Python's 128 KiB are accepted: the outline of a district, for example.
csv.field_size_limit(1 << 24)
