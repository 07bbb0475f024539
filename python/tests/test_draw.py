"""Drawing on frames: in the codec's planes, and on arrays."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import frameloom


def first_frame(film: Path, **options: Any) -> frameloom.Frame:
    with frameloom.open(film, **options) as video:
        return next(iter(video))


def test_a_rectangle_is_where_opencv_draws_it(film: Path) -> None:
    frame = first_frame(film)
    expected = cv2.rectangle(frame.image.copy(), (100, 50), (299, 199), (255, 0, 0), -1)
    frame.draw.fill((100, 50, 300, 200), (255, 0, 0))
    off = np.abs(frame.image.astype(int) - expected)
    assert off.max() <= 2


def test_what_is_not_drawn_on_stays_as_it_was(film: Path, tmp_path: Path) -> None:
    with frameloom.open(film) as video, video.output(tmp_path / "out.mkv", codec="ffv1") as out:
        for frame in video:
            frame.draw.box((200, 100, 400, 300), "person 0.93")
            out.write(frame)
    pairs = zip(
        frameloom.open(film, pix_fmt="yuv420p"),
        frameloom.open(tmp_path / "out.mkv", pix_fmt="yuv420p"),
        strict=True,
    )
    for before, after in pairs:
        luma, drawn = before.image[:720], after.image[:720]
        changed = np.argwhere(luma != drawn)
        assert len(changed) > 500
        (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
        assert left >= 198 and right <= 402 and top >= 75 and bottom <= 302
        assert np.array_equal(luma[140:290, 210:390], drawn[140:290, 210:390])


def test_it_draws_on_an_array_that_was_asked_for(film: Path) -> None:
    for pix_fmt in ("rgb24", "bgr24", "rgba", "gray", "nv12", "yuv444p"):
        frame = first_frame(film, pix_fmt=pix_fmt)
        array = frame.array
        before = array.copy()
        frame.draw.fill((0, 0, 64, 64), "white")
        assert frame.array is array
        assert np.any(before != array), pix_fmt
    frame = first_frame(film)
    frame.array[:] = 0
    frame.draw.circle((50, 50), 20, "lime")
    assert frame.array[50, 50].tolist() == [0, 255, 0] and frame.array[0, 0].tolist() == [0, 0, 0]


def test_every_shape_shows(film: Path) -> None:
    triangle = np.array([[10, 10], [200, 10], [10, 200]])
    shapes: dict[str, Any] = {
        "box": lambda draw: draw.box(np.array([300.5, 200, 500, 400]), "a label", color="red"),
        "rectangle": lambda draw: draw.rectangle((10, 10, 90, 90), (1, 2, 3, 200), width=3),
        "line": lambda draw: draw.line((0, 0), (300, 200), "#ff8000", width=4.5),
        "polyline": lambda draw: draw.polyline(triangle, "red"),
        "polygon": lambda draw: draw.polygon(triangle.tolist(), "red@0.5"),
        "circle": lambda draw: draw.circle((100, 100), 50, "red", width=2),
        "text": lambda draw: draw.text((20, 20), "Größe Привет", size=30, background="black"),
        "image": lambda draw: draw.image(np.full((20, 30, 4), 255, np.uint8), (5, 6), opacity=0.5),
        "mask": lambda draw: draw.mask(np.eye(60, dtype=bool), "red"),
        "soft mask": lambda draw: draw.mask(np.full((9, 9), 0.5), "red", opacity=1, at=(3, 3)),
        "blur": lambda draw: draw.blur((300, 200, 700, 500)),
        "pixelate": lambda draw: draw.pixelate((300, 200, 700, 500), 16),
    }
    for name, shape in shapes.items():
        frame = first_frame(film)
        before = frame.image.copy()
        shape(frame.draw)
        assert np.any(frame.image != before), name


@pytest.mark.parametrize(
    ("call", "mentions"),
    [
        (lambda draw: draw.fill((0, 0, 9, 9), "no colour"), "no colour"),
        (lambda draw: draw.fill((0, 0, 9, 9), (1, 2)), "red, green, blue"),
        (lambda draw: draw.polygon([[1, 2, 3]], "red"), r"\(n, 2\)"),
        (lambda draw: draw.text((0, 0), "x", font=__file__), "font"),
        (lambda draw: draw.fill((1, 2, 3), "red"), r"xyxy: \(1, 2, 3\) is not four numbers"),
        (lambda draw: draw.box([1, 2, 3], "x"), r"xyxy: \[1, 2, 3\]"),
        (lambda draw: draw.rectangle("here", "red"), "xyxy: here"),
        (lambda draw: draw.blur((1, 2, 3, 4, 5)), "xyxy"),
        (lambda draw: draw.pixelate(5), "xyxy: 5"),
        (lambda draw: draw.line((0,), (1, 1), "red"), r"start: \(0,\) is not two numbers"),
        (lambda draw: draw.line((0, 0), (1, 1, 1), "red"), "end"),
        (lambda draw: draw.circle((1, 2, 3), 4, "red"), "center"),
        (lambda draw: draw.text((1, 2, 3), "x"), "at: "),
        (lambda draw: draw.image(np.zeros((4, 4, 3), np.uint8), (0.5, 1)), "at: .*whole numbers"),
        (lambda draw: draw.mask(np.zeros((4, 4, 3), np.uint8), "red"), r"\(height, width\)"),
        (lambda draw: draw.image(np.zeros((4, 4, 5), np.uint8)), r"\(height, width, 4\)"),
    ],
)
def test_what_can_not_be_drawn_is_an_error(film: Path, call: Any, mentions: str) -> None:
    with pytest.raises(ValueError, match=mentions):
        call(first_frame(film).draw)


def test_text_has_the_letters_of_a_font_file(film: Path) -> None:
    fonts = sorted(Path("/usr/share/fonts").rglob("DejaVuSerif*.ttf"))
    fonts = fonts or sorted(Path("/usr/share/fonts").rglob("*.ttf"))
    if not fonts:
        pytest.skip("no .ttf under /usr/share/fonts")
    left, top, right, bottom = 100, 80, 700, 200
    pictures = []
    for font in (None, fonts[0], str(fonts[0])):
        frame = first_frame(film)
        before = frame.image.copy()
        frame.draw.text((left, top), "Frames 42", size=60, color="red", font=font)
        changed = np.argwhere(np.any(frame.image != before, axis=2))
        assert len(changed) > 500
        (first_row, first_column), (last_row, last_column) = changed.min(0), changed.max(0)
        # Two pixels share a sample of chroma.
        assert first_column >= left - 2 and last_column <= right
        assert first_row >= top - 2 and last_row <= bottom
        pictures.append(frame.image.copy())
    own, by_path, by_name = pictures
    assert np.array_equal(by_path, by_name) and np.any(own != by_path)
    # A label is as wide as its letters are, and is moved into the picture by that.
    frame = first_frame(film)
    before = frame.image.copy()
    frame.draw.box((1100, 200, 1270, 300), "close to the edge", label_size=40, font=fonts[0])
    changed = np.argwhere(np.any(frame.image != before, axis=2))
    assert changed.min(0)[1] < 1080


def test_what_is_nowhere_is_not_drawn(film: Path) -> None:
    frame = first_frame(film)
    before = frame.image.copy()
    nan = float("nan")
    frame.draw.box((nan, 0, 10, 10), "x")
    frame.draw.fill((5000, 5000, 6000, 6000), "red")
    frame.draw.line((nan, 0), (1, 1), "red")
    frame.draw.text((nan, nan), "x")
    frame.draw.blur((9, 9, 9, 9))
    assert np.array_equal(frame.image, before)
