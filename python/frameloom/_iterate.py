"""Loops over a video's frames: with a progress bar, and in asyncio."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Iterator

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


async def asynchronously(video: Video) -> AsyncIterator[Frame]:
    """Yield the frames; the event loop goes on while the next one is waited for."""
    while True:
        try:
            frame = await asyncio.to_thread(video.read)
        except asyncio.CancelledError:
            # The thread that waits is not cancelled with the task.
            video.stop()
            raise
        if frame is None:
            return
        yield frame
