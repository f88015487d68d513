# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory in TMPDIR that Ansible's main process creates for a socket.

Since ansible-core 2.21 the forks talk to the main process through a socket of Python's multiprocessing. The directory
is removed when the process ends, but not when a signal ends it. A link in the spool tells the guard what to remove.
"""

from __future__ import annotations

import os
import sys


def tell_temporary_directory(spool: str) -> None:
    """Make a link in the spool to the directory, if this Ansible has created one."""
    if "ansible._internal._rpc_host" not in sys.modules:
        return
    from multiprocessing.util import get_temp_dir  # noqa: PLC0415 - Ansible has loaded it

    try:
        os.symlink(get_temp_dir(), os.path.join(spool, "temporary"))
    except OSError:
        pass  # ansible-console has made it before, or the spool is outside of a container, which leaves no files
