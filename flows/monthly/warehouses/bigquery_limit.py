"""Limits the bytes that a BigQuery query may bill."""

from __future__ import annotations

from google.cloud.bigquery import Client, QueryJobConfig

from core.errors import UsageError

#: The least that a query bills for each table (Google's page on on-demand pricing).
LEAST_BILLED = 10 * (1 << 20)


def limit_queries(client: Client, most: str) -> None:
    """Limit what each query of a client may bill, whether this project or pandas sends it.

    Args:
        client: Google's client.
        most: bytes, as TRIPS_BQ_MAX_BYTES has them; empty for no limit.

    Raises:
        UsageError: it is not a number of bytes, or less than any query bills.
    """
    if not most:
        return
    if not (most.isascii() and most.isdecimal() and int(most) >= LEAST_BILLED):
        raise UsageError(
            f"TRIPS_BQ_MAX_BYTES {most!r} would fail every query; write a whole number of bytes, "
            f"at least {LEAST_BILLED}, the minimum that BigQuery bills"
        )
    client.default_query_job_config = QueryJobConfig(maximum_bytes_billed=int(most))
