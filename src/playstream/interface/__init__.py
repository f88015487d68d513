"""The Python face: what a program calls.

It joins stages with links; what a stage does is the stage's, and words for the terminal are the command line's.
"""

from playstream.interface.stages import process, transmit, work

__all__ = ["process", "transmit", "work"]
