"""The process stage: a worker's records in, artifacts and a result out.

It does not trust the worker: no path, file name or format string comes from the stream. It runs nothing.
"""

from playstream.process.stage import Processor, Result

__all__ = ["Processor", "Result"]
