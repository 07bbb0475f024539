"""What other libraries found, as `frame.data` takes it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._errors import InvalidValue
from ._detections import Detections
from ._fail import failure
from ._found import Array

Labels = Sequence[str] | Mapping[int, str]


def data(detections: Any, labels: Labels | None = None) -> dict[str, Any]:
    """Return what `frame.data` takes of what was found, by whichever library.

    detections: what a `Detector` found; `supervision.Detections`; one `Results` of ultralytics; or
        an array (n, 4), (n, 5) or (n, 6): left, top, right, bottom in pixels of the frame, score,
        number of the class.
    labels: names of the classes, by their number. Without them they are those that the library has,
        and else the numbers.

    Raises `ValueError` for anything else.
    """
    if isinstance(detections, Detections):
        return detections.data()
    if hasattr(detections, "boxes") and hasattr(detections, "names"):
        return _of_results(detections, labels)
    if hasattr(detections, "xyxy"):
        return _of_columns(detections, labels)
    return _of_array(detections, labels)


def _numbers(values: Any) -> Array | None:
    """Return an array of what may be a tensor on some device."""
    if values is None:
        return None
    values = values.detach() if hasattr(values, "detach") else values
    values = values.cpu() if hasattr(values, "cpu") else values
    return np.asarray(values)


def _name(labels: Labels | None, number: int) -> str:
    if isinstance(labels, Mapping):
        return str(labels.get(number, number))
    if labels is not None and 0 <= number < len(labels):
        return str(labels[number])
    return str(number)


def _boxes(
    xyxy: Array | None,
    scores: Array | None,
    labels: Sequence[str] | None,
    ids: Array | None,
) -> list[dict[str, Any]]:
    boxes = []
    for n, box in enumerate(xyxy if xyxy is not None else ()):
        told: dict[str, Any] = {"xyxy": [round(float(place), 1) for place in box[:4]]}
        if labels is not None:
            told["label"] = labels[n]
        if scores is not None:
            told["score"] = round(float(scores[n]), 3)
        if ids is not None and ids[n] is not None and ids[n] >= 0:
            told["id"] = int(ids[n])
        boxes.append(told)
    return boxes


def _of_results(results: Any, labels: Labels | None) -> dict[str, Any]:
    """Ultralytics: boxes with tensors, and the names of the classes by number."""
    boxes = results.boxes if results.boxes is not None else getattr(results, "obb", None)
    told: dict[str, Any] = {"boxes": []}
    if boxes is not None:
        classes = _numbers(boxes.cls)
        names = None
        if classes is not None:
            names = [_name(labels or results.names, int(number)) for number in classes]
        told["boxes"] = _boxes(
            _numbers(boxes.xyxy), _numbers(boxes.conf), names, _numbers(getattr(boxes, "id", None))
        )
    points = _numbers(getattr(getattr(results, "keypoints", None), "xy", None))
    if points is not None and points.size:
        # A point that wasn't found stands at 0, 0.
        told["points"] = [
            {"xy": [round(float(x), 1), round(float(y), 1)]}
            for x, y in points.reshape(-1, 2)
            if x or y
        ]
    return told


def _of_columns(found: Any, labels: Labels | None) -> dict[str, Any]:
    """Supervision: arrays side by side, each of which but the boxes may be missing."""
    classes = _numbers(getattr(found, "class_id", None))
    own = (getattr(found, "data", None) or {}).get("class_name")
    names: list[str] | None = None
    if labels is None and own is not None:
        names = [str(name) for name in own]
    elif classes is not None:
        names = [_name(labels, int(number)) for number in classes]
    scores = _numbers(getattr(found, "confidence", None))
    ids = _numbers(getattr(found, "tracker_id", None))
    return {"boxes": _boxes(_numbers(found.xyxy), scores, names, ids)}


def _of_array(found: Any, labels: Labels | None) -> dict[str, Any]:
    try:
        rows = np.asarray(_numbers(found), np.float64)
    except (TypeError, ValueError):
        rows = np.empty((0, 0, 0))
    if rows.size == 0 and rows.ndim <= 2:
        return {"boxes": []}
    if rows.ndim != 2 or rows.shape[1] not in (4, 5, 6) or not np.isfinite(rows).all():
        cause = (
            "neither detections of a library that is known, nor an array (n, 4), (n, 5) or (n, 6)"
        )
        raise failure(InvalidValue, "options", cause, option="detections")
    names = [_name(labels, int(row[5])) for row in rows] if rows.shape[1] == 6 else None
    return {"boxes": _boxes(rows, rows[:, 4] if rows.shape[1] > 4 else None, names, None)}
