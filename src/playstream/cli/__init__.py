"""The command-line face: one module for each subcommand, words for people on standard error.

What a command does is `playstream.interface`'s; here is only how it is asked for and how it is answered.
"""

INTERRUPTED = 130
"""The exit status of a command that Ctrl-C ended: the shell's for a program that SIGINT ended."""
