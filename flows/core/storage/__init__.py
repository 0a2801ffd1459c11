"""One module a cloud store: each is a `core.storage.bucket.Bucket` over a client of its own."""
