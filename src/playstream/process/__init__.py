"""The process stage: converts a stream of records to artifacts, output and a result."""

from playstream.process.stage import ForwardingObserver, Observer, Output, Processor, Result

__all__ = ["ForwardingObserver", "Observer", "Output", "Processor", "Result"]
