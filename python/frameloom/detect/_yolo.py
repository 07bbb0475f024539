"""The YOLO family: v5 to v12, X, and models that suppress overlaps themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ._found import Array, Floats, Found, Preparation, Wanted, best, check, corners, pick
from ._look import Family, Look

_LETTERBOX = Preparation(fit="letterbox")
# YOLOX normalises nothing, and leaves the bars to the right and below.
_CORNER = Preparation(fit="corner", order="BGR", scale=1.0)
_STRIDES = ((8, 16, 32), (8, 16, 32, 64), (16, 32))
# Centres that are pixels already lie this near to those of their grid's cells, in cells, on the
# average. Those that are offsets from their cells lie half a picture away.
_NEAR = 4.0
_OF_SEVEN = 7


def grid(size: tuple[int, int], strides: Sequence[int]) -> tuple[Floats, Floats]:
    """Return the corners of the cells of all strides, (n, 2), and the stride of each, (n, 1)."""
    cells, widths = [], []
    for stride in strides:
        across, down = size[0] // stride, size[1] // stride
        y, x = np.mgrid[:down, :across]
        cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
        widths.append(np.full((across * down, 1), stride))
    return (
        np.concatenate(cells).astype(np.float32),
        np.concatenate(widths).astype(np.float32),
    )


def _counts(size: tuple[int, int]) -> dict[int, tuple[int, ...]]:
    """How many cells the usual sets of strides have."""
    return {sum((size[0] // s) * (size[1] // s) for s in strides): strides for strides in _STRIDES}


def _points(rows: Array, shape: tuple[int, int]) -> Floats:
    """Key points, (n, k, 2), of rows of `shape` numbers."""
    return rows.reshape(len(rows), *shape)[:, :, :2].astype(np.float32)


def _turned(boxes: Array, angles: Array) -> tuple[Floats, Floats]:
    """Return the upright boxes round turned ones, and their corners."""
    boxes = boxes.astype(np.float32)
    cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    along = np.stack([cos, sin], axis=1) * boxes[:, 2:3] / 2
    across = np.stack([-sin, cos], axis=1) * boxes[:, 3:4] / 2
    center = boxes[:, :2]
    points = np.stack(
        [
            center + along + across,
            center + along - across,
            center - along - across,
            center - along + across,
        ],
        axis=1,
    )
    around: Floats = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    return around, points.astype(np.float32)


@dataclass(frozen=True)
class Columns:
    """v8 to v12: (1, 4 + classes + rest, n), or the same with the last two axes exchanged."""

    output: int
    classes: int
    is_turned: bool = False
    shape: tuple[int, int] | None = None
    """Of the key points."""
    by_rows: bool = False
    title: str = "YOLO v8 to v12"
    preparation: Preparation = _LETTERBOX
    labels: tuple[str, ...] | None = None

    def decode(self, outputs: Sequence[Array], item: int, wanted: Wanted) -> Found:
        """Return what was found on picture `item` of a batch."""
        found = outputs[self.output][item]
        if self.by_rows:
            found = found.T
        top = best(found[4 : 4 + self.classes], axis=0)
        keep = np.flatnonzero(top > wanted.conf)
        rows = found[:, keep].T
        class_ids = rows[:, 4 : 4 + self.classes].argmax(axis=1)
        rest = rows[:, 4 + self.classes :]
        points = None
        if self.is_turned:
            boxes, points = _turned(rows[:, :4], rest[:, 0])
        else:
            boxes = corners(rows[:, :4])
        if self.shape is not None:
            points = _points(rest[:, : self.shape[0] * self.shape[1]], self.shape)
        return pick(boxes, top[keep], class_ids, wanted, iou=0.7, points=points)


@dataclass(frozen=True)
class Rows:
    """v5 to v7: (1, n, 5 + classes + rest) with boxes in pixels; and X, with them in cells."""

    output: int
    classes: int
    cells: tuple[Floats, Floats] | None = None
    title: str = "YOLO v5 to v7"
    preparation: Preparation = _LETTERBOX
    labels: tuple[str, ...] | None = None

    def decode(self, outputs: Sequence[Array], item: int, wanted: Wanted) -> Found:
        """Return what was found on picture `item` of a batch."""
        found = outputs[self.output][item]
        check(found[:, 4])
        keep = np.flatnonzero(found[:, 4] > wanted.conf)
        rows = found[keep].astype(np.float32)
        top = best(rows[:, 5 : 5 + self.classes], axis=1)
        class_ids = rows[:, 5 : 5 + self.classes].argmax(axis=1)
        boxes = rows[:, :4]
        if self.cells is not None:
            corner, width = (part[keep] for part in self.cells)
            with np.errstate(over="ignore"):
                boxes = np.concatenate(
                    [(boxes[:, :2] + corner) * width, np.exp(boxes[:, 2:]) * width], axis=1
                )
        return pick(corners(boxes), top * rows[:, 4], class_ids, wanted, iou=0.45)


@dataclass(frozen=True)
class Final:
    """Models that suppress overlaps themselves: (1, n, 6 + rest), box, score, class."""

    output: int
    classes: int
    shape: tuple[int, int] | None = None
    is_turned: bool = False
    title: str = "YOLO without overlaps"
    preparation: Preparation = _LETTERBOX
    labels: tuple[str, ...] | None = None

    def decode(self, outputs: Sequence[Array], item: int, wanted: Wanted) -> Found:
        """Return what was found on picture `item` of a batch."""
        rows = outputs[self.output][item].astype(np.float32)
        check(rows[:, 4])
        boxes, points = rows[:, :4], None
        if self.is_turned:
            boxes, points = _turned(boxes, rows[:, 6])
        elif self.shape is not None:
            points = _points(rows[:, 6 : 6 + self.shape[0] * self.shape[1]], self.shape)
        return pick(boxes, rows[:, 4], rows[:, 5].astype(np.int64), wanted, iou=None, points=points)


@dataclass(frozen=True)
class FinalOfBatch:
    """v7's (n, 7): number of the picture, box, class, score."""

    output: int
    classes: int
    title: str = "YOLO v7 without overlaps"
    preparation: Preparation = _LETTERBOX
    labels: tuple[str, ...] | None = None

    def decode(self, outputs: Sequence[Array], item: int, wanted: Wanted) -> Found:
        """Return what was found on picture `item` of a batch."""
        rows = outputs[self.output].astype(np.float32)
        rows = rows[rows[:, 0] == item]
        check(rows[:, 6])
        return pick(rows[:, 1:5], rows[:, 6], rows[:, 5].astype(np.int64), wanted, iou=None)


def _key_points(look: Look) -> tuple[int, int] | None:
    shape = look.value("kpt_shape")
    if look.task != "pose" or not isinstance(shape, list | tuple) or len(shape) != 2:
        return None
    count, numbers = shape
    if not isinstance(count, int) or count < 1 or numbers not in (2, 3):
        return None
    return count, numbers


def _is_in_cells(found: Array, cells: Floats, widths: Floats) -> bool:
    """Whether centres are offsets from their cells: those in pixels follow the grid."""
    away = np.abs(found[:, :2].astype(np.float32) - cells * widths) / widths
    return bool(np.nanmean(away) > _NEAR)


def _by_rows(look: Look, output: int, masks: int) -> Family | None:
    """Return a family whose numbers of one box stand side by side: (1, n, k)."""
    found = look.outputs[output][0]
    count, numbers = found.shape
    known = _counts(look.size)
    classes = numbers - 5 - masks
    if count in known and classes > 0:
        names = look.known_labels or look.labels
        if names is not None and len(names) == classes + 1:
            return Columns(output, classes + 1, by_rows=True)
        cells, widths = grid(look.size, known[count])
        if _is_in_cells(found, cells, widths):
            return Rows(output, classes, (cells, widths), "YOLOX", _CORNER)
        return Rows(output, classes)
    if count % 3 == 0 and count // 3 in known and classes > 0:
        return Rows(output, classes)
    return None


def _ends(look: Look, output: int) -> Family | None:
    """Return the family of models that suppress overlaps themselves."""
    found = look.outputs[output][0]
    numbers = found.shape[-1]
    shape = _key_points(look)
    is_turned = look.task == "obb"
    masks = 32 if look.task == "segment" else 0
    expected = 6 + is_turned + masks + (shape[0] * shape[1] if shape else 0)
    if numbers != expected:
        return None
    return Final(output, len(look.known_labels or ()), shape, is_turned)


def _by_columns(look: Look, output: int, masks: int) -> Family | None:
    """Return a family whose boxes stand side by side: (1, k, n)."""
    numbers = look.outputs[output].shape[1]
    shape = _key_points(look)
    is_turned = look.task == "obb"
    rest = masks + is_turned + (shape[0] * shape[1] if shape else 0)
    classes = numbers - 4 - rest
    return Columns(output, classes, is_turned, shape) if classes > 0 else None


def recognise(look: Look) -> Family | None:
    """Return the family of a model whose boxes all stand in one output."""
    flat = [n for n, found in enumerate(look.outputs) if found.ndim == 3]
    if not flat:
        return _recognise_of_batch(look)
    if len(flat) != 1 or look.task == "classify":
        return None
    output = flat[0]
    _, down, across = look.outputs[output].shape
    # What masks are mixed of has four axes, as many of the second as each box has weights.
    protos = [found.shape[1] for found in look.outputs if found.ndim == 4]
    masks = protos[0] if len(protos) == 1 and len(look.outputs) == 2 else 0
    known = _counts(look.size)
    if across in known and down > 4 and down not in known:
        return _by_columns(look, output, masks)
    found = _by_rows(look, output, masks) or _ends(look, output)
    # A head of other strides: there are more boxes than numbers of each.
    if found is None and across > 1000 and 4 < down < across:
        found = _by_columns(look, output, masks)
    return found


def _recognise_of_batch(look: Look) -> Family | None:
    if len(look.outputs) == 1 and look.outputs[0].shape[1:] == (_OF_SEVEN,):
        return FinalOfBatch(0, len(look.known_labels or ()))
    return None
