"""Draw a box round every face, found by OpenCV's Haar cascade.

    python3 faces.py INPUT OUTPUT [CASCADE.xml]

The cascade comes with Debian's opencv-data, and with the package opencv-python-headless.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import frameloom

NAME = "haarcascade_frontalface_default.xml"
FOLDERS = ["/usr/share/opencv4/haarcascades", str(Path(cv2.__file__).parent / "data")]


def cascade(given: list[str]) -> cv2.CascadeClassifier:
    found = [path for path in [*given, *(f"{f}/{NAME}" for f in FOLDERS)] if Path(path).is_file()]
    if not found:
        sys.exit(f"no {NAME}: install opencv-data")
    return cv2.CascadeClassifier(found[0])


def main() -> None:
    source, target, *given = sys.argv[1:]
    faces = cascade(given)
    count = 0

    def edit(image: npt.NDArray[np.uint8]) -> None:
        nonlocal count
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        for x, y, width, height in faces.detectMultiScale(gray, 1.1, 5, minSize=(30, 30)):
            cv2.rectangle(image, (x, y), (x + width, y + height), (0, 255, 0), 2)
            count += 1

    frameloom.run(source, target, edit, pix_fmt="bgr24")
    print(f"{count} faces")


if __name__ == "__main__":
    main()
