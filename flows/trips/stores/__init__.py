"""One module a kind of object store; the folder that serves as one is in trips.buckets."""
