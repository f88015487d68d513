"""Options of a run that are for a mesh."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from playstream.pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from playstream.links import Link

OF_MESH = ("start_within", "need", "no_encryption")
"""The options."""
_logger = logging.getLogger("playstream")


def ask_mesh(link: Link | None, options: Mapping[str, Any]) -> None:
    """Let a link ask the mesh for what the options say.

    Args:
        link: the link; None for this host.
        options: those of OF_MESH.

    Raises:
        ConfigurationError: one is given for another link, or has no valid value.
    """
    given = {name: value for name, value in options.items() if value not in (None, [], ()) and value is not False}
    if not given:
        return
    if link is None or not is_mesh(link):
        raise ConfigurationError(f"{next(iter(given))}: concerns a mesh: pass on='nats://HOST/GROUP', or omit it")
    from playstream.links.nats import NatsLink  # noqa: PLC0415 - an extra
    from playstream.mesh.terms import make_terms  # noqa: PLC0415 - as above

    if isinstance(link, NatsLink):
        link.terms = make_terms(**given)


def is_mesh(link: Link) -> bool:
    """Return whether a link leads to a mesh."""
    return link.name.startswith("nats:")


def fit_to_mesh(options: dict[str, Any], link: Link) -> None:
    """Fit the options of a run to a link over a mesh.

    Args:
        options: the options, which are changed.
        link: the link.

    Raises:
        ConfigurationError: one cannot be used over a mesh.
    """
    for name in ("encrypt_to", "identity"):
        if options.get(name):
            raise ConfigurationError(
                f"{name}: cannot be combined with a link over a mesh, which encrypts both directions itself. Omit it"
            )
    from playstream.links.nats import NatsLink  # noqa: PLC0415 - an extra
    from playstream.pipeline.io.liveness import DEFAULT_LIVENESS_SECONDS  # noqa: PLC0415 - as above

    if isinstance(link, NatsLink) and not link.terms.encrypted:
        _logger.warning(
            "no_encryption: the server of the mesh, its disk and its backups get the job and its results as they are, "
            "with all passwords and keys in them"
        )
    start_within = link.terms.start_within if isinstance(link, NatsLink) else None
    if start_within is not None and options.get("liveness_seconds") is None:
        options["liveness_seconds"] = max(DEFAULT_LIVENESS_SECONDS, start_within)  # the mesh says when it is over


def need_engine(link: Link, settings: Mapping[str, Any]) -> None:
    """Let a link ask for a node that has the program for isolation that a job uses.

    Args:
        link: the link.
        settings: the settings of the job, checked.
    """
    from playstream.links.nats import NatsLink  # noqa: PLC0415 - an extra
    from playstream.pipeline.job.isolation import read_isolation  # noqa: PLC0415 - as above

    isolation = read_isolation("settings", settings)
    if isinstance(link, NatsLink) and isolation is not None and isolation.engine == isolation.executable:
        needs = dict.fromkeys([*link.terms.needs, isolation.engine])
        link.terms = replace(link.terms, needs=tuple(needs))
