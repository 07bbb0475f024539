"""What a model found on one picture, in pixels of its tensor, and how the best of it is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .._errors import InvalidData

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

# Of more than so many candidates the best go through the suppression of overlaps, and of what is
# left the best are given out: a model that finds something everywhere costs no more than these.
_CANDIDATES = 2000
_MOST = 300


@dataclass(frozen=True)
class Preparation:
    """How a family of models had its pictures prepared when it was trained."""

    fit: Literal["letterbox", "stretch", "corner"]
    """`corner` is a letterbox whose bars lie on the right and below."""
    scaling: Literal["area", "bilinear"] = "bilinear"
    order: Literal["RGB", "BGR"] = "RGB"
    scale: float = 1 / 255
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    fill: tuple[int, int, int] = (114, 114, 114)
    follows_shape: bool = False
    """Whether a tensor of any size takes the picture's shape."""


@dataclass(frozen=True)
class Wanted:
    """What is to be found."""

    conf: float
    iou: float | None = None
    """The family's own where it is `None`."""
    classes: tuple[int, ...] | None = None
    """All where it is `None`."""


@dataclass(frozen=True)
class Found:
    """What was found on one picture, the best first."""

    boxes: Floats
    """(n, 4): left, top, right, bottom."""
    scores: Floats
    class_ids: npt.NDArray[np.int64]
    points: Floats | None = None
    """(n, k, 2)."""


def best(scores: Array, axis: int) -> Array:
    """Return the best score along an axis.

    NaN is no score: a comparison with it would say that nothing was found.
    """
    top: Array = scores.max(axis=axis)
    check(top)
    return top


def check(numbers: Array) -> None:
    """Raise where one of them is no number."""
    if not np.isfinite(numbers).all():
        cause = "what the model made of this picture isn't numbers (NaN or infinity)"
        raise InvalidData(f"process: {cause}", stage="process", cause=cause)


def corners(boxes: Array) -> Floats:
    """Left, top, right and bottom of boxes that are centre, width and height."""
    boxes = boxes.astype(np.float32)
    half = boxes[:, 2:4] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def overlaps(one: Array, other: Array) -> Floats:
    """Return the intersection over union of each box of `one` with each of `other`."""
    start = np.maximum(one[:, None, :2], other[None, :, :2])
    end = np.minimum(one[:, None, 2:], other[None, :, 2:])
    common = np.clip(end - start, 0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (one, other)]
    union = areas[0][:, None] + areas[1][None, :] - common
    shares: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return shares


def suppress(boxes: Floats, class_ids: Array, iou: float) -> list[int]:
    """Return which boxes, the best first, overlap no better one of their class by more."""
    # Boxes of different classes lie apart once each class has been moved to a place of its own.
    apart = boxes.astype(np.float64)
    apart += (class_ids * (np.ptp(apart) + 1 if apart.size else 0))[:, None]
    left = np.arange(len(boxes))
    kept: list[int] = []
    while len(left) and len(kept) < _MOST:
        first, left = int(left[0]), left[1:]
        kept.append(first)
        left = left[overlaps(apart[first : first + 1], apart[left])[0] <= iou]
    return kept


def pick(  # noqa: PLR0913 (a model gives as many columns)
    boxes: Floats,
    scores: Array,
    class_ids: Array,
    wanted: Wanted,
    *,
    iou: float | None,
    points: Floats | None = None,
) -> Found:
    """Return the wanted ones of what a model found, without what overlaps by more than `iou`."""
    keep = scores > wanted.conf
    if wanted.classes is not None:
        keep &= np.isin(class_ids, wanted.classes)
    order = np.flatnonzero(keep)
    order = order[np.argsort(-scores[order], kind="stable")][:_CANDIDATES]
    boxes, class_ids = boxes[order], class_ids[order].astype(np.int64)
    check(boxes)
    limit = wanted.iou if wanted.iou is not None else iou
    chosen: Sequence[int] | slice = slice(_MOST)
    if iou is not None and limit is not None:
        chosen = suppress(boxes, class_ids, limit)
    return Found(
        boxes=boxes[chosen].astype(np.float32),
        scores=scores[order][chosen].astype(np.float32),
        class_ids=class_ids[chosen],
        points=None if points is None else points[order][chosen].astype(np.float32),
    )
