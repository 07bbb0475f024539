#!/usr/bin/env python3
"""The well-known recipe: one program decodes into a pipe, one encodes out of another.

    python3 recipe.py SOURCE WIDTHxHEIGHT OUTPUT
    FFMPEG_BIN=frameloom python3 recipe.py SOURCE WIDTHxHEIGHT OUTPUT

It is here to show that such a script keeps working when `ffmpeg` becomes `frameloom`. A
new script is better off as edit.py is: this one loses the audio and the timestamps, and
has to be told the source's size, which nothing checks.
"""

import argparse
import os
import subprocess as sp

import numpy as np

FFMPEG_BIN = os.environ.get("FFMPEG_BIN", "ffmpeg")


def main() -> None:
    """Put a block of another colour into each frame."""
    parser = argparse.ArgumentParser()
    parser.add_argument("source", help="a file or a URL")
    parser.add_argument("size", help="its size, such as 1280x720")
    parser.add_argument("output", help="such as output_video.flv")
    parser.add_argument("--rate", default="24", help="frames a second (default: 24)")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    frame_bytes = width * height * 3

    # fmt: off
    reader = sp.Popen(
        [FFMPEG_BIN,
         "-i", args.source,
         "-f", "image2pipe",
         "-pix_fmt", "rgb24",
         "-vcodec", "rawvideo", "-"],
        stdin=sp.DEVNULL, stdout=sp.PIPE, bufsize=frame_bytes)
    writer = sp.Popen(
        [FFMPEG_BIN,
         "-y",
         "-f", "rawvideo",
         "-s", args.size,
         "-pix_fmt", "rgb24",
         "-r", args.rate,
         "-i", "-",
         "-an",
         "-vcodec", "libx264", args.output],
        stdin=sp.PIPE)
    # fmt: on
    assert reader.stdout and writer.stdin

    while len(raw := reader.stdout.read(frame_bytes)) == frame_bytes:
        image = np.frombuffer(raw, np.uint8).reshape(height, width, 3).copy()
        image[: height // 4, : width // 4] = (255, 0, 128)
        writer.stdin.write(image.tobytes())

    writer.stdin.close()
    reader.stdout.close()
    for program in (reader, writer):
        if program.wait():
            raise SystemExit(f"{FFMPEG_BIN} failed with status {program.returncode}")


if __name__ == "__main__":
    main()
