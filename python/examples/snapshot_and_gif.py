"""A picture of one moment of a film, and a small GIF of the seconds behind it.

python3 snapshot_and_gif.py INPUT SECONDS PICTURE.png ANIMATION.gif
"""

import sys

import frameloom


def main() -> None:
    source, seconds, picture, animation = sys.argv[1:]
    with frameloom.open(source) as video, frameloom.create(picture) as out:
        out.write(video.frame_at(float(seconds)))
    part = frameloom.open(source, start=float(seconds), duration=2, rate=10, size=(320, 180))
    with part, frameloom.create(animation, rate=10) as out:
        for frame in part:
            out.write(frame)


if __name__ == "__main__":
    main()
