"""Verification: compares the ledger with bucket, warehouse and publisher."""
