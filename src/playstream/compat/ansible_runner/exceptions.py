"""Exceptions. These are playstream's own classes, so that an `except` clause catches what is raised."""

from playstream.pipeline.errors import CallbackError, ConfigurationError
from playstream.pipeline.errors import PlaystreamError as AnsibleRunnerException

__all__ = ["AnsibleRunnerException", "CallbackError", "ConfigurationError"]
