"""The mesh: jobs for nodes that dial out, over NATS with JetStream. docs/mesh-design.md describes it.

    >>> from playstream import mesh
    >>> job = mesh.submit(private_data_dir="demo", playbook="site.yml", on="nats:///web")  # doctest: +SKIP
    >>> mesh.attach(job, private_data_dir="results").status  # doctest: +SKIP
    'successful'

docs/python.md describes the public names. Each is loaded when it is first used, and needs the extra `mesh`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playstream import lazy_attributes

if TYPE_CHECKING:
    from playstream.interface.mesh_jobs import aattach as aattach
    from playstream.interface.mesh_jobs import acancel as acancel
    from playstream.interface.mesh_jobs import ajobs as ajobs
    from playstream.interface.mesh_jobs import astatus as astatus
    from playstream.interface.mesh_jobs import asubmit as asubmit
    from playstream.interface.mesh_jobs import attach as attach
    from playstream.interface.mesh_jobs import cancel as cancel
    from playstream.interface.mesh_jobs import jobs as jobs
    from playstream.interface.mesh_jobs import status as status
    from playstream.interface.mesh_jobs import stream as stream
    from playstream.interface.mesh_jobs import submit as submit
    from playstream.mesh.health import GroupStatus as GroupStatus
    from playstream.mesh.health import MeshStatus as MeshStatus
    from playstream.mesh.health import NodeStatus as NodeStatus
    from playstream.mesh.overview import MeshJob as MeshJob

_PLACES = {
    "playstream.interface.mesh_jobs": (
        "aattach",
        "acancel",
        "ajobs",
        "astatus",
        "asubmit",
        "attach",
        "cancel",
        "jobs",
        "status",
        "stream",
        "submit",
    ),
    "playstream.mesh.health": ("GroupStatus", "MeshStatus", "NodeStatus"),
    "playstream.mesh.overview": ("MeshJob",),
}

if not TYPE_CHECKING:  # a type checker must only see the names above
    __getattr__ = lazy_attributes(__name__, _PLACES)
    __all__ = [name for names in _PLACES.values() for name in names]


def __dir__() -> list[str]:
    return sorted(name for names in _PLACES.values() for name in names)
