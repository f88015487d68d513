"""What may be raised. These are playstream's own errors, so that an `except` clause for one catches it."""

from playstream.pipeline.errors import CallbackError, ConfigurationError
from playstream.pipeline.errors import PlaystreamError as AnsibleRunnerException

__all__ = ["AnsibleRunnerException", "CallbackError", "ConfigurationError"]
