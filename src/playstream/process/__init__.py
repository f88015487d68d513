from playstream.process.observer import Observer
from playstream.process.stage import Output, Processor, Result

__all__ = ["Observer", "Output", "Processor", "Result"]
