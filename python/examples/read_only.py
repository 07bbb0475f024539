#!/usr/bin/env python3
"""Watch a live stream without changing it: say when something moves.

    frameloom -i rtmp://HOST/live/camera --frame-format gray -- python3 read_only.py

With no OUTPUT on the command line nothing is encoded, and nothing is written to stdout.
Any frame format will do: a frame is taken as its bytes.
"""

import os
import sys

import numpy as np

EVERY = 16  # of so many bytes one is looked at
CHANGED = 16  # a byte that differs by more than this has changed
MOVING = 0.01  # in a moving picture, this share of them has


def main() -> None:
    """Compare each frame with the one before it."""
    frame = np.empty(int(os.environ["FRAMELOOM_FRAME_BYTES"]), np.uint8)
    before = None
    frames = moving = 0
    was_moving = False
    with open(0, "rb") as frames_in:  # stdin
        while frames_in.readinto(frame.data) == frame.nbytes:
            now = frame[::EVERY].astype(np.int16)
            if before is not None:
                is_moving = bool(np.mean(np.abs(now - before) > CHANGED) > MOVING)
                moving += is_moving
                if is_moving != was_moving:
                    print(f"frame {frames}:", "motion" if is_moving else "still", file=sys.stderr)
                was_moving = is_moving
            before = now
            frames += 1
    print(f"{frames} frames, {moving} of them with motion", file=sys.stderr)


if __name__ == "__main__":
    main()
