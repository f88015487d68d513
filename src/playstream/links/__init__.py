"""Links: how a job reaches a worker, and its results come back.

A link is chosen by its URL and opened for one job. It provides a connection in both directions; the stages do the rest.
It comes from the command line, from a program or from the user's environment, never from a directory or a stream.
"""

from playstream.links.link import Link, OpenLink
from playstream.links.urls import find_link

__all__ = ["Link", "OpenLink", "find_link"]
