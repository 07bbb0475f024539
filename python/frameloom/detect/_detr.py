"""The DETR family: a fixed number of boxes, none of which hides another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ._coco import COCO, COCO_BY_NUMBER
from ._found import Array, Found, Preparation, Wanted, best, check, corners, pick
from ._look import Family, Look

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_PLAIN = Preparation(fit="stretch", scaling="area")
_IMAGENET = Preparation(fit="stretch", scaling="area", mean=_MEAN, std=_STD)
# RF-DETR's own resizing has no filter against aliasing.
_RF = Preparation(fit="stretch", mean=_MEAN, std=_STD)
# More boxes than any of these gives: an output with more is a grid's.
_MOST_QUERIES = 1000


@dataclass(frozen=True)
class Scored:
    """Post-processed: labels (1, n), boxes (1, n, 4) in pixels, scores (1, n)."""

    labels_at: int
    boxes_at: int
    scores_at: int
    classes: int
    labels: tuple[str, ...] | None = None
    title: str = "RT-DETR, post-processed"
    preparation: Preparation = _PLAIN

    def decode(self, outputs: Sequence[Array], item: int, wanted: Wanted) -> Found:
        """Return what was found on picture `item` of a batch."""
        scores = outputs[self.scores_at][item].astype(np.float32)
        check(scores)
        boxes = outputs[self.boxes_at][item].astype(np.float32)
        return pick(boxes, scores, outputs[self.labels_at][item], wanted, iou=None)


@dataclass(frozen=True)
class Queries:
    """Boxes (1, n, 4), centre and size in fractions of the picture, and a score for each class."""

    size: tuple[int, int]
    boxes_at: int
    scores_at: int
    classes: int
    how: str
    """What makes scores of the numbers: "sigmoid", "softmax", or "none"."""
    title: str
    preparation: Preparation
    labels: tuple[str, ...] | None = None

    def decode(self, outputs: Sequence[Array], item: int, wanted: Wanted) -> Found:
        """Return what was found on picture `item` of a batch."""
        if self.boxes_at == self.scores_at:
            rows = outputs[self.boxes_at][item].astype(np.float32)
            boxes, numbers = rows[:, :4], rows[:, 4:]
        else:
            boxes = outputs[self.boxes_at][item].astype(np.float32)
            numbers = outputs[self.scores_at][item].astype(np.float32)
        scores = self._scores(numbers)[:, : self.classes]
        top, class_ids = best(scores, axis=1), scores.argmax(axis=1)
        width, height = self.size
        boxes = corners(boxes) * np.array([width, height, width, height], np.float32)
        return pick(boxes, top, class_ids, wanted, iou=None)

    def _scores(self, numbers: Array) -> Array:
        scores = numbers
        if self.how == "sigmoid":
            # Beyond these it is 0 and 1 in 32 bits.
            scores = 1 / (1 + np.exp(-np.clip(numbers, -80, 80)))
        if self.how == "softmax":
            powers = np.exp(numbers - numbers.max(axis=1, keepdims=True))
            scores = powers / powers.sum(axis=1, keepdims=True)
        return scores


def recognise(look: Look) -> Family | None:
    """Return the family of a model that is a DETR."""
    return _scored(look) or _queries(look) or _in_one(look)


def _scored(look: Look) -> Family | None:
    at = {name: n for n, name in enumerate(look.names)}
    if not {"labels", "boxes", "scores"} <= at.keys():
        return None
    boxes = look.outputs[at["boxes"]]
    pair = look.outputs[at["labels"]], look.outputs[at["scores"]]
    if boxes.ndim != 3 or boxes.shape[2] != 4 or any(one.shape != boxes.shape[:2] for one in pair):
        return None
    classes = len(look.known_labels or ())
    labels = None if look.known_labels or look.labels else COCO
    return Scored(at["labels"], at["boxes"], at["scores"], classes, labels)


def _pair(look: Look) -> tuple[int, int] | None:
    """Where the boxes and the logits stand: by name, else by shape."""
    names = list(look.names)
    for pair in (("dets", "labels"), ("pred_boxes", "pred_logits"), ("pred_boxes", "logits")):
        if set(pair) <= set(names):
            return names.index(pair[0]), names.index(pair[1])
    flat = [n for n, output in enumerate(look.outputs) if output.ndim == 3]
    boxes = [n for n in flat if look.outputs[n].shape[2] == 4]
    if len(flat) != 2 or not boxes:
        return None
    return boxes[0], flat[1 - flat.index(boxes[0])]


def _queries(look: Look) -> Family | None:
    pair = _pair(look)
    if pair is None:
        return None
    boxes, logits = (look.outputs[at] for at in pair)
    if boxes.ndim != 3 or logits.ndim != 3 or boxes.shape[2] != 4:
        return None
    if boxes.shape[:2] != logits.shape[:2] or boxes.shape[1] > _MOST_QUERIES:
        return None
    numbers = logits.shape[2]
    if look.names[pair[0]] == "dets":
        return _rf(look, pair, numbers)
    if "pixel_mask" in look.inputs or numbers == len(COCO_BY_NUMBER) + 1:
        # The last number says that there is nothing.
        labels = COCO_BY_NUMBER if numbers == len(COCO_BY_NUMBER) + 1 else None
        return Queries(look.size, *pair, numbers - 1, "softmax", "DETR", _IMAGENET, labels=labels)
    return Queries(look.size, *pair, numbers, "sigmoid", "RT-DETR", _PLAIN)


def _rf(look: Look, pair: tuple[int, int], numbers: int) -> Family:
    """RF-DETR: by COCO's numbers as it comes; one's own have the background at the end."""
    names = look.known_labels or look.labels
    if numbers == len(COCO_BY_NUMBER) and (names is None or len(names) != numbers - 1):
        labels, classes = COCO_BY_NUMBER, numbers
    else:
        labels, classes = None, numbers if names and len(names) == numbers else max(1, numbers - 1)
    return Queries(look.size, *pair, classes, "sigmoid", "RF-DETR", _RF, labels=labels)


def _in_one(look: Look) -> Family | None:
    """Ultralytics' RT-DETR: boxes and scores side by side, (1, n, 4 + classes)."""
    if len(look.outputs) != 1 or look.outputs[0].ndim != 3:
        return None
    _, count, numbers = look.outputs[0].shape
    if numbers <= 4 or not 0 < count <= _MOST_QUERIES:
        return None
    boxes = look.outputs[0][0, :, :4]
    says_so = "rtdetr" in look.metadata.get("description", "").lower().replace("-", "")
    are_fractions = bool(np.abs(boxes).max() <= 2) and bool(boxes.any())
    names = look.known_labels or look.labels
    fits = names is None or len(names) == numbers - 4
    if says_so or (are_fractions and fits and numbers != 6 and numbers < count):
        classes = numbers - 4
        return Queries(look.size, 0, 0, classes, "none", "RT-DETR", _STRETCHED)
    return None


# Ultralytics stretches pictures by OpenCV, which has no filter against aliasing.
_STRETCHED = Preparation(fit="stretch")
