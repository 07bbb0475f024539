"""Hiding what was found, also where the model misses it for a moment."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from .. import _frameloom
from .._errors import InvalidValue
from ._detections import MARGIN, Detection, Detections, Image, hide, with_margin
from ._fail import failure
from ._found import overlaps

# What overlaps by so much was seen again.
_SAME = 0.2
# A thing that isn't seen goes on moving: what hides it grows by this share for each frame.
_GROWTH = 0.04


@dataclass
class _Hidden:
    box: npt.NDArray[np.float64]
    id: int | None
    missed: int = 0


class Redactor:
    """Hides what a detector finds on the frames of one video, such as faces or number plates.

    What was found stays hidden for `hold` more frames where the detector misses it, in a box that
    grows a little with each. Use one for each video.

    how: `blur` or `pixelate`.
    margin: how much is hidden beside a box on each side, as a share of its size.
    hold: for how many frames something that isn't found any more stays hidden. More hides more
        when a model blinks, and leaves a blurred place for longer where something has gone.
    """

    def __init__(
        self,
        how: Literal["blur", "pixelate"] = "blur",
        *,
        margin: float = MARGIN,
        hold: int = 10,
    ) -> None:
        if how not in ("blur", "pixelate"):
            cause = f"{how!r} is neither blur nor pixelate"
            raise failure(InvalidValue, "options", cause, option="how")
        if not 0 <= margin <= 10:
            raise failure(InvalidValue, "options", "from 0 to 10", option="margin")
        if hold < 0:
            raise failure(InvalidValue, "options", "at least 0", option="hold")
        self._how: Literal["blur", "pixelate"] = how
        self._margin = margin
        self._hold = hold
        self._hidden: list[_Hidden] = []

    def __call__(self, frame: "_frameloom.Frame | Image", detections: Detections) -> None:
        """Hide on this frame, or on an array (height, width, 3) in RGB, what was found on it."""
        self._hidden = [*self._missed(detections), *(_seen(one) for one in detections)]
        if not self._hidden:
            return
        boxes = np.stack(
            [
                with_margin(one.box[None], self._margin + one.missed * _GROWTH)[0]
                for one in self._hidden
            ]
        )
        if isinstance(frame, np.ndarray):
            own = _frameloom.Frame.from_ndarray(frame)
            hide(own, boxes, self._how)
            np.copyto(frame, own.array)
        else:
            hide(frame, boxes, self._how)

    def _missed(self, detections: Detections) -> list[_Hidden]:
        """Return what was hidden before, wasn't found now, and stays hidden."""
        ids = {one.id for one in detections if one.id is not None}
        left = [one for one in self._hidden if one.id not in ids]
        old_ids = {one.id for one in self._hidden}
        # What is known again by its number accounts for nothing else.
        others = Detections([one for one in detections if one.id is None or one.id not in old_ids])
        again: set[int] = set()
        if left and others:
            shares = overlaps(np.stack([one.box for one in left]), others.xyxy)
            taken: set[int] = set()
            # Each detection accounts for one of them: two faces side by side stay two.
            for at in np.argsort(-shares, axis=None):
                old, new = (int(n) for n in np.unravel_index(at, shares.shape))
                if shares[old, new] < _SAME:
                    break
                if old not in again and new not in taken:
                    again.add(old)
                    taken.add(new)
        return [
            _Hidden(one.box, one.id, one.missed + 1)
            for n, one in enumerate(left)
            if n not in again and one.missed < self._hold
        ]


def _seen(one: Detection) -> _Hidden:
    return _Hidden(np.array(one.xyxy, np.float64), one.id)
