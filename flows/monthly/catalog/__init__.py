"""The catalog: what a bucket and a warehouse have of each dataset, month by month."""
