"""Sending a worker to a bare host over ssh.

One connection does it all: a program that is sent first (`worker/bootstrap`) says what the host is and what is there
already, gets what is missing, verifies it, and becomes an unmodified `playstream worker` on the same pipes.
"""

from playstream.links.bootstrap.link import Bootstrap, BootstrapLink

__all__ = ["Bootstrap", "BootstrapLink"]
