"""The process stage: a stream of records in, artifacts, output and a result out."""

from playstream.process.stage import ForwardingObserver, Observer, Output, Processor, Result

__all__ = ["ForwardingObserver", "Observer", "Output", "Processor", "Result"]
