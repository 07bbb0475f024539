#!/usr/bin/env python3
"""Edit a live stream: a box wanders over the picture, and what is under it is hidden.

    frameloom -i rtmp://HOST/live/camera -f flv rtmp://HOST/live/edited -- python3 edit.py

Frameloom runs this once. Frames come in on stdin, raw, one after the other, and each
goes out on stdout when it has been edited. Put your model where `hide` is.
"""

import os
from itertools import count

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


def bounce(step: int, room: int) -> int:
    """Where something is that goes from 0 to `room` and back, after `step` steps."""
    at = step % (2 * room) if room else 0
    return min(at, 2 * room - at)


def hide(box: Image, block: int) -> None:
    """Make squares of `block` pixels out of this part of a picture, and a frame round it."""
    height, width, _ = box.shape
    corners = box[::block, ::block]
    box[:] = corners.repeat(block, axis=0).repeat(block, axis=1)[:height, :width]
    line = max(2, block // 4)
    for edge in (box[:line], box[-line:], box[:, :line], box[:, -line:]):
        edge[:] = (255, 200, 0)


def edit(image: Image, number: int) -> None:
    """Edit the picture of frame `number` where it lies."""
    height, width, _ = image.shape
    box_height, box_width = height // 2, width // 3
    top = bounce(number * max(1, height // 200), height - box_height)
    left = bounce(number * max(1, width // 200), width - box_width)
    hide(image[top : top + box_height, left : left + box_width], block=max(2, height // 24))


def main() -> None:
    """Edit frame after frame until there are no more."""
    width = int(os.environ["FRAMELOOM_WIDTH"])
    height = int(os.environ["FRAMELOOM_HEIGHT"])
    # One picture's memory for all of them: read into, edited and written from.
    image = np.empty((height, width, 3), np.uint8)
    with open(0, "rb") as frames_in, open(1, "wb") as frames_out:  # stdin and stdout
        for number in count():
            if frames_in.readinto(image.data) < image.nbytes:
                break  # the stream has ended
            edit(image, number)
            frames_out.write(image.data)
            frames_out.flush()


if __name__ == "__main__":
    main()
