"""Downloads of published files, complete and checked or not at all."""
