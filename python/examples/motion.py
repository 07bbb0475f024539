"""Print how much moves, second by second.

    python3 motion.py INPUT

It reads a tenth of the picture in gray: that is enough, and next to no work.
"""

import sys

import numpy as np
import numpy.typing as npt

import frameloom

STEP = 12  # levels that are more than noise


def main() -> None:
    before: npt.NDArray[np.int16] | None = None
    shares: list[float] = []
    with frameloom.open(sys.argv[1], pix_fmt="gray", size=(128, 72)) as video:
        for frame in video:
            now = frame.image.astype(np.int16)
            if before is not None:
                shares.append(float((np.abs(now - before) > STEP).mean()))
            before = now
            if shares and int(frame.time + frame.duration) > int(frame.time):
                print(f"{frame.time:6.1f} s  {np.mean(shares):6.1%} of the picture moves")
                shares.clear()


if __name__ == "__main__":
    main()
