"""A video made of nothing but numpy: two waves that meet.

python3 make_video.py OUTPUT [SECONDS]
"""

import sys

import numpy as np

import frameloom

WIDTH, HEIGHT, RATE = 640, 360, 30


def main() -> None:
    target, *seconds = sys.argv[1:]
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    left, right = np.hypot(x - 160, y - 180), np.hypot(x - 480, y - 180)
    with frameloom.create(target, rate=RATE) as out:
        for number in range(round(RATE * float(seconds[0] if seconds else 3))):
            phase = 2 * np.pi * number / RATE
            height = np.sin(left / 12 - phase) + np.sin(right / 12 - phase)
            level = ((height + 2) * 63).astype(np.uint8)
            out.write(np.dstack([level // 2, level, 255 - level]))


if __name__ == "__main__":
    main()
