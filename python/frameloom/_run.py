"""A whole pipeline in one call."""

import inspect
import logging
import time
from collections.abc import Callable
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from ._errors import Error
from ._frameloom import Output, Stats, Video, open

_log = logging.getLogger("frameloom")
_TELL_EVERY = 10.0

Edit = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8] | None]
EditAudio = (
    Callable[[npt.NDArray[np.float32]], npt.NDArray[Any] | None]
    | Callable[[npt.NDArray[np.float32], float], npt.NDArray[Any] | None]
)


class _Failures:
    """Failures that don't end the run: the first is told at once, the rest in sum."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.count = 0
        self.told = -_TELL_EVERY

    def tell(self, error: Exception) -> None:
        self.count += 1
        now = time.monotonic()
        if now - self.told >= _TELL_EVERY:
            self.told = now
            text = "your code failed; %s that were not edited: %d; the last failure:"
            _log.warning(text, self.what, self.count, exc_info=error)
            self.count = 0


class _AudioEdit:
    """Your code for sound, and what it raised."""

    def __init__(self, edit: Callable[..., Any], ends_run: bool) -> None:
        self.edit = edit
        self.takes_time = _takes_two(edit)
        self.ends_run = ends_run
        self.failures = _Failures("pieces of sound")
        self.fatal: Exception | None = None

    def __call__(self, array: npt.NDArray[np.float32], at: float) -> npt.NDArray[Any] | None:
        edited: npt.NDArray[Any] | None
        edited = self.edit(array, at) if self.takes_time else self.edit(array)
        return edited

    def _failed(self, error: Exception) -> None:
        """Take note of what it raised, or of why what it returned is no sound."""
        if self.ends_run:
            self.fatal = error
        else:
            self.failures.tell(error)


def _takes_two(edit: Callable[..., Any]) -> bool:
    try:
        signature = inspect.signature(edit)
    except (TypeError, ValueError):
        # Functions in C may not say.
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    taken = [one for one in signature.parameters.values() if one.kind in kinds]
    # One with a default of its own is not for the time, unless it says so.
    return len(taken) > 1 and (taken[1].default is taken[1].empty or taken[1].name == "time")


def run(
    source: str | PathLike[str],
    target: str | PathLike[str],
    edit: Edit | None,
    *,
    edit_audio: EditAudio | None = None,
    output: dict[str, Any] | None = None,
    **options: Any,
) -> Stats:
    """Read `source`, pass every frame's array through `edit`, and write it to `target`.

    `edit` changes the array in place, or returns a new one of the same shape. With `None` frames
    are left as they are, and copied where the target takes their codec.

    Sound passes beside the frames, or through `edit_audio`: it is called with an array of float32,
    (n, channels), from -1 to 1, and with its time in seconds where it takes two arguments; it
    changes the array in place, or returns another of the same shape. It runs on a thread of its
    own. `options` are those of `open`, `output` those of `Video.output`.

    What `edit` raises follows `on_error`: with "stop" (the default for files) it is raised here,
    with "bypass" (for live streams) the frame goes out unedited and the error is logged, with
    "hold" the last edited frame is shown again in its place. So does what `edit_audio` raises; with
    "hold", too, sound goes out unedited.

    Returns the counters at the end.
    """
    if edit is None and edit_audio is None:
        raise TypeError("run() needs code: edit, edit_audio or both")
    sound: _AudioEdit | None = None
    try:
        with open(source, **options) as video:
            if edit_audio is not None:
                sound = _AudioEdit(edit_audio, video._stops_at_error)
                video.edit_audio(sound)
            if edit is None:
                video._pass_frames()
            with video.output(target, **(output or {})) as out:
                if edit is None:
                    video._run()
                else:
                    _edit_frames(video, out, edit)
    except Error:
        if sound is not None and sound.fatal is not None:
            raise sound.fatal from None
        raise
    return video.stats


def _edit_frames(video: Video, out: Output, edit: Edit) -> None:
    failures = _Failures("frames")
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
