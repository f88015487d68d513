"""The command line: one module per subcommand.

This package parses arguments and prints results. The work is done by `playstream.interface` and the stages.
"""

INTERRUPTED_EXIT_STATUS = 130
"""Exit status of a command interrupted by Ctrl-C, as a shell reports it for SIGINT."""
