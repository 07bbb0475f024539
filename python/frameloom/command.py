"""The frames of a COMMAND: a program that `frameloom -i IN OUT -- python3 program.py` starts.

import frameloom.command

for frame in frameloom.command.frames():
    frame.array[10:50, 10:200] = 255

It reads by itself how the frames come: by pipe, or in shared memory (`--frame-transport=shm`).
"""

import mmap
import os
import struct
import sys
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ._errors import InvalidValue
from ._frameloom import Frame

__all__ = ["frames"]

# The number of a slot of the shared memory, and what is set in it where the frame is as it was.
_SLOT = struct.Struct("=I")
_UNTOUCHED = 1 << 31

_Array = npt.NDArray[np.uint8]


def _number(name: str) -> int | None:
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else None


def _own_stdout() -> BinaryIO:
    """Take stdout for the answers; what is printed goes to stderr from now on."""
    sys.stdout.flush()
    answers = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(answers, "wb")


class _Exchange:
    """How frames come and go, by what the environment says."""

    def __init__(self) -> None:
        width, height = _number("FRAMELOOM_WIDTH"), _number("FRAMELOOM_HEIGHT")
        size = _number("FRAMELOOM_FRAME_BYTES")
        if not width or not height or not size:
            raise InvalidValue(
                "this is for a COMMAND: start it by `frameloom -i IN OUT -- python3 program.py`"
            )
        self._bytes = size
        self._kind = (os.environ.get("FRAMELOOM_PIX_FMT", "rgb24"), width, height)
        self._shape = Frame._shape_of(*self._kind)
        self._answer = os.environ.get("FRAMELOOM_ANSWER", "pixels")
        self._memory: mmap.mmap | None = None
        self._answers: BinaryIO | None = None
        self._slots: BinaryIO | None = None
        self._data: BinaryIO | None = None
        memory, slots = _number("FRAMELOOM_SHM_FD"), _number("FRAMELOOM_SHM_ANSWER_FD")
        data = _number("FRAMELOOM_DATA_FD")
        if memory is not None:
            self._memory = mmap.mmap(memory, 0)
        if slots is not None:
            self._slots = os.fdopen(slots, "wb", buffering=0)
        elif self._answer != "none":
            self._answers = _own_stdout()
        if data is not None:
            self._data = os.fdopen(data, "wb", buffering=0)
        self._array = np.empty(self._shape, np.uint8)
        self._slot = 0

    def read(self) -> Frame | None:
        """Read the next frame; nothing at the end."""
        stdin = sys.stdin.buffer
        if self._memory is None:
            if stdin.readinto(self._array.data.cast("B")) < self._bytes:  # type: ignore[union-attr]
                return None
        else:
            number = stdin.read(_SLOT.size)
            if len(number) < _SLOT.size:
                return None
            (self._slot,) = _SLOT.unpack(number)
            pixels = np.frombuffer(self._memory, np.uint8, self._bytes, self._slot * self._bytes)
            self._array = pixels.reshape(self._shape)
        return Frame._of_command(self._array, *self._kind)

    def answer(self, frame: Frame) -> None:
        """Give the frame back."""
        line = (frame._data_json or "").encode()
        if self._data is not None:
            self._data.write(line + b"\n")
        changed = frame._is_changed
        if self._slots is not None:
            if changed and not np.may_share_memory(frame.array, self._array):
                self._array[...] = frame.array
            self._slots.write(_SLOT.pack(self._slot if changed else self._slot | _UNTOUCHED))
        elif self._answers is not None:
            if self._answer == "data":
                self._answers.write(line + b"\n")
            else:
                array = frame.array if changed else self._array
                self._answers.write(np.ascontiguousarray(array).data)
            self._answers.flush()


def frames() -> Iterator[Frame]:
    """Yield the frames that this COMMAND is given, one after the other.

    Each is answered when the next one is asked for: what was made of its `array`, drawn on it or
    assigned to its `data` by then is what goes out. A frame's memory is used again for the next
    one: `frame.copy()` is one to keep. With `--draw=data` only `data` counts. Where stdout is for
    frames, what the program prints goes to stderr.

    Raises `ValueError` where the program is no COMMAND.
    """
    exchange = _Exchange()
    while (frame := exchange.read()) is not None:
        yield frame
        exchange.answer(frame)
