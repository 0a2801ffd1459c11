"""One module a cloud store: each is a `trips.buckets.Bucket` over a client of its own."""
