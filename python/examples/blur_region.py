"""Blur one region of every frame, as over a number plate; the sound stays as it is.

python3 blur_region.py INPUT OUTPUT [X Y WIDTH HEIGHT]
"""

import sys

import cv2

import frameloom


def main() -> None:
    source, target, *place = sys.argv[1:]
    x, y, width, height = map(int, place or (40, 40, 200, 100))
    with frameloom.open(source, pix_fmt="bgr24") as video, video.output(target) as out:
        for frame in video:
            region = frame.array[y : y + height, x : x + width]
            region[:] = cv2.GaussianBlur(region, (0, 0), sigmaX=15)
            out.write(frame)


if __name__ == "__main__":
    main()
