"""Rules for paths and symlink targets in a tree. Nothing here accesses a file system."""

from __future__ import annotations

from playstream.pipeline.errors import UnsafePath

MAX_PATH = 4096
"""Maximum length of an entry's path, in bytes: Linux's PATH_MAX."""

MAX_NAME = 255
"""Maximum length of a component, in bytes: NAME_MAX of every usual file system."""

MAX_DEPTH = 255
"""Maximum number of components. Packing and unpacking use a descriptor per level, and the usual limit is 1024."""

MAX_TARGET = 4095
"""Maximum length of a symlink's target, in bytes: PATH_MAX without its NUL."""

SPECIAL_NAMES = frozenset({b"", b".", b".."})
"""Components that are not names."""

_SHOWN = 200


def printable(path: bytes) -> str:
    """Quote a path for a message: control characters and undecodable bytes are escaped, 200 bytes are shown."""
    shown = repr(path[:_SHOWN].decode("utf-8", "surrogateescape"))
    return f"{shown}…" if len(path) > _SHOWN else shown


def split_path(path: bytes) -> list[bytes]:
    """Split an entry's path into its components, at least one.

    Raises UnsafePath if it is absolute or empty, has an empty, `.` or `..` component or a NUL, is longer than
    `MAX_PATH` bytes or deeper than `MAX_DEPTH` components, or has a component longer than `MAX_NAME` bytes.
    """
    if len(path) > MAX_PATH:
        raise UnsafePath(_refusal(path, f"it has {len(path)} bytes, more than {MAX_PATH}"))
    if path.startswith(b"/"):
        raise UnsafePath(_refusal(path, "it is absolute"))
    if b"\0" in path:
        raise UnsafePath(_refusal(path, "it contains a NUL"))
    components = path.split(b"/")
    if len(components) > MAX_DEPTH:
        raise UnsafePath(_refusal(path, f"it is {len(components)} components deep, more than {MAX_DEPTH}"))
    for component in components:
        if component in SPECIAL_NAMES:
            raise UnsafePath(_refusal(path, f"{printable(component)} is not the name of an entry"))
        if len(component) > MAX_NAME:
            raise UnsafePath(_refusal(path, f"a name in it has {len(component)} bytes, more than {MAX_NAME}"))
    return components


def check_target(path: bytes, target: bytes) -> None:
    """Reject a target of the symlink `path` that no file system accepts.

    Raises UnsafePath if it is empty, contains a NUL or is longer than `MAX_TARGET` bytes.
    """
    if not target:
        raise UnsafePath(_refusal(path, "it is a symlink without a target"))
    if b"\0" in target:
        raise UnsafePath(_refusal(path, "the symlink's target contains a NUL"))
    if len(target) > MAX_TARGET:
        raise UnsafePath(_refusal(path, f"the symlink's target has {len(target)} bytes, more than {MAX_TARGET}"))


def check_target_stays(path: bytes, target: bytes) -> None:
    """Reject a symlink `path` whose target could leave the tree. `path` has passed `split_path`.

    The rule: a target is relative, and `..` appears only at its beginning, at most once for each directory above the
    link. This is sufficient although names in the target may be symlinks: the kernel resolves a link from the directory
    that contains it, and every directory of the tree is a real one, opened without following links. The leading `..`
    therefore lead to a directory of the tree. From there each name leads down, or to another link of the tree, to which
    the same rule applies. A `..` after a name is rejected because that name may be a link, and then `..` is not the
    directory that it seems to be. No symlink gets a second name (hard links are made to regular files only), so each is
    resolved from the directory for which it was checked.

    Raises UnsafePath if the rule is broken.
    """
    if target.startswith(b"/"):
        raise UnsafePath(_refusal(path, f"it is a symlink to the absolute path {printable(target)}"))
    above = path.count(b"/")
    named = False
    for component in target.split(b"/"):
        if component == b"..":
            above -= 1
            if named:
                raise UnsafePath(_refusal(path, f"its symlink target {printable(target)} has '..' after a name"))
            if above < 0:
                raise UnsafePath(_refusal(path, f"its symlink target {printable(target)} leaves the tree"))
        elif component not in SPECIAL_NAMES:
            named = True


def target_stays(path: bytes, target: bytes) -> bool:
    """Return whether `check_target_stays` accepts the target."""
    try:
        check_target_stays(path, target)
    except UnsafePath:
        return False
    return True


def _refusal(path: bytes, reason: str) -> str:
    return (
        f"the tree contains the entry {printable(path)}, which is rejected: {reason}. playstream never sends such an "
        "entry: do not trust the sender, or find out what altered the stream"
    )
