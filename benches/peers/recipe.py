"""The recipe: one ffmpeg decodes into a pipe, Python edits, another ffmpeg encodes.

    recipe.py INPUT OUTPUT
"""

import subprocess as sp
import sys

import numpy as np

source, target = sys.argv[1:]
width, height = 1920, 1080
raw = ["-f", "rawvideo", "-pix_fmt", "rgb24"]
reader = sp.Popen(
    ["ffmpeg", "-v", "error", "-threads", "1", "-i", source, *raw, "-"], stdout=sp.PIPE
)
writer = sp.Popen(
    ["ffmpeg", "-v", "error", "-y", *raw, "-s", f"{width}x{height}", "-r", "25", "-i", "-"]
    + ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-threads", "1"]
    + ["-pix_fmt", "yuv420p", target],
    stdin=sp.PIPE,
)
while data := reader.stdout.read(width * height * 3):
    image = np.frombuffer(data, np.uint8).reshape(height, width, 3).copy()
    image[10:50, 10:200] = 255
    writer.stdin.write(image)
writer.stdin.close()
sys.exit(reader.wait() or writer.wait())
