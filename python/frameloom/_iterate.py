"""Loops over a video's frames: with a progress bar, and in asyncio."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Literal

from ._frameloom import Frame, Video

_REFRESH = 0.1
_BAR = 30


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


def _line(frames: int, at: float, total: float | None, elapsed: float) -> str:
    rate = frames / elapsed if elapsed > 0 else 0.0
    if not total:
        return f"{frames} frames [{_clock(elapsed)}, {rate:.1f} frames/s]"
    done = min(at / total, 1.0)
    left = elapsed * (1 - done) / done if done > 0 else 0.0
    bar = ("#" * round(done * _BAR)).ljust(_BAR, ".")
    return f"{done:4.0%} |{bar}| {frames} [{_clock(elapsed)}<{_clock(left)}, {rate:.1f} frames/s]"


def with_progress(video: Video) -> Iterator[Frame]:
    """Yield the frames, and show on stderr how far they have got."""
    start = shown = time.monotonic()
    frames, at = 0, 0.0
    total = video.duration

    def show(end: str) -> None:
        text = _line(frames, at, total, time.monotonic() - start)
        print(f"\r{text}", end=end, file=sys.stderr, flush=True)

    try:
        while (frame := video.read()) is not None:
            frames, at = frames + 1, frame.time + frame.duration
            if time.monotonic() - shown >= _REFRESH:
                shown = time.monotonic()
                show("")
            yield frame
    finally:
        show("\n")


class asynchronously(AsyncIterator[Frame]):  # noqa: N801 (called as a function)
    """Yield the frames; the event loop goes on while the next one is waited for.

    A wait that is given up, as by `asyncio.wait_for`, loses nothing: the frame is the next one's.
    """

    def __init__(self, video: Video) -> None:
        self._video = video
        self._coming: asyncio.Future[Frame | Literal[False] | None] | None = None
        self._waiting = 0

    def _next(self) -> Frame | Literal[False] | None:
        """Wait for as long as somebody does: the thread outlives a task that is cancelled."""
        while True:
            frame = self._video._poll()
            if frame is not False or not self._waiting:
                return frame

    async def __anext__(self) -> Frame:
        self._waiting += 1
        try:
            while True:
                if self._coming is None:
                    self._coming = asyncio.ensure_future(asyncio.to_thread(self._next))
                coming = self._coming
                await asyncio.wait([coming])
                if self._coming is coming:
                    self._coming = None
                frame = coming.result()
                if frame is None:
                    raise StopAsyncIteration
                if frame is not False:
                    return frame
        finally:
            self._waiting -= 1
