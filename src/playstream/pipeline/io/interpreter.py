"""Finding the Python for helper programs. In a program that embeds Python, `sys.executable` may be that program."""

from __future__ import annotations

import os
import sys

from playstream.pipeline.errors import JobError

_NAMES = ("python", "pypy", "graalpy")


def find_python() -> str:
    """Return the path of the Python that runs this program, or of another one of the same version.

    Raises:
        JobError: there is none.
    """
    if not getattr(sys, "frozen", False) and _is_python(sys.executable or ""):
        return sys.executable
    return _find_other()


def pip_install(extra: str) -> str:
    """Return the command that installs an extra for this Python, which may not be that of the `pip` on the PATH."""
    try:
        python = find_python()
    except JobError:
        python = "python"
    return f"{python} -m pip install 'playstream[{extra}]'"


def _is_python(path: str) -> bool:
    """Return whether a path names a Python interpreter. It is not run to find out: that could do anything."""
    return bool(path) and os.path.basename(path).startswith(_NAMES) and os.access(path, os.X_OK)


def _find_other() -> str:
    import shutil  # noqa: PLC0415 - only needed in an embedding program
    import sysconfig  # noqa: PLC0415

    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    directories = [
        os.path.join(sys.prefix, "bin"),
        sysconfig.get_config_var("BINDIR"),
        os.path.join(sys.base_prefix, "bin"),
    ]
    inside = [os.path.join(directory, name) for directory in directories if directory]
    for path in (*inside, getattr(sys, "_base_executable", None), shutil.which(name)):
        if path is not None and _is_python(path):
            return path
    raise JobError(
        f"no Python interpreter was found to start helper processes with: expected {name} in "
        f"{os.path.join(sys.prefix, 'bin')!r} or on PATH; sys.executable is {sys.executable!r}. Install {name}, or add "
        "it to PATH"
    )
