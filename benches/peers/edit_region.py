"""The same edit of the rectangle alone: nothing else is converted.

edit_region.py INPUT OUTPUT
"""

import sys

import frameloom
import numpy as np

source, target = sys.argv[1:]
settings = {"c:v": "libx264", "preset": "veryfast", "tune": "zerolatency", "threads": 1, "an": ""}
white = np.full((40, 190, 3), 255, np.uint8)
with (
    frameloom.open(source, options={"threads": 1}) as video,
    video.output(target, options=settings) as out,
):
    for frame in video:
        frame.set_region(10, 10, white)
        out.write(frame)
