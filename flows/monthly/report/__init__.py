"""The report of one month: its counts, the pictures of them, and the page that shows them."""
