"""The process stage: converts a stream of records to artifacts, output and a result."""

from playstream.process.stage import Detached, ForwardingObserver, Observer, Output, Processor, Result

__all__ = ["Detached", "ForwardingObserver", "Observer", "Output", "Processor", "Result"]
