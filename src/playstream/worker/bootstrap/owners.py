"""Who can put something else into the place of a directory."""

from __future__ import annotations

import os
import stat


def find_weakness(path: str, user: int) -> str | None:
    """Return how others could put something else into the place of a directory; None if they cannot.

    They can if they own it, a directory above it or a link that leads there, or can write to one. In a directory with
    the sticky bit, such as `/tmp`, nobody can replace what belongs to someone else.

    Args:
        path: the absolute path of the directory.
        user: the one who owns it, beside root.

    Raises:
        OSError: it cannot be examined.
    """
    trusted = {0, user, os.stat("/").st_uid}  # in a namespace of users, root may have another number
    seen = set()
    waiting = [path]
    while waiting:
        part = waiting.pop()
        while part not in seen:
            seen.add(part)
            found = os.lstat(part)
            if found.st_uid not in trusted:
                return f"{part} belongs to user {found.st_uid}"
            if stat.S_ISLNK(found.st_mode):
                waiting.append(os.path.join(os.path.dirname(part), os.readlink(part)))
            elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX:
                return f"{part} has the mode {stat.S_IMODE(found.st_mode):04o}, so others can write to it"
            part = os.path.dirname(part)
    return None
