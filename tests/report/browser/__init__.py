"""The report as a page in Debian's Chromium."""
