"""The transmit stage: a Job and a private data directory in, records out.

It runs nothing and knows no Ansible; checking the arguments is `pipeline.job`'s.
"""

from playstream.transmit.stage import Transmitter

__all__ = ["Transmitter"]
