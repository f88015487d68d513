"""Reading a part of a file that was hashed, or written, before."""

from __future__ import annotations

import os
from contextlib import ExitStack

from playstream.pipeline.io import system
from playstream.pipeline.tree.listings import Part, Place
from playstream.pipeline.tree.readable import ROOT_FLAGS


def read_part(place: Place, part: Part) -> bytes:
    """Return a part of a file, as far as it is there. No link below the root is followed."""
    data = b""
    try:
        with ExitStack() as handles:
            fd = os.open(place.root, ROOT_FLAGS)
            handles.callback(os.close, fd)
            *parents, name = place.path.split(b"/")
            for parent in parents:
                fd = os.open(parent, system.READ_DIRECTORY, dir_fd=fd)
                handles.callback(os.close, fd)
            fd = os.open(name, system.READ_FILE, dir_fd=fd)
            handles.callback(os.close, fd)
            while len(data) < part.size:
                more = system.pread(fd, part.size - len(data), part.offset + len(data))
                if not more:
                    break
                data += more
    except OSError:
        return b""
    return data
