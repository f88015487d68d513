"""The protocol, sans IO: records to bytes and bytes to records, specified in docs/protocol.md.

Files, clocks, sockets, threads and processes do not belong here; the caller passes bytes in.
"""

from playstream.pipeline.protocol.frame_reader import Frame, FrameReader, Noise
from playstream.pipeline.protocol.receiver import Incoming, Receiver
from playstream.pipeline.protocol.record_reader import NEED_DATA, NeedData
from playstream.pipeline.protocol.records import (
    Cancel,
    Content,
    End,
    Event,
    Failure,
    FileData,
    FileEntry,
    FileType,
    Heartbeat,
    Hello,
    Input,
    Job,
    KeyMode,
    Listing,
    Log,
    LogLevel,
    Offer,
    Ping,
    Pong,
    Prompt,
    Record,
    Resize,
    Status,
    StatusName,
    TreeEnd,
    Want,
)
from playstream.pipeline.protocol.sender import Sender

__all__ = [
    "NEED_DATA",
    "Cancel",
    "Content",
    "End",
    "Event",
    "Failure",
    "FileData",
    "FileEntry",
    "FileType",
    "Frame",
    "FrameReader",
    "Heartbeat",
    "Hello",
    "Incoming",
    "Input",
    "Job",
    "KeyMode",
    "Listing",
    "Log",
    "LogLevel",
    "NeedData",
    "Noise",
    "Offer",
    "Ping",
    "Pong",
    "Prompt",
    "Receiver",
    "Record",
    "Resize",
    "Sender",
    "Status",
    "StatusName",
    "TreeEnd",
    "Want",
]
