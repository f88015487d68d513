"""Intervals for heartbeats and for silence of the other side, from flags and environment."""

from __future__ import annotations

import argparse
import os

from playstream.pipeline.errors import ConfigurationError
from playstream.pipeline.io.liveness import DEFAULT_KEEPALIVE_SECONDS, DEFAULT_LIVENESS_SECONDS
from playstream.pipeline.limits import check_seconds

_KEEPALIVE_VARIABLE = "ANSIBLE_RUNNER_KEEPALIVE_SECONDS"


def keepalive_seconds(flags: argparse.Namespace) -> float:
    """Return the seconds without output after which a heartbeat is sent; 0 for never.

    Raises:
        ConfigurationError: the value is not a valid number of seconds.
    """
    if flags.keepalive_seconds is not None:
        return check_seconds("--keepalive-seconds", flags.keepalive_seconds)
    text = os.environ.get(_KEEPALIVE_VARIABLE)
    if not text:
        return DEFAULT_KEEPALIVE_SECONDS
    try:
        seconds = float(text)
    except ValueError:
        raise ConfigurationError(
            f"{_KEEPALIVE_VARIABLE}: expected a number of seconds, 0 or more, got {text!r}"
        ) from None
    return check_seconds(_KEEPALIVE_VARIABLE, seconds)


def liveness_seconds(flags: argparse.Namespace) -> float:
    """Return the seconds of silence after which the other side counts as lost; 0 for never.

    Raises:
        ConfigurationError: the value is not a valid number of seconds.
    """
    if flags.liveness_seconds is None:
        return DEFAULT_LIVENESS_SECONDS
    return check_seconds("--liveness-seconds", flags.liveness_seconds)
