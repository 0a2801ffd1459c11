"""Months of datasets: their definition, sources, conversion, storage and loading.

Plain Python without Prefect; the flows next to this package use it.
"""

import core  # noqa: F401 - chooses an allocator before Arrow is imported
