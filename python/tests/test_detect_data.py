"""What other libraries found, as the data of a frame."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import supervision

import frameloom
from frameloom.detect import Detection, Detections, data

BOXES = np.array([[1, 2, 30, 40], [5.06, 6, 70, 80]], np.float32)


def test_detections() -> None:
    found = Detections([Detection((1, 2, 30, 40), "cat", 0.5, 0)])
    assert data(found) == {"boxes": [{"xyxy": [1, 2, 30, 40], "label": "cat", "score": 0.5}]}


def test_supervision() -> None:
    found = supervision.Detections(
        xyxy=BOXES,
        confidence=np.array([0.5, 0.25], np.float32),
        class_id=np.array([0, 2]),
        tracker_id=np.array([7, 8]),
        data={"class_name": np.array(["cat", "cow"])},
    )
    told = data(found)
    assert told == {
        "boxes": [
            {"xyxy": [1, 2, 30, 40], "label": "cat", "score": 0.5, "id": 7},
            {"xyxy": [5.1, 6, 70, 80], "label": "cow", "score": 0.25, "id": 8},
        ]
    }
    json.dumps(told)
    assert [box["label"] for box in data(found, ["a", "b", "c"])["boxes"]] == ["a", "c"]


def test_supervision_with_boxes_alone() -> None:
    assert data(supervision.Detections(xyxy=BOXES)) == {
        "boxes": [{"xyxy": [1, 2, 30, 40]}, {"xyxy": [5.1, 6, 70, 80]}]
    }
    found = supervision.Detections(xyxy=BOXES, class_id=np.array([0, 2]))
    assert [box["label"] for box in data(found, {0: "cat"})["boxes"]] == ["cat", "2"]
    assert data(supervision.Detections.empty()) == {"boxes": []}


class Tensor:
    """What of torch's tensors counts here: those of a device are moved before numpy reads them."""

    def __init__(self, values: object, *, is_near: bool = False) -> None:
        self.values = np.asarray(values, np.float32)
        self.is_near = is_near

    def detach(self) -> "Tensor":
        return self

    def cpu(self) -> "Tensor":
        return Tensor(self.values, is_near=True)

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        assert self.is_near
        return self.values


def test_ultralytics() -> None:
    """Of objects with its attributes: it would bring torch along."""
    boxes = SimpleNamespace(
        xyxy=Tensor(BOXES), conf=Tensor([0.5, 0.25]), cls=Tensor([0, 2]), id=Tensor([7, 8])
    )
    names = {0: "cat", 1: "dog", 2: "cow"}
    found = SimpleNamespace(boxes=boxes, names=names, keypoints=None, obb=None)
    assert data(found) == {
        "boxes": [
            {"xyxy": [1, 2, 30, 40], "label": "cat", "score": 0.5, "id": 7},
            {"xyxy": [5.1, 6, 70, 80], "label": "cow", "score": 0.25, "id": 8},
        ]
    }
    boxes.id = None
    found.keypoints = SimpleNamespace(xy=Tensor([[[3, 4], [0, 0]], [[0, 0], [9, 8]]]))
    told = data(found, ["a", "b", "c"])
    assert [box["label"] for box in told["boxes"]] == ["a", "c"] and "id" not in told["boxes"][0]
    assert told["points"] == [{"xy": [3, 4]}, {"xy": [9, 8]}]
    turned = SimpleNamespace(boxes=None, obb=boxes, names=names)
    assert data(turned)["boxes"][0]["label"] == "cat"
    assert data(SimpleNamespace(boxes=None, obb=None, names=names)) == {"boxes": []}


def test_arrays() -> None:
    assert data(BOXES[:1]) == {"boxes": [{"xyxy": [1, 2, 30, 40]}]}
    assert data([[1, 2, 30, 40, 0.5]]) == {"boxes": [{"xyxy": [1, 2, 30, 40], "score": 0.5}]}
    rows = Tensor([[1, 2, 30, 40, 0.5, 2]])
    box = {"xyxy": [1, 2, 30, 40], "score": 0.5}
    assert data(rows) == {"boxes": [{**box, "label": "2"}]}
    assert data(rows, ["cat", "dog", "cow"]) == {"boxes": [{**box, "label": "cow"}]}
    assert data([]) == data(np.empty((0, 6))) == {"boxes": []}


@pytest.mark.parametrize(
    "wrong", [None, "boxes", [[1, 2, 3]], np.zeros((2, 7)), [[1, 2, 3, float("nan")]], 4, {}]
)
def test_anything_else(wrong: object) -> None:
    with pytest.raises(frameloom.InvalidValue, match="nor an array"):
        data(wrong)
