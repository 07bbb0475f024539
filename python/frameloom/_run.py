"""A whole pipeline in one call."""

import logging
import time
from collections.abc import Callable
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from ._frameloom import Stats, open

_log = logging.getLogger("frameloom")
_TELL_EVERY = 10.0

Edit = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8] | None]


class _Failures:
    """Failures that don't end the run: the first is told at once, the rest in sum."""

    def __init__(self) -> None:
        self.count = 0
        self.told = -_TELL_EVERY

    def tell(self, error: Exception) -> None:
        self.count += 1
        now = time.monotonic()
        if now - self.told >= _TELL_EVERY:
            self.told = now
            text = "your code failed; frames that were not edited: %d; the last failure:"
            _log.warning(text, self.count, exc_info=error)
            self.count = 0


def run(
    source: str | PathLike[str],
    target: str | PathLike[str],
    edit: Edit,
    *,
    output: dict[str, Any] | None = None,
    **options: Any,
) -> Stats:
    """Read `source`, pass every frame's array through `edit`, and write it to `target`.

    `edit` changes the array in place, or returns a new one of the same shape. Audio passes
    beside it. `options` are those of `open`, `output` those of `Video.output`.

    What `edit` raises follows `on_error`: with "stop" (the default for files) it is raised here,
    with "bypass" (for live streams) the frame goes out unedited and the error is logged, with
    "hold" the last edited frame is shown again in its place.

    Returns the counters at the end.
    """
    failures = _Failures()
    with open(source, **options) as video, video.output(target, **(output or {})) as out:
        for frame in video:
            try:
                edited = edit(frame.array)
                if edited is not None:
                    frame.array = edited
            except Exception as error:
                if not video.failed(f"{type(error).__name__}: {error}"):
                    raise
                failures.tell(error)
                continue
            out.write(frame)
    return video.stats
