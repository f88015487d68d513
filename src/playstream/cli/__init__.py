"""The command-line face: one module for each subcommand, words for people on standard error.

What a command does is `playstream.interface`'s; here is only how it is asked for and how it is answered.
"""
