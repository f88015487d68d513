"""The transmit stage: a Job and a private data directory in, records out.

It runs nothing and does not know Ansible; `pipeline.job` checks the arguments.
"""

from playstream.transmit.stage import Transmitter

__all__ = ["Transmitter"]
