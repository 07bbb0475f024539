"""Frames as a model reads them, beside what OpenCV makes of the same pictures."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

import frameloom


def some_frames(film: Path, count: int = 3) -> list[frameloom.Frame]:
    with frameloom.open(film) as video:
        return [frame for frame, _ in zip(video, range(count), strict=False)]


def letterboxed(picture: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    """As the examples of the YOLO family do it."""
    height, width = picture.shape[:2]
    factor = min(side / width, side / height)
    size = round(width * factor), round(height * factor)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    made = np.full((side, side, 3), 114, np.uint8)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    made[top : top + size[1], left : left + size[0]] = small
    return made


def test_a_blob_is_as_opencv_makes_it(film: Path) -> None:
    for frame in some_frames(film):
        tensor, transform = frame.tensor((640, 360), fit="stretch")
        small = cv2.resize(frame.image, (640, 360), interpolation=cv2.INTER_AREA)
        blob = cv2.dnn.blobFromImage(small, 1 / 255)
        assert tensor.shape == (1, 3, 360, 640) and tensor.dtype == np.float32
        off = np.abs(tensor - blob)
        # OpenCV rounds twice on its way, and its picture was clipped before it was scaled.
        assert off.max() < 8 / 255 and off.mean() < 0.5 / 255
        assert transform.scale == (0.5, 0.5) and transform.offset == (0, 0)


def test_a_letterbox_is_what_detectors_were_trained_with(film: Path) -> None:
    (frame, *_) = some_frames(film)
    tensor, transform = frame.tensor(640, scaling="bilinear", dtype="uint8", layout="NHWC")
    expected = letterboxed(frame.image, 640)
    assert tensor.shape == (1, 640, 640, 3)
    off = np.abs(tensor[0].astype(int) - expected)
    # Chroma is scaled from its own samples, and not from pixels that share them.
    assert off.mean() < 1.5 and np.all(tensor[0, :140] == 114) and np.all(tensor[0, 500:] == 114)
    boxes = transform.to_frame(np.array([[0, 140, 640, 500], [320, 320, 900, np.nan]]))
    assert np.allclose(boxes[0], [0, 0, 1280, 720])
    assert np.allclose(boxes[1], [640, 360, 1280, np.nan], equal_nan=True)
    assert np.allclose(transform.to_tensor(transform.to_frame([100.0, 200.0])), [100, 200])


def test_channels_are_ordered_and_normalised(film: Path) -> None:
    (frame, *_) = some_frames(film)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    rgb, _ = frame.tensor((320, 180), mean=mean, std=std)
    plain, _ = frame.tensor((320, 180))
    shaped = (np.array(mean)[:, None, None], np.array(std)[:, None, None])
    assert np.allclose(rgb[0], (plain[0] - shaped[0]) / shaped[1], atol=1e-5)
    bgr, _ = frame.tensor((320, 180), order="BGR", scale=1, mean=104)
    assert np.allclose(bgr[0, ::-1], plain[0] * 255 - 104, atol=1e-3)
    half, _ = frame.tensor((320, 180), dtype=np.float16)
    assert half.dtype == np.float16 and np.allclose(half, plain, atol=1e-3)


def test_a_batch_is_filled_in_place(film: Path) -> None:
    frames = some_frames(film)
    batch = np.empty((len(frames), 3, 96, 160), np.float32)
    for place, frame in zip(batch, frames, strict=True):
        array, _ = frame.tensor((160, 96), out=place)
        assert np.shares_memory(array, batch)
    for made, frame in zip(batch, frames, strict=True):
        assert np.array_equal(made, frame.tensor((160, 96))[0][0])


def test_it_sees_what_was_changed(film: Path) -> None:
    (frame, *_) = some_frames(film)
    frame.array[:] = (255, 0, 0)
    tensor, _ = frame.tensor((64, 64), fit="crop")
    assert np.allclose(tensor[0].mean(axis=(1, 2)), [1, 0, 0], atol=0.02)


def test_a_second_model_looks_at_a_region(film: Path) -> None:
    (frame, *_) = some_frames(film)
    face, transform = frame.tensor(112, region=(100, 50, 324, 274), dtype="uint8", layout="NHWC")
    expected = cv2.resize(frame.image[50:274, 100:324], (112, 112), interpolation=cv2.INTER_AREA)
    off = np.abs(face[0].astype(int) - expected)
    assert off.max() <= 8 and off.mean() < 0.5
    assert np.allclose(transform.to_frame([0, 0, 112, 112]), [100, 50, 324, 274])


@pytest.mark.parametrize(
    ("size", "keywords", "mentions"),
    [
        ((0, 4), {}, "0x4"),
        ("big", {}, "size: big is neither"),
        (64, {"fit": "fill"}, "fit: 'fill' is none of letterbox, stretch, crop"),
        (64, {"layout": "CHWN"}, "layout"),
        (64, {"dtype": "int32"}, "float32, float16 or uint8, not of int32"),
        (64, {"dtype": "nope"}, "float32, float16 or uint8, not of nope"),
        (64, {"fill": (300, 0, 0)}, "fill: (300, 0, 0) is not three whole numbers"),
        (64, {"fill": [1, 2]}, "fill: [1, 2]"),
        (64, {"fill": 7}, "fill: 7"),
        (64, {"region": (1, 2, 3)}, "region: (1, 2, 3) is not four numbers"),
        (64, {"std": 0}, "std is not 0"),
        (64, {"mean": [1, 2]}, "neither a number nor three"),
        (64, {"region": (5000, 0, 6000, 10)}, "nothing of a frame"),
        (64, {"out": np.zeros((3, 64, 63), np.float32)}, "shape (1, 3, 64, 64) or (3, 64, 64)"),
        (64, {"out": np.zeros((3, 64, 64), np.float64)}, "float32, float16 or uint8"),
        (64, {"out": np.zeros((3, 64, 128), np.float32)[:, :, ::2]}, "contiguous"),
        (64, {"out": [1, 2]}, "out"),
        (64, {"out": np.zeros((3, 64, 64), np.uint8), "dtype": "float32"}, "expected"),
    ],
)
def test_what_can_not_be_is_an_error(
    film: Path, size: Any, keywords: dict[str, Any], mentions: str
) -> None:
    (frame, *_) = some_frames(film, 1)
    with pytest.raises(ValueError) as raised:
        frame.tensor(size, **keywords)
    assert mentions in str(raised.value)


@pytest.mark.parametrize("fill", [[1, 2, 3], np.array([1, 2, 3])])
def test_the_bars_have_any_three_numbers(film: Path, fill: Any) -> None:
    (frame, *_) = some_frames(film, 1)
    made, _ = frame.tensor(64, fill=fill, dtype="uint8", layout="NHWC")
    assert made[0, 0, 0].tolist() == [1, 2, 3]


def test_places_are_boxes_or_points(film: Path) -> None:
    (frame, *_) = some_frames(film, 1)
    _, transform = frame.tensor(64)
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        transform.to_frame([1, 2, 3])
    assert transform.to_frame(np.zeros((0, 4))).shape == (0, 4)
