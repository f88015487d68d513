"""The version of the package; the protocol has a version of its own."""

__version__ = "0.1.0"
