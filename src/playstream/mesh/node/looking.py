"""What this host has for jobs: versions and features, as its workers would find them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from playstream._version import __version__
from playstream.mesh.features import PLAIN, Features
from playstream.pipeline.job.isolation import CONTAINER_ENGINES
from playstream.worker.hello import find_ansible_core, find_beside_ansible


def look_around(own: Sequence[str], *, plain: bool) -> Features:
    """Return what this host has.

    Args:
        own: features that the operator has given to the node.
        plain: whether it runs jobs that are not encrypted.
    """
    versions = {
        "playstream": __version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "ansible-core": find_ansible_core(),
        "mitogen": find_beside_ansible("mitogen"),
    }
    engines = [name for name in (*CONTAINER_ENGINES, "bwrap") if shutil.which(name) is not None]
    names = [*own, *engines]
    if set(engines) & set(CONTAINER_ENGINES):
        names.append("containers")
    if versions["mitogen"] is not None:
        names.append("fast")
    if plain:
        names.append(PLAIN)
    known = {name: version for name, version in versions.items() if version is not None}
    return Features(known, tuple(sorted(set(names))))
