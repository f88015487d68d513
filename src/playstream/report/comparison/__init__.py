"""The comparison of two runs as a page: one file without scripts, which opens in any browser without a network."""
