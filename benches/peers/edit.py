"""The edit that every peer makes: a block of each frame turned around, as a user would write it."""

import os
import sys

import numpy as np

width = int(os.environ["FRAMELOOM_WIDTH"])
height = int(os.environ["FRAMELOOM_HEIGHT"])
while data := sys.stdin.buffer.read(width * height * 3):
    image = np.frombuffer(data, np.uint8).reshape(height, width, 3).copy()
    image[100:200, 100:300] = 255 - image[100:200, 100:300]
    sys.stdout.buffer.write(image)
