from playstream.process.stage import Observer, Output, Processor, Result

__all__ = ["Observer", "Output", "Processor", "Result"]
