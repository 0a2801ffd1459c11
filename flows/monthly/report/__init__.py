"""The report of one month: what is counted, the pictures of it, and the page they stand on."""
