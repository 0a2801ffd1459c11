"""Published files, fetched complete and checked or not at all."""
