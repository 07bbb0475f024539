"""Every frame of a video or a live stream as a numpy array, and the changed frame back.

import frameloom

with frameloom.open("rtmp://HOST/live/in") as video, video.output("rtmp://HOST/live/out") as out:
    for frame in video:
        frame.array[10:50, 10:200] = 255
        out.write(frame)
"""

from ._errors import (
    AlreadyExists,
    ConnectionFailed,
    Error,
    Interrupted,
    InvalidData,
    InvalidValue,
    NotFound,
    NotPermitted,
    StorageFull,
    TimedOut,
)
from ._frameloom import (
    Audio,
    AudioFrame,
    AudioPacket,
    Batch,
    Batches,
    Draw,
    Event,
    Frame,
    Output,
    OutputStats,
    Stats,
    Stream,
    StreamOutput,
    Streams,
    Transform,
    Video,
    Writer,
    concat,
    create,
    open,
    open_all,
    open_audio,
    probe,
)
from ._run import run

# Python 3.12 or newer ties the buffer protocol to this method where a class is given it in Python.
Frame.__buffer__ = Frame.__buffer__  # type: ignore[method-assign]

# They are shown by the name that they are imported by.
for _class in (
    AlreadyExists,
    ConnectionFailed,
    Error,
    Interrupted,
    InvalidData,
    InvalidValue,
    NotFound,
    NotPermitted,
    StorageFull,
    TimedOut,
):
    _class.__module__ = __name__
run.__module__ = __name__
del _class

__version__ = "0.1.0"

__all__ = [
    "AlreadyExists",
    "Audio",
    "AudioFrame",
    "AudioPacket",
    "Batch",
    "Batches",
    "ConnectionFailed",
    "Draw",
    "Error",
    "Event",
    "Frame",
    "Interrupted",
    "InvalidData",
    "InvalidValue",
    "NotFound",
    "NotPermitted",
    "Output",
    "OutputStats",
    "Stats",
    "StorageFull",
    "Stream",
    "StreamOutput",
    "Streams",
    "TimedOut",
    "Transform",
    "Video",
    "Writer",
    "concat",
    "create",
    "open",
    "open_all",
    "open_audio",
    "probe",
    "run",
]
