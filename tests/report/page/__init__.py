"""The report as a page, without a browser."""
