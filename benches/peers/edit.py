"""The edit that every peer makes: a white block in each frame, as a user would write it."""

import os
import sys

import numpy as np

size = int(os.environ["FRAMELOOM_HEIGHT"]), int(os.environ["FRAMELOOM_WIDTH"])
image = np.empty((*size, 3), np.uint8)
while sys.stdin.buffer.readinto(image) == image.nbytes:
    image[10:50, 10:200] = 255
    sys.stdout.buffer.write(image)
