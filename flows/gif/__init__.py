"""A file of many images made into one animated GIF: plain Python, without Prefect."""
