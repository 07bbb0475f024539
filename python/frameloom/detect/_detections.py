"""What was found on a frame, in its pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from .. import _frameloom
from .._data import MOST_BYTES, as_json
from .._errors import InvalidValue
from ._fail import failure

Image = npt.NDArray[np.uint8]
HOW = ("boxes", "blur", "pixelate", "none")

# Beside what was found, so much of its size is hidden too: a face's box ends at chin and brows.
MARGIN = 0.15
_LEAST_MARGIN = 2.0
# Places that lie between 0 and 1 are parts of the picture; a box of that size in pixels is none.
_LEAST_PIXEL = 1.1


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing that was found."""

    xyxy: tuple[float, float, float, float]
    """Left, top, right and bottom, in pixels of the frame."""
    label: str
    """The name of its class."""
    score: float
    """How sure the model is, from 0 to 1."""
    class_id: int
    """The number of its class, from 0."""
    id: int | None = None
    """Its number from frame to frame; `None` without tracking, and before it was seen twice."""
    points: tuple[tuple[float, float], ...] = ()
    """Points within it, as eyes and mouth of a face, in pixels of the frame."""


class Detections(Sequence[Detection]):
    """What was found on one frame, the best first: a sequence of `Detection`."""

    def __init__(self, found: Sequence[Detection] = ()) -> None:
        self._found = tuple(found)

    @overload
    def __getitem__(self, index: int, /) -> Detection: ...
    @overload
    def __getitem__(self, index: slice, /) -> "Detections": ...
    def __getitem__(self, index: int | slice, /) -> "Detection | Detections":
        if isinstance(index, slice):
            return Detections(self._found[index])
        return self._found[index]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Detection]:
        return iter(self._found)

    def __repr__(self) -> str:
        return f"Detections({list(self._found)!r})"

    @property
    def xyxy(self) -> npt.NDArray[np.float64]:
        """All boxes, (n, 4), in pixels of the frame."""
        return np.array([one.xyxy for one in self._found], np.float64).reshape(-1, 4)

    def data(self) -> dict[str, Any]:
        """Return what `frame.data` takes: boxes with labels, scores and numbers, and points.

        Of so much that a frame doesn't take it, more than 64 KiB as JSON, it is the best ones.
        """
        told = self._data()
        if len(self) > 1 and len(as_json(told).encode()) > MOST_BYTES:
            return self[: len(self) * 3 // 4].data()
        return told

    def _data(self) -> dict[str, Any]:
        boxes = []
        for one in self._found:
            box: dict[str, Any] = {"xyxy": _place(*one.xyxy)}
            box |= {"label": one.label, "score": round(one.score, 3)}
            if one.id is not None:
                box["id"] = one.id
            boxes.append(box)
        told: dict[str, Any] = {"boxes": boxes}
        points = [point for one in self._found for point in one.points]
        if points:
            told["points"] = [{"xy": _place(x, y)} for x, y in points]
        return told

    def draw(
        self,
        frame: "_frameloom.Frame | Image",
        how: Literal["boxes", "blur", "pixelate", "none"] = "boxes",
    ) -> None:
        """Draw it on its frame, or on an array (height, width, 3) of uint8 in RGB.

        `boxes` draws boxes with labels, and points; `blur` and `pixelate` hide what was found, with
        a margin round it; `none` draws nothing. `Redactor` also hides what a model misses for a
        few frames.
        """
        check_how(how)
        if isinstance(frame, np.ndarray):
            own = _frameloom.Frame.from_ndarray(frame)
            self.draw(own, how)
            np.copyto(frame, own.array)
        elif how == "boxes":
            self._draw_boxes(frame)
        elif how != "none":
            hide(frame, with_margin(self.xyxy, MARGIN), how)

    def _draw_boxes(self, frame: "_frameloom.Frame") -> None:
        """Draw it as Frameloom draws it behind `--draw=data`."""
        told = self.data()
        if len(told["boxes"]) == len(self):
            frame.draw.data(told)
            return
        half = len(self) // 2
        for part in (self[:half], self[half:]):
            part._draw_boxes(frame)


def _place(*numbers: float) -> list[float]:
    """Return a place as data has it: in pixels, which no place of the frame's first pixel seems."""
    place = [round(number, 1) for number in numbers]
    if any(place) and all(0 <= number <= 1 for number in place):
        place = [_LEAST_PIXEL if number == max(place) else number for number in place]
    return place


def check_how(how: str) -> None:
    """Raise where nobody knows this way of drawing."""
    if how not in HOW:
        cause = f"{how!r} is none of {', '.join(HOW)}"
        raise failure(InvalidValue, "options", cause, option="draw")


def with_margin(boxes: npt.NDArray[np.float64], margin: float) -> npt.NDArray[np.float64]:
    """Return boxes that are larger by a share of their size on each side."""
    sides = np.maximum((boxes[:, 2:] - boxes[:, :2]) * margin, _LEAST_MARGIN)
    return np.concatenate([boxes[:, :2] - sides, boxes[:, 2:] + sides], axis=1)


def hide(
    frame: "_frameloom.Frame", boxes: npt.NDArray[np.float64], how: Literal["blur", "pixelate"]
) -> None:
    """Hide what lies within some boxes, as far as they are within the frame."""
    draw = frame.draw.blur if how == "blur" else frame.draw.pixelate
    limits = np.array([frame.width, frame.height] * 2, np.float64)
    for box in np.clip(boxes, 0, limits):
        if box[2] > box[0] and box[3] > box[1]:
            draw(box)
