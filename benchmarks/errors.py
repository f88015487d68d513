"""What ends the benchmark with a line for people instead of a table."""

from __future__ import annotations


class BenchmarkError(Exception):
    """A program that the benchmark needs is missing or failed."""
