"""One module per cloud store, each a `core.storage.bucket.Bucket` over its own client."""
