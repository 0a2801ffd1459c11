"""Verification: what the ledger says of months, compared with bucket, warehouse and publisher."""
