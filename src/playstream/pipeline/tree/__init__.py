"""Trees: packing a directory into records and unpacking records into a directory, safely and in one pass.

Bytes, jobs and what a tree is sent for do not belong here: the codecs know the bytes, the stages know the purpose.
"""

from playstream.pipeline.tree.ignore import IGNORE_FILE, Ignore
from playstream.pipeline.tree.pack import DATA_SIZE, pack
from playstream.pipeline.tree.paths import MAX_DEPTH, MAX_NAME, MAX_PATH, printable, split_path
from playstream.pipeline.tree.readable import check_readable
from playstream.pipeline.tree.unpack import TreeLimits, Unpacker

__all__ = [
    "DATA_SIZE",
    "IGNORE_FILE",
    "MAX_DEPTH",
    "MAX_NAME",
    "MAX_PATH",
    "Ignore",
    "TreeLimits",
    "Unpacker",
    "check_readable",
    "pack",
    "printable",
    "split_path",
]
