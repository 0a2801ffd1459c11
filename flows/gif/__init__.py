"""Conversion of a file of many images into one animated GIF, in plain Python without Prefect."""
