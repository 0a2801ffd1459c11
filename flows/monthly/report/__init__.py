"""The report of one month: its counts, their pictures, and the page that shows them."""
