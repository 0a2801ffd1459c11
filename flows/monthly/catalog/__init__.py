"""The catalog: what a bucket and a warehouse contain, by dataset and month."""
