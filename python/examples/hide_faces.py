"""Blur what a model finds, such as faces, and never show a frame on which that failed.

    python3 hide_faces.py MODEL.onnx INPUT OUTPUT

With on_error="hold" the last frame that was written is shown in the place of one that fails. What
the model misses stays hidden for a few frames.
"""

import sys

import frameloom
from frameloom.detect import Detector, Redactor


def main() -> None:
    model, source, target = sys.argv[1:]
    # Of hidden and shown by mistake the first is better: a low score is enough.
    detector = Detector(model, conf=0.2)
    redactor = Redactor("blur")
    hidden = 0
    with frameloom.open(source, on_error="hold") as video, video.output(target) as out:
        for frame in video:
            try:
                detections = detector(frame)
                redactor(frame, detections)
            except Exception as error:
                if not video.failed(f"{type(error).__name__}: {error}"):
                    raise
                continue
            hidden += len(detections)
            out.write(frame)
    print(f"{hidden} faces hidden")


if __name__ == "__main__":
    main()
