"""Exit statuses of the command that no error has."""

INTERRUPTED = 130
"""The shell's for a program that SIGINT ended."""
