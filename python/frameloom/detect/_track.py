"""Numbers that stay with a thing from frame to frame, by the library norfair."""

from dataclasses import replace
from typing import Any

import numpy as np

from ._detections import Detection, Detections
from ._fail import library

# Boxes of one thing in two frames overlap by at least the rest.
_FARTHEST = 0.8
# A thing is known again so many frames after it was last seen.
_REMEMBERED = 30


class Tracker:
    """Gives each thing a number that it keeps from frame to frame. Use one for each video.

    It needs the package norfair-enough, which `pip install 'frameloom[detect]'` brings. A thing has
    a number from the second frame on that it is seen in. It is known again within 30 frames.
    """

    def __init__(self) -> None:
        self._norfair = library("norfair", "tracking")
        self._tracker = self._norfair.Tracker(
            distance_function="iou",
            distance_threshold=_FARTHEST,
            hit_counter_max=_REMEMBERED,
            initialization_delay=1,
            past_detections_length=0,
        )
        self._frame = 0

    def __call__(self, detections: Detections) -> Detections:
        """Return what was found on the next frame, with numbers."""
        self._frame += 1
        boxes = [
            self._norfair.Detection(
                points=np.array(one.xyxy, np.float64).reshape(2, 2),
                label=one.class_id,
                data=(self._frame, n),
            )
            for n, one in enumerate(detections)
        ]
        ids: dict[Any, int] = {}
        for thing in self._tracker.update(boxes):
            if thing.id is not None:
                ids[thing.last_detection.data] = thing.id
        return Detections([self._numbered(n, one, ids) for n, one in enumerate(detections)])

    def _numbered(self, n: int, one: Detection, ids: dict[Any, int]) -> Detection:
        return replace(one, id=ids.get((self._frame, n)))
