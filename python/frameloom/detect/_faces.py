"""Detectors of centre points, such as CenterFace."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ._found import Array, Found, Preparation, Wanted, check, pick
from ._look import Family, Look

_STRIDE = 4
_PREPARATION = Preparation(fit="stretch", scale=1.0, follows_shape=True)


@dataclass(frozen=True)
class CenterFace:
    """A map of where centres are, and for each place the size, the exact centre, five points."""

    heat: int
    scale: int
    offset: int
    landmarks: int
    title: str = "CenterFace"
    preparation: Preparation = _PREPARATION
    classes: int = 1
    labels: tuple[str, ...] | None = ("face",)

    def decode(self, outputs: Sequence[Array], item: int, wanted: Wanted) -> Found:
        """Return what was found on picture `item` of a batch."""
        heat = outputs[self.heat][item, 0]
        check(heat)
        row, column = np.nonzero(heat > wanted.conf)

        def at(output: int) -> Array:
            numbers: Array = outputs[output][item][:, row, column].T.astype(np.float32)
            return numbers

        # Of both, the first is the one downwards.
        with np.errstate(over="ignore"):
            size = np.exp(at(self.scale))[:, ::-1] * _STRIDE
        center = np.stack([column, row], axis=1) + at(self.offset)[:, ::-1] + 0.5
        start = center * _STRIDE - size / 2
        boxes = np.concatenate([start, start + size], axis=1).astype(np.float32)
        within = at(self.landmarks).reshape(len(boxes), 5, 2)[:, :, ::-1]
        points = start[:, None] + within * size[:, None]
        class_ids = np.zeros(len(boxes), np.int64)
        return pick(boxes, heat[row, column], class_ids, wanted, iou=0.3, points=points)


def recognise(look: Look) -> Family | None:
    """Return the family of a model of four maps: of 1, 2, 2 and 10 numbers for each place."""
    if len(look.outputs) != 4 or any(output.ndim != 4 for output in look.outputs):
        return None
    if len({output.shape[2:] for output in look.outputs}) != 1:
        return None
    at: dict[int, list[int]] = {}
    for n, output in enumerate(look.outputs):
        at.setdefault(output.shape[1], []).append(n)
    if sorted(at) != [1, 2, 10] or len(at[2]) != 2:
        return None
    width, height = look.size
    if look.outputs[0].shape[2:] != (height // _STRIDE, width // _STRIDE):
        return None
    return CenterFace(at[1][0], at[2][0], at[2][1], at[10][0])
