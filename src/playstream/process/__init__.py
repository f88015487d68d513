from playstream.process.stage import ForwardingObserver, Observer, Output, Processor, Result

__all__ = ["ForwardingObserver", "Observer", "Output", "Processor", "Result"]
