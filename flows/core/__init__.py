"""Code independent of months and Prefect: errors, disk, scratch folders, storage, downloads."""
