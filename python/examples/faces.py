"""Draw a box round every face, found by OpenCV's Haar cascade or by its YuNet model.

python3 faces.py INPUT OUTPUT [CASCADE.xml | YUNET.onnx]
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import frameloom

Image = npt.NDArray[np.uint8]
Faces = Sequence[Sequence[int]]
NAME = "haarcascade_frontalface_default.xml"
FOLDERS = ["/usr/share/opencv4/haarcascades", str(Path(cv2.__file__).parent / "data")]


def by_model(path: str) -> Callable[[Image], Faces]:
    model = cv2.FaceDetectorYN.create(path, "", (320, 320))

    def find(image: Image) -> Faces:
        model.setInputSize((image.shape[1], image.shape[0]))
        faces = model.detect(image)[1]
        boxes: Faces = [] if faces is None else faces[:, :4].astype(int).tolist()
        return boxes

    return find


def by_cascade(given: list[str]) -> Callable[[Image], Faces]:
    found = [path for path in [*given, *(f"{f}/{NAME}" for f in FOLDERS)] if Path(path).is_file()]
    if not found or not hasattr(cv2, "CascadeClassifier"):
        sys.exit(f"no {NAME}: install opencv-data, and for OpenCV 5 opencv-contrib-python-headless")
    cascade = cv2.CascadeClassifier(found[0])
    return lambda i: cascade.detectMultiScale(cv2.cvtColor(i, cv2.COLOR_BGR2GRAY), 1.1, 5)


def main() -> None:
    source, target, *given = sys.argv[1:]
    find = by_model(given[0]) if given and given[0].endswith(".onnx") else by_cascade(given)
    count = 0

    def edit(image: Image) -> None:
        nonlocal count
        for x, y, width, height in find(image):
            cv2.rectangle(image, (x, y), (x + width, y + height), (0, 255, 0), 2)
            count += 1

    frameloom.run(source, target, edit, pix_fmt="bgr24")
    print(f"{count} faces")


if __name__ == "__main__":
    main()
