"""What knows neither months nor Prefect: errors, disk, scratch folders, storage, downloads."""
