"""Where each secret of a run is found, and where it may be: the table is in `rules`."""
